"""Parameters as people write them elsewhere, and the line of [space] that says the same."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.spec.toml import assignment

_LOW = ("low", "min", "lower", "minimum", "start", "from", "min_value", "lower_bound", "a")
_HIGH = ("high", "max", "upper", "maximum", "stop", "end", "to", "max_value", "upper_bound", "b")
_CHOICES = ("choices", "values", "options", "categories", "grid", "enum", "items", "candidates")
_STEP = ("step", "q", "stepsize", "step_size", "increment", "quantization")
_KIND = ("type", "dtype", "distribution", "dist", "suggest", "scale", "prior", "sampling", "method")
_LOG = ("log", "log_scale", "logscale", "logarithmic", "use_log")
_LABEL = ("name", "default", "description", "args", "kwargs", "range", "bounds", "q")
_MOST = sys.float_info.max
_SPOKEN = re.compile(
    r"\s*(?P<kind>[A-Za-z_\-]*)\s*[\[(]?\s*(?P<low>[+-]?[\d.]+(?:e[+-]?\d+)?)\s*(?:,|;|\.\.+|:|to|-|–)\s*"
    r"(?P<high>[+-]?[\d.]+(?:e[+-]?\d+)?)\s*[\])]?\s*",
    re.IGNORECASE,
)


def range_line(name: str, value: Any) -> str:
    """``a = { low = 0.0, high = 1.0 }`` for a parameter written otherwise; empty where it is not plain."""
    meant = _from_object(value)
    if meant is None and isinstance(value, str):
        meant = _from_text(value)
    if meant is None and isinstance(value, Mapping):
        meant = _from_table(value)
    if meant is None and isinstance(value, list):
        meant = _from_list(value)
    return "" if meant is None else assignment(name, meant)


def is_foreign(value: Mapping[str, Any]) -> bool:
    """Whether a table has keys of other tools' parameters."""
    ours = ("low", "high", "step", "log", "choices", "when")
    foreign = {*_LOW, *_HIGH, *_CHOICES, *_STEP, *_KIND, *_LOG, *_LABEL} - set(ours)
    return any(str(key).lower() in foreign for key in value)


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _span(low: Any, high: Any, kind: str, *, log: bool = False, step: Any = None) -> dict[str, Any] | None:
    """A range, as int or float by its kind or its ends."""
    a, b = _number(low), _number(high)
    if a is None or b is None or not abs(a) <= _MOST or not abs(b) <= _MOST or a > b:
        return None
    whole = float(a).is_integer() and float(b).is_integer()
    if "int" in kind and whole:
        a, b = int(a), int(b)
    elif "float" in kind or "uniform" in kind or "double" in kind or "real" in kind:
        a, b = float(a), float(b)
    out: dict[str, Any] = {"low": a, "high": b}
    s = _number(step)
    if s is not None and s > 0 and s != 1:
        out["step"] = s
    elif log or "log" in kind:
        out["log"] = True
    return out if not (out.get("log") and a <= 0) else {"low": a, "high": b}


def _from_table(value: Mapping[str, Any]) -> dict[str, Any] | list[Any] | None:
    lower = {str(key).lower(): item for key, item in value.items()}
    kind = " ".join(str(lower[key]).lower() for key in _KIND if isinstance(lower.get(key), str))
    when = {"when": lower["when"]} if isinstance(lower.get("when"), Mapping) else {}
    choices = next((lower[key] for key in _CHOICES if isinstance(lower.get(key), list)), None)
    ends = next((lower[key] for key in ("args", "range", "bounds") if isinstance(lower.get(key), list)), None)
    if choices is None and "categorical" in kind and ends:
        choices = ends[0] if isinstance(ends[0], list) else ends
    if choices is not None:
        return {"choices": choices, **when} if when else choices
    if "bool" in kind:
        return {"choices": [True, False], **when} if when else [True, False]
    if ends is not None and len(ends) >= 2:
        found = _span(ends[0], ends[1], kind, log=_true(lower, _LOG))
    else:
        low = next((lower[key] for key in _LOW if key in lower), None)
        high = next((lower[key] for key in _HIGH if key in lower), None)
        step = next((lower[key] for key in _STEP if key in lower), None)
        found = _span(low, high, kind, log=_true(lower, _LOG), step=step)
    return None if found is None else found | when


def _true(lower: Mapping[str, Any], keys: tuple[str, ...]) -> bool:
    return any(lower.get(key) is True or str(lower.get(key)).lower() in ("true", "yes", "1") for key in keys)


def _from_text(text: str) -> dict[str, Any] | None:
    match = _SPOKEN.fullmatch(text)
    if match is None:
        return None
    whole = all("." not in match[end] and "e" not in match[end].lower() for end in ("low", "high"))
    kind = match["kind"].lower() or ("int" if whole else "")
    return _span(match["low"], match["high"], kind)


def _from_list(values: list[Any]) -> dict[str, Any] | None:
    """``[1e-4, 1e-1, "log-uniform"]``, as scikit-optimize writes it."""
    if len(values) == 3 and isinstance(values[2], str) and values[2].lower().replace("-", "") in _PRIORS:
        return _span(values[0], values[1], values[2].lower())
    return None


_PRIORS = ("log", "loguniform", "uniform", "log_uniform")


def _from_object(value: Any) -> dict[str, Any] | list[Any] | None:
    """Optuna's distributions, Python's ranges and sets, and frozen distributions of scipy."""
    if isinstance(value, CategoricalDistribution):
        return list(value.choices)
    if isinstance(value, IntDistribution | FloatDistribution):
        kind = "int" if isinstance(value, IntDistribution) else "float"
        return _span(value.low, value.high, kind, log=value.log, step=value.step)
    if isinstance(value, BaseDistribution):
        return None
    if isinstance(value, range) and len(value) > 0:
        return _span(value[0], value[-1], "int", step=value.step)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    name = getattr(getattr(value, "dist", None), "name", None)
    args: tuple[Any, ...] = getattr(value, "args", ())
    if len(args) != 2:
        return None
    if name in ("loguniform", "reciprocal"):
        return _span(*args, "loguniform")
    if name == "uniform":
        return _span(args[0], args[0] + args[1], "float")
    return _span(args[0], args[1] - 1, "int") if name == "randint" else None
