"""The fixed reference model: its slowdown tells a slow phase of the host from a slow model.

Two parts, as models have them: Python's own work, and products of a vector with matrices, bound by the
second-level cache. It takes 0.06 ms, as the calm between two slow phases may last no longer than a few tenths
of a millisecond: where a neighbour works on the other thread of the same core, Python's own work takes 1.9
times as long, the products 1.5 times, large products of matrices hardly longer at all, which would therefore
tell nothing. NumPy and Python only: every host has it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from satisfice.measure.latency.estimate import Array
from satisfice.measure.latency.timing import timed

Call = Callable[[], object]

_CALLS = {"cache": 2, "interpreter": 3}


def reference_calls() -> dict[str, Call]:
    """The parts of the reference model, by name; the same work on every host."""
    rng = np.random.default_rng(0)
    widths = (64, 256, 256, 10)
    layers = [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32) for a, b in pairwise(widths)]
    item = rng.standard_normal((1, widths[0])).astype(np.float32)
    table = {str(i): i for i in range(50)}

    def cache() -> object:
        h = item
        for layer in layers:
            h = np.maximum(h @ layer, 0)
        return h

    def interpreter() -> object:
        total = 0
        for i in range(50):
            total += len([table.get(str(i), 0)] * 3)
        return total

    return {"cache": cache, "interpreter": interpreter}


class Reference:
    """The reference model, ready to be timed."""

    def __init__(self) -> None:
        self._calls = reference_calls()
        self.names = tuple(self._calls)

    def sample(self) -> list[float]:
        """Seconds of one call of each part: the lower median of a few calls, the first of them left out."""
        out = []
        for name, call in self._calls.items():
            seconds = timed(call, 1 + _CALLS[name], by_cpu=True).seconds[1:].tolist()
            out.append(sorted(seconds)[(len(seconds) - 1) // 2])  # much faster than NumPy's median
        return out


def slowdown(references: Array, best: Array) -> Array:
    """Slowdown of the reference model in each sample.

    Args:
        references: Seconds by sample and part, shape ``(n, parts)``.
        best: Seconds by part on the undisturbed host, shape ``(parts,)``.

    Returns:
        Geometric mean over the parts, shape ``(n,)``.
    """
    out: Array = np.exp(np.mean(np.log(references / best), axis=1))
    return out
