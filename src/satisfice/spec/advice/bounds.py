"""Constraints as people write them elsewhere, and the line of [constraints] that says the same."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

from satisfice.spec.advice.habits import plain_metric
from satisfice.spec.advice.words import METRIC_NAMES
from satisfice.spec.metric import METRICS
from satisfice.spec.toml import assignment

_OPERATORS: Mapping[str, str] = {
    **{name: name for name in ("<=", "<", ">=", ">")},
    **dict.fromkeys(
        ("=<", "≤", "⩽", "le", "lte", "max", "maximum", "upper", "high", "at_most", "at most"), "<="
    ),
    **dict.fromkeys(("no more than", "up to", "upper_bound", "max_value", "limit", "ub"), "<="),
    **dict.fromkeys(
        ("=>", "≥", "⩾", "ge", "gte", "min", "minimum", "lower", "low", "at_least", "at least"), ">="
    ),
    **dict.fromkeys(("no less than", "lower_bound", "min_value", "lb"), ">="),
    **dict.fromkeys(("lt", "below", "under", "less than", "less_than", "smaller than"), "<"),
    **dict.fromkeys(("gt", "above", "over", "more than", "greater than", "greater_than", "larger than"), ">"),
}
_WORDS = "|".join(re.escape(word) for word in sorted(_OPERATORS, key=len, reverse=True))
_SPOKEN = re.compile(
    rf"\s*(?:(?P<metric>[^\W\d][\w.]*)\s*)?(?P<operator>{_WORDS})?\s*"
    r"(?P<number>[+-]?(?:\d[\d_]*(?:[.,]\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-zµμ%]*)\s*",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"\s*([^<>=]+?)\s*((?:<=|>=|=<|=>|<|>)\s*[^<>=]+)")
_BETWEEN = re.compile(
    r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(?:<=?\s*\w*\s*<=?|\.\.+|-|–|to)\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*"
)
# Units that a metric's name may end in elsewhere: ours, and how many of ours one is.
_UNITS: Mapping[str, tuple[str, float]] = {
    **dict.fromkeys(("b", "byte", "bytes"), ("bytes", 1.0)),
    **dict.fromkeys(("kb", "k", "kilobytes"), ("kb", 1.0)),
    **dict.fromkeys(("kib",), ("kb", 1.024)),
    **dict.fromkeys(("mb", "m", "megabytes"), ("mb", 1.0)),
    **dict.fromkeys(("mib",), ("mb", 1.048576)),
    **dict.fromkeys(("gb", "g", "gigabytes"), ("mb", 1e3)),
    **dict.fromkeys(("gib",), ("mb", 1073.741824)),
    **dict.fromkeys(("ns", "nanoseconds"), ("us", 1e-3)),
    **dict.fromkeys(("us", "µs", "μs", "microseconds"), ("us", 1.0)),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), ("ms", 1.0)),
    **dict.fromkeys(("s", "sec", "secs", "seconds"), ("s", 1.0)),
    **dict.fromkeys(("min", "minutes"), ("s", 60.0)),
}
_COUNTS: Mapping[str, float] = {"k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12}
# Other words for quantities that have units.
_QUANTITIES: Mapping[str, str] = {
    **{m.quantity: m.quantity for m in METRICS.values() if m.name != m.quantity},
    **dict.fromkeys(("model_size", "file_size", "filesize", "disk_size", "disk", "weight"), "size"),
    **dict.fromkeys(("inference_time", "inference_latency", "prediction_time", "predict_time"), "latency"),
    **dict.fromkeys(("inference", "response_time", "delay", "runtime", "p50", "latency_p50"), "latency"),
    **dict.fromkeys(
        ("p95", "p95_latency", "latency_95", "p99", "latency_p99", "tail_latency"), "latency_p95"
    ),
    **dict.fromkeys(("ram", "peak_memory", "max_memory", "mem", "vram", "gpu_memory"), "memory"),
    **dict.fromkeys(("training_memory", "peak_train_memory"), "train_memory"),
}
_MIRRORED = str.maketrans("<>", "><")
_SMALLEST_UNIT = {"size": "mb", "memory": "mb", "train_memory": "mb"}


def meant_metric(name: str) -> tuple[str, float] | None:
    """The metric that another name means, and how many of its units one is; None where none is like it.

    >>> meant_metric("size_gb"), meant_metric("inference_time_ms"), meant_metric("acc")
    (('size_mb', 1000.0), ('latency_ms', 1.0), ('accuracy', 1.0))
    """
    word = plain_metric(name)
    if word in METRIC_NAMES:
        return METRIC_NAMES[word], {"gflops": 1e9, "mflops": 1e6, "macs": 2.0}.get(word, 1.0)
    stem, _, unit = word.rpartition("_")
    if word in _QUANTITIES:
        quantity = _QUANTITIES[word]
        return f"{quantity}_{_SMALLEST_UNIT.get(quantity, 'ms')}", 1.0
    if stem in _QUANTITIES and unit in _UNITS:
        ours, scale = _UNITS[unit]
        metric = f"{_QUANTITIES[stem]}_{ours}"
        return (metric, scale) if metric in METRICS else None
    return None


def bound_line(metric: str, value: Any) -> str:
    """``latency_ms = "<= 5"`` for a bound written in another way; empty where its meaning is not plain.

    Args:
        metric: The key, perhaps a name from elsewhere.
        value: What stands there.
    """
    said = _parts(metric, value)
    if not said:
        return ""
    bounds, name = [], metric
    for operator, number, unit in said:
        scaled = _scaled(metric, number, unit)
        if scaled is None or not math.isfinite(scaled[1]):
            return ""
        name, amount = scaled
        if plain_metric(metric) in ("error", "error_rate"):  # its bound is one of accuracy on the other side
            operator, amount = operator.translate(_MIRRORED), 1 - amount
        bounds.append(f"{operator} {amount:.12g}")
    return assignment(name, bounds[0] if len(bounds) == 1 else bounds)


def clause_lines(value: Any) -> list[str]:
    """The lines of [constraints] for a list of clauses or of tables; empty where their meaning is not plain.

    >>> clause_lines(["size_mb <= 8", {"metric": "acc", "op": ">=", "value": 0.9}])
    ['size_mb = "<= 8"', 'accuracy = ">= 0.9"']
    """
    items = value if isinstance(value, list) else [value]
    lines = [_clause_line(item) for item in items]
    return lines if all(lines) else []


def _clause_line(item: Any) -> str:
    if isinstance(item, str):
        clause = _CLAUSE.fullmatch(item)
        return bound_line(clause[1], clause[2]) if clause is not None else ""
    if isinstance(item, Mapping):
        metric = next((item[key] for key in ("metric", "name") if isinstance(item.get(key), str)), "")
        rest = {key: bound for key, bound in item.items() if key not in ("metric", "name")}
        return bound_line(metric, rest) if metric else ""
    return ""


def _parts(metric: str, value: Any) -> list[tuple[str, float, str]]:
    """Operator, number and unit of each bound; empty where they cannot be told."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [(_usual(metric), float(value), "")] if abs(value) <= sys.float_info.max else []
    if isinstance(value, str):
        between = _BETWEEN.fullmatch(value)
        if between is not None:
            return _numbers(between[1], between[2])
        spoken = _SPOKEN.fullmatch(value)
        if spoken is None:
            return []
        return _spoken(metric, spoken)
    if isinstance(value, Mapping):
        return _table(metric, value)
    if isinstance(value, list) and len(value) == 2:
        first, second = value
        if isinstance(first, str) and first in _OPERATORS:
            return _parts(metric, f"{first} {second}")
        if all(isinstance(item, int | float) and not isinstance(item, bool) for item in value):
            return _numbers(first, second)
    return []


