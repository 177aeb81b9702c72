"""The Matérn 5/2 correlation (Rasmussen & Williams 2006, eq. 4.17), and the prior of length scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from satisfice.surrogate.encoding import Array

SQRT5 = math.sqrt(5.0)
SHORT_SCALE = 0.4  # start of the second optimisation of hyperparameters


def expected_log_scale(dimensions: float) -> float:
    """Prior mean of the logarithm of a length scale (Hvarfner et al. 2024, arXiv:2402.02229, section 4)."""
    return math.sqrt(2.0) + 0.5 * math.log(max(dimensions, 1)) - 1.0


def squared_distance(a: Array, b: Array) -> Array:
    """Between rows of shapes [n, d] and [q, d], without the [n, q, d] tensor. Shape [n, q]."""
    out = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * a @ b.T
    return np.asarray(np.maximum(out, 0.0, out=out))


def matern(squared: Array) -> Array:
    """Correlation at squared distances, in length scales."""
    r = SQRT5 * np.sqrt(squared)
    return np.asarray((1.0 + r + r * r / 3.0) * np.exp(-r))
