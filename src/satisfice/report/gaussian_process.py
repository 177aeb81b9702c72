"""A Gaussian process over two parameters, for the surfaces in the report.

Notation of Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006): K is the covariance of
the trials, y their standardised values. The few hyperparameters are searched on a grid: deterministic, no
warnings, and safe in a thread.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from satisfice.threads import one_blas_thread

Floats = npt.NDArray[np.float64]

_LENGTHS = (0.12, 0.25, 0.5, 1.0, 3.0)  # of the unit interval; the last is nearly flat
_NOISES = (1e-4, 1e-2, 0.1, 0.5)  # variance of the noise against that of the signal


def smooth(x: Floats, y: Floats, grid: Floats) -> Floats:
    """Posterior mean of a Gaussian process with a noise term (equation 2.25).

    Args:
        x: Trials in the unit square, shape (n, 2).
        y: Their values, shape (n,), not all equal.
        grid: Where to estimate, shape (m, 2).

    Returns:
        Estimates, shape (m,).
    """
    import scipy.linalg  # noqa: F401  # half a second to import; its BLAS must be there to be held to one thread

    with one_blas_thread():
        return _smooth(x, y, grid)


def _smooth(x: Floats, y: Floats, grid: Floats) -> Floats:
    centre, scale = float(y.mean()), float(y.std())
    z = (y - centre) / scale
    gaps = _gaps(x, x)
    best, lengths, weights = -math.inf, np.ones(2), np.zeros(len(y))
    for pair in map(np.array, itertools.product(_LENGTHS, repeat=2)):
        covariance = _covariance(gaps, pair)
        for noise in _NOISES:
            scored = _fit(covariance, z, noise)
            if scored is not None and scored[0] > best:
                best, lengths, weights = scored[0], pair, scored[1]
    mean: Floats = centre + scale * (matern(grid, x, lengths) @ weights)
    return mean


def _fit(covariance: Floats, z: Floats, noise: float) -> tuple[float, Floats] | None:
    """Log marginal likelihood (2.30), the signal's variance maximised out, and K^-1 z; None if singular."""
    from scipy.linalg import cho_factor, cho_solve

    noisy = covariance.copy()
    noisy[np.diag_indices_from(noisy)] += noise
    try:
        factor = cho_factor(noisy, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    weights: Floats = cho_solve(factor, z, check_finite=False)
    half_log_det = float(np.log(np.diag(factor[0])).sum())
    n = len(z)
    return -0.5 * n * math.log(max(float(z @ weights) / n, 1e-300)) - half_log_det, weights


def matern(a: Floats, b: Floats, lengths: Floats) -> Floats:
    """Matern covariance with nu = 5/2 (equation 4.17), shape (len(a), len(b))."""
    return _covariance(_gaps(a, b), lengths)


def _gaps(a: Floats, b: Floats) -> Floats:
    """Squared distances along each axis, shape (2, len(a), len(b))."""
    gaps: Floats = (a.T[:, :, None] - b.T[:, None, :]) ** 2
    return gaps


def _covariance(gaps: Floats, lengths: Floats) -> Floats:
    scaled = np.sqrt(5.0 * np.tensordot(lengths**-2.0, gaps, axes=1))
    out: Floats = (1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled)
    return out
