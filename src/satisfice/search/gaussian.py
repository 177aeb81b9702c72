"""Gaussian-process regression on mixed spaces, small and deterministic.

Kernel: Matérn 5/2 with one length scale per parameter (Rasmussen & Williams 2006, eq. 4.17); two values of an
unordered choice lie one apart. Hyperparameters maximise the marginal likelihood (R&W eq. 5.8, gradient 5.9)
with the dimension-scaled log-normal prior on length scales of Hvarfner et al. 2024 (arXiv:2402.02229,
section 4), which keeps the model sane with few points and many parameters.

Shapes: n points, d parameters, q queries. Targets are expected to be standardised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from satisfice.search.encode import Array

_SQRT5 = math.sqrt(5.0)
_JITTER = 1e-8
_MIN_NOISE, _MAX_NOISE = 1e-6, 1.0


@dataclass(frozen=True)
class Hyperparameters:
    """Of one process."""

    scales: Array  # length scales, shape [d]
    signal: float  # variance of the process
    noise: float  # variance of the observations


def _squared_differences(a: Array, b: Array, ordered: NDArray[np.bool_]) -> Array:
    """Per parameter, shape [d, n, q]."""
    delta = a.T[:, :, None] - b.T[:, None, :]
    return np.where(ordered[:, None, None], delta**2, (delta != 0).astype(float))


def _matern(squared: Array) -> Array:
    r = _SQRT5 * np.sqrt(squared)
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))


def _scaled_distance(a: Array, b: Array, ordered: NDArray[np.bool_], scales: Array) -> Array:
    """Squared scaled distances, shape [n, q], without the [d, n, q] tensor."""
    x, y = a[:, ordered] / scales[ordered], b[:, ordered] / scales[ordered]
    out = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2.0 * x @ y.T
    np.maximum(out, 0.0, out=out)
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
    x: Array, y: Array, extra: Array, ordered: NDArray[np.bool_], *, noise_prior: float
) -> Hyperparameters:
    """Hyperparameters at the maximum of the posterior.

    Args:
        x: Unit rows, shape [n, d].
        y: Standardised targets, shape [n].
        extra: Known additional noise variance of each target, shape [n].
        ordered: Which parameters are numbers, shape [d].
        noise_prior: Most plausible noise variance.
    """
    d = x.shape[1]
    flat = _squared_differences(x, x, ordered).reshape(d, -1)
    loc, spread = math.sqrt(2.0) + 0.5 * math.log(max(d, 1)) - 1.0, 1.0
    prior_mean = np.r_[np.full(d, loc), 0.0, math.log(noise_prior)]
    prior_sd = np.r_[np.full(d, spread), 0.5, 1.5]
    bounds = [(math.log(0.02), math.log(50.0))] * d + [
        (-3.0, 3.0),
        (math.log(_MIN_NOISE), math.log(_MAX_NOISE)),
    ]

    def objective(theta: Array) -> tuple[float, Array]:
        weights, signal, noise = np.exp(-2.0 * theta[:d]), math.exp(theta[d]), math.exp(theta[d + 1])
        distance = (weights @ flat).reshape(len(y), len(y))
        r = _SQRT5 * np.sqrt(distance)
        decay = np.exp(-r)
        kernel = signal * (1.0 + r + r * r / 3.0) * decay
        covariance = kernel + np.diag(extra + noise + _JITTER)
        factor, inverse = _factor_and_inverse(covariance)
        alpha = inverse @ y
        m = np.outer(alpha, alpha) - inverse
        slope = m * (-signal * 5.0 / 6.0) * (1.0 + r) * decay  # m ∘ dk/d(r²)
        gradient = np.empty(d + 2)
        gradient[:d] = -weights * (flat @ slope.ravel())
        gradient[d] = 0.5 * float((m * kernel).sum())
        gradient[d + 1] = 0.5 * noise * float(np.trace(m))
        value = -0.5 * float(y @ alpha) - float(np.log(np.diag(factor)).sum())
        z = (theta - prior_mean) / prior_sd
        return -(value - 0.5 * float(z @ z)), -(gradient - z / prior_sd)

    found = minimize(
        objective, prior_mean, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40}
    )
    theta = found.x if np.isfinite(found.fun) else prior_mean
    return Hyperparameters(np.exp(theta[:d]), math.exp(theta[d]), math.exp(theta[d + 1]))


class GaussianProcess:
    """The posterior for given hyperparameters."""

    def __init__(
        self, x: Array, y: Array, extra: Array, ordered: NDArray[np.bool_], hyperparameters: Hyperparameters
    ) -> None:
        self._x, self._ordered, self._h = x, ordered, hyperparameters
        covariance = self._kernel(x, x)
        covariance[np.diag_indices(len(x))] += extra + hyperparameters.noise + _JITTER
        factor, self._inverse = _factor_and_inverse(covariance)
        self._inverse_factor, _ = lapack.dtrtri(factor, lower=1)
        self._alpha = self._inverse @ y
        self._y, self._extra = y, extra
        self._last: tuple[Array, tuple[Array, Array]] | None = None

    def conditioned(self, x: Array, y: Array) -> GaussianProcess:
        """With further points, at the same hyperparameters."""
        return GaussianProcess(
            np.vstack([self._x, x]),
            np.r_[self._y, y],
            np.r_[self._extra, np.zeros(len(y))],
            self._ordered,
            self._h,
        )

    @property
    def noise(self) -> float:
        """Variance of the observations."""
        return self._h.noise

    def _kernel(self, a: Array, b: Array) -> Array:
        return self._h.signal * _matern(_scaled_distance(a, b, self._ordered, self._h.scales))

    def predict(self, x: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the noise-free function, each of shape [q]."""
        if self._last is not None and self._last[0] is x:  # metrics with equal ranks share a process
            return self._last[1]
        k = self._kernel(x, self._x)
        v = k @ self._inverse_factor.T
        variance = self._h.signal - np.einsum("ij,ij->i", v, v)
        self._last = x, (k @ self._alpha, np.sqrt(np.maximum(variance, 1e-12)))
        return self._last[1]

    def leave_one_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each target given the others (R&W eq. 5.12), each of shape [n]."""
        diagonal = np.diag(self._inverse)
        return self._y - self._alpha / diagonal, np.sqrt(1.0 / diagonal)
