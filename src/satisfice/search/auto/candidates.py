"""Pools of candidates: the whole space, the neighbourhood of local starts, and of the best candidates so far.

All are quantile rows (see `encoding`), shape [n, d].
"""

from __future__ import annotations

import numpy as np

from satisfice.surrogate.encoding import Array, Encoder, neighbours

ANYWHERE = 500  # candidates drawn from the whole space
_LOCAL = 500  # candidates near local starts
_SCALES = (0.02, 0.06, 0.15, 0.3)
_BEST = 12  # that are searched near


def pool(encoder: Encoder, starts: Array, partners: Array, rng: np.random.Generator) -> Array:
    """Candidates from the whole space, and near local starts.

    Args:
        encoder: The space.
        starts: Rows to search near.
        partners: Rows for crossover.
        rng: Generator.
    """
    near = neighbours(
        encoder,
        starts[rng.integers(len(starts), size=_LOCAL)],
        partners[rng.integers(len(partners), size=_LOCAL)],
        _SCALES,
        rng,
    )
    return np.vstack([encoder.draw(ANYWHERE, rng), near])


def around(encoder: Encoder, ordered: Array, count: int, rng: np.random.Generator) -> Array:
    """Candidates near the first few of ``ordered``, which come best first, and between them."""
    best = ordered[:_BEST]
    starts = best[rng.integers(len(best), size=count)]
    return neighbours(encoder, starts, best[rng.integers(len(best), size=count)], _SCALES, rng)
