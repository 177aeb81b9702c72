"""Increasing transforms of a metric to a scale that suits a Gaussian process."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from satisfice.surrogate.encoding import Array


def fenced(values: Array) -> Array:
    """The values; what is far out is moved to the fences, three spreads of the middle half beyond it.

    One diverged trial then counts as a bad one, not as a thousand times as bad (Tukey 1977, "far out").
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return values
    with np.errstate(over="ignore"):  # then there are no fences
        low, high = np.quantile(known, [0.25, 0.75])
        reach = 3.0 * (high - low) or np.inf
        return np.clip(values, low - reach, high + reach)


class TailLog:
    """Linear where values are good, logarithmic where they are bad.

    Errors of bad configurations spread over orders of magnitude and say little about the good ones. On the
    good side the scale stays linear. Fitted on values to minimise; equivariant to increasing linear maps.
    """

    def __init__(self, values: Array) -> None:
        q10, q50 = np.quantile(values, [0.1, 0.5])
        spread = q50 - q10
        if not spread > 0:
            spread = float(np.ptp(values)) or abs(float(q50)) or 1.0
        self._centre, self._spread = float(q50), float(spread)
        z = self._bend((values - self._centre) / self._spread)
        self._mean, self._sd = float(z.mean()), float(z.std()) or 1.0

    @staticmethod
    def _bend(z: Array) -> Array:
        return np.where(z > 0.5, 0.5 + np.log1p(np.maximum(z - 0.5, 0.0)), z)

    def forward(self, values: Array) -> Array:
        """To the model's scale."""
        return (self._bend((values - self._centre) / self._spread) - self._mean) / self._sd

    def inverse(self, z: Array) -> Array:
        """Back to the metric's scale."""
        b = z * self._sd + self._mean
        unbent = np.where(b > 0.5, 0.5 + np.expm1(np.minimum(np.maximum(b - 0.5, 0.0), 50.0)), b)
        return self._centre + self._spread * unbent


class Ranks:
    """Normal scores of ranks, interpolated: for exact functions over orders of magnitude, such as sizes."""

    def __init__(self, values: Array) -> None:
        self._values = np.unique(values)
        self._scores = ndtri((np.arange(len(self._values)) + 0.5) / len(self._values))

    def forward(self, values: Array) -> Array:
        """To the model's scale; beyond the observed values, with the outermost slope."""
        return _interpolate(values, self._values, self._scores)

    def inverse(self, z: Array) -> Array:
        """Back to the metric's scale."""
        return _interpolate(z, self._scores, self._values)


def _interpolate(x: Array, xs: Array, ys: Array) -> Array:
    if len(xs) < 2:
        return np.asarray(x, dtype=float) * 0.0 + ys[0] if len(ys) else np.asarray(x, dtype=float)
    out = np.interp(x, xs, ys)
    low, high = (ys[1] - ys[0]) / (xs[1] - xs[0]), (ys[-1] - ys[-2]) / (xs[-1] - xs[-2])
    out = np.where(x < xs[0], ys[0] + (x - xs[0]) * low, out)
    return np.asarray(np.where(x > xs[-1], ys[-1] + (x - xs[-1]) * high, out))
