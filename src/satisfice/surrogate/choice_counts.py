"""Parameters that share their choices, such as the operations of a cell: how often each choice occurs.

The position of each operation matters, but the number of each operation already explains much. A process over
these counts is added to the process over configurations. It generalises to cells that share no slot with any
observed cell. A kernel on counts is also used for graphs (Weisfeiler-Lehman with no iteration; Ru et al.
2021, arXiv:2006.07556, section 3.1). Here the counts enter a Matérn 5/2 kernel with one length scale per
choice.

Shapes: n points, d parameters, k choices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satisfice.surrogate.matern import SHORT_SCALE, SQRT5, expected_log_scale, matern, squared_distance

if TYPE_CHECKING:
    from satisfice.surrogate.encoding import Array

_SCALES, _SIGNALS = (0.02, 50.0), (0.002, 20.0)


@dataclass(frozen=True)
class SharedChoices:
    """Columns of scaled rows, three or more, that are active together and hold the same unordered choices."""

    columns: NDArray[np.int_]
    choices: int

    def shares(self, x: Array) -> Array:
        """Share of the parameters that hold each choice, shape [n, k]."""
        held = x[:, self.columns, None] == np.arange(self.choices)
        return np.asarray(held.mean(axis=1))

    def active(self, x: Array) -> Array:
        """1 where the parameters are active, 0 elsewhere, shape [n]."""
        return np.asarray(x[:, self.columns[0]] >= 0, dtype=float)


@dataclass(frozen=True)
class ChoiceCountKernel:
    """Parameters of the process over the counts of one group of parameters."""

    scales: Array  # length scales, shape [k]
    signal: float  # variance

    def rougher(self, factor: float) -> ChoiceCountKernel:
        """A kernel whose length scales are shorter by a factor."""
        return replace(self, scales=self.scales / factor)

    def variance(self, shared_choices: SharedChoices, x: Array) -> Array:
        """Prior variance, shape [n]."""
        return self.signal * shared_choices.active(x)

    def covariance(self, shared_choices: SharedChoices, a: Array, b: Array) -> Array:
        """Covariance between scaled rows, 0 where the parameters are inactive. Shape [n, q]."""
        squared = squared_distance(
            shared_choices.shares(a) / self.scales, shared_choices.shares(b) / self.scales
        )
        return self.signal * np.outer(shared_choices.active(a), shared_choices.active(b)) * matern(squared)


class ChoiceCountTerm:
    """The term of a covariance that depends on choice counts, while hyperparameters are fitted.

    The hyperparameters are ``theta``, of shape [k + 1]: the logarithms of the length scales and of the
    variance, with the same priors as those of the process over configurations (see `fitting`).

    Args:
        shared_choices: The group.
        x: Scaled rows, shape [n, d].
    """

    def __init__(self, shared_choices: SharedChoices, x: Array) -> None:
        k = shared_choices.choices
        self._shares, active = shared_choices.shares(x), shared_choices.active(x)
        self._both = np.outer(active, active)
        self.prior_mean = np.r_[np.full(k, expected_log_scale(k)), 0.0]
        self.prior_sd = np.r_[np.ones(k), 0.5]
        self.bounds = [(math.log(low), math.log(high)) for low, high in [_SCALES] * k + [_SIGNALS]]
        self.short = np.r_[np.full(k, math.log(SHORT_SCALE)), 0.0]

    def at(self, theta: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The covariance, and a function for the gradient of the log likelihood by ``theta``.

        The function takes αα' - K⁻¹ (Rasmussen & Williams 2006, eq. 5.9), of shape [n, n].
        """
        shares, scales, signal = self._shares, np.exp(theta[:-1]), math.exp(theta[-1])
        r = SQRT5 * np.sqrt(squared_distance(shares / scales, shares / scales))
        r[np.diag_indices(len(r))] = 0.0
        decay = signal * self._both * np.exp(-r)
        covariance = (1.0 + r + r * r / 3.0) * decay

        def gradient(m: Array) -> Array:
            slope = m * (-5.0 / 6.0) * (1.0 + r) * decay
            moved = (shares**2).T @ slope.sum(axis=1) - (shares * (slope @ shares)).sum(axis=0)
            by_scales = -2.0 / scales**2 * moved
            return np.append(by_scales, 0.5 * float((m * covariance).sum()))

        return covariance, gradient
