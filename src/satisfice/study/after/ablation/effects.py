"""What each technique is worth: differences of means over seeds, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A difference of two means."""

    value: float | None  # mean with the technique minus mean without it; None: one of them is not known
    low: float | None  # ends of the 95% interval; None: a single training tells no spread
    high: float | None


def effect_of(with_it: Sequence[float], without: Sequence[float]) -> Effect:
    """The effect of a technique on one metric, by Welch's interval (Welch 1947, Biometrika 34).

    Args:
        with_it: Values of the metric by seed, with the technique.
        without: Without it.
    """
    if not with_it or not without:
        return Effect(value=None, low=None, high=None)
    a, b = np.asarray(with_it, float), np.asarray(without, float)
    value = float(a.mean() - b.mean())
    if not math.isfinite(value):
        return Effect(value=None, low=None, high=None)
    if np.ptp(a) == 0 and np.ptp(b) == 0 and min(len(a), len(b)) > 1:  # exact metrics, such as size
        return Effect(value=value, low=value, high=value)
    if min(len(a), len(b)) < 2:
        return Effect(value=value, low=None, high=None)
    errors = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    largest = max(errors)
    if largest == 0:  # they differ by less than a square can hold
        return Effect(value=value, low=value, high=value)
    shares = [error / largest for error in errors]  # so that no square underflows
    freedom = sum(shares) ** 2 / sum(e**2 / (n - 1) for e, n in zip(shares, (len(a), len(b)), strict=True))
    half = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, freedom)) * math.sqrt(sum(errors))
    return Effect(value=value, low=value - half, high=value + half)
