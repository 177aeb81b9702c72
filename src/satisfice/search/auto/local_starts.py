"""Start points of the local search, selected from the trials.

Shapes: n trials, m objectives, to be minimised.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satisfice.spec.dominance import nondominated
from satisfice.surrogate.encoding import Array

_ENOUGH, _MOST = 10, 60
_RANGES = 6  # equal ranges of an objective that is known before training
_BEST = 2  # trials taken from each range


def promising(objectives: Array, feasible: NDArray[np.int_]) -> NDArray[np.int_]:
    """The Pareto front and the next nondominated layers, until there are `_ENOUGH` trials (at most `_MOST`).

    Args:
        objectives: Shape [n, m].
        feasible: Rows to choose from.
    """
    rows: list[int] = []
    rest = feasible
    while len(rows) < _ENOUGH and len(rest):
        layer = rest[nondominated(objectives[rest], keep_equal=False)]
        rows.extend(layer)
        rest = np.setdiff1d(rest, layer)
    return np.array(rows[:_MOST], dtype=int)


def best_of_ranges(expected: Array, rows: NDArray[np.int_], known: NDArray[np.bool_]) -> NDArray[np.int_]:
    """The best trials of each range of each objective that is known before training.

    Otherwise a local search would reach large models, for instance, only from small ones, and would not tune
    them.

    Args:
        expected: Objectives as observed or expected, shape [n, m].
        rows: Rows to choose from, of trials that finished or were stopped.
        known: Which objectives are known before training, shape [m].
    """
    rows = rows[np.isfinite(expected[rows]).all(axis=1)]
    found = [np.zeros(0, dtype=int)]
    for j in np.flatnonzero(known):
        value = expected[rows, j]
        if len(rows) < _RANGES or np.ptp(value) == 0:
            continue
        place = np.minimum((_RANGES * (value - value.min()) / np.ptp(value)).astype(int), _RANGES - 1)
        for k in np.flatnonzero(~known):
            order = rows[np.lexsort((expected[rows, k], place))]
            ranges = np.split(order, np.flatnonzero(np.diff(np.sort(place))) + 1)
            found += [inside[:_BEST] for inside in ranges]
    return np.unique(np.concatenate(found))
