"""From disturbed blocks of timings to the latency on the undisturbed host, with an interval.

Notation: block ``i`` holds a burst of the measured model between two samples of the reference model. ``y_i``
is the log of the burst's median; ``x_i >= 0`` the log of the reference model's slowdown around it (0: as fast
as this host ever was); ``z_i`` the interruptions of its calls, per millisecond. A slow phase stretches model
and reference, though not alike, and an interruption costs a refill of the caches::

    y_i = a + b x_i + c z_i + noise,    b ~ N(1, 0.25^2),    c ~ N(0.15, 0.1^2)

``exp(a)`` is wanted. Where the host flips between phases the blocks themselves show ``b``; where it does not,
``b`` stays near its prior, and the interval widens with what had to be corrected. So for ``c``, whose prior
says 0.15 ms an interruption. Bayesian linear regression, made robust by Huber's weights (Huber, Robust
Estimation of a Location Parameter, 1964).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_PRIOR_MEAN = np.array([0.0, 1.0, 0.15])  # of a, b, c
_PRIOR_SD = np.array([math.inf, 0.25, 0.1])
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


def estimate(medians: Array, slowdowns: Array, interruptions: Array) -> Estimate:
    """Latency on the undisturbed host.

    Args:
        medians: Median seconds of each block, shape ``(n,)``, n >= 1.
        slowdowns: Slowdown of the reference model around each block, shape ``(n,)``.
        interruptions: Median number of interruptions of a call in each block, shape ``(n,)``.
    """
    y = np.log(medians)
    x = np.log(np.maximum(slowdowns, 1.0))
    design = np.column_stack([np.ones_like(y), x, interruptions / (medians * 1e3)])
    prior_noise = _NOISE + _NOISE_PER_X * x
    robust = np.ones_like(y)
    for _ in range(_STEPS):
        mean, variance = _fit(y, design, robust / prior_noise**2)
        scaled = (y - design @ mean) / prior_noise
        scale = max(1.0, 1.4826 * float(np.median(np.abs(scaled))))
        robust = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(scaled), 1e-9))
    a, sampling = float(mean[0]), scale * math.sqrt(variance)
    sd = math.hypot(sampling, _SYSTEMATIC)
    return Estimate(
        value=math.exp(a), low=math.exp(a - 1.96 * sd), high=math.exp(a + 1.96 * sd), sampling=sampling
    )


def _fit(y: Array, design: Array, weights: Array) -> tuple[Array, float]:
    """Posterior mean of a, b, c, and the variance of a."""
    prior = np.diag(1 / _PRIOR_SD**2)
    precision = (design.T * weights) @ design + prior
    mean = np.linalg.solve(precision, (design.T * weights) @ y + prior @ _PRIOR_MEAN)
    return mean, float(np.linalg.inv(precision)[0, 0])
