"""From disturbed blocks of timings to the latency on the undisturbed host, with an interval.

A block is a short burst of the measured model between two samples of the reference model. ``y`` is the log
of the burst's median; ``x >= 0`` the log of the reference model's slowdown, the greater one of both samples,
less a dead zone; ``z`` the interruptions of a call, per millisecond (at most 1). A block with ``x = z = 0``
is calm. A disturbed one stands for the undisturbed latency as well, though roughly::

    e = y - b x - c z,    uncertain by    u = hypot(sd(b) x, sd(c) z)

Only the calmest blocks count: those that are calm, and where these are few the least uncertain ones, `_FEW`
in all. So nothing has to be corrected wherever the host was calm for a few hundredths of the time. What the
reference model does not see (a neighbour in the shared cache, a slow phase that began and ended within the
block) only ever slows; therefore the estimate is a low quantile of their ``e``.

The interval: the quantile's sampling error, with as many independent samples as there are chains of blocks,
since blocks of one chain share a phase; ``u`` in the mean; and what longer measuring does not remove. To the
latter belongs a share of the spread of ``e``: what varies unseen may have been there all the time.

``b`` and ``c`` were fitted on a shared virtual machine with two cores, each of which ran, for 70 to 97% of
the time, at the slower speed of a core whose other thread a neighbour uses: ``b`` is 1.1 to 1.3 for models
of 15 to 240 us, whose time goes into calls, and 0.7 for a deep convolutional network of 2.4 ms, whose time
goes into arithmetic, which the neighbour disturbs less. A model that lives on memory bandwidth may suffer
more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

DEAD_ZONE = 0.08  # of the log slowdown: so much the reference model varies by itself

# What depends on the latency is given at two, in seconds; between them it is linear in the latency's log.
_SHORT_S, _LONG_S = 3e-4, 2e-3
_SLOPES = (1.15, 0.75)  # b: the longer a call, the more of it is arithmetic
_SLOPE_SD = 0.25
_INTERRUPTION = 0.2  # c: an interruption costs 0.2 ms, the refill of the caches
_INTERRUPTION_SD = 0.1
_MOST_INTERRUPTED = 1.0  # per millisecond: a short call has little in the caches to lose

_FEW = 10  # blocks
_QUANTILE = 0.15
_QUANTILE_SD = 1.53  # of this quantile of n normal samples, times sqrt(n)
_BELOW = 1.036  # of the normal distribution: how far this quantile lies below the median
_NOISE = 0.03  # spread of calm blocks, as long as few of them show it
_NOISE_BLOCKS = 5  # that this counts for

# One standard deviation of what longer measuring does not remove: memory layout, and neighbours in the caches
# that cores share, which a longer call needs more of.
_SYSTEMATIC = (0.02, 0.035)
_SYSTEMATIC_SPREAD = 0.7  # of the spread
# And of what is left where every call is interrupted.
_SYSTEMATIC_INTERRUPTED = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Latency with its 95% interval, in seconds."""

    value: float
    low: float
    high: float
    sampling: float  # standard deviation of log(value) that longer measuring may reduce


def estimate(
    medians: Array, slowdowns: Array, interruptions: Array, chains: npt.NDArray[np.int64]
) -> Estimate:
    """Latency on the undisturbed host.

    Args:
        medians: Median seconds of each block, shape ``(n,)``, n >= 1.
        slowdowns: Slowdown of the reference model, the greater of before and after, shape ``(n,)``.
        interruptions: Interruptions of a call in each block, shape ``(n,)``.
        chains: Number of the chain that each block belongs to, shape ``(n,)``.
    """
    y = np.log(medians)
    x = np.maximum(np.log(slowdowns) - DEAD_ZONE, 0.0)
    z = np.minimum(interruptions / (medians * 1e3), _MOST_INTERRUPTED)
    uncertain = np.hypot(_SLOPE_SD * x, _INTERRUPTION_SD * z)
    calmest = uncertain <= np.sort(uncertain)[min(_FEW, len(y)) - 1]
    latency = float(np.median(medians[calmest]))
    slope = _at(latency, _SLOPES)
    found = (y - slope * x - _INTERRUPTION * z)[calmest]
    value = float(np.quantile(found, _QUANTILE))
    spread = _spread(found)
    sampling = math.hypot(
        _QUANTILE_SD * spread / math.sqrt(len(np.unique(chains[calmest]))),
        float(np.mean(uncertain[calmest])),
    )
    interrupted = float(np.mean(np.minimum(interruptions[calmest], 1.0)))
    systematic = math.hypot(_at(latency, _SYSTEMATIC), _SYSTEMATIC_SPREAD * spread)
    sd = math.hypot(sampling, systematic, _SYSTEMATIC_INTERRUPTED * interrupted)
    return Estimate(
        value=math.exp(value),
        low=math.exp(value - 1.96 * sd),
        high=math.exp(value + 1.96 * sd),
        sampling=sampling,
    )


def _at(latency: float, ends: tuple[float, float]) -> float:
    return float(np.interp(math.log(latency), [math.log(_SHORT_S), math.log(_LONG_S)], ends))


def _spread(values: Array) -> float:
    """Standard deviation, of the lower half, and near `_NOISE` as long as the values are few."""
    low, middle = np.quantile(values, [_QUANTILE, 0.5])
    seen, n = (middle - low) / _BELOW, len(values) - 1
    return math.sqrt((n * seen**2 + _NOISE_BLOCKS * _NOISE**2) / (n + _NOISE_BLOCKS))
