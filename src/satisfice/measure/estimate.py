"""From disturbed blocks of timings to the latency on the undisturbed host, with an interval.

Notation: block ``i`` holds a burst of the measured model between two samples of the reference model. ``y_i``
is the log of the burst's median; ``x_i >= 0`` the log of the reference model's slowdown around it (0: as fast
as this host ever was), less a dead zone, as the reference model is so much slower now and then for no reason
that others would share; ``z_i`` the interruptions of its calls, per millisecond (at most 1). A slow phase
stretches model and reference, though not alike, and an interruption costs a refill of the caches::

    y_i = a + b x_i + c z_i + noise,    b ~ N(1.1, 0.25^2),    c ~ N(0.2, 0.1^2)

``exp(a)`` is wanted. Where the host flips between phases the blocks themselves show ``b``; where it does not,
``b`` stays near its prior, and the interval widens with what had to be corrected. So for ``c``, whose prior
says 0.2 ms an interruption. The priors were fitted on a shared machine with two cores, for four MLPs (16 to
110 us) and three CNNs (0.05 to 2.4 ms): in its slow phases b' was 1.4 for short calls, 0.8 for convolutions.

Bayesian linear regression, made robust by Huber's weights (Huber, Robust Estimation of a Location Parameter,
1964). What the reference model does not see (a neighbour in the shared cache) only ever slows, so positive
residuals count less than negative ones. The variance is inflated by the residuals' autocorrelation at lag 1,
as neighbouring blocks share a phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_DEAD_ZONE = 0.06  # of the log slowdown
_PRIOR_MEAN = np.array([0.0, 1.1, 0.2])  # of a, b, c
_PRIOR_SD = np.array([math.inf, 0.25, 0.1])
_NOISE = 0.03  # spread of undisturbed blocks, at most
_NOISE_PER_X = 0.6  # and what each unit of log slowdown, dead zone included, adds to it
_LEAST_SCALE = 0.3  # of the noise that is believed of many blocks that agree better
_FEW = 10  # blocks; so few are not believed to agree better
_HUBER = 1.5  # residuals beyond so many standard deviations count less
_POSITIVE = 0.6  # weight of a positive residual
_STEPS = 8
_MOST_INTERRUPTED = 1.0  # per millisecond: a short call has little in the caches to lose
_MOST_CORRELATED = 0.7

# One standard deviation of what longer measuring does not remove: memory layout, the reference's own drift.
_SYSTEMATIC = 0.02
# And of what each unit of the log slowdown that had to be corrected leaves behind: phases are not all alike.
_SYSTEMATIC_PER_X = 0.2
# And of what is left where every call is interrupted.
_SYSTEMATIC_INTERRUPTED = 0.1


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
    slow = np.log(np.maximum(slowdowns, 1.0))
    x = np.maximum(slow - _DEAD_ZONE, 0.0)
    z = np.minimum(interruptions / (medians * 1e3), _MOST_INTERRUPTED)
    design = np.column_stack([np.ones_like(y), x, z])
    prior_noise = _NOISE + _NOISE_PER_X * slow
    robust = np.ones_like(y)
    least = _LEAST_SCALE + (1 - _LEAST_SCALE) * min(1.0, _FEW / len(y))
    for _ in range(_STEPS):
        mean, variance = _fit(y, design, robust / prior_noise**2)
        scaled = (y - design @ mean) / prior_noise
        scale = max(least, 1.4826 * float(np.median(np.abs(scaled))))
        robust = np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(scaled), 1e-9))
        robust = np.where(scaled > 0, _POSITIVE, 1.0) * robust
    a, sampling = float(mean[0]), scale * math.sqrt(variance * _inflation(scaled * robust))
    weights = robust / prior_noise**2
    corrected = float(np.average(x, weights=weights))
    interrupted = float(np.average(np.minimum(interruptions, 1.0), weights=weights))
    sd = math.hypot(
        sampling, _SYSTEMATIC, _SYSTEMATIC_PER_X * corrected, _SYSTEMATIC_INTERRUPTED * interrupted
    )
    return Estimate(
        value=math.exp(a), low=math.exp(a - 1.96 * sd), high=math.exp(a + 1.96 * sd), sampling=sampling
    )


def _fit(y: Array, design: Array, weights: Array) -> tuple[Array, float]:
    """Posterior mean of a, b, c, and the variance of a."""
    prior = np.diag(1 / _PRIOR_SD**2)
    precision = (design.T * weights) @ design + prior
    mean = np.linalg.solve(precision, (design.T * weights) @ y + prior @ _PRIOR_MEAN)
    return mean, float(np.linalg.inv(precision)[0, 0])


def _inflation(residuals: Array) -> float:
    """Growth of a mean's variance by correlation: ``(1 + r) / (1 - r)`` for a first-order process."""
    if len(residuals) < 4:
        return 1.0
    power = float(residuals @ residuals)
    r = float(residuals[1:] @ residuals[:-1]) / power if power > 0 else 0.0
    r = min(max(r, 0.0), _MOST_CORRELATED)
    return (1 + r) / (1 - r)
