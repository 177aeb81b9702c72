"""Ensembles of decision trees as flat arrays: small on disk, and fast for one item.

Notation: N nodes over all trees, L leaves, T trees, c numbers in a leaf, d features. Nodes of a tree lie in
preorder, so that the left child is the next node:

- feature (N,) of a split, -1 for a leaf
- threshold (N,): left if x <= threshold
- jump (N,): the right child of a split; the row of `value` for a leaf
- value (L, c), roots (T,), base (c,)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

_CELLS = 1 << 20  # pairs of item and tree at a time, to bound memory
_NARROW = 1 << 15  # numbers of features up to which int16 holds them


@dataclass(frozen=True, kw_only=True, eq=False)
class RawTrees:
    """Trees as a library grew them, all in one: children by node number, -1 where there are none."""

    left: Ints  # (N,)
    right: Ints  # (N,)
    feature: Ints  # (N,)
    threshold: NDArray[np.float64]  # (N,)
    value: NDArray[np.float64]  # (N, c); read at leaves only
    roots: Ints  # (T,)


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeEnsemble:
    """Trees whose values are averaged (forest) or summed onto a base (boosting).

    In boosting for k > 2 classes every round grows k trees, one a class, in the order of the classes.
    """

    feature: NDArray[Any]
    threshold: Floats
    jump: NDArray[np.int32]
    value: Floats
    roots: NDArray[np.int32]
    base: Floats
    boosted: bool
    classify: bool

    @cached_property
    def _walk(self) -> tuple[Ints, Ints, int]:
        """Features, 0 at leaves (N,); right and left child, at leaves the node itself (2N,); the depth."""
        nodes = np.arange(len(self.feature))
        leaf = self.feature < 0
        right = np.where(leaf, nodes, self.jump)
        left = np.where(leaf, nodes, nodes + 1)
        depth, level = 0, self.roots[~leaf[self.roots]].astype(np.int64)
        while len(level):
            level = np.concatenate([left[level], right[level]])
            level = level[~leaf[level]]
            depth += 1
        return np.maximum(self.feature, 0).astype(np.int64), np.stack([right, left], axis=1).ravel(), depth

    def __call__(self, x: Floats) -> NDArray[np.float64]:
        """Probabilities (n, k), or values (n,)."""
        x = np.ascontiguousarray(x.reshape(len(x), -1))
        rows = max(1, _CELLS // len(self.roots))
        out = np.concatenate([self._outputs(x[at : at + rows]) for at in range(0, len(x), rows)])
        if not self.classify:
            return out[:, 0]
        if self.boosted:
            if out.shape[1] > 1:
                power = np.exp(out - out.max(axis=1, keepdims=True))
                return np.asarray(power / power.sum(axis=1, keepdims=True))
            out = 0.5 * (1.0 + np.tanh(0.5 * out))
        return np.concatenate([1.0 - out, out], axis=1) if out.shape[1] == 1 else out

    def _outputs(self, x: Floats) -> NDArray[np.float64]:
        """Averages, or sums onto the base; (n, c) or (n, k)."""
        feature, children, depth = self._walk
        node = np.broadcast_to(self.roots.astype(np.int64), (len(x), len(self.roots)))
        first = (np.arange(len(x)) * x.shape[1])[:, None]
        flat = x.ravel()
        for _ in range(depth):
            go_left = flat.take(first + feature.take(node)) <= self.threshold.take(node)
            node = children.take(2 * node + go_left)
        value = self.value[self.jump.take(node)].astype(np.float64)  # (n, T, c)
        if not self.boosted:
            return np.asarray(value.mean(axis=1))
        k = len(self.base)
        return np.asarray(value.reshape(len(x), -1, k).sum(axis=1) + self.base)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As they ship."""
        names = ("feature", "threshold", "jump", "value", "roots", "base")
        return {name: getattr(self, name) for name in names}

    @property
    def n_parameters(self) -> int:
        """Thresholds, numbers in leaves and in the base."""
        return int((self.feature >= 0).sum()) + self.value.size + self.base.size

    @property
    def n_leaves(self) -> int:
        """Over all trees."""
        return len(self.value)

    @property
    def max_depth(self) -> int:
        """Questions from a root to the farthest leaf; 0 where every tree is a single leaf."""
        return self._walk[2]

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], *, boosted: bool, classify: bool) -> TreeEnsemble:
        """What `arrays` told of."""
        return cls(**arrays, boosted=boosted, classify=classify)


