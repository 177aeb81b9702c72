"""What Optuna's distributions lack, in one place: quantiles, places in a range, the union of two ranges.

Raw values are floats: a number, or the index of a choice; NaN stands for an inactive parameter. Arrays of any
shape keep their shape.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

Floats = NDArray[np.float64]


def raw_at_quantiles(d: BaseDistribution, quantiles: Floats) -> Floats:
    """Raw values at quantiles in [0, 1): the inverse of the uniform (or log-uniform) distribution function.

    The values of a stepped range, and choices, have equal shares of the quantiles; in a logarithmic range of
    integers each owns what rounds to it.
    """
    if isinstance(d, CategoricalDistribution):
        return _bins(quantiles, len(d.choices))
    assert isinstance(d, FloatDistribution | IntDistribution)
    if d.step is not None and not d.log:
        return np.clip(d.low + d.step * _bins(quantiles, step_count(d)), d.low, d.high)
    low, high = _quantile_range(d)
    values = low + quantiles * (high - low)
    if d.log:
        values = np.exp(values)
    if d.step is not None:
        values = d.low + d.step * np.round((values - d.low) / d.step)
    return np.clip(values, d.low, d.high)


def quantiles_of_raw(d: BaseDistribution, raw: Floats) -> Floats:
    """Quantiles in [0, 1] that lead back to the raw values, of stepped values the middle; NaN stays."""
    if isinstance(d, CategoricalDistribution):
        return (raw + 0.5) / len(d.choices)
    assert isinstance(d, FloatDistribution | IntDistribution)
    low, high = _quantile_range(d)
    values = np.log(raw) if d.log else raw
    if not high > low:
        return np.where(np.isnan(raw), np.nan, 0.5)
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def scaled_raw(d: BaseDistribution, raw: Floats) -> Floats:
    """Place of raw values along the range, from 0 to 1, linear in the logarithm where ``log``; NaN stays.

    Choices are evenly spread in their order. Of a range with one value the place is 0.5.
    """
    if isinstance(d, CategoricalDistribution):
        low, high, values = 0.0, float(len(d.choices) - 1), raw
    else:
        assert isinstance(d, FloatDistribution | IntDistribution)
        low, high, values = float(d.low), float(d.high), raw
        if d.log:
            low, high, values = math.log(low), math.log(high), np.log(raw)
    if not high > low:  # neighbouring floats may have one logarithm
        return np.where(np.isnan(raw), np.nan, 0.5)
    return np.asarray((values - low) / (high - low))


def union(a: BaseDistribution, b: BaseDistribution) -> BaseDistribution:
    """A distribution that holds every value of both; ``b`` where one is a choice and the other a number.

    It is logarithmic where both are. Steps are given up where the distributions differ.
    """
    if a == b:
        return a
    if isinstance(a, CategoricalDistribution) and isinstance(b, CategoricalDistribution):
        choices = {repr(c): c for c in (*a.choices, *b.choices)}  # lists among them, too
        return CategoricalDistribution(tuple(choices.values()))
    if isinstance(a, IntDistribution) and isinstance(b, IntDistribution):
        return IntDistribution(min(a.low, b.low), max(a.high, b.high), log=a.log and b.log)
    if isinstance(a, FloatDistribution | IntDistribution) and isinstance(
        b, FloatDistribution | IntDistribution
    ):
        return FloatDistribution(float(min(a.low, b.low)), float(max(a.high, b.high)), log=a.log and b.log)
    return b


def same_kind(a: BaseDistribution, b: BaseDistribution) -> bool:
    """Whether both are ranges of one type and scale without steps, so that `union` loses nothing."""
    if not isinstance(a, FloatDistribution | IntDistribution) or type(a) is not type(b):
        return False
    assert isinstance(b, FloatDistribution | IntDistribution)
    return (a.log, a.step) == (b.log, b.step) and a.step in (None, 1)


def step_count(d: FloatDistribution | IntDistribution) -> int:
    """Number of values of a stepped range; integers are stepped."""
    if isinstance(d, IntDistribution):
        return (d.high - d.low) // d.step + 1
    assert d.step is not None
    return math.floor((d.high - d.low) / d.step + 1e-9) + 1


def _bins(quantiles: Floats, count: int) -> Floats:
    return np.asarray(np.minimum(np.floor(quantiles * count), count - 1))


def _quantile_range(d: FloatDistribution | IntDistribution) -> tuple[float, float]:
    """Ends of the interval whose quantiles are uniform; integers own half a step on either side."""
    half = d.step / 2 if d.step is not None else 0.0
    if d.log:
        return math.log(d.low - half), math.log(d.high + half)
    return d.low - half, d.high + half
