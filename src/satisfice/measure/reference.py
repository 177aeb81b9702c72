"""The fixed reference model: its slowdown tells a slow phase of the host from a slow model.

Three parts, as models have them: products of small matrices (bound by arithmetic), of a vector with matrices
(bound by the second-level cache), and Python's own work around them. Its slowdown is the median of the parts'
slowdowns, so that no single disturbed part makes a slow phase. NumPy and Python only: every host has it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from satisfice.measure.estimate import Array
from satisfice.measure.timing import timed

Call = Callable[[], object]

_CALLS = {"arithmetic": 1, "cache": 3, "interpreter": 4}  # either side of a block: about 0.4 ms together


def reference_calls() -> dict[str, Call]:
    """The parts of the reference model, by name; the same work on every host."""
    rng = np.random.default_rng(0)
    square = rng.standard_normal((128, 128)).astype(np.float32)
    widths = (64, 256, 256, 10)
    layers = [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32) for a, b in pairwise(widths)]
    item = rng.standard_normal((1, widths[0])).astype(np.float32)
    table = {str(i): i for i in range(50)}

    def arithmetic() -> object:
        h = square
        for _ in range(3):
            h = np.maximum(h @ square, 0) * np.float32(0.05)
        return h

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

    return {"arithmetic": arithmetic, "cache": cache, "interpreter": interpreter}


class Reference:
    """The reference model, ready to be timed."""

    def __init__(self) -> None:
        self._calls = reference_calls()
        self.names = tuple(self._calls)

    def sample(self) -> Array:
        """Seconds of one call of each part, shape ``(parts,)``: medians of a few calls, not of the first."""
        out = []
        for name, call in self._calls.items():
            call()
            out.append(float(np.median(timed(call, _CALLS[name], by_cpu=True).seconds)))
        return np.array(out)


def slowdown(references: Array, best: Array) -> Array:
    """Slowdown of the reference model in each block.

    Args:
        references: Seconds by block and part, shape ``(n, parts)``.
        best: Seconds by part on the undisturbed host, shape ``(parts,)``.

    Returns:
        Median over the parts, shape ``(n,)``.
    """
    out: Array = np.median(references / best, axis=1)
    return out
