"""Networks as parts of an ONNX graph, from plans and arrays. No torch here.

Batch normalisation is folded into the layer before it, in float64. With ``int8_static`` activations are whole
numbers too (Jacob et al. 2018, doi:10.1109/CVPR.2018.00286): every value between layers passes QuantizeLinear
and DequantizeLinear, whose ranges were seen on training items, so that the runtime computes in int8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.precision import Precision, as_float32, blank, by_tensor, is_blank, weight
from satisfice.ship.runtime import session
from satisfice.train.networks.plan import (
    Activate,
    AveragePool,
    BatchNorm,
    Conv,
    Depthwise,
    Dropout,
    Flatten,
    Layer,
    MaxPool,
    Plan,
    Residual,
    Weighted,
    names,
    shipped_tensors,
)

Arrays = Mapping[str, NDArray[Any]]
Range = tuple[float, float]

_BATCH_NORM_EPSILON = 1e-5  # torch's
_LEAKY_SLOPE = 0.01  # torch's
_CHUNK = 1024  # items at a time, to bound memory


@dataclass(frozen=True)
class _Folded:
    """A layer with its weight and bias in float64, batch normalisation folded in; None where it has none."""

    layer: Layer
    weight: NDArray[np.float64] | None = None
    bias: NDArray[np.float64] | None = None
    body: tuple[_Folded, ...] = ()  # of a residual layer
    shortcut: tuple[_Folded, ...] = ()


def blank_arrays(plan: Plan) -> dict[str, NDArray[Any]]:
    """Arrays of a plan without memory, for graphs that are only measured."""
    return {name: blank(shape, np.float32) for name, shape in shipped_tensors(plan).items()}


def add_network(
    graph: Graph,
    x: str,
    plan: Plan,
    arrays: Arrays,
    precision: Precision,
    ranges: Sequence[Range] | None = None,
) -> str:
    """Add a network; returns the name of its output, float32 (n, outputs).

    Args:
        graph: Where it is added.
        x: Name of the prepared items.
        plan: The layers. Dropout is left out.
        arrays: The trained tensors by their name in the plan.
        precision: How weights, and with ``int8_static`` activations, are stored.
        ranges: With ``int8_static`` the lowest and highest number of each value that `add_observed` names;
            None where the graph is only measured.
    """
    writer = _Writer(graph, precision, ranges)
    return writer.add(x, _fold(plan, arrays))


def add_observed(graph: Graph, x: str, plan: Plan, arrays: Arrays) -> list[str]:
    """Add the float32 network; returns the names of all values whose ranges ``int8_static`` needs."""
    writer = _Writer(graph, "none", None)
    writer.add(x, _fold(plan, arrays))
    return writer.observed


def observed_ranges(plan: Plan, arrays: Arrays, items: NDArray[np.float32]) -> list[Range]:
    """The lowest and highest number of each value between layers, over prepared items (n, ...)."""
    from onnx import TensorProto

    graph = Graph()
    x = graph.input("x", TensorProto.FLOAT, ["n", *items.shape[1:]])
    names = add_observed(graph, x, plan, arrays)
    for at, name in enumerate(names):
        graph.output(name, f"seen{at}", TensorProto.FLOAT, None)
    opened = session(graph.serialized({}))
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for start in range(0, len(items), _CHUNK):
        seen = opened.run(None, {"x": items[start : start + _CHUNK]})
        low = np.minimum(low, [value.min() for value in seen])
        high = np.maximum(high, [value.max() for value in seen])
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _fold(plan: Plan, arrays: Arrays, prefix: str = "") -> list[_Folded]:
    out: list[_Folded] = []
    for short, layer in zip(names(plan), plan, strict=True):
        name = prefix + short
        if isinstance(layer, Residual):
            body = _fold(layer.body, arrays, f"{name}.body.")
            shortcut = _fold(layer.shortcut, arrays, f"{name}.shortcut.")
            out.append(_Folded(layer, body=tuple(body), shortcut=tuple(shortcut)))
        elif isinstance(layer, Weighted):
            kernel = _float64(arrays[f"{name}.weight"])
            bias = arrays.get(f"{name}.bias")
            zero = blank((len(kernel),), np.float64) if is_blank(kernel) else np.zeros(len(kernel))
            plain = None if isinstance(layer, Depthwise) else zero
            out.append(_Folded(layer, kernel, plain if bias is None else _float64(bias)))
        elif isinstance(layer, BatchNorm):
            out[-1] = _with_batch_norm(out[-1], {k: arrays[f"{name}.{k}"] for k in _BATCH_NORM})
        elif not isinstance(layer, Dropout):
            out.append(_Folded(layer))
    return out


_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def _with_batch_norm(before: _Folded, of: Arrays) -> _Folded:
    assert before.weight is not None
    assert before.bias is not None
    if is_blank(before.weight):
        return before
    gain, shift, mean, variance = (_float64(of[name]) for name in _BATCH_NORM)
    factor = gain / np.sqrt(variance + _BATCH_NORM_EPSILON)
    by_output = factor.reshape(-1, *[1] * (before.weight.ndim - 1))
    return _Folded(before.layer, before.weight * by_output, (before.bias - mean) * factor + shift)


def _float64(array: NDArray[Any]) -> NDArray[np.float64]:
    return blank(array.shape, np.float64) if is_blank(array) else array.astype(np.float64)


class _Writer:
    """Adds layers one by one; counts the values whose ranges static quantization needs."""

    def __init__(self, graph: Graph, precision: Precision, ranges: Sequence[Range] | None) -> None:
        self.graph = graph
        self.precision: Precision = precision
        self.ranges = ranges
        self.static = precision == "int8_static"
        self.observed: list[str] = []
        self.at = -1  # which observed value the layer takes that is added next

    def add(self, x: str, layers: Sequence[_Folded]) -> str:
        return self._stack(self._observe(x), layers)

    def _stack(self, x: str, layers: Sequence[_Folded]) -> str:
        """Add layers to an observed value."""
        for i, folded in enumerate(layers):
            follows = layers[i + 1].layer if i + 1 < len(layers) else None
            if isinstance(folded.layer, Residual):
                x = self._added(x, folded)
            elif folded.weight is not None:
                x = self._weighted(x, folded)
            else:
                x = self._plain(x, folded.layer)
                continue
            if not isinstance(follows, Activate):
                x = self._observe(x)
        return x

    def _added(self, x: str, folded: _Folded) -> str:
        """Both stacks from the same value, and their sum, which is not observed yet."""
        at = self.at
        body = self._stack(x, folded.body)
        self.at = at
        shortcut = self._stack(x, folded.shortcut)
        return self.graph.op("Add", body, shortcut)

    def _plain(self, x: str, layer: Layer) -> str:
        g = self.graph
        if isinstance(layer, Activate):
            return self._observe(_activate(g, x, layer.name))
        if isinstance(layer, AveragePool):
            return self._observe(g.op("GlobalAveragePool", x))
        if isinstance(layer, MaxPool):
            return self._again(g.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
        assert isinstance(layer, Flatten)
        return self._again(g.op("Flatten", x, axis=1))

    def _weighted(self, x: str, folded: _Folded) -> str:
        assert folded.weight is not None
        g, layer = self.graph, folded.layer
        if self.static:
            constants = self._static_constants(folded.weight, folded.bias)
        else:
            constants = [weight(g, folded.weight, self.precision)]
            constants += [] if folded.bias is None else [g.constant(as_float32(folded.bias))]
        if isinstance(layer, Conv | Depthwise):
            group: dict[str, Any] = {"group": layer.channels} if isinstance(layer, Depthwise) else {}
            return g.op("Conv", x, *constants, pads=[layer.kernel // 2] * 4, **group)
        return g.op("Gemm", x, *constants, transB=1)

    def _static_constants(self, kernel: NDArray[np.float64], bias: NDArray[np.float64] | None) -> list[str]:
        """Weights as int8 and bias as int32, with the scales that int8 arithmetic has."""
        g = self.graph
        whole, scale = by_tensor(kernel)
        if bias is not None:
            low, high = self._range(self.at)
            of_bias = np.float32(_input_scale(low, high) * float(scale))
            if is_blank(bias):
                numbers: NDArray[np.int32] = blank(bias.shape, np.int32)
            else:
                most = 2**31 - 1
                numbers = np.clip(np.rint(bias / float(of_bias)), -most, most).astype(np.int32)
        # Without an explicit zero point the runtime does not fuse.
        found = [g.op("DequantizeLinear", g.constant(whole), g.constant(scale), g.constant(np.int8(0)))]
        if bias is not None:
            place = (g.constant(numbers), g.constant(of_bias), g.constant(np.int32(0)))
            found.append(g.op("DequantizeLinear", *place))
        return found

    def _observe(self, x: str) -> str:
        self.at = len(self.observed)
        self.observed.append(x)
        return self._again(x)

    def _again(self, x: str) -> str:
        """The value as int8 arithmetic has it, by the range observed last."""
        if not self.static:
            return x
        g = self.graph
        low, high = self._range(self.at)
        scale = np.float32(_input_scale(low, high))
        zero = np.uint8(np.clip(round(-low / float(scale)), 0, 255))
        s, z = g.constant(scale), g.constant(zero)
        return g.op("DequantizeLinear", g.op("QuantizeLinear", x, s, z), s, z)

    def _range(self, i: int) -> Range:
        low, high = (0.0, 1.0) if self.ranges is None else self.ranges[i]
        return min(low, 0.0), max(high, 0.0)


def _input_scale(low: float, high: float) -> float:
    return max(high - low, 1e-8) / 255


def _activate(graph: Graph, x: str, name: str) -> str:
    if name == "relu":
        return graph.op("Relu", x)
    if name == "tanh":
        return graph.op("Tanh", x)
    if name == "gelu":
        return graph.op("Gelu", x)
    if name == "leaky_relu":
        return graph.op("LeakyRelu", x, alpha=_LEAKY_SLOPE)
    return graph.op("Mul", x, graph.op("Sigmoid", x))
