"""Standard errors beside metrics: ``"accuracy.se"`` tells how far other rows would move ``accuracy``.

Training code reports them so, and so they are stored: in one dict with the metrics. Who reads a trial finds
them apart, see `split`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from satisfice.errors import BadReport
from satisfice.spec.metric import METRICS, Known

SUFFIX = ".se"
NORMAL_95 = 1.959963984540054  # standard errors from the middle of a 95% interval to its ends


def error_name(metric: str) -> str:
    """The name under which the standard error of a metric is reported."""
    return f"{metric}{SUFFIX}"


def metric_named(name: str) -> str | None:
    """The metric whose standard error a name stands for; None where it stands for none.

    >>> metric_named("accuracy.se"), metric_named("accuracy")
    ('accuracy', None)
    """
    metric = name.removesuffix(SUFFIX)
    return metric if metric and metric != name else None


def split(
    recorded: Mapping[str, float], named: Collection[str] = ()
) -> tuple[dict[str, float], dict[str, float]]:
    """Metrics, and by metric their standard errors.

    Args:
        recorded: Both, as they are stored.
        named: Metrics that the study names: a study of an earlier version may have named one ``"x.se"``.

    >>> split({"accuracy": 0.9, "accuracy.se": 0.02, "size_mb": 1.0})
    ({'accuracy': 0.9, 'size_mb': 1.0}, {'accuracy': 0.02})
    """
    metrics: dict[str, float] = {}
    errors: dict[str, float] = {}
    for name, value in recorded.items():
        metric = metric_named(name)
        if metric is None or metric not in recorded or name in named:
            metrics[name] = value
        else:
            errors[metric] = value
    return metrics, errors


def joined(metrics: Mapping[str, float], errors: Mapping[str, float]) -> dict[str, float]:
    """Both in one dict, as they are stored; `split` takes them apart."""
    return {**metrics, **{error_name(metric): error for metric, error in errors.items() if metric in metrics}}


def in_every_unit(metrics: Collection[str], errors: Mapping[str, float]) -> dict[str, float]:
    """Standard errors in all units of a metric: that of ``latency_ms`` tells ``latency_us``'s.

    Args:
        metrics: Names of what is recorded.
        errors: By metric, as told.
    """
    out = dict(errors)
    base: dict[str, float] = {}
    for name, error in errors.items():
        known = METRICS.get(name)
        if known is not None:
            base.setdefault(known.quantity, error * known.scale)
    for name in metrics:
        known = METRICS.get(name)
        if known is not None and name not in out and known.quantity in base:
            out[name] = base[known.quantity] / known.scale
    return out


def is_exact(metric: str) -> bool:
    """Whether a metric of that name is counted, not measured or scored: another look finds the same."""
    known = METRICS.get(metric)
    return known is not None and known.known is Known.BEFORE


def check_errors(told: Mapping[str, float], known: Collection[str] = (), named: Collection[str] = ()) -> None:
    """Refuse a standard error that is none.

    Args:
        told: Metrics and standard errors as training code gave them, floats.
        known: Metrics that were told before.
        named: Metrics that the study names.

    Raises:
        BadReport: It is negative, infinite or NaN, or there is no metric that it belongs to.
    """
    for name, value in told.items():
        metric = metric_named(name)
        if metric is None or name in named:
            continue
        if not (math.isfinite(value) and value >= 0):
            raise BadReport(
                f"{name} = {value:g} is no standard error of {metric}",
                hint="give a finite number, at least 0",
            )
        if metric not in told and metric not in known:
            raise BadReport(
                f"{name} is the standard error of {metric}, which was not given", hint=f"give {metric} too"
            )
