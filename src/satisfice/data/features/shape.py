"""The shape of a numeric column: where its middle is, how far it spreads, whether it is skewed.

Nothing here depends on the column's unit or on where its zero lies: a temperature gives the same features in
kelvin and in degrees Celsius. A skewed column becomes

    sign(u) log(1 + |u|), u = (x - start) / unit

with `start` at the end of the short tail, and as `unit` the one of a few quantiles of |x - start| that leaves
least skewness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from satisfice.data.features.scale import Doubles, centre_and_spread, distance, exponent, is_constant, times

STANDARD, ROBUST, NONE = SCALINGS = ("standard", "robust", "none")

_FARTHEST = 1e15  # as in `satisfice.data.features.scale`
_QUARTILES = 1.3489795003921634  # from the first to the third, of a normal distribution in its deviations
_SKEWED = 3.0  # skewness, either way, from which on the logarithm is taken
_UNITS = (0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of the distances from the start that are tried as unit


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is learnt about a numeric column."""

    missing: float  # the feature that stands for a missing value: that of the median
    mean: float  # of the column, medians where values are missing, after the logarithm
    scale: float  # its standard deviation; 0 where the known values are all the same
    skewed: bool = False  # whether the logarithm is taken
    start: float = 0.0
    unit: float = 1.0


def fit_shape(values: Doubles) -> Shape | None:
    """Learn it; None where no value is a finite number."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    at = exponent(known)
    middle = float(np.median(times(known, -at)))  # within (-1, 1), so that nothing overflows
    if is_constant(known):
        return Shape(missing=0.0, mean=float(known[0]), scale=0.0)
    median = times([middle], at)
    filled = np.where(np.isfinite(values), values, median)
    skewness = _skewness(filled)
    if abs(skewness) > _SKEWED:
        start = float(known.min() if skewness > 0 else known.max())
        unit = _best_unit(filled, start)
        mean, scale = centre_and_spread(signed_log(distance(filled, start, unit)))
        if scale > 0:
            missing = float(distance(signed_log(distance(median, start, unit)), mean, scale)[0])
            return Shape(missing=missing, mean=mean, scale=scale, skewed=True, start=start, unit=unit)
    mean, scale = centre_and_spread(filled)
    return Shape(missing=float(distance(median, mean, scale)[0]), mean=mean, scale=scale)


def rescaled(shape: Shape, values: Doubles, scaling: str) -> Shape:
    """The shape on another scale; a constant column stays as it is.

    Args:
        shape: As `fit_shape` gives it, ``standard``: zero mean and unit variance.
        values: The column that it was fitted to.
        scaling: With ``robust`` zero is the median and the unit the distance between the quartiles, as many
            deviations as it is in a normal distribution; where half of the values are the same, the standard
            deviation. With ``none`` numbers stay as they are, without a logarithm.
    """
    known = values[np.isfinite(values)]
    if scaling == STANDARD or shape.scale == 0:
        return shape
    at = exponent(known)
    if scaling == NONE:
        middle = float(times([float(np.median(times(known, -at)))], at)[0])
        return Shape(missing=float(np.clip(middle, -_FARTHEST, _FARTHEST)), mean=0.0, scale=1.0)
    if shape.skewed:
        known = signed_log(distance(known, shape.start, shape.unit))
        at = exponent(known)
    low, middle, high = np.quantile(times(known, -at), (0.25, 0.5, 0.75)).tolist()
    centre, spread = (float(times(number, at)) for number in (middle, (high - low) / _QUARTILES))
    if spread <= 0:
        spread = shape.scale
    return Shape(
        missing=0.0,
        mean=centre,
        scale=spread,
        skewed=shape.skewed,
        start=shape.start,
        unit=shape.unit,
    )


def signed_log(u: Doubles) -> Doubles:
    """sign(u) log(1 + |u|)."""
    return np.asarray(np.copysign(np.log1p(np.abs(u)), u))


def _best_unit(values: Doubles, start: float) -> float:
    """The quantile that leaves least skewness."""
    at = exponent(values)
    with np.errstate(over="ignore"):
        far = times(np.abs(times(values, -at) - times(start, -at)), at)
    far = far[(far > 0) & np.isfinite(far)]
    units = np.unique(np.quantile(far, _UNITS, method="lower"))
    left = [abs(_skewness(signed_log(distance(values, start, float(unit))))) for unit in units]
    return float(units[int(np.argmin(left))])


def _skewness(values: Doubles) -> float:
    mean, spread = centre_and_spread(values)
    return float((distance(values, mean, spread) ** 3).mean())
