"""Centre and spread of numbers, in float64 and independent of their unit.

Numbers are brought near 1 by a power of two before anything is squared or subtracted, so that neither 1e300
nor 1e-300 overflows or vanishes. A power of two changes no digit, so other numbers come out as they would
without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
_LARGEST = float(np.finfo(np.float64).max)
_LEAST = 5e-324  # the smallest positive number
_SAME = 4 * _EPS  # numbers that differ by less than this share of their magnitude differ by rounding
_FARTHEST = 1e15  # spreads from the centre; beyond, float32 arithmetic on features could overflow
_FAST = 1000  # powers of two up to which a product is as good as `ldexp`, and faster
_GRID = 2.0**-30  # see `TargetScale.standardise`


def exponent(values: ArrayLike) -> int:
    """The power e such that all values are below 2^e in magnitude; 0 if all are zero or one is not finite."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return int(np.frexp(largest)[1]) if np.isfinite(largest) else 0


def is_constant(values: Doubles) -> bool:
    """Whether the values, all finite, are the same but for rounding in float64."""
    low, high = float(values.min()), float(values.max())
    at = exponent([low, high])
    low, high = float(times(low, -at)), float(times(high, -at))
    return high - low <= _SAME * max(abs(low), abs(high))


def centre_and_spread(values: Doubles) -> tuple[float, float]:
    """Mean and standard deviation of finite values; the spread of a constant is 0."""
    return centre_and_spread_of(lambda: [values])


def centre_and_spread_of(parts: Callable[[], Iterable[Doubles]]) -> tuple[float, float]:
    """The same for values that come in parts, to bound memory; ``parts`` is called once for each pass."""
    low, high = min(float(part.min()) for part in parts()), max(float(part.max()) for part in parts())
    count = sum(part.size for part in parts())
    at = exponent([low, high])
    if is_constant(np.array([low, high])):
        return low, 0.0
    mean = sum(float(times(part, -at).sum()) for part in parts()) / count
    mean += sum(float((times(part, -at) - mean).sum()) for part in parts()) / count  # what was rounded off
    further = exponent([float(times(low, -at)) - mean, float(times(high, -at)) - mean])
    rest = squares = 0.0
    for part in parts():
        deviation = times(times(part, -at) - mean, -further)
        rest += float(deviation.sum())  # far from zero the mean itself is rounded
        squares += float((deviation**2).sum())
    spread = float(times(np.sqrt(squares / count - (rest / count) ** 2), further + at))
    return float(times(mean, at)), max(spread, _LEAST)


def times(values: ArrayLike, e: int) -> Doubles:
    """``values * 2**e``, without rounding where the result is a normal number; inf where it is too large."""
    if abs(e) <= _FAST:
        return np.asarray(np.asarray(values, np.float64) * 2.0**e)
    return np.asarray(np.ldexp(values, e))


def distance(values: Doubles, centre: float, spread: float) -> Doubles:
    """``(values - centre) / spread`` without overflow on the way; zeros where the spread is 0."""
    if spread == 0:
        return np.zeros(np.shape(values))
    mantissa, at = np.frexp(spread)
    with np.errstate(over="ignore"):
        return np.asarray((times(values, -int(at)) - times(centre, -int(at))) / mantissa)


def standardise(values: Doubles, centre: float, spread: float) -> NDArray[np.float32]:
    """Values as float32 features: in spreads from the centre; zeros where the spread is 0.

    The subtraction happens in float64: of numbers far from zero float32 would keep few digits or none.
    """
    return np.clip(distance(values, centre, spread), -_FARTHEST, _FARTHEST).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class TargetScale:
    """How a regression's target was standardised: models learn and predict in these units."""

    centre: float  # mean of the training fold
    spread: float  # its standard deviation; 0 if it is constant

    def standardise(self, target: Doubles) -> Doubles:
        """What models learn, float64.

        It lies on a grid of 2^-30 spreads. Sums over it are then exact up to millions of rows, in whatever
        order, so that two splits of a tree that are equally good stay so in every unit.
        """
        return np.asarray(np.round(distance(target, self.centre, self.spread) / _GRID) * _GRID)

    def restore(self, predicted: NDArray[np.floating]) -> Doubles:
        """Predictions in the target's own unit, float64."""
        at = exponent([self.centre, self.spread])
        with np.errstate(over="ignore"):
            near = times(self.centre, -at) + times(self.spread, -at) * predicted.astype(np.float64)
            return np.asarray(np.clip(times(near, at), -_LARGEST, _LARGEST))


def fit_target(target: Doubles) -> TargetScale:
    """Learn the scale from the training fold's target, all finite."""
    centre, spread = centre_and_spread(target)
    return TargetScale(centre=centre, spread=spread)
