"""What a backbone is, which are registered, and exact counts of one cut after a stage. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from satisfice.errors import InputError
from satisfice.registry import Registry


@dataclass(frozen=True, slots=True)
class Convolution:
    """2-D convolution whose batch norm is folded into its weights and bias.

    Its padding is "same" as TensorFlow has it: an odd row or column goes to the bottom and the right.
    """

    weights: str  # names the convolution in the weights file
    norm: str  # names its batch norm there
    inputs: int  # channels
    outputs: int  # channels
    kernel: int
    stride: int
    depthwise: bool
    clipped: bool  # to 0 to 6 (ReLU6)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of its weights."""
        return (self.outputs, 1 if self.depthwise else self.inputs, self.kernel, self.kernel)


@dataclass(frozen=True, slots=True)
class BackboneStage:
    """Convolutions, one after the other; with ``residual`` their result is added to what they take in."""

    convolutions: tuple[Convolution, ...]
    residual: bool


class Backbone(Protocol):
    """A network trained on colour images, with values 2x - 1 of pixels x in 0 to 1."""

    name: str
    epsilon: float  # of its batch norms
    stages: tuple[BackboneStage, ...]

    def weights_file(self) -> Path:
        """A state dict that torch saved.

        Raises:
            MissingExtra: The package that brings the file is not installed.
        """
        ...


BACKBONES: Registry[Backbone] = Registry(
    "backbone",
    "satisfice.backbones",
    {"efficientnet_lite0": "satisfice.train.backbones.efficientnet_lite0:EFFICIENTNET_LITE0"},
)


def cut(backbone: Backbone, stages: int, channels: int) -> tuple[BackboneStage, ...]:
    """The first stages, for images of 3 channels, or of 1: then the first layer has one input.

    Raises:
        InputError: There are fewer stages, or images have another number of channels.
    """
    if not 1 <= stages <= len(backbone.stages):
        raise InputError(
            f"backbone {backbone.name!r} has no stage {stages}",
            hint=f"stages may be 1 to {len(backbone.stages)}",
        )
    if channels not in (1, 3):
        raise InputError(
            f"backbone {backbone.name!r} takes grey or colour images, not {channels} channels",
            hint="use images of 1 or 3 channels",
        )
    first, *rest = backbone.stages[:stages]
    if channels == 3:
        return (first, *rest)
    stem, *others = first.convolutions
    grey = Convolution(
        stem.weights, stem.norm, 1, stem.outputs, stem.kernel, stem.stride, stem.depthwise, stem.clipped
    )
    return (BackboneStage((grey, *others), first.residual), *rest)


def n_parameters(stages: tuple[BackboneStage, ...]) -> int:
    """Weights and biases, batch norms folded."""
    total = 0
    for stage in stages:
        for layer in stage.convolutions:
            outputs, inputs, height, width = layer.shape
            total += outputs * inputs * height * width + outputs
    return total


def flops(stages: tuple[BackboneStage, ...], image_size: int) -> int:
    """Floating-point operations for one square image, as FlopCounterMode counts: two a multiply-add."""
    total, size = 0, image_size
    for stage in stages:
        for layer in stage.convolutions:
            size = after(size, layer.stride)
            outputs, inputs, height, width = layer.shape
            total += 2 * outputs * inputs * height * width * size**2
    return total


def features_shape(stages: tuple[BackboneStage, ...], image_size: int) -> tuple[int, int, int]:
    """Channels, height and width of what the stages make of one square image."""
    size = image_size
    for stage in stages:
        for layer in stage.convolutions:
            size = after(size, layer.stride)
    return stages[-1].convolutions[-1].outputs, size, size


def after(size: int, stride: int) -> int:
    """Height or width after a convolution with "same" padding."""
    return -(-size // stride)


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows or columns of zeros before and after, for "same" padding."""
    total = max((after(size, stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
