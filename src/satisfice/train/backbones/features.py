"""What the stages of a backbone make of images, for all stages in one pass. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from satisfice.train.backbones.backbone import BackboneStage, Convolution, padding
from satisfice.train.backbones.cache import Blocks
from satisfice.train.backbones.weights import Folded

BATCH = 100  # images


def of_stages(stages: tuple[BackboneStage, ...], folded: Folded, images: Tensor) -> Iterator[Tensor]:
    """What each stage makes of what the one before it made, from the first on.

    Args:
        stages: Of `cut`.
        folded: Of `fold`, for these stages.
        images: (n, channels, height, width), values 2x - 1 of pixels x in 0 to 1.

    Yields:
        (n, channels, height, width) of the first stage, of the second, and so on.
    """
    found = images
    for stage in stages:
        taken = found
        for layer in stage.convolutions:
            found = _convolve(layer, *folded[layer.weights], found)
        if stage.residual:
            found = found + taken
        yield found


def _convolve(layer: Convolution, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    top, bottom = padding(x.shape[2], layer.kernel, layer.stride)
    left, right = padding(x.shape[3], layer.kernel, layer.stride)
    padded = functional.pad(x, (left, right, top, bottom))
    groups = layer.inputs if layer.depthwise else 1
    made = functional.conv2d(padded, weight, bias, stride=layer.stride, groups=groups)
    return torch.clamp(made, 0, 6) if layer.clipped else made


def fill(stages: tuple[BackboneStage, ...], folded: Folded, images: Tensor, blocks: Blocks) -> None:
    """Write what all stages make of the images, pooled to each grid, into the blocks of the cache.

    Args:
        stages: Of `cut`.
        folded: Of `fold`, for these stages.
        images: (n, channels, height, width), values 2x - 1 of pixels x in 0 to 1.
        blocks: By stage, from 1 on, and grid: (n, channels, grid, grid), written in place.
    """
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            for k, found in enumerate(of_stages(stages, folded, batch), 1):
                for grid in (grid for stage, grid in blocks if stage == k):
                    pooled = functional.adaptive_avg_pool2d(found, grid)
                    blocks[k, grid][start : start + len(batch)] = pooled.numpy()