def _numbers(low: Any, high: Any) -> list[tuple[str, float, str]]:
    try:
        a, b = float(low), float(high)
    except (ValueError, OverflowError):
        return []
    return [(">=", a, ""), ("<=", b, "")] if a <= b else []


def _spoken(metric: str, match: re.Match[str]) -> list[tuple[str, float, str]]:
    named, spoken, number = match["metric"], match["operator"], match["number"].replace("_", "")
    if named and spoken is None:
        if named.lower() not in _OPERATORS:
            return []
        spoken = named
    if "," in number:
        if re.search(r",\d{3}\b", number):
            return []  # a thousand, or a decimal comma
        number = number.replace(",", ".")
    operator = _OPERATORS[spoken.lower()] if spoken else _usual(metric)
    return [(operator, float(number), match["unit"].lower())]


def _table(metric: str, value: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    lower = {str(key).lower(): item for key, item in value.items()}
    operator = next((lower[k] for k in ("op", "operator", "type", "sense", "relation") if k in lower), None)
    number = next((lower[k] for k in ("value", "bound", "threshold", "than") if k in lower), None)
    if operator is not None and number is not None:
        return _parts(metric, f"{operator} {number}")
    found = [part for key, n in lower.items() if key in _OPERATORS for part in _parts(metric, f"{key} {n}")]
    return found if len(found) == len(lower) else []


def _usual(metric: str) -> str:
    """The side on which this metric is usually bounded."""
    meant = meant_metric(metric)
    known = METRICS.get(meant[0]) if meant is not None else None
    return ">=" if known is not None and known.direction == "maximize" else "<="


def _scaled(metric: str, number: float, unit: str) -> tuple[str, float] | None:
    """The metric and the number in its unit."""
    meant = meant_metric(metric)
    if meant is None:
        return (metric, number) if not unit else None
    name, scale = meant
    if plain_metric(metric) in ("mse", "mean_squared_error", "squared_error", "l2_loss"):
        return (name, number**0.5) if number >= 0 and not unit else None
    known = METRICS[name]
    if unit == "%":
        return (name, number / 100) if known.upper == 1.0 else None
    if not unit:
        return name, number * scale
    if known.quantity in ("n_parameters", "flops") and unit in _COUNTS:
        return name, number * _COUNTS[unit]
    if unit not in _UNITS:
        return None
    ours, times = _UNITS[unit]
    other = f"{known.quantity}_{ours}"
    return (other, number * times) if other in METRICS else None
