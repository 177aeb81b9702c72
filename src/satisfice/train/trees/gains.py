"""What the splits of an ensemble gain, by feature.

A split of n rows into n1 and n2, in which the tree's values have the means m1 and m2, lowers their squared
error by n1 n2 / n (m1 - m2)². Summed over the splits of a feature this is the impurity-based importance of a
regression tree (Breiman et al. 1984, section 5.3.4) where the leaves hold means of the rows that it grew on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from satisfice.train.trees.ensemble import Floats, TreeEnsemble


def gains(trees: TreeEnsemble, x: Floats) -> NDArray[np.float64]:
    """Gains on these rows by feature, shape (d,), that sum to 1; all 0 where no split parts them.

    Args:
        trees: The ensemble.
        x: Prepared rows, (n, d).
    """
    x = np.ascontiguousarray(x.reshape(len(x), -1))
    found = np.zeros(x.shape[1])
    ends = np.append(trees.roots[1:], len(trees.feature))
    for root, end in zip(trees.roots, ends, strict=True):
        _add_gains_of_tree(trees, int(root), int(end), x, found)
    total = found.sum()
    return found / total if total > 0 else found


def _add_gains_of_tree(
    trees: TreeEnsemble, root: int, end: int, x: Floats, found: NDArray[np.float64]
) -> None:
    """Nodes of a tree lie in preorder, so that every child comes after its parent."""
    nodes, c = end - root, trees.value.shape[1]
    count, total = np.zeros(nodes), np.zeros((nodes, c))
    rows: list[NDArray[np.intp] | None] = [None] * nodes
    rows[0] = np.arange(len(x))
    for node in range(nodes):
        feature, jump, mine = int(trees.feature[root + node]), int(trees.jump[root + node]), rows[node]
        assert mine is not None  # its parent came before
        count[node], rows[node] = len(mine), None
        if feature < 0:
            total[node] = len(mine) * trees.value[jump].astype(np.float64)
            continue
        left = x[mine, feature] <= trees.threshold[root + node]
        rows[node + 1], rows[jump - root] = mine[left], mine[~left]
    for node in reversed(range(nodes)):
        feature, right = int(trees.feature[root + node]), int(trees.jump[root + node]) - root
        if feature < 0:
            continue
        total[node] = total[node + 1] + total[right]
        if count[node + 1] and count[right]:
            apart = total[node + 1] / count[node + 1] - total[right] / count[right]
            found[feature] += count[node + 1] * count[right] / count[node] * float((apart**2).sum())
