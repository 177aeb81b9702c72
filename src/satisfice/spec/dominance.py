"""Pareto dominance, in one place for the search and for the choice after it."""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import NDArray


def nondominated(losses: NDArray[np.float64], *, keep_equal: bool) -> NDArray[np.bool_]:
    """Which rows no other row dominates.

    Args:
        losses: Shape [n, m], all to be minimised, no NaN; infinite values are ordered like others.
        keep_equal: Whether equal rows stay together; else the first of them stays.

    Returns:
        Mask of shape [n]. Computed by moocore's C library (for m <= 3 in O(n log n), Kung et al. 1975).
    """
    if len(losses) == 0:
        return np.zeros(0, dtype=bool)
    if losses.shape[1] == 1:
        best = losses[:, 0] == losses[:, 0].min()
        return np.asarray(best if keep_equal else best & (np.cumsum(best) == 1))
    # Ranks order exactly as the values do, and carry an infinite value as a finite one.
    ranks = np.column_stack([np.unique(column, return_inverse=True)[1] for column in losses.T])
    return np.asarray(moocore.is_nondominated(ranks.astype(float), keep_weakly=keep_equal), dtype=bool)
