"""Gaussian-process regression on mixed spaces, small and deterministic.

Kernel: Matérn 5/2 with one length scale per parameter (Rasmussen & Williams 2006, eq. 4.17); two values of an
unordered choice lie one apart. Numbers are warped first (see `warp`). Where parameters share their choices,
a process over their counts is added (see `choice_counts`). The hyperparameters are
fitted in `fitting`.

Unfinished trainings: a report predicts the finish up to the remaining change, a random walk that ends
at the finish, as freeze-thaw does it (Swersky et al. 2014, arXiv:1406.3896, eq. 8, with another decay). Part
of it is shared by similar configurations, part is the training's own.

Shapes: n points, d parameters, q queries. Targets are expected to be standardised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from satisfice.surrogate.choice_counts import ChoiceCountKernel
from satisfice.surrogate.encoding import Array, Layout
from satisfice.surrogate.matern import matern, squared_distance
from satisfice.surrogate.warp import warped

JITTER = 1e-8


@dataclass(frozen=True)
class KernelParameters:
    """Of one process."""

    scales: Array  # length scales, shape [d]
    signal: float  # variance of the process
    noise: float  # variance of the observations: of trainings, so shared by the reports and the finish of one
    warp: Array  # logarithms of the two parameters of each parameter's warp, 0 for none, shape [2, d]
    ahead: float = 1.0  # factor of `Reports.ahead`
    own: float = 0.5  # share of the remaining change that is independent of other trainings
    choice_counts: tuple[ChoiceCountKernel, ...] = ()  # of the groups that share choices, in their order

    def rougher(self, factor: float) -> KernelParameters:
        """With length scales shorter by a factor: as sure near the data, and less sure away from it."""
        choice_counts = tuple(c.rougher(factor) for c in self.choice_counts)
        return replace(self, scales=self.scales / factor, choice_counts=choice_counts)


@dataclass(frozen=True)
class Reports:
    """Which targets were predicted from reports of unfinished trainings."""

    ahead: Array  # variance of the remaining change, 0 for a finish, shape [n]
    trial: NDArray[np.int_]  # training that each target belongs to, shape [n]

    def with_finishes(self, n: int) -> Reports:
        """With ``n`` further finishes, each of a training of its own."""
        return Reports(np.r_[self.ahead, np.zeros(n)], np.r_[self.trial, -1 - np.arange(n)])


def _scaled_distance(a: Array, b: Array, ordered: NDArray[np.bool_], scales: Array) -> Array:
    """Squared scaled distances, shape [n, q], without the [d, n, q] tensor."""
    x, y = a[:, ordered] / scales[ordered], b[:, ordered] / scales[ordered]
    out = squared_distance(x, y)
    for j in np.flatnonzero(~ordered):
        out += (a[:, j, None] != b[None, :, j]) / scales[j] ** 2
    return np.asarray(out)


def factor_and_inverse(covariance: Array) -> tuple[Array, Array]:
    """Lower Cholesky factor and inverse of a symmetric positive definite matrix (small: LAPACK itself)."""
    scale = float(np.mean(np.diag(covariance)))
    for jitter in (0.0, 1e-6, 1e-4, 1e-2):  # rounding can cost definiteness where points nearly coincide
        factor, info = lapack.dpotrf(covariance + jitter * scale * np.eye(len(covariance)), lower=1, clean=1)
        if info == 0:
            break
    else:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    inverse, _ = lapack.dpotri(factor, lower=1)
    lower = np.tril(inverse)
    return factor, lower + np.tril(lower, -1).T


class GaussianProcess:
    """The posterior for given hyperparameters."""

    def __init__(
        self,
        x: Array,
        y: Array,
        extra: Array,
        layout: Layout,
        hyperparameters: KernelParameters,
        reports: Reports | None = None,
    ) -> None:
        self._rows, self._layout, self._h, self._reports = x, layout, hyperparameters, reports
        x = self._x = self._warped(x)
        covariance = self._kernel(x, x) if reports is None else self._between(x, reports, x, reports)
        noise = hyperparameters.noise if reports is None else 0.0  # reports have it in their own covariance
        covariance[np.diag_indices(len(x))] += extra + noise + JITTER
        factor, self._inverse = factor_and_inverse(covariance)
        self._inverse_factor, _ = lapack.dtrtri(factor, lower=1)
        self._alpha = self._inverse @ y
        self._y, self._extra = y, extra
        self._last: tuple[Array, tuple[Array, Array]] | None = None

    def conditioned(self, x: Array, y: Array) -> GaussianProcess:
        """With further finishes, at the same hyperparameters."""
        return GaussianProcess(
            np.vstack([self._rows, x]),
            np.r_[self._y, y],
            np.r_[self._extra, np.zeros(len(y))],
            self._layout,
            self._h,
            self._reports.with_finishes(len(y)) if self._reports is not None else None,
        )

    def _warped(self, x: Array) -> Array:
        return warped(x, self._layout.ordered, self._h.warp)

    def _kernel(self, a: Array, b: Array) -> Array:
        correlation = matern(_scaled_distance(a, b, self._layout.ordered, self._h.scales))
        return self._h.signal * correlation + self._count_covariance(a, b)

    def _count_covariance(self, a: Array, b: Array) -> float | Array:
        """The term of the covariance that depends on choice counts."""
        pairs = zip(self._layout.shared_choices, self._h.choice_counts, strict=True)
        return sum((kernel.covariance(shared_choices, a, b) for shared_choices, kernel in pairs), 0.0)

    def _prior_variance(self, x: Array) -> Array:
        """Of a noise-free finish, shape [q]."""
        pairs = zip(self._layout.shared_choices, self._h.choice_counts, strict=True)
        return sum(
            (kernel.variance(shared_choices, x) for shared_choices, kernel in pairs),
            np.full(len(x), self._h.signal),
        )

    def _between(self, a: Array, of_a: Reports, b: Array, of_b: Reports) -> Array:
        h = self._h
        to_come = h.ahead * np.minimum.outer(of_a.ahead, of_b.ahead)
        correlation = matern(_scaled_distance(a, b, self._layout.ordered, h.scales))
        same = np.equal.outer(of_a.trial, of_b.trial)
        shared = (h.signal + (1.0 - h.own) * to_come) * correlation + self._count_covariance(a, b)
        return shared + (h.own * to_come + h.noise) * same

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free finish, each of shape [q]."""
        if self._last is not None and self._last[0] is x:  # metrics with equal ranks share a process
            return self._last[1]
        at = self._warped(x)
        k = self._kernel(at, self._x)
        v = k @ self._inverse_factor.T
        variance = self._prior_variance(at) - np.einsum("ij,ij->i", v, v)
        self._last = x, (k @ self._alpha, np.sqrt(np.maximum(variance, 1e-12)))
        return self._last[1]

    def finish(self, x: Array, ahead: float, y: float, extra: float = 0.0) -> tuple[float, float]:
        """Mean and standard deviation of the finish, noise included, of one more training.

        Args:
            x: Its scaled row, shape [1, d].
            ahead: Variance of the remaining change (see `Reports`).
            y: The target that its report predicts.
            extra: Additional variance of the target.
        """
        assert self._reports is not None
        h, x = self._h, self._warped(x)
        k = self._kernel(x, self._x)[0]
        to_finish = self._inverse_factor @ k
        own = Reports(np.array([ahead]), np.array([np.iinfo(np.int64).min]))
        crossing = self._between(x, own, self._x, self._reports)[0]
        to_report = self._inverse_factor @ crossing
        prior = float(self._prior_variance(x)[0])
        variance = prior + h.ahead * ahead + extra + h.noise + JITTER - float(to_report @ to_report)
        shared = prior + h.noise - float(to_finish @ to_report)
        gain = shared / max(variance, 1e-12)
        mean = float(k @ self._alpha) + gain * (y - float(crossing @ self._alpha))
        left = prior + h.noise - float(to_finish @ to_finish) - gain * shared
        return mean, math.sqrt(max(left, 1e-12))

    def without(self, rows: NDArray[np.int_]) -> tuple[float, float]:
        """Mean and standard deviation of the first of ``rows``, noise included, given all other targets.

        R&W eq. 5.12, for a block.
        """
        covariance = np.linalg.inv(self._inverse[np.ix_(rows, rows)])
        mean = self._y[rows[0]] - float(covariance[0] @ self._alpha[rows])
        return mean, math.sqrt(max(float(covariance[0, 0]), 1e-12))
