"""Noise in sentences, without full stops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from satisfice.choose.bounds import number_text
from satisfice.choose.noise.expected import Expected
from satisfice.spec.metric import METRICS
from satisfice.spec.standard_error import NORMAL_95

_LEAST = {"size": "smallest", "latency": "fastest", "latency_p95": "fastest", "pipeline_latency": "fastest"}
_UNITS = {"mb": "MB", "kb": "kB", "bytes": "bytes", "ms": "ms", "us": "µs", "s": "s"}


def tied_words(number: int, tied: Sequence[int], cheapest: tuple[int, str, float] | None) -> str:
    """``7 trials are within noise of it; the smallest is trial 32, 0.0086 MB``; empty where none is.

    Args:
        number: Of the chosen trial.
        tied: Numbers of those that cannot be told from it.
        cheapest: Of all of these the cheapest: its number, the metric that it is cheapest by, its value.
    """
    if not tied:
        return ""
    text = (
        f"{len(tied)} trials are within noise of it"
        if len(tied) > 1
        else f"trial {tied[0]} is within noise of it"
    )
    if cheapest is None:
        return text
    which, metric, value = cheapest
    least = _LEAST.get(METRICS[metric].quantity) if metric in METRICS else None
    best = f"the {least}" if least else f"the best by {metric}"
    if which == number:
        return f"{text}, and it is {best} of them"
    shown = with_unit(metric, value)
    if len(tied) == 1:
        return f"{text} and {'has a better ' + metric if least is None else _comparative(least)}, {shown}"
    return f"{text}; {best} is trial {which}, {shown}"


def _comparative(least: str) -> str:
    return f"is {least.removesuffix('est')}er"


def with_unit(metric: str, value: float) -> str:
    """A value with the unit that the metric's name ends in.

    >>> with_unit("size_mb", 0.0086), with_unit("f1", 0.5)
    ('0.0086 MB', '0.5')
    """
    known = METRICS.get(metric)
    unit = (
        _UNITS.get(metric.rpartition("_")[2]) if known is not None and known.name != known.quantity else None
    )
    return f"{number_text(value)} {unit}" if unit else number_text(value)


def expected_words(expected: Expected | None) -> str:
    """What to expect on new data; empty where that is not known."""
    if expected is None:
        return ""
    low, high = number_text(expected.low, 3), number_text(expected.high, 3)
    many = (
        f", corrected for having chosen the best of {expected.candidates} contenders"
        if expected.candidates > 1
        else ""
    )
    shown = number_text(expected.value, 3)
    return f"expected on new data: {expected.metric} {shown}, 95% {low} to {high}{many}"


def with_interval(value: float, error: float | None, metric: str = "") -> str:
    """``0.82 (95% 0.77 to 0.87)``; the value alone where its error is not known.

    Args:
        value: Of the metric.
        error: Its standard error.
        metric: A score of known range stays inside it.
    """
    if error is None or not math.isfinite(value) or error == 0:
        return number_text(value)
    known = METRICS.get(metric)
    low, high = value - NORMAL_95 * error, value + NORMAL_95 * error
    if known is not None:
        low, high = max(low, known.lower), min(high, known.upper)
    return f"{number_text(value)} (95% {number_text(low, 3)} to {number_text(high, 3)})"


def split_remarks(
    names: Iterable[str],
    valid: Mapping[str, float],
    valid_errors: Mapping[str, float],
    test: Mapping[str, float],
    test_errors: Mapping[str, float],
) -> list[str]:
    """Metrics whose value on the test split differs from that on validation by more than noise (95%).

    The splits share no row, so both errors count.

    Args:
        names: Metrics to look at.
        valid: Values on the validation split.
        valid_errors: Their standard errors.
        test: Values on the test split.
        test_errors: Their standard errors.
    """
    said = []
    for name in dict.fromkeys(names):
        if not all(name in each for each in (valid, valid_errors, test, test_errors)):
            continue
        apart = test[name] - valid[name]
        error = math.hypot(valid_errors[name], test_errors[name])
        if not math.isfinite(apart) or abs(apart) <= NORMAL_95 * error:
            continue
        known = METRICS.get(name)
        worse = known is not None and (apart < 0) == (known.direction == "maximize")
        verb = "worse" if worse else "better" if known is not None else "other"
        said.append(
            f"{name} is {verb} on the test split ({number_text(test[name])}) than on validation "
            f"({number_text(valid[name])}) by more than noise: the splits differ by "
            f"{number_text(abs(apart), 2)}, and rows explain {number_text(NORMAL_95 * error, 2)}"
        )
    return said
