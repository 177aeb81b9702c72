"""Weights stored in few bits: as constants that the runtime turns into float32 when it loads the file.

Notation: a weight W of shape (o, ...) has one row for each output; rows are flattened to (o, n).

``fp16`` halves the bytes. ``int8`` stores whole numbers from -127 to 127 with one scale a row. ``int4``
stores numbers from -8 to 7 with one scale for each block of 32 along a row. ONNX Runtime folds Cast and Mul
when a session starts. It does not fold DequantizeLinear of weights, which would cost its time in every call.

Where a graph is only measured, weights are arrays without memory, and so is what is made of them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import InputError
from satisfice.ship.onnx.graph import Graph

Precision = Literal["none", "fp16", "int8", "int4", "int8_static"]
PRECISIONS: tuple[Precision, ...] = ("none", "fp16", "int8", "int4", "int8_static")
Floats = NDArray[np.floating[Any]]

INT4_BLOCK = 32
_INT8_MOST = 127
INT4_MOST = 7
_FP16_MOST = float(np.finfo(np.float16).max)


def blank(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros without memory, for graphs that are only measured."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def is_blank(array: NDArray[Any]) -> bool:
    """Whether an array has no memory of its own."""
    return array.size > 1 and not any(array.strides)


def as_float32(values: Floats) -> NDArray[np.float32]:
    """The numbers as float32; without memory where they had none."""
    return _as(values, np.float32)


def weight(graph: Graph, values: Floats, precision: Precision) -> str:
    """Add a weight, shape (o, ...); returns the name of its float32 value.

    Raises:
        InputError: A number is too large for fp16.
    """
    if precision == "fp16":
        return _cast(graph, graph.constant(_half(values)))
    if precision == "int8":
        whole, scale = by_row(values)
        return graph.op("Mul", _cast(graph, graph.constant(whole)), graph.constant(scale))
    if precision == "int4":
        return _int4(graph, values)
    return graph.constant(_as(values, np.float32))


def by_row(values: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers of the shape of ``values``, and the scale of each row, shape (o, 1, ...)."""
    scale_shape = (len(values), *[1] * (values.ndim - 1))
    if is_blank(values):
        return blank(values.shape, np.int8), blank(scale_shape, np.float32)
    scale = _scale(np.abs(values).reshape(len(values), -1).max(axis=1), _INT8_MOST).reshape(scale_shape)
    return _rounded(values / scale, -_INT8_MOST, _INT8_MOST), scale


def by_tensor(values: Floats) -> tuple[NDArray[np.int8], np.float32]:
    """Whole numbers of the shape of ``values``, and their common scale."""
    if is_blank(values):
        return blank(values.shape, np.int8), np.float32(1)
    scale = _scale(np.abs(values).max(), _INT8_MOST)
    return _rounded(values / scale, -_INT8_MOST, _INT8_MOST), np.float32(scale)


def by_block(values: Floats) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers (o, n) from -8 to 7, and the scale of each block, shape (o, blocks, 1)."""
    rows, n = len(values), int(np.prod(values.shape[1:]))
    blocks = -(-n // INT4_BLOCK)
    if is_blank(values):
        return blank((rows, n), np.int8), blank((rows, blocks, 1), np.float32)
    padded = np.zeros((rows, blocks * INT4_BLOCK))
    padded[:, :n] = values.reshape(rows, n)
    parts = padded.reshape(rows, blocks, INT4_BLOCK)
    scale = _scale(np.abs(parts).max(axis=2, keepdims=True), INT4_MOST)
    whole = _rounded(parts / scale, -INT4_MOST - 1, INT4_MOST).reshape(rows, -1)[:, :n]
    return whole, scale


def _int4(graph: Graph, values: Floats) -> str:
    from onnx import TensorProto

    whole, scale = by_block(values)
    rows, n = whole.shape
    data = bytes((rows * n + 1) // 2) if is_blank(values) else _nibbles(whole)
    numbers = _cast(graph, graph.packed(TensorProto.INT4, (rows, n), data))
    blocks = scale.shape[1]
    spread = graph.constant(scale)
    if blocks == 1:
        spread = graph.op("Reshape", spread, _ints(graph, rows, 1))
    else:
        wide = graph.op("Expand", spread, _ints(graph, rows, blocks, INT4_BLOCK))
        spread = graph.op("Reshape", wide, _ints(graph, rows, blocks * INT4_BLOCK))
        if n % INT4_BLOCK:
            spread = graph.op("Slice", spread, _ints(graph, 0), _ints(graph, n), _ints(graph, 1))
    product = graph.op("Mul", numbers, spread)
    return product if values.ndim == 2 else graph.op("Reshape", product, _ints(graph, *values.shape))


def _half(values: Floats) -> NDArray[np.float16]:
    if is_blank(values):
        return blank(values.shape, np.float16)
    most = float(np.abs(values).max(initial=0.0))
    if most > _FP16_MOST:
        raise InputError(f"fp16 cannot hold the weight {most:g}", hint="choose another precision")
    return values.astype(np.float16)


def _nibbles(whole: NDArray[np.int8]) -> bytes:
    """Two numbers a byte, the first in the lower half, as ONNX lays INT4 out."""
    flat = whole.ravel()
    if len(flat) % 2:
        flat = np.append(flat, np.int8(0))
    return bytes(((flat[0::2] & 0xF) | ((flat[1::2] & 0xF) << 4)).astype(np.uint8).tobytes())


def _cast(graph: Graph, value: str) -> str:
    from onnx import TensorProto

    return graph.op("Cast", value, to=TensorProto.FLOAT)


def _ints(graph: Graph, *numbers: int) -> str:
    return graph.constant(np.array(numbers, np.int64))


def _as(values: Floats, dtype: Any) -> NDArray[Any]:
    return blank(values.shape, dtype) if is_blank(values) else values.astype(dtype)


def _scale(most: Any, steps: int) -> Any:
    """Of whole numbers up to ``steps``; 1 where all numbers are 0."""
    scale = np.asarray(most, np.float64) / steps
    return np.where(scale > 0, scale, 1.0).astype(np.float32)


def _rounded(numbers: NDArray[Any], low: int, high: int) -> NDArray[np.int8]:
    return np.asarray(np.clip(np.rint(numbers), low, high), np.int8)
