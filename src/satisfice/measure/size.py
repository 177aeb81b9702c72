"""Size, parameters and operations of a torch module, exact and without weights (on the meta device).

The size is that of a safetensors file, as which a task's module is kept: 8 bytes with the header's length,
a JSON header padded to a multiple of 8, then the tensors (https://github.com/huggingface/safetensors,
"Format"). Its length is a function of names, types and shapes alone.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from satisfice.errors import InputError

if TYPE_CHECKING:
    import torch


class HasShape(Protocol):
    """A tensor, an array, or a description of one."""

    @property
    def shape(self) -> Any:
        """Extents."""

    @property
    def dtype(self) -> Any:
        """Type of the elements."""


# Code, bytes and rank of each type, in the order in which safetensors sorts them (`enum Dtype` in its
# tensor.rs).
_TYPES: Mapping[str, tuple[str, int, int]] = {
    name: (code, bytes_, rank)
    for rank, (name, code, bytes_) in enumerate(
        [
            ("bool", "BOOL", 1),
            ("uint8", "U8", 1),
            ("int8", "I8", 1),
            ("float8_e5m2", "F8_E5M2", 1),
            ("float8_e4m3fn", "F8_E4M3", 1),
            ("int16", "I16", 2),
            ("uint16", "U16", 2),
            ("float16", "F16", 2),
            ("bfloat16", "BF16", 2),
            ("int32", "I32", 4),
            ("uint32", "U32", 4),
            ("float32", "F32", 4),
            ("complex64", "C64", 8),
            ("float64", "F64", 8),
            ("int64", "I64", 8),
            ("uint64", "U64", 8),
        ]
    )
}


def size_of_state(
    state: torch.nn.Module | Mapping[str, HasShape | tuple[Iterable[int], Any]],
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Bytes of the safetensors file of a state, which need not exist.

    Args:
        state: A module (on any device, the meta device too), or what its state dict holds: by name a tensor,
            an array, or a pair of shape and type ("float32", ``torch.float32``, ``np.float32``). Tensors that
            a module shares between names are counted once, as ``safetensors.torch.save_model`` writes them.
        metadata: Of the file.

    Raises:
        InputError: safetensors has no such type.
    """
    extra = dict(metadata or {})
    if isinstance(state, Mapping):
        tensors = {name: _shape_and_type(name, value) for name, value in state.items()}
    else:
        kept, shared = _without_shared(state)
        extra = {**shared, **extra}
        tensors = {name: _shape_and_type(name, value) for name, value in kept.items()}
    header: dict[str, Any] = {"__metadata__": extra} if extra or metadata is not None else {}
    end = 0
    for name in sorted(tensors, key=lambda name: (-_TYPES[tensors[name][1]][2], name.encode())):
        shape, kind = tensors[name]
        code, width, _ = _TYPES[kind]
        begin, end = end, end + width * math.prod(shape)
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [begin, end]}
    length = len(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
    return 8 + math.ceil(length / 8) * 8 + end


def n_parameters(module: torch.nn.Module) -> int:
    """Number of parameters; those shared between modules count once."""
    return sum(p.numel() for p in module.parameters())


def flops_of(module: torch.nn.Module, example: torch.Tensor | tuple[torch.Tensor, ...]) -> int:
    """Floating point operations of one call, a multiplication and an addition counting as two.

    Counted on the meta device, without arithmetic (``torch.utils.flop_counter``: matrix products,
    convolutions, attention); on the module's own device where an operation has no meta kernel. The module is
    left as it is.

    Raises:
        InputError: The module does not take the example.
    """
    import torch  # the core imports without torch

    inputs = example if isinstance(example, tuple) else (example,)
    on_meta = all(t.is_meta for t in module.state_dict().values())
    try:
        shadow = module if on_meta else copy.deepcopy(module).to("meta")
        return _count(shadow, tuple(t.to("meta") if isinstance(t, torch.Tensor) else t for t in inputs))
    except (NotImplementedError, RuntimeError) as error:
        if on_meta:
            raise InputError(f"operations of {type(module).__name__} cannot be counted: {error}") from error
    try:
        return _count(module, inputs)
    except RuntimeError as error:
        raise InputError(f"{type(module).__name__} does not take its example input: {error}") from error


def _count(module: torch.nn.Module, inputs: tuple[Any, ...]) -> int:
    import torch  # the core imports without torch
    from torch.utils.flop_counter import FlopCounterMode

    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(*inputs)
    finally:
        for part in training:
            part.training = True
    return int(counter.get_total_flops())


def _without_shared(module: torch.nn.Module) -> tuple[dict[str, Any], dict[str, str]]:
    """The state without repeated tensors, and metadata that says which name stands for each of them."""
    groups: dict[int, list[str]] = {}
    state = dict(module.state_dict(keep_vars=True))
    for name, tensor in state.items():
        groups.setdefault(id(tensor), []).append(name)
    kept = {min(names): state[names[0]] for names in groups.values()}
    shared = {name: min(names) for names in groups.values() for name in names if name != min(names)}
    return kept, shared


def _shape_and_type(name: str, value: Any) -> tuple[list[int], str]:
    shape, kind = (value.shape, value.dtype) if hasattr(value, "dtype") else value
    text = getattr(kind, "__name__", None) or str(kind)  # np.float32 is a class, the others print their name
    text = text.removeprefix("torch.")
    if text not in _TYPES:
        raise InputError(f"tensor {name!r} has type {text}, which a safetensors file cannot hold")
    return [int(n) for n in shape], text
