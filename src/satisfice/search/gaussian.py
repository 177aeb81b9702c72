"""Gaussian-process regression on mixed spaces, small and deterministic.

Kernel: Matérn 5/2 with one length scale per parameter (Rasmussen & Williams 2006, eq. 4.17); two values of an
unordered choice lie one apart. Numbers are warped first (see `warp`). Where parameters share their choices,
a process over how often each one occurs is added (see `siblings`). Hyperparameters maximise the marginal
likelihood (R&W eq. 5.8, gradient 5.9) with the dimension-scaled log-normal prior on length scales of Hvarfner
et al. 2024 (arXiv:2402.02229, section 4), which keeps the model sane with few points and many parameters.

Unfinished trainings: a report foretells the finish up to what is still to come, a random walk that runs out
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
from scipy.optimize import minimize

from satisfice.search.encode import Array, Layout
from satisfice.search.matern import SHORT_SCALE, SQRT5, expected_log_scale, matern, squared_distance
from satisfice.search.siblings import Counting, CountingTerm
from satisfice.search.warp import warp_rates, warped

_JITTER = 1e-8
_MIN_NOISE, _MAX_NOISE = 1e-6, 1.0
_MIN_SCALE = 0.02
_MIN_SCALE_BESIDE_REPORTS = 0.1  # finer structure is told from noise by many finishes only
_WARP_SD, _MOST_WARPED = 0.3, 2.0  # of the logarithms of warps: prior standard deviation, greatest size
_WARP_FROM = 20  # trainings: with fewer, warps explain what is chance


@dataclass(frozen=True)
class Hyperparameters:
    """Of one process."""

    scales: Array  # length scales, shape [d]
    signal: float  # variance of the process
    noise: float  # variance of the observations: of trainings, so shared by the reports and the finish of one
    warp: Array  # logarithms of the two parameters of each parameter's warp, 0 for none, shape [2, d]
    ahead: float = 1.0  # factor of `Reports.ahead`
    own: float = 0.5  # share of what is still to come that no other training tells
    counting: tuple[Counting, ...] = ()  # of the groups of siblings, in their order

    def rougher(self, factor: float) -> Hyperparameters:
        """With length scales shorter by a factor: as sure near the data, and less sure away from it."""
        counting = tuple(c.rougher(factor) for c in self.counting)
        return replace(self, scales=self.scales / factor, counting=counting)


@dataclass(frozen=True)
class Reports:
    """Which targets were foretold from reports of unfinished trainings."""

    ahead: Array  # variance of what was still to come, 0 for a finish, shape [n]
    trial: NDArray[np.int_]  # training that each target belongs to, shape [n]

    def with_finishes(self, n: int) -> Reports:
        """With ``n`` further finishes, of trainings that are told apart."""
        return Reports(np.r_[self.ahead, np.zeros(n)], np.r_[self.trial, -1 - np.arange(n)])


def _scaled_distance(a: Array, b: Array, ordered: NDArray[np.bool_], scales: Array) -> Array:
    """Squared scaled distances, shape [n, q], without the [d, n, q] tensor."""
    x, y = a[:, ordered] / scales[ordered], b[:, ordered] / scales[ordered]
    out = squared_distance(x, y)
    for j in np.flatnonzero(~ordered):
        out += (a[:, j, None] != b[None, :, j]) / scales[j] ** 2
    return np.asarray(out)


def _factor_and_inverse(covariance: Array) -> tuple[Array, Array]:
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


def fit(
    x: Array,
    y: Array,
    extra: Array,
    layout: Layout,
    *,
    noise_prior: float,
    reports: Reports | None = None,
) -> Hyperparameters:
    """Hyperparameters at the maximum of the posterior.

    Args:
        x: Unit rows, shape [n, d].
        y: Standardised targets, shape [n].
        extra: Known additional noise variance of each target, shape [n].
        layout: Of the rows. Prior length scales grow with the number of parameters that vary.
        noise_prior: Most plausible noise variance.
        reports: Which targets are no finishes; None: all are.
    """
    d, n, ordered = x.shape[1], len(y), layout.ordered
    numbers, choices = np.flatnonzero(ordered), np.flatnonzero(~ordered)
    differs = (x.T[choices, :, None] != x.T[choices, None, :]).astype(float)
    loc = [expected_log_scale(k) for k in layout.dimensions]
    finest = _MIN_SCALE if reports is None else _MIN_SCALE_BESIDE_REPORTS
    to_warp = ordered & (len(np.unique(reports.trial) if reports is not None else y) >= _WARP_FROM)
    warps = [(-_MOST_WARPED, _MOST_WARPED) if yes else (0.0, 0.0) for yes in to_warp]
    prior_mean = np.r_[loc, np.zeros(2 * d), 0.0, math.log(noise_prior)]
    prior_sd = np.r_[np.ones(d), np.full(2 * d, _WARP_SD), 0.5, 1.5]
    bounds = [(math.log(finest), math.log(50.0))] * d + 2 * warps
    bounds += [(-3.0, 3.0), (math.log(_MIN_NOISE), math.log(_MAX_NOISE))]
    same, rest = np.eye(n), 3 * d  # where the hyperparameters begin that do not belong to a parameter
    if reports is not None:
        to_come = np.minimum.outer(reports.ahead, reports.ahead)
        same = np.equal.outer(reports.trial, reports.trial).astype(float)
        prior_mean, prior_sd = np.r_[prior_mean, 0.0, 0.0], np.r_[prior_sd, 0.7, 1.0]  # log ahead, logit own
        bounds += [(0.0, math.log(10.0)), (-3.0, 3.0)]
    terms: list[tuple[slice, CountingTerm]] = []  # with their places in theta
    for term in (CountingTerm(siblings, x) for siblings in layout.siblings):
        terms.append((slice(len(prior_mean), len(prior_mean) + len(term.prior_mean)), term))
        prior_mean, prior_sd = np.r_[prior_mean, term.prior_mean], np.r_[prior_sd, term.prior_sd]
        bounds += term.bounds

    def objective(theta: Array) -> tuple[float, Array]:
        weights, signal, noise = np.exp(-2.0 * theta[:d]), math.exp(theta[rest]), math.exp(theta[rest + 1])
        warp = theta[d:rest].reshape(2, d)
        w, (by_a, by_b) = warped(x, ordered, warp), warp_rates(x, ordered, warp)
        scaled = w[:, numbers] * np.sqrt(weights[numbers])
        size = (scaled**2).sum(axis=1)
        squared = np.maximum(size[:, None] + size[None, :] - 2.0 * scaled @ scaled.T, 0.0)
        squared[np.diag_indices(n)] = 0.0
        r = SQRT5 * np.sqrt(squared + np.einsum("j,jkl->kl", weights[choices], differs))
        decay = np.exp(-r)
        correlation = (1.0 + r + r * r / 3.0) * decay
        factors: float | Array = signal  # of the correlation
        covariance = noise * same + np.diag(extra + _JITTER)
        if reports is not None:
            ahead, own = math.exp(theta[rest + 2]), 1.0 / (1.0 + math.exp(-theta[rest + 3]))
            factors = signal + ahead * (1.0 - own) * to_come
            covariance = covariance + ahead * own * to_come * same
        covariance = covariance + factors * correlation
        term_gradients = []
        for part, term in terms:
            counted, term_gradient = term.at(theta[part])
            covariance = covariance + counted
            term_gradients.append((part, term_gradient))
        factor, inverse = _factor_and_inverse(covariance)
        alpha = inverse @ y
        m = np.outer(alpha, alpha) - inverse
        slope = m * (-5.0 / 6.0 * factors) * (1.0 + r) * decay  # m ∘ dk/d(r²)
        total, mixed = slope.sum(axis=1), slope @ w

        def moved(by: Array) -> Array:
            """Sums of slope ∘ dr² where each warped parameter moves at the rates ``by``, shape [d]."""
            return np.asarray(weights * 2.0 * ((w * by).T @ total - (by * mixed).sum(axis=0)))

        gradient = np.zeros(len(theta))
        gradient[:d] = np.where(ordered, -moved(w), 0.0)
        gradient[choices] = -weights[choices] * np.einsum("jkl,kl->j", differs, slope)
        gradient[d : 2 * d], gradient[2 * d : rest] = moved(by_a), moved(by_b)
        gradient[rest] = 0.5 * signal * float((m * correlation).sum())
        gradient[rest + 1] = 0.5 * noise * float((m * same).sum())
        if reports is not None:
            shared, alone = float((m * to_come * correlation).sum()), float((m * to_come * same).sum())
            gradient[rest + 2] = 0.5 * ahead * ((1.0 - own) * shared + own * alone)
            gradient[rest + 3] = 0.5 * ahead * own * (1.0 - own) * (alone - shared)
        for part, term_gradient in term_gradients:
            gradient[part] = term_gradient(m)
        value = -0.5 * float(y @ alpha) - float(np.log(np.diag(factor)).sum())
        z = (theta - prior_mean) / prior_sd
        return -(value - 0.5 * float(z @ z)), -(gradient - z / prior_sd)

    # From long scales alone, what is fine structure often ends as noise: a maximum far below the other one.
    short = np.r_[np.full(d, math.log(SHORT_SCALE)), prior_mean[d:]]
    for part, term in terms:
        short[part] = term.short
    found = [
        minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40})
        for start in (prior_mean, short)
    ]
    best = min(found, key=lambda end: float(end.fun) if np.isfinite(end.fun) else math.inf)
    theta = best.x if np.isfinite(best.fun) else prior_mean
    known = Hyperparameters(
        scales=np.exp(theta[:d]),
        signal=math.exp(theta[rest]),
        noise=math.exp(theta[rest + 1]),
        warp=theta[d:rest].reshape(2, d),
        counting=tuple(Counting(np.exp(theta[p][:-1]), math.exp(theta[p][-1])) for p, _ in terms),
    )
    if reports is None:
        return known
    return replace(known, ahead=math.exp(theta[rest + 2]), own=1.0 / (1.0 + math.exp(-theta[rest + 3])))


class GaussianProcess:
    """The posterior for given hyperparameters."""

    def __init__(
        self,
        x: Array,
        y: Array,
        extra: Array,
        layout: Layout,
        hyperparameters: Hyperparameters,
        reports: Reports | None = None,
    ) -> None:
        self._rows, self._layout, self._h, self._reports = x, layout, hyperparameters, reports
        x = self._x = self._warped(x)
        covariance = self._kernel(x, x) if reports is None else self._between(x, reports, x, reports)
        noise = hyperparameters.noise if reports is None else 0.0  # between reports it is counted
        covariance[np.diag_indices(len(x))] += extra + noise + _JITTER
        factor, self._inverse = _factor_and_inverse(covariance)
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
        return self._h.signal * correlation + self._counted(a, b)

    def _counted(self, a: Array, b: Array) -> float | Array:
        """What counts of choices add to a covariance."""
        pairs = zip(self._layout.siblings, self._h.counting, strict=True)
        return sum((counting.covariance(siblings, a, b) for siblings, counting in pairs), 0.0)

    def _prior_variance(self, x: Array) -> Array:
        """Of a noise-free finish, shape [q]."""
        pairs = zip(self._layout.siblings, self._h.counting, strict=True)
        return sum(
            (counting.variance(siblings, x) for siblings, counting in pairs), np.full(len(x), self._h.signal)
        )

    def _between(self, a: Array, of_a: Reports, b: Array, of_b: Reports) -> Array:
        h = self._h
        to_come = h.ahead * np.minimum.outer(of_a.ahead, of_b.ahead)
        correlation = matern(_scaled_distance(a, b, self._layout.ordered, h.scales))
        same = np.equal.outer(of_a.trial, of_b.trial)
        shared = (h.signal + (1.0 - h.own) * to_come) * correlation + self._counted(a, b)
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
            x: Its unit row, shape [1, d].
            ahead: Variance of what is still to come (see `Reports`).
            y: The target that its report foretells.
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
        variance = prior + h.ahead * ahead + extra + h.noise + _JITTER - float(to_report @ to_report)
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
