"""From a model's raw output to the answer: probabilities and labels, or values in the target's own unit.

Outputs of every file:

- classification: ``label`` (n,), of the classes' own type, and ``probabilities`` float32 (n, k), in the order
  of the classes
- regression: ``value`` float64 (n,)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from satisfice.data.features.scale import TargetScale, exponent, times
from satisfice.ship.onnx.graph import Graph

LABEL, PROBABILITIES, VALUE = "label", "probabilities", "value"
OUTPUTS = frozenset((LABEL, PROBABILITIES, VALUE))

Link = Literal["none", "softmax", "sigmoid"]

_MODERATE = 800  # powers of two up to which float64 holds a value for any float32 output
_LARGEST = float(np.finfo(np.float64).max)
_INT64 = range(-(2**63), 2**63)


def add_classes(
    graph: Graph, raw: str, link: Link, classes: Sequence[Any], threshold: float | None = None
) -> None:
    """Declare the outputs of a classifier.

    Args:
        graph: Where they are added.
        raw: Name of the model's output, float32 (n, k). Of two classes, unless the link is "softmax", it is
            (n, 1) and about the positive one.
        link: What makes it probabilities.
        classes: Labels in the order of the outputs; of two the second is the positive one.
        threshold: Of two classes: the probability from which the positive one is answered. None: the more
            probable one, of two equal ones the first.
    """
    from onnx import TensorProto

    probabilities = raw
    if link == "softmax":
        probabilities = graph.op("Softmax", raw, axis=-1)
    elif link == "sigmoid":
        probabilities = graph.op("Sigmoid", raw)
    if len(classes) == 2 and link != "softmax":
        negative = graph.op("Sub", graph.constant(np.float32(1)), probabilities)
        probabilities = graph.op("Concat", negative, probabilities, axis=1)
    if threshold is None:
        index = graph.op("ArgMax", probabilities, axis=1, keepdims=0)
    else:
        positive = graph.op("Gather", probabilities, graph.constant(np.int64(1)), axis=1)
        above = graph.op("GreaterOrEqual", positive, graph.constant(np.float32(threshold)))
        index = graph.op("Cast", above, to=TensorProto.INT64)
    table, dtype = _labels(graph, classes)
    graph.output(graph.op("Gather", table, index, axis=0), LABEL, dtype, ["n"])
    graph.output(probabilities, PROBABILITIES, TensorProto.FLOAT, ["n", len(classes)])


def add_value(graph: Graph, raw: str, target: TargetScale | None) -> None:
    """Declare the output of a regression, from raw float32 (n, 1) in spreads from the target's centre.

    Args:
        graph: Where it is added.
        raw: Name of the model's output.
        target: How the target was standardised; None where the model predicts in the target's own unit.
    """
    from onnx import TensorProto

    value = graph.op("Cast", raw, to=TensorProto.DOUBLE)
    if target is not None:
        value = _restored(graph, value, target)
    flat = graph.op("Reshape", value, graph.constant(np.array([-1], np.int64)))
    graph.output(flat, VALUE, TensorProto.DOUBLE, ["n"])


def _restored(graph: Graph, value: str, target: TargetScale) -> str:
    """As `TargetScale.restore` computes it."""
    at = exponent([target.centre, target.spread])
    extreme = abs(at) > _MODERATE
    near = -at if extreme else 0
    value = graph.op("Mul", value, graph.constant(np.float64(times(target.spread, near))))
    value = graph.op("Add", value, graph.constant(np.float64(times(target.centre, near))))
    if not extreme:
        return value
    for power in (at // 2, at - at // 2):  # 2^at itself may be no float64
        value = graph.op("Mul", value, graph.constant(np.float64(2.0**power)))
    low, high = graph.constant(np.float64(-_LARGEST)), graph.constant(np.float64(_LARGEST))
    return graph.op("Clip", value, low, high)


def _labels(graph: Graph, classes: Sequence[Any]) -> tuple[str, int]:
    """A constant with the labels, and its type: text where they are neither flags nor numbers throughout."""
    from onnx import TensorProto

    if all(isinstance(c, bool) for c in classes):
        return graph.constant(np.array(classes, np.bool_)), TensorProto.BOOL
    numbers = all(isinstance(c, int | float) and not isinstance(c, bool) for c in classes)
    if numbers and all(isinstance(c, int) and c in _INT64 for c in classes):
        return graph.constant(np.array(classes, np.int64)), TensorProto.INT64
    if numbers and all(float(c) == c for c in classes):
        return graph.constant(np.array(classes, np.float64)), TensorProto.DOUBLE
    return graph.texts([str(c) for c in classes]), TensorProto.STRING
