"""Hyperparameters of a Gaussian process from data.

They maximise the marginal likelihood (Rasmussen & Williams 2006, eq. 5.8, gradient 5.9) with the
dimension-scaled log-normal prior on length scales of Hvarfner et al. 2024 (arXiv:2402.02229, section 4),
which keeps the model well behaved with few points and many parameters.

Shapes: n points, d parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from satisfice.surrogate.choice_counts import ChoiceCountKernel, ChoiceCountTerm
from satisfice.surrogate.encoding import Array, Layout
from satisfice.surrogate.gaussian_process import JITTER, KernelParameters, Reports, factor_and_inverse
from satisfice.surrogate.matern import SHORT_SCALE, SQRT5, expected_log_scale
from satisfice.surrogate.warp import warp_rates, warped

_MIN_NOISE, _MAX_NOISE = 1e-6, 1.0
_MIN_SCALE = 0.02
_MIN_SCALE_BESIDE_REPORTS = 0.1  # only many finished trials distinguish finer structure from noise
_WARP_SD, _MOST_WARPED = 0.3, 2.0  # of the logarithms of warps: prior standard deviation, greatest size
_WARP_FROM = 20  # trainings: with fewer, warps fit noise


def fit(
    x: Array,
    y: Array,
    extra: Array,
    layout: Layout,
    *,
    noise_prior: float,
    reports: Reports | None = None,
) -> KernelParameters:
    """Hyperparameters at the maximum of the posterior.

    Args:
        x: Scaled rows, shape [n, d].
        y: Standardised targets, shape [n].
        extra: Known additional noise variance of each target, shape [n].
        layout: Of the rows. Prior length scales grow with the number of parameters that vary.
        noise_prior: Most plausible noise variance.
        reports: Which targets are no finishes; None: all are.
    """
    terms = [ChoiceCountTerm(shared_choices, x) for shared_choices in layout.shared_choices]
    trainings = len(np.unique(reports.trial) if reports is not None else y)
    prior = _prior(layout, terms, trainings, noise_prior=noise_prior, with_reports=reports is not None)
    objective = _Posterior(x, y, extra, layout.ordered, terms, prior, reports)
    found = [
        minimize(objective, start, jac=True, method="L-BFGS-B", bounds=prior.bounds, options={"maxiter": 40})
        for start in (prior.mean, prior.short)
    ]
    best = min(found, key=lambda end: float(end.fun) if np.isfinite(end.fun) else math.inf)
    return objective.hyperparameters(best.x if np.isfinite(best.fun) else prior.mean)


@dataclass(frozen=True)
class _Prior:
    """Of hyperparameters as a row of numbers, ``theta``.

    These are the logarithms of length scales [d], of warps [2 d], of signal and noise; with reports the
    logarithm of `KernelParameters.ahead` and the logit of `KernelParameters.own`; then those of each group of
    shared choices.
    """

    mean: Array
    sd: Array
    bounds: Sequence[tuple[float, float]]
    short: Array  # from long scales alone, fine structure is often fitted as noise, at a far lower maximum
    parts: tuple[slice, ...]  # positions of the groups of shared choices


def _prior(
    layout: Layout,
    terms: Sequence[ChoiceCountTerm],
    trainings: int,
    *,
    noise_prior: float,
    with_reports: bool,
) -> _Prior:
    d = len(layout.ordered)
    finest = _MIN_SCALE_BESIDE_REPORTS if with_reports else _MIN_SCALE
    to_warp = layout.ordered & (trainings >= _WARP_FROM)
    warps = [(-_MOST_WARPED, _MOST_WARPED) if yes else (0.0, 0.0) for yes in to_warp]
    loc = [expected_log_scale(k) for k in layout.dimensions]
    mean = np.r_[loc, np.zeros(2 * d), 0.0, math.log(noise_prior)]
    sd = np.r_[np.ones(d), np.full(2 * d, _WARP_SD), 0.5, 1.5]
    bounds = [(math.log(finest), math.log(50.0))] * d + 2 * warps
    bounds += [(-3.0, 3.0), (math.log(_MIN_NOISE), math.log(_MAX_NOISE))]
    if with_reports:
        mean, sd = np.r_[mean, 0.0, 0.0], np.r_[sd, 0.7, 1.0]
        bounds += [(0.0, math.log(10.0)), (-3.0, 3.0)]
    short = np.r_[np.full(d, math.log(SHORT_SCALE)), mean[d:]]
    parts = []
    for term in terms:
        parts.append(slice(len(mean), len(mean) + len(term.prior_mean)))
        mean, sd = np.r_[mean, term.prior_mean], np.r_[sd, term.prior_sd]
        short, bounds = np.r_[short, term.short], bounds + term.bounds
    return _Prior(mean, sd, bounds, short, tuple(parts))


@dataclass(frozen=True)
class _Correlation:
    """Matérn correlation of the points at some hyperparameters, and what its gradient takes."""

    w: Array  # warped rows, shape [n, d]
    r: Array  # scaled distances, times the square root of 5, shape [n, n]
    decay: Array  # exp(-r)
    value: Array  # shape [n, n]


class _Posterior:
    """The negative logarithm of the posterior, with its gradient, as a function of theta (see `_Prior`)."""

    def __init__(
        self,
        x: Array,
        y: Array,
        extra: Array,
        ordered: NDArray[np.bool_],
        terms: Sequence[ChoiceCountTerm],
        prior: _Prior,
        reports: Reports | None,
    ) -> None:
        self._x, self._y, self._extra, self._ordered, self._prior = x, y, extra, ordered, prior
        self._terms = tuple(zip(prior.parts, terms, strict=True))
        self._numbers, self._choices = np.flatnonzero(ordered), np.flatnonzero(~ordered)
        by_choice = x.T[self._choices]
        self._differs = (by_choice[:, :, None] != by_choice[:, None, :]).astype(float)
        self._d = x.shape[1]
        self._rest = 3 * self._d  # where the hyperparameters begin that do not belong to a parameter
        self._same, self._to_come = np.eye(len(y)), None
        if reports is not None:
            self._to_come = np.minimum.outer(reports.ahead, reports.ahead)
            self._same = np.equal.outer(reports.trial, reports.trial).astype(float)

    def hyperparameters(self, theta: Array) -> KernelParameters:
        """What theta stands for."""
        d, rest = self._d, self._rest
        known = KernelParameters(
            scales=np.exp(theta[:d]),
            signal=math.exp(theta[rest]),
            noise=math.exp(theta[rest + 1]),
            warp=theta[d:rest].reshape(2, d),
            choice_counts=tuple(
                ChoiceCountKernel(np.exp(theta[p][:-1]), math.exp(theta[p][-1])) for p, _ in self._terms
            ),
        )
        if self._to_come is None:
            return known
        ahead, own = self._ahead_and_own(theta)
        return replace(known, ahead=ahead, own=own)

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient."""
        signal, noise = math.exp(theta[self._rest]), math.exp(theta[self._rest + 1])
        c = self._correlation(theta)
        factors: float | Array = signal  # of the correlation
        covariance = noise * self._same + np.diag(self._extra + JITTER)
        if self._to_come is not None:
            ahead, own = self._ahead_and_own(theta)
            factors = signal + ahead * (1.0 - own) * self._to_come
            covariance = covariance + ahead * own * self._to_come * self._same
        covariance = covariance + factors * c.value
        gradients_of_terms: list[tuple[slice, Callable[[Array], Array]]] = []
        for part, term in self._terms:
            of_counts, gradient_of_term = term.at(theta[part])
            covariance = covariance + of_counts
            gradients_of_terms.append((part, gradient_of_term))
        factor, inverse = factor_and_inverse(covariance)
        alpha = inverse @ self._y
        m = np.outer(alpha, alpha) - inverse
        gradient = np.zeros(len(theta))
        slope = m * (-5.0 / 6.0 * factors) * (1.0 + c.r) * c.decay  # m ∘ dk/d(r²)
        self._by_scales_and_warps(theta, c.w, slope, gradient)
        self._by_variances(theta, c.value, m, gradient)
        for part, gradient_of_term in gradients_of_terms:
            gradient[part] = gradient_of_term(m)
        value = -0.5 * float(self._y @ alpha) - float(np.log(np.diag(factor)).sum())
        z = (theta - self._prior.mean) / self._prior.sd
        return -(value - 0.5 * float(z @ z)), -(gradient - z / self._prior.sd)

    def _ahead_and_own(self, theta: Array) -> tuple[float, float]:
        return math.exp(theta[self._rest + 2]), 1.0 / (1.0 + math.exp(-theta[self._rest + 3]))

    def _warp(self, theta: Array) -> Array:
        return theta[self._d : self._rest].reshape(2, self._d)

    def _correlation(self, theta: Array) -> _Correlation:
        weights, numbers = np.exp(-2.0 * theta[: self._d]), self._numbers
        w = warped(self._x, self._ordered, self._warp(theta))
        scaled = w[:, numbers] * np.sqrt(weights[numbers])
        size = (scaled**2).sum(axis=1)
        squared = np.maximum(size[:, None] + size[None, :] - 2.0 * scaled @ scaled.T, 0.0)
        squared[np.diag_indices(len(squared))] = 0.0
        r = SQRT5 * np.sqrt(squared + np.einsum("j,jkl->kl", weights[self._choices], self._differs))
        decay = np.exp(-r)
        return _Correlation(w, r, decay, (1.0 + r + r * r / 3.0) * decay)

    def _by_scales_and_warps(self, theta: Array, w: Array, slope: Array, gradient: Array) -> None:
        """Fill in their part of the gradient."""
        d, rest, choices = self._d, self._rest, self._choices
        weights = np.exp(-2.0 * theta[:d])
        total, mixed = slope.sum(axis=1), slope @ w

        def moved(by: Array) -> Array:
            """Sums of slope ∘ dr² where each warped parameter moves at the rates ``by``, shape [d]."""
            return np.asarray(weights * 2.0 * ((w * by).T @ total - (by * mixed).sum(axis=0)))

        by_a, by_b = warp_rates(self._x, self._ordered, self._warp(theta))
        gradient[:d] = np.where(self._ordered, -moved(w), 0.0)
        gradient[choices] = -weights[choices] * np.einsum("jkl,kl->j", self._differs, slope)
        gradient[d : 2 * d], gradient[2 * d : rest] = moved(by_a), moved(by_b)

    def _by_variances(self, theta: Array, correlation: Array, m: Array, gradient: Array) -> None:
        """Fill in the part of the gradient by signal and noise, and by the remaining change."""
        rest, same, to_come = self._rest, self._same, self._to_come
        gradient[rest] = 0.5 * math.exp(theta[rest]) * float((m * correlation).sum())
        gradient[rest + 1] = 0.5 * math.exp(theta[rest + 1]) * float((m * same).sum())
        if to_come is not None:
            ahead, own = self._ahead_and_own(theta)
            shared, alone = float((m * to_come * correlation).sum()), float((m * to_come * same).sum())
            gradient[rest + 2] = 0.5 * ahead * ((1.0 - own) * shared + own * alone)
            gradient[rest + 3] = 0.5 * ahead * own * (1.0 - own) * (alone - shared)
