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

Shape = Sequence[int | str | None] | None


class Graph:
    """Nodes and constants, in the order in which they were added.

    Args:
        measure_only: The graph is made to learn its `length`; constants are counted, not stored.
    """

    def __init__(self, *, measure_only: bool = False) -> None:
        self.measure_only = measure_only
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._left_out: list[int] = []  # bytes of each constant, where they are only counted
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
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
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Shape) -> None:
        """Declare that ``value`` is given back under ``name``."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator with one output; returns the name of its value."""
        return self.ops(kind, inputs, 1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add an operator; returns the names of its values."""
        from onnx import helper

        names = [self._name() for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names

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
        from onnx import TensorProto, helper

        name = self._name()
        content = [value.encode() for value in values]
        self._constants.append(helper.make_tensor(name, TensorProto.STRING, [len(content)], content))
        self._left_out.append(0)
        return name

    def _tensor(self, dtype: int, shape: Sequence[int], data: bytes | int) -> str:
        from onnx import TensorProto

        tensor = TensorProto(name=self._name(), data_type=dtype, dims=shape)
        if isinstance(data, bytes):
            tensor.raw_data = data
        self._constants.append(tensor)
        self._left_out.append(0 if isinstance(data, bytes) else data)
        return str(tensor.name)

    def _name(self) -> str:
        self._values += 1
        while f"v{self._values}" in self._taken:
            self._values += 1
        return f"v{self._values}"

    def _model(self, metadata: Mapping[str, str]) -> Any:
        from onnx import helper

        graph = helper.make_graph(self._nodes, "satisfice", self._inputs, self._outputs, self._constants)
        domains = {node.domain for node in self._nodes}
        opsets = [helper.make_opsetid("", OPSET)]
        if ML in domains:
            opsets.append(helper.make_opsetid(ML, ML_OPSET))
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="satisfice"
        )
        helper.set_model_props(model, dict(sorted(metadata.items())))
        return model

    def serialized(self, metadata: Mapping[str, str]) -> bytes:
        """The file's bytes: equal content gives equal bytes."""
        assert not self.measure_only
        content: bytes = self._model(metadata).SerializeToString(deterministic=True)
        return content

    def length(self, metadata: Mapping[str, str]) -> int:
        """The exact number of bytes of the file, also where constants were only counted."""
        model = self._model(metadata)
        short = int(model.graph.ByteSize())
        whole = short
        for tensor, n_bytes in zip(model.graph.initializer, self._left_out, strict=True):
            old = int(tensor.ByteSize())
            # Protocol buffers: one byte of key, the length as a varint, then the data themselves.
            new = old + (1 + _varint(n_bytes) + n_bytes if n_bytes else 0)
            whole += (_varint(new) + new) - (_varint(old) + old)
        total = int(model.ByteSize())
        return total - (_varint(short) + short) + (_varint(whole) + whole)


def _varint(number: int) -> int:
    """Bytes of a protocol-buffer varint."""
    return max(1, (int(number).bit_length() + 6) // 7)
