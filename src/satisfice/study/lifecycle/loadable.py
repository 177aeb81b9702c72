"""Whether a model can be loaded again: asked when it is saved, not when it is needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.spec.task import BuildsModule, Task
from satisfice.study.measuring.architectures import built_on_meta

_SHOWN = 3  # names in one sentence
_WRAPPERS = {"_orig_mod.": "torch.compile", "module.": "DataParallel"}  # prefix that each puts before names
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "C64": "complex64",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}

Tensors = Mapping[str, tuple[str, tuple[int, ...]]]  # type and shape by name


def read_file(path: Path) -> bytes:
    """The content of a file that a task hands over.

    Raises:
        InputError: There is none, or nothing is in it.
    """
    problem = None
    if not path.exists():
        problem = "does not exist"
    elif not path.is_file():
        problem = "is no file"
    else:
        content = path.read_bytes()
        if content:
            return content
        problem = "is empty"
    raise InputError(f"save_model: {path} {problem}", hint="write the file, then save its path")


def check_loadable(task: Task, params: Mapping[str, Any], content: bytes, what: str) -> None:
    """See that a safetensors file goes into the module that the task builds, as `Study.load_model` does it.

    A task with ``load_model`` reads its files itself.

    Args:
        task: The study's.
        params: The trial's.
        content: The file's.
        what: How an error names what was saved.

    Raises:
        InputError: It is no such file, or does not fit.
    """
    tensors = _tensors(content, what)
    if callable(getattr(task, "load_model", None)) or not isinstance(task, BuildsModule):
        return
    built = built_on_meta(task, params).state_dict()
    problem = _difference(tensors, built)
    if problem is not None:
        raise InputError(
            f"save_model: this {what} could not be loaded again: {problem}", hint=_remedy(tensors, built)
        )


def _tensors(content: bytes, what: str) -> Tensors:
    """Of a safetensors file: eight bytes with the length of a JSON header, the header, the tensors."""
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        shared = header.pop("__metadata__", {})
        found = {name: (each["dtype"], tuple(each["shape"])) for name, each in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"save_model: this {what} is no safetensors file, whatever its name says",
            hint="write it again, or give it the suffix of its kind",
        ) from None
    return found | {name: found[kept] for name, kept in shared.items() if kept in found}


def _difference(saved: Tensors, built: Mapping[str, Any]) -> str | None:
    import torch

    missing = [name for name in built if name not in saved]
    surplus = [name for name in saved if name not in built]
    if surplus:
        return f"it has {_listed(surplus)}, and build(params) makes no such tensor"
    if missing:
        return f"it lacks {_listed(missing)}, and build(params) makes it"
    for name, (dtype, shape) in saved.items():
        other = built[name]
        if not isinstance(other, torch.Tensor) or torch.nn.parameter.is_lazy(other):
            continue
        if shape != tuple(other.shape):
            return f"{name} has the shape {list(shape)}, and with build(params) {list(other.shape)}"
        kept = getattr(torch, _DTYPES.get(dtype, ""), other.dtype)
        if torch.promote_types(kept, other.dtype) != other.dtype:
            return (
                f"{name} is {_DTYPES[dtype]}, and with build(params) {str(other.dtype)[6:]}, which holds less"
            )
    return None


def _remedy(saved: Tensors, built: Mapping[str, Any]) -> str:
    for prefix, by in _WRAPPERS.items():
        if (
            saved
            and all(name.startswith(prefix) for name in saved)
            and not all(name.startswith(prefix) for name in built)
        ):
            return f"save the module that {by} wraps"
    return "save what build(params) makes, or give the task load_model(params, path) and save a path"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
