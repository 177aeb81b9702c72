"""An ONNX graph in the making: operators and constants, then bytes or their exact number.

The names of values are short and numbered, and nothing of the content goes into names, so that the length of
a file follows from shapes, types and attributes alone. A `Graph` that is only measured holds no weights: its
constants may be arrays without memory (``np.broadcast_to``), whose bytes are counted, never copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 21
ML_OPSET = 5  # of ai.onnx.ml: TreeEnsemble
IR_VERSION = 10
ML = "ai.onnx.ml"
MS = "com.microsoft"  # ONNX Runtime's own operators

Shape = Sequence[int | str | None] | None


class Graph:
    """Nodes and constants, in the order in which they were added.

    Args:
        measure_only: The graph is made to learn its `length`; constants are counted, not stored.
    """

    def __init__(self, *, measure_only: bool = False) -> None:
        from onnx import ModelProto

        self.measure_only = measure_only
        # Everything is added to the message itself: copying large constants takes longer than making them.
        self._model = ModelProto(ir_version=IR_VERSION, producer_name="satisfice")
        self._graph = self._model.graph
        self._graph.name = "satisfice"
        self._left_out: list[int] = []  # bytes of each constant, where they are only counted
        self._values = 0
        self._taken: set[str] = set()  # names of inputs, which no other value may have

    def input(self, name: str, dtype: int, shape: Shape) -> str:
        """Declare an input; returns its name. Inputs are declared before anything else is added.

        Args:
            name: As a caller passes it.
            dtype: One of ``onnx.TensorProto``'s element types.
            shape: Lengths; a string stands for one that varies.
        """
        from onnx import helper

        assert not self._values, "a value could have the input's name already"
        self._taken.add(name)
        self._graph.input.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Shape) -> None:
        """Declare that ``value`` is given back under ``name``."""
        from onnx import helper

        self._graph.node.append(helper.make_node("Identity", [value], [name]))
        self._graph.output.append(helper.make_tensor_value_info(name, dtype, shape))

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output; returns the name of its value.

        Args:
            kind: The operator.
            inputs: Names of values.
            domain: Empty for ONNX's own operators, `ML` or `MS`.
            attributes: As ``onnx.helper.make_node`` takes them, or arrays of whole numbers.
        """
        from onnx import AttributeProto, helper

        name = self._name()
        long = {key: value for key, value in attributes.items() if isinstance(value, np.ndarray)}
        rest = {key: value for key, value in attributes.items() if key not in long}
        self._graph.node.append(helper.make_node(kind, list(inputs), [name], domain=domain, **rest))
        for key, value in sorted(long.items()):  # `make_node` looks at each number by itself
            attribute = self._graph.node[-1].attribute.add(name=key, type=AttributeProto.INTS)
            attribute.ints.extend(value.astype(np.int64).tolist())
        return name

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant of any numeric type; returns the name of its value."""
        from onnx import helper

        array = np.asarray(value)
        if self.measure_only:
            return self._tensor(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.nbytes)
        # ONNX keeps numbers in little-endian order, whatever the host's.
        data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        return self._tensor(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, data)

    def packed(self, dtype: int, shape: Sequence[int], data: bytes) -> str:
        """Add a constant of a type that NumPy lacks, such as INT4, from its raw bytes."""
        return self._tensor(dtype, shape, len(data) if self.measure_only else data)

    def texts(self, values: Sequence[str]) -> str:
        """Add a constant of strings, shape (n,); returns the name of its value."""
        from onnx import TensorProto

        content = [value.encode() for value in values]
        name = self._tensor(TensorProto.STRING, [len(content)], 0)
        self._graph.initializer[-1].string_data.extend(content)
        return name

    def text(self, value: str) -> str:
        """Add one string as a constant, shape (); returns the name of its value."""
        from onnx import TensorProto

        name = self._tensor(TensorProto.STRING, [], 0)
        self._graph.initializer[-1].string_data.append(value.encode())
        return name

    def _tensor(self, dtype: int, shape: Sequence[int], data: bytes | int) -> str:
        """Of these bytes; or of so many that are left out."""
        tensor = self._graph.initializer.add(name=self._name(), data_type=dtype, dims=shape)
        if isinstance(data, bytes):
            tensor.raw_data = data
        self._left_out.append(0 if isinstance(data, bytes) else data)
        return str(tensor.name)

    def _name(self) -> str:
        self._values += 1
        while f"v{self._values}" in self._taken:
            self._values += 1
        return f"v{self._values}"

    def _finish(self, metadata: Mapping[str, str]) -> None:
        from onnx import helper

        domains = {node.domain for node in self._graph.node}
        del self._model.opset_import[:]
        self._model.opset_import.append(helper.make_opsetid("", OPSET))
        if ML in domains:
            self._model.opset_import.append(helper.make_opsetid(ML, ML_OPSET))
        if MS in domains:
            self._model.opset_import.append(helper.make_opsetid(MS, 1))
        helper.set_model_props(self._model, dict(sorted(metadata.items())))

    def serialized(self, metadata: Mapping[str, str]) -> bytes:
        """The file's bytes: equal content gives equal bytes."""
        assert not self.measure_only
        self._finish(metadata)
        content: bytes = self._model.SerializeToString(deterministic=True)
        return content

    def length(self, metadata: Mapping[str, str]) -> int:
        """The exact number of bytes of the file, also where constants were only counted."""
        self._finish(metadata)
        short = int(self._graph.ByteSize())
        whole = short
        for tensor, n_bytes in zip(self._graph.initializer, self._left_out, strict=True):
            old = int(tensor.ByteSize())
            # Protocol buffers: one byte of key, the length as a varint, then the data themselves.
            new = old + (1 + _varint(n_bytes) + n_bytes if n_bytes else 0)
            whole += (_varint(new) + new) - (_varint(old) + old)
        total = int(self._model.ByteSize())
        return total - (_varint(short) + short) + (_varint(whole) + whole)


def _varint(number: int) -> int:
    """Bytes of a protocol-buffer varint."""
    return max(1, (int(number).bit_length() + 6) // 7)
