"""From a model's raw output to the answer: probabilities and labels, or values in the target's own unit.

Outputs of every file:

- classification: ``probabilities`` float32 (n, k) in the order of the classes, and ``label`` (n,), strings, whole
  numbers or numbers as the classes are
- regression: ``value`` float64 (n,)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from satisfice.ship.onnx.graph import Graph

Link = Literal["none", "softmax", "sigmoid"]


def add_classes(
    graph: Graph, raw: str, link: Link, classes: Sequence[Any], threshold: float | None = None
) -> None:
    """Declare the outputs of a classifier.

    Args:
        graph: Where they are added.
        raw: Name of the model's output, float32: (n, k), or (n, 1) about the positive class of two.
        link: What makes it probabilities.
        classes: Labels in the order of the outputs; of two the second is the positive one.
        threshold: Of two classes: the probability from which the positive one is answered. None: the more probable.
    """
    from onnx import TensorProto

    probabilities = {"none": lambda: raw, "softmax": lambda: graph.op("Softmax", raw, axis=-1)}.get(
        link, lambda: graph.op("Sigmoid", raw)
    )()
    if len(classes) == 2 and link == "sigmoid":
        negative = graph.op("Sub", graph.constant(np.float32(1)), probabilities)
        probabilities = graph.op("Concat", negative, probabilities, axis=1)
    if threshold is None:
        index = graph.op("ArgMax", probabilities, axis=1, keepdims=0)
    else:
        positive = graph.op("Gather", probabilities, graph.constant(np.int64(1)), axis=1)
        above = graph.op("GreaterOrEqual", positive, graph.constant(np.float32(threshold)))
        index = graph.op("Cast", above, to=TensorProto.INT64)
    table, dtype = _labels(graph, classes)
    graph.output(graph.op("Gather", table, index, axis=0), "label", dtype, ["n"])
    graph.output(probabilities, "probabilities", TensorProto.FLOAT, ["n", len(classes)])


def add_value(graph: Graph, raw: str, centre: float, scale: float) -> None:
    """Declare the output of a regression: ``centre + scale * raw`` in float64, from raw float32 (n, 1)."""
    from onnx import TensorProto

    wide = graph.op("Cast", raw, to=TensorProto.DOUBLE)
    scaled = graph.op("Mul", wide, graph.constant(np.float64(scale)))
    moved = graph.op("Add", scaled, graph.constant(np.float64(centre)))
    flat = graph.op("Reshape", moved, graph.constant(np.array([-1], np.int64)))
    graph.output(flat, "value", TensorProto.DOUBLE, ["n"])


def _labels(graph: Graph, classes: Sequence[Any]) -> tuple[str, int]:
    """A constant with the labels, and its type: text where they are not all whole numbers, or all numbers."""
    from onnx import TensorProto

    if all(isinstance(c, bool | np.bool_) for c in classes):
        return graph.constant(np.array(classes, np.bool_)), TensorProto.BOOL
    if all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in classes):
        return graph.constant(np.array(classes, np.int64)), TensorProto.INT64
    if all(isinstance(c, int | float | np.number) and not isinstance(c, bool) for c in classes):
        return graph.constant(np.array(classes, np.float64)), TensorProto.DOUBLE
    return graph.texts([str(c) for c in classes]), TensorProto.STRING
