"""Torch modules from plans. Imports torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from satisfice.train.networks.plan import (
    Activate,
    AveragePool,
    BatchNorm,
    Conv,
    Depthwise,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool,
    Plan,
    Residual,
    names,
    shipped_tensors,
)

_ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
}


def build(plan: Plan) -> nn.Sequential:
    """The untrained module; initialised from torch's current random state."""
    return nn.Sequential(
        OrderedDict((name, _module(layer)) for name, layer in zip(names(plan), plan, strict=True))
    )


class Added(nn.Module):
    """The sum of what two stacks of layers make of the same input."""

    def __init__(self, layer: Residual) -> None:
        super().__init__()
        self.body = build(layer.body)
        self.shortcut = build(layer.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """Both stacks, added; a stack without layers gives the input back."""
        added: Tensor = self.body(x) + self.shortcut(x)
        return added


def _module(layer: Layer) -> nn.Module:
    match layer:
        case Linear():
            return nn.Linear(layer.inputs, layer.outputs)
        case Conv():
            pad = layer.kernel // 2
            return nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, padding=pad, bias=layer.bias)
        case Depthwise():
            n, pad = layer.channels, layer.kernel // 2
            return nn.Conv2d(n, n, layer.kernel, padding=pad, groups=n, bias=False)
        case Residual():
            return Added(layer)
        case BatchNorm():
            return nn.BatchNorm1d(layer.features) if layer.dims == 1 else nn.BatchNorm2d(layer.features)
        case Activate():
            return _ACTIVATIONS[layer.name]()
        case Dropout():
            return nn.Dropout(layer.p)
        case MaxPool():
            return nn.MaxPool2d(2)
        case AveragePool():
            return nn.AdaptiveAvgPool2d(1)
        case Flatten():
            return nn.Flatten()


def to_arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    """The tensors that ship: all that prediction needs, on the CPU, as float32."""
    return {
        name: tensor.detach().to("cpu", torch.float32).contiguous().numpy()
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def from_arrays(plan: Plan, arrays: Mapping[str, NDArray[Any]]) -> nn.Sequential:
    """The module that shipped, ready to predict."""
    with torch.device("meta"):
        module = build(plan)
    state = {name: torch.from_numpy(np.array(arrays[name])) for name in shipped_tensors(plan)}
    for name in module.state_dict():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
    module.load_state_dict(state, assign=True)
    return module.eval()
