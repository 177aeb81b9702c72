"""Networks as lists of layers: the one source of parameters, bytes, operations and module. No torch here.

A tensor is named by the number of its layer, a dot, and its own name. Dropout is not counted, so that the
trained module and the one that ships, which has no dropout, name their tensors alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

Shape = tuple[int, ...]
Activation = Literal["relu", "gelu", "silu", "tanh", "leaky_relu"]


@dataclass(frozen=True, slots=True)
class Linear:
    """Fully connected, with bias."""

    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class Conv:
    """2-D convolution with "same" padding."""

    inputs: int  # channels
    outputs: int  # channels
    kernel: int
    height: int  # of input and output
    width: int
    bias: bool


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Over features (1-D) or channels (2-D)."""

    features: int
    dims: Literal[1, 2]


@dataclass(frozen=True, slots=True)
class Activate:
    """A non-linearity."""

    name: Activation


@dataclass(frozen=True, slots=True)
class Dropout:
    """Only while training."""

    p: float


@dataclass(frozen=True, slots=True)
class MaxPool:
    """Halves height and width."""


@dataclass(frozen=True, slots=True)
class AveragePool:
    """Each channel to its mean."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """All but the first axis into one."""


Layer = Linear | Conv | BatchNorm | Activate | Dropout | MaxPool | AveragePool | Flatten
Plan = tuple[Layer, ...]


def parameters(layer: Layer) -> dict[str, Shape]:
    """Trainable tensors of a layer."""
    if isinstance(layer, Linear):
        return {"weight": (layer.outputs, layer.inputs), "bias": (layer.outputs,)}
    if isinstance(layer, Conv):
        weight: dict[str, Shape] = {"weight": (layer.outputs, layer.inputs, layer.kernel, layer.kernel)}
        return {**weight, "bias": (layer.outputs,)} if layer.bias else weight
    if isinstance(layer, BatchNorm):
        return {"weight": (layer.features,), "bias": (layer.features,)}
    return {}


def names(plan: Plan) -> list[str]:
    """Of the layers, in their order."""
    out: list[str] = []
    counted = 0
    for layer in plan:
        if isinstance(layer, Dropout):
            out.append(f"dropout{counted}")
        else:
            out.append(str(counted))
            counted += 1
    return out


def shipped_tensors(plan: Plan) -> dict[str, Shape]:
    """All float32 tensors that prediction needs, by their name in the state dict."""
    out: dict[str, Shape] = {}
    for prefix, layer in zip(names(plan), plan, strict=True):
        tensors = parameters(layer)
        if isinstance(layer, BatchNorm):
            tensors |= {"running_mean": (layer.features,), "running_var": (layer.features,)}
        out |= {f"{prefix}.{name}": shape for name, shape in tensors.items()}
    return out


def n_parameters(plan: Plan) -> int:
    """Trainable numbers."""
    return sum(prod(shape) for layer in plan for shape in parameters(layer).values())


def flops(plan: Plan) -> int:
    """Floating-point operations for one item, as FlopCounterMode counts: two for each multiply-add."""
    total = 0
    for layer in plan:
        if isinstance(layer, Linear):
            total += 2 * layer.inputs * layer.outputs
        elif isinstance(layer, Conv):
            total += 2 * layer.inputs * layer.outputs * layer.kernel**2 * layer.height * layer.width
    return total


def mlp_plan(
    *,
    shape: Shape,
    outputs: int,
    hidden_layers: int,
    width: int,
    activation: Activation,
    batch_norm: bool,
    dropout: float,
) -> Plan:
    """Hidden layers of equal width. Dropout follows hidden layers only, never the input or the output."""
    layers: list[Layer] = [Flatten()] if len(shape) > 1 else []
    inputs = prod(shape)
    for _ in range(hidden_layers):
        layers += _dense(inputs, width, activation, batch_norm, dropout)
        inputs = width
    return (*layers, Linear(inputs, outputs))


def cnn_plan(
    *,
    shape: Shape,
    outputs: int,
    blocks: int,
    channels: int,
    growth: float,
    convolutions: int,
    kernel_size: int,
    head: Literal["average", "flatten"],
    width: int,
    activation: Activation,
    batch_norm: bool,
    dropout: float,
) -> Plan:
    """Blocks of convolutions, each with a pooling at its end if there is more than a pixel; a dense head."""
    inputs, height, across = shape
    layers: list[Layer] = []
    for outgoing in block_channels(channels, blocks, growth):
        for _ in range(convolutions):
            layers.append(Conv(inputs, outgoing, kernel_size, height, across, bias=not batch_norm))
            if batch_norm:
                layers.append(BatchNorm(outgoing, 2))
            layers.append(Activate(activation))
            inputs = outgoing
        if min(height, across) >= 2:
            layers.append(MaxPool())
            height, across = height // 2, across // 2
    if head == "average":
        layers += [AveragePool(), Flatten()]
        features = inputs
    else:
        layers.append(Flatten())
        features = inputs * height * across
    if dropout > 0:
        layers.append(Dropout(dropout))
    if width > 0:
        layers += _dense(features, width, activation, batch_norm, dropout)
        features = width
    return (*layers, Linear(features, outputs))


def block_channels(channels: int, blocks: int, growth: float) -> tuple[int, ...]:
    """Of a CNN's blocks, in their order."""
    return tuple(max(1, round(channels * growth**block)) for block in range(blocks))


def pooled(shape: Shape, blocks: int) -> tuple[int, int]:
    """Height and width of what a CNN's blocks leave of an image (channels, height, width)."""
    _, height, across = shape
    for _ in range(blocks):
        if min(height, across) >= 2:
            height, across = height // 2, across // 2
    return height, across


def _dense(
    inputs: int, width: int, activation: Activation, batch_norm: bool, dropout: float
) -> Iterator[Layer]:
    yield Linear(inputs, width)
    if batch_norm:
        yield BatchNorm(width, 1)
    yield Activate(activation)
    if dropout > 0:
        yield Dropout(dropout)
