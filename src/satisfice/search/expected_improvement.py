"""Expected hypervolume improvement.

The hypervolume above a reference point is, up to a constant, the mean over directions λ of the positive unit
sphere of ``max_y min_i (max(r_i - y_i, 0) / λ_i)^m`` (Golovin & Zhang 2020, arXiv:2006.04655, lemma 5). So
the expected improvement is a mean of one-dimensional improvements, for any number of objectives and any
distribution of y.

Shapes: m objectives (to minimise), n candidates, s samples of each, l directions, f points of the front.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from satisfice.surrogate.encoding import Array

_WIDTH = 2.0  # of the distribution that improvements are sampled from


def directions(m: int, count: int) -> Array:
    """Evenly spread directions of the positive part of the unit sphere, shape [l, m]."""
    if m == 1:
        return np.ones((1, 1))
    if m == 2:
        angle = (np.arange(count) + 0.5) / count * (math.pi / 2)
        return np.column_stack([np.cos(angle), np.sin(angle)])
    points = qmc.Sobol(m, scramble=True, seed=0).random_base2(max(1, math.ceil(math.log2(count))))
    normal = np.abs(ndtri(0.5 + 0.5 * np.clip(points, 1e-9, 1 - 1e-9)))
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


class Improvement:
    """Improvement over a front.

    Args:
        front: Objectives of the feasible front, shape [f, m]; may be empty.
        ideal: Lower ends of the objectives, shape [m].
        reference: The reference point, shape [m], above the ideal.
        count: Number of directions.
    """

    def __init__(self, front: Array, ideal: Array, reference: Array, *, count: int) -> None:
        self._reference, self._range = reference, reference - ideal
        self._m = len(reference)
        self._directions = directions(self._m, count)
        best = np.zeros(len(self._directions))
        if len(front):
            best = self._heights(front).max(axis=0)
        self._best = best

    def _heights(self, y: Array) -> Array:
        """Length along each direction, to the power m. Shape [..., l]."""
        # The upper end keeps powers finite: an objective may be worse than others by any factor.
        gap = np.clip((self._reference - y) / self._range, 0.0, 10.0 ** (200.0 / self._m))
        height = gap[..., 0, None] / self._directions[:, 0]
        for i in range(1, self._m):
            np.minimum(height, gap[..., i, None] / self._directions[:, i], out=height)
        if self._m == 1:
            return height
        return height * height if self._m == 2 else height**self._m

    def expected(self, samples: Array, weights: Array) -> Array:
        """Mean gain, as a share of the box between ideal and reference (up to a constant). Shape [n].

        Args:
            samples: Objectives, shape [s, n, m].
            weights: Of the samples, shape [s], sum 1.
        """
        total = np.zeros(samples.shape[1])
        for sample, weight in zip(samples, weights, strict=True):
            gain = self._heights(sample) - self._best
            np.maximum(gain, 0.0, out=gain)
            total += weight * gain.mean(axis=1)
        return total


@cache
def normal_nodes(count: int, k: int) -> tuple[Array, Array]:
    """Points and weights of an integral over k independent standard normals, shapes [s, k] and [s].

    Importance sampling from a normal twice as wide: where an improvement is unlikely its size must still be
    seen, or all unlikely candidates would look alike.
    """
    if k == 0:
        return np.zeros((1, 0)), np.ones(1)
    if k == 1:
        u = ((np.arange(count) + 0.5) / count)[:, None]
    else:
        u = qmc.Sobol(k, scramble=True, seed=0).random_base2(math.ceil(math.log2(2 * count)))
    z = _WIDTH * ndtri(np.clip(u, 1e-6, 1 - 1e-6))
    log_weight = -0.5 * (z**2).sum(axis=1) * (1.0 - 1.0 / _WIDTH**2)
    weight = np.exp(log_weight - log_weight.max())
    return z, weight / weight.sum()
