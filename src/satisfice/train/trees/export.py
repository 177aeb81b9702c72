"""Ensembles of trees as parts of an ONNX graph: ai.onnx.ml's TreeEnsemble (since version 5).

A leaf of that operator holds one number. Boosting and forests with one number a leaf give it directly. A
forest with several numbers a leaf gives the row of each tree's leaf instead; the rows are then gathered and
averaged, so that the splits are written once and not once for each class. Equal leaves are written once.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import InputError
from satisfice.ship.onnx.graph import ML, Graph
from satisfice.train.trees.ensemble import TreeEnsemble

LeafPrecision = Literal["none", "uint8"]

_UINT8_MOST = 255
_LENGTHS = 128  # bytes by which the lengths of nested messages may grow
_MOST_ROWS = 1 << 24  # the operator names rows in float32
_SUM, _AVERAGE = 1, 0  # of the operator's `aggregate_function`


def add_trees(graph: Graph, x: str, trees: TreeEnsemble, precision: LeafPrecision = "none") -> str:
    """Add an ensemble; returns the name of its output, float32 (n, c) or (n, k), before any link function.

    Args:
        graph: Where it is added.
        x: Name of the prepared items, float32 (n, d).
        trees: The ensemble.
        precision: With "uint8" the probabilities in leaves are stored as whole numbers of 1/255.

    Raises:
        InputError: It has more different leaves than float32 can count.
    """
    if trees.boosted:
        k = len(trees.base)
        summed = _ensemble(
            graph, x, trees, targets=_tree_of_leaf(trees) % k, values=trees.value[:, 0], count=k
        )
        return graph.op("Add", summed, graph.constant(trees.base.astype(np.float32)))
    if trees.value.shape[1] == 1:
        values = trees.value[:, 0]
        if precision == "uint8":  # few different leaves are left, and equal ones are written once
            values = (_whole_leaves(values) / _UINT8_MOST).astype(np.float32)
        one = np.zeros(len(values), np.int64)
        return _ensemble(graph, x, trees, targets=one, values=values, count=1, mean=True)
    whole = _whole_leaves(trees.value) if precision == "uint8" else trees.value
    table, row = _distinct_rows(whole)
    if len(table) > _MOST_ROWS:
        raise InputError(
            f"a forest with {len(table)} different leaves is too large for ONNX", hint="grow less"
        )
    rows = _ensemble(graph, x, trees, targets=_tree_of_leaf(trees), values=row, count=len(trees.roots))
    return _mean_of_rows(graph, rows, table)


def most_bytes(*, trees: int, leaves: int, c: int) -> int:
    """Bytes that so many trees and leaves of c numbers add at most to the file of a single leaf.

    Each whole number takes at most six bytes with its key (protocol buffers, varint), each float four, each
    flag two. A split has its feature, both children, their flags, threshold and mode; a leaf its target and
    weight, and where leaves hold several numbers, a row of the table.
    """
    split, leaf, root = 3 * 6 + 2 * 2 + 4 + 1, 6 + 4, 6
    return _LENGTHS + leaves * (split + leaf + 4 * c) + trees * (split + root)


def _distinct_rows(value: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different rows, and which of them each row is."""
    rows = np.ascontiguousarray(value)
    as_bytes = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, row = np.unique(as_bytes, return_index=True, return_inverse=True)
    return rows[first], row


def _whole_leaves(value: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(np.rint(value * _UINT8_MOST), 0, _UINT8_MOST).astype(np.uint8)


def _mean_of_rows(graph: Graph, rows: str, table: NDArray[Any]) -> str:
    """The mean over the trees of the table's rows that they name, (n, c)."""
    from onnx import TensorProto

    numbers = graph.constant(table)
    if table.dtype == np.uint8:
        numbers = graph.op("Cast", numbers, to=TensorProto.FLOAT)
        numbers = graph.op("Mul", numbers, graph.constant(np.float32(1 / _UINT8_MOST)))
    index = graph.op("Cast", rows, to=TensorProto.INT64)
    leaves = graph.op("Gather", numbers, index, axis=0)  # (n, T, c)
    return graph.op("ReduceMean", leaves, graph.constant(np.array([1], np.int64)), keepdims=0)


def _tree_of_leaf(trees: TreeEnsemble) -> NDArray[np.int64]:
    """The tree of each row of `value`, shape (L,)."""
    leaf = np.flatnonzero(trees.feature < 0)
    out = np.zeros(len(trees.value), np.int64)
    out[trees.jump[leaf]] = np.searchsorted(trees.roots, leaf, side="right") - 1
    return out


def _ensemble(
    graph: Graph,
    x: str,
    trees: TreeEnsemble,
    *,
    targets: NDArray[Any],
    values: NDArray[Any],
    count: int,
    mean: bool = False,
) -> str:
    """The operator: leaf i adds ``values[i]`` to output ``targets[i]`` of ``count``."""
    from onnx import TensorProto, helper, numpy_helper

    leaf = trees.feature < 0
    inner = np.flatnonzero(~leaf)
    number = np.cumsum(~leaf) - 1  # of a split among the splits
    # The operator knows no tree that is a single leaf: it gets a split with that leaf on both sides.
    bare = trees.roots[leaf[trees.roots]]
    roots = np.where(leaf[trees.roots], 0, number[trees.roots])
    roots[leaf[trees.roots]] = len(inner) + np.arange(len(bare))

    distinct, which = np.unique(values, return_inverse=True)
    leaves, place = np.unique(targets * len(distinct) + which, return_inverse=True)
    leaf_targets, leaf_values = leaves // len(distinct), distinct[leaves % len(distinct)]

    def child(nodes: NDArray[Any]) -> NDArray[Any]:
        at = np.where(leaf[nodes], trees.jump[nodes], 0)
        return np.concatenate([np.where(leaf[nodes], place[at], number[nodes]), place[trees.jump[bare]]])

    def is_leaf(nodes: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([leaf[nodes], np.ones(len(bare), bool)])

    left, right = inner + 1, trees.jump[inner]
    splits = len(inner) + len(bare)
    return graph.op(
        "TreeEnsemble",
        x,
        domain=ML,
        n_targets=count,
        aggregate_function=_AVERAGE if mean else _SUM,
        post_transform=0,
        tree_roots=roots,
        nodes_featureids=np.concatenate([trees.feature[inner], np.zeros(len(bare), int)]),
        nodes_modes=helper.make_tensor("m", TensorProto.UINT8, [splits], bytes(splits), raw=True),
        nodes_splits=numpy_helper.from_array(
            np.concatenate([trees.threshold[inner], np.zeros(len(bare))]).astype(np.float32), "s"
        ),
        nodes_truenodeids=child(left),
        nodes_falsenodeids=child(right),
        nodes_trueleafs=is_leaf(left),
        nodes_falseleafs=is_leaf(right),
        leaf_targetids=leaf_targets,
        leaf_weights=numpy_helper.from_array(leaf_values.astype(np.float32), "w"),
    )
