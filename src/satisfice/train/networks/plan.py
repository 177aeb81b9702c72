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
class Depthwise:
    """2-D convolution of each channel by itself, "same" padding, no bias."""

    channels: int
    kernel: int
    height: int  # of input and output
    width: int


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


@dataclass(frozen=True, slots=True)
class Residual:
    """The sum of what two stacks of layers make of the same input (He et al. 2016, arXiv:1512.03385)."""

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...]  # none: the input itself

    @property
    def parts(self) -> dict[str, tuple[Layer, ...]]:
        """Both stacks, by their part of the names of tensors."""
        return {"body": self.body, "shortcut": self.shortcut}


Weighted = Linear | Conv | Depthwise
Layer = Weighted | BatchNorm | Activate | Dropout | MaxPool | AveragePool | Flatten | Residual
Plan = tuple[Layer, ...]


def leaves(plan: Plan) -> Iterator[Layer]:
    """All layers but residual ones, and those in them."""
    for layer in plan:
        if isinstance(layer, Residual):
            for part in layer.parts.values():
                yield from leaves(part)
        else:
            yield layer


def parameters(layer: Layer) -> dict[str, Shape]:
    """Trainable tensors of a layer that has no layers in it."""
    if isinstance(layer, Linear):
        return {"weight": (layer.outputs, layer.inputs), "bias": (layer.outputs,)}
    if isinstance(layer, Conv):
        weight: dict[str, Shape] = {"weight": (layer.outputs, layer.inputs, layer.kernel, layer.kernel)}
        return {**weight, "bias": (layer.outputs,)} if layer.bias else weight
    if isinstance(layer, Depthwise):
        return {"weight": (layer.channels, 1, layer.kernel, layer.kernel)}
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
        if isinstance(layer, Residual):
            for part, inner in layer.parts.items():
                out |= {f"{prefix}.{part}.{name}": shape for name, shape in shipped_tensors(inner).items()}
            continue
        tensors = parameters(layer)
        if isinstance(layer, BatchNorm):
            tensors |= {"running_mean": (layer.features,), "running_var": (layer.features,)}
        out |= {f"{prefix}.{name}": shape for name, shape in tensors.items()}
    return out


def n_parameters(plan: Plan) -> int:
    """Trainable numbers."""
    return sum(prod(shape) for layer in leaves(plan) for shape in parameters(layer).values())


def flops(plan: Plan) -> int:
    """Floating-point operations for one item, as FlopCounterMode counts: two for each multiply-add."""
    total = 0
    for layer in leaves(plan):
        if isinstance(layer, Linear):
            total += 2 * layer.inputs * layer.outputs
        elif isinstance(layer, Depthwise):
            total += 2 * layer.channels * layer.kernel**2 * layer.height * layer.width
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
    residual: bool = False,
) -> Plan:
    """Hidden layers of equal width. Dropout follows hidden layers only, never the input or the output.

    With ``residual`` each hidden layer but the first is added to what it takes in.
    """
    layers: list[Layer] = [Flatten()] if len(shape) > 1 else []
    inputs = prod(shape)
    for number in range(hidden_layers):
        dense = tuple(_dense(inputs, width, activation, batch_norm, dropout))
        layers += [Residual(dense, ())] if residual and number else dense
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
    separable: bool = False,
    residual: bool = False,
) -> Plan:
    """Blocks of convolutions, each with a pooling at its end if there is more than a pixel; a dense head.

    With ``separable`` each convolution but the first is one of each channel by itself and one of single
    pixels, with nothing between them (Chollet 2017, arXiv:1610.02357). With ``residual`` a block is added to
    what it takes in, which a convolution of single pixels brings to the block's channels where they differ;
    the last activation comes after the sum.
    """
    inputs, height, across = shape
    layers: list[Layer] = []
    for outgoing in block_channels(channels, blocks, growth):
        first = not layers
        block: list[Layer] = []
        for number in range(convolutions):
            incoming, kernel = (outgoing if number else inputs), kernel_size
            if separable and not (first and number == 0):
                block.append(Depthwise(incoming, kernel_size, height, across))
                kernel = 1
            block += _convolution(incoming, outgoing, kernel, height, across, batch_norm=batch_norm)
            block.append(Activate(activation))
        if residual:
            bring = _convolution(inputs, outgoing, 1, height, across, batch_norm=batch_norm)
            shortcut = () if inputs == outgoing else tuple(bring)
            block = [Residual(tuple(block[:-1]), shortcut), block[-1]]
        layers += block
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


def _convolution(
    inputs: int, outputs: int, kernel: int, height: int, width: int, *, batch_norm: bool
) -> Iterator[Layer]:
    yield Conv(inputs, outputs, kernel, height, width, bias=not batch_norm)
    if batch_norm:
        yield BatchNorm(outputs, 2)


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
