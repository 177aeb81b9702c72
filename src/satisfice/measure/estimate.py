"""From disturbed blocks of timings to the latency on the undisturbed host, with an interval.

Notation: block ``i`` holds a burst of the measured model between two samples of the reference model. ``y_i`` is the
log of the burst's median, ``x_i >= 0`` the log of the reference model's slowdown around it (0: as fast as this host
ever was). A slow phase stretches both, though not alike: ``y_i = a + b x_i + noise``, and ``exp(a)`` is wanted. Where
the host flips between phases the blocks themselves show ``b``; where it does not, ``b`` stays near its prior
``N(1, 0.25^2)``, and the interval widens with the slowdown that had to be corrected. Bayesian linear regression,
made robust by Huber's weights (Huber, Robust Estimation of a Location Parameter, 1964).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_SLOPE_SD = 0.25  # how much more or less than the reference a model slows down
_NOISE = 0.03  # spread of undisturbed blocks
_NOISE_PER_X = 0.25  # and what each unit of log slowdown adds to it
_SYSTEMATIC = (
    0.02  # one standard deviation of what no longer measuring removes: memory layout, the reference's drift
)
_HUBER = 1.5  # residuals beyond so many standard deviations count less
_STEPS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Latency with its 95% interval, in seconds."""

    value: float
    low: float
    high: float
    sampling: float  # standard deviation of log(value) that longer measuring would reduce


def estimate(medians: Array, slowdowns: Array) -> Estimate:
    """Latency on the undisturbed host.

    Args:
        medians: Median seconds of each block, shape ``(n,)``, n >= 1.
        slowdowns: Slowdown of the reference model around each block, shape ``(n,)``.
    """
    y = np.log(medians)
    x = np.log(np.maximum(slowdowns, 1.0))
    prior_noise = _NOISE + _NOISE_PER_X * x
    robust = np.ones_like(y)
    for _ in range(_STEPS):
        a, b, covariance = _fit(y, x, robust / prior_noise**2)
        scaled = (y - a - b * x) / prior_noise
        scale = max(1.0, 1.4826 * float(np.median(np.abs(scaled))))
        robust = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(scaled), 1e-9))
    sampling = scale * math.sqrt(covariance)
    sd = math.hypot(sampling, _SYSTEMATIC)
    return Estimate(
        value=math.exp(a), low=math.exp(a - 1.96 * sd), high=math.exp(a + 1.96 * sd), sampling=sampling
    )


def _fit(y: Array, x: Array, w: Array) -> tuple[float, float, float]:
    """Posterior mean of a and b, and the variance of a; flat prior on a, ``N(1, _SLOPE_SD^2)`` on b."""
    prior = 1 / _SLOPE_SD**2
    precision = np.array([[w.sum(), (w * x).sum()], [(w * x).sum(), (w * x * x).sum() + prior]])
    a, b = np.linalg.solve(precision, np.array([(w * y).sum(), (w * x * y).sum() + prior]))
    return float(a), float(b), float(np.linalg.inv(precision)[0, 0])
