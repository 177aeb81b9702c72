"""Tensors as safetensors files: those of a module or a state dict, and back. Imports torch when it is used.

A tensor that a module has under several names is written once; the file's metadata says for each of the other
names which one stands for it, as ``safetensors.torch.save_model`` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from satisfice.errors import BadArtefact, InputError


def to_safetensors(model: Any) -> bytes:
    """The file's content.

    Args:
        model: A torch module, or a state dict.

    Raises:
        InputError: It is neither, or holds what no such file can.
    """
    if not hasattr(model, "state_dict") and not isinstance(model, Mapping):
        raise _unfit(model)
    import safetensors.torch as files
    import torch

    try:
        if isinstance(model, torch.nn.Module):
            with TemporaryDirectory(prefix="satisfice-") as folder:
                path = Path(folder) / "model.safetensors"
                files.save_model(model, str(path))
                return path.read_bytes()
        state = model.state_dict() if hasattr(model, "state_dict") else model
        if isinstance(state, Mapping):
            _check_tensors(state)
            # Each its own memory: a mere dict does not say which of two names a shared tensor should have.
            return files.save({name: tensor.clone().contiguous() for name, tensor in state.items()})
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise InputError(
            f"save_model cannot keep this {type(model).__name__}: {said}",
            hint="its state must be tensors by name; or save a file of your own and give its path",
        ) from error
    raise _unfit(model)


def _check_tensors(state: Mapping[str, Any]) -> None:
    import torch

    if not state:
        raise ValueError("no tensor is in it")
    other = next((n for n, tensor in state.items() if not isinstance(tensor, torch.Tensor)), None)
    if other is not None:
        raise TypeError(f"{other} is a {type(state[other]).__name__}, and no tensor")


def _unfit(model: Any) -> InputError:
    return InputError(
        f"save_model got a {type(model).__name__}", hint="give a torch module, a state dict, or a path"
    )


def from_safetensors(path: Path) -> dict[str, Any]:
    """The tensors by name, shared ones under each of their names.

    Raises:
        BadArtefact: The file is damaged, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            shared = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise BadArtefact(
            f"the model file {path} cannot be read: it is damaged, or no safetensors file",
            hint="a task that keeps files of its own kind needs load_model(params, path)",
        ) from error
    return state | {name: state[kept] for name, kept in shared.items() if kept in state}
