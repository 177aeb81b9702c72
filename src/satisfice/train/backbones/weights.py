"""Weights of a backbone, read without running pickled code; batch norms folded. Imports torch."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from satisfice.errors import BadArtefact
from satisfice.train.backbones.backbone import Backbone, BackboneStage, Convolution

Folded = dict[str, tuple[Tensor, Tensor]]
"""Weights and bias of each convolution, float32, by its name in the weights file."""


# What torch raises for a pickle that it refuses, and for a broken file, by where the unpickler stops.
_BROKEN = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    struct.error,
)


def read(file: Path) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU.

    Raises:
        BadArtefact: There is no such file, or it holds anything but tensors by name.
    """
    hint = "save the network's state_dict() with torch.save"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # torch warns of the pickle protocol before it refuses
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        why = f"cannot read weights file {file}: {error.strerror}"
        raise BadArtefact(why, hint="check the path") from None
    except _BROKEN:
        why = f"{file} holds pickled objects or no weights, and is not loaded"
        raise BadArtefact(why, hint=hint) from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadArtefact(f"{file} holds more than tensors by name", hint=hint)
    return dict(state)


def fold(backbone: Backbone, stages: tuple[BackboneStage, ...], state: Mapping[str, Tensor]) -> Folded:
    """Weights and biases of the stages (of `cut`), batch norms folded in; in double precision, then float32.

    Raises:
        BadArtefact: The weights are those of another architecture.
    """
    return {
        layer.weights: _folded(backbone, layer, state) for stage in stages for layer in stage.convolutions
    }


def _folded(backbone: Backbone, layer: Convolution, state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    weight = _tensor(backbone, state, f"{layer.weights}.weight")
    scale, shift, mean, variance = (
        _tensor(backbone, state, f"{layer.norm}.{part}")
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    if layer.inputs == 1 and not layer.depthwise:  # a grey image is a colour image with three equal channels
        weight = weight.sum(dim=1, keepdim=True) if weight.ndim == 4 and weight.shape[1] == 3 else weight
    vectors = {tuple(vector.shape) for vector in (scale, shift, mean, variance)}
    if tuple(weight.shape) != layer.shape or vectors != {(layer.outputs,)}:
        raise _another(backbone, f"{layer.weights}.weight has shape {tuple(weight.shape)}, not {layer.shape}")
    factor = scale / torch.sqrt(variance + backbone.epsilon)
    return (weight * factor[:, None, None, None]).float(), (shift - mean * factor).float()


def _tensor(backbone: Backbone, state: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in state:
        raise _another(backbone, f"{name} is missing")
    return state[name].double()


def _another(backbone: Backbone, why: str) -> BadArtefact:
    return BadArtefact(
        f"the weights are not those of backbone {backbone.name!r}: {why}",
        hint="name the backbone that the file was saved from",
    )
