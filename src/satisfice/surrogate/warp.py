"""Warps of numbers in [0, 1], by the distribution function of Kumaraswamy: 1 - (1 - u^a)^b.

As in Snoek et al. 2014 (arXiv:1402.0929, section 3): the process can then model an effect that is
concentrated at one end of a range, such as that of a penalty on a linear scale.

Shapes: n points, d parameters. A warp is the logarithms of a and b of each parameter, of shape [2, d].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satisfice.surrogate.encoding import Array


def warped(x: Array, ordered: NDArray[np.bool_], warp: Array) -> Array:
    """Rows with numbers warped, shape [n, d]."""
    _, log_rest = _logarithms(x, warp)
    return np.where(ordered, 1.0 - np.exp(np.exp(warp[1]) * log_rest), x)


def warp_rates(x: Array, ordered: NDArray[np.bool_], warp: Array) -> tuple[Array, Array]:
    """Derivatives of warped rows by the two logarithms in ``warp``, each of shape [n, d]."""
    a, b = np.exp(warp)
    log_u, log_rest = _logarithms(x, warp)
    by_a = a * b * np.exp((b - 1.0) * log_rest) * np.exp(a * log_u) * log_u
    by_b = -b * np.exp(b * log_rest) * log_rest
    return np.where(ordered, by_a, 0.0), np.where(ordered, by_b, 0.0)


def _logarithms(x: Array, warp: Array) -> tuple[Array, Array]:
    """Of u and of 1 - u^a, each of shape [n, d]."""
    log_u = np.log(np.clip(x, 1e-9, 1.0 - 1e-9))
    return log_u, np.log(np.maximum(1.0 - np.exp(np.exp(warp[0]) * log_u), 1e-12))