def shapes(
    *, trees: int, leaves: int, d: int, c: int, k: int
) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Types and shapes of an ensemble's arrays: binary trees with L leaves have 2L - T nodes.

    Args:
        trees: T.
        leaves: L.
        d: Features.
        c: Numbers in a leaf.
        k: Numbers in the base.
    """
    f4, i4 = np.dtype("float32"), np.dtype("int32")
    nodes = (2 * leaves - trees,)
    return {
        "feature": (_index_type(d), nodes),
        "threshold": (f4, nodes),
        "jump": (i4, nodes),
        "value": (f4, (leaves, c)),
        "roots": (i4, (trees,)),
        "base": (f4, (k,)),
    }


def bare_leaves(*, trees: int, d: int, c: int, k: int) -> dict[str, NDArray[Any]]:
    """The arrays of the smallest ensemble: trees that are single leaves, all of them 0; as for `shapes`."""
    of = shapes(trees=trees, leaves=trees, d=d, c=c, k=k)
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in of.items()}
    arrays["feature"][:] = -1
    arrays["jump"][:] = arrays["roots"][:] = np.arange(trees)
    return arrays


def join(trees: list[RawTrees]) -> RawTrees:
    """Several into one."""
    offsets = np.cumsum([0, *(len(t.left) for t in trees)])[:-1]
    pairs = list(zip(trees, offsets, strict=True))
    return RawTrees(
        left=np.concatenate([np.where(t.left < 0, -1, t.left + at) for t, at in pairs]),
        right=np.concatenate([np.where(t.left < 0, -1, t.right + at) for t, at in pairs]),
        feature=np.concatenate([t.feature for t in trees]),
        threshold=np.concatenate([t.threshold for t in trees]),
        value=np.concatenate([t.value for t in trees]),
        roots=np.concatenate([t.roots + at for t, at in pairs]),
    )


def pack(raw: RawTrees, *, d: int, base: NDArray[np.float64], boosted: bool, classify: bool) -> TreeEnsemble:
    """Bring trees into preorder and into the types that ship."""
    place = _preorder(raw)
    order = np.argsort(place)
    leaf = raw.left[order] < 0
    jump = np.where(leaf, np.cumsum(leaf) - 1, place[raw.right[order]])
    return TreeEnsemble(
        feature=np.where(leaf, -1, raw.feature[order]).astype(_index_type(d)),
        threshold=np.where(leaf, 0.0, round_down(raw.threshold[order])).astype(np.float32),
        jump=jump.astype(np.int32),
        value=raw.value[order][leaf].astype(np.float32),
        roots=place[raw.roots].astype(np.int32),
        base=np.asarray(base, np.float32),
        boosted=boosted,
        classify=classify,
    )


def round_down(threshold: NDArray[np.float64]) -> Floats:
    """The largest float32 not above each number: for a float32 x, x <= t stays what it was."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def _index_type(d: int) -> np.dtype[Any]:
    return np.dtype("int16" if d <= _NARROW else "int32")


def _preorder(raw: RawTrees) -> Ints:
    """The place of each node when every tree lies in preorder, one tree after another; level by level."""
    levels = [raw.roots]
    while True:
        inner = levels[-1][raw.left[levels[-1]] >= 0]
        if not len(inner):
            break
        levels.append(np.concatenate([raw.left[inner], raw.right[inner]]))
    size = np.ones(len(raw.left), dtype=np.int64)
    for level in reversed(levels):
        inner = level[raw.left[level] >= 0]
        size[inner] += size[raw.left[inner]] + size[raw.right[inner]]
    place = np.zeros(len(raw.left), dtype=np.int64)
    place[raw.roots] = np.cumsum([0, *size[raw.roots]])[:-1]
    for level in levels:
        inner = level[raw.left[level] >= 0]
        place[raw.left[inner]] = place[inner] + 1
        place[raw.right[inner]] = place[inner] + 1 + size[raw.left[inner]]
    return place
