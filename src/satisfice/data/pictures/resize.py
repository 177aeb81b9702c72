"""Images brought to another size: one way for training and for whoever reads pictures for a shipped model.

Each pixel of the result is a weighted mean of the pixels near it, rows first, then columns. The weights fall
in a straight line from the pixel's centre (bilinear interpolation). Where the image shrinks by a factor s,
they reach s pixels to either side, so that every source pixel counts and fine patterns do not flicker (the
triangle filter of Heckbert 1989, "Fundamentals of Texture Mapping and Image Warping"; Pillow's ``BILINEAR``).

Sums are taken in one fixed order by elementwise operations, so that the result is the same to the bit on
every machine. This module ships with models: it imports NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 1 << 22  # pixels of the source that are worked on at a time, to bound memory


def resize(images: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Images of another height and width; the same array where they have it already.

    Whole numbers are computed with in float32 (bytes) or float64 and rounded, halves up; other numbers in
    float64.

    Args:
        images: Shape (..., old height, old width), of real numbers.
        height: Pixels from top to bottom, at least 1.
        width: Pixels across, at least 1.

    Returns:
        Shape (..., height, width), of the type of ``images``.
    """
    if images.shape[-2:] == (height, width):
        return images
    flat = images.reshape(-1, *images.shape[-2:])
    out = np.empty((len(flat), height, width), images.dtype)
    step = max(_AT_ONCE // max(math.prod(images.shape[-2:]), 1), 1)
    for at in range(0, len(flat), step):
        out[at : at + step] = _resized(flat[at : at + step], height, width)
    return out.reshape(*images.shape[:-2], height, width)


def resized(images: NDArray[Any], size: Sequence[int], kept: Sequence[int]) -> NDArray[Any]:
    """Images in the size that a model takes, as its training images came to it.

    Args:
        images: Shape (..., any height, any width). Those of the wanted size are taken as they are.
        size: Height and width that the model takes.
        kept: Height and width as which the training images were kept: other images are brought there first.
    """
    if images.shape[-2:] == tuple(size):
        return images
    return resize(resize(images, *kept), *size)


def _resized(images: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Of shape (n, old height, old width)."""
    x: NDArray[Any] = images.astype(np.float32 if images.dtype == np.uint8 else np.float64)
    x = _along(x, height)
    x = _along(x.transpose(0, 2, 1), width).transpose(0, 2, 1)
    if images.dtype.kind in "iub":
        x = np.floor(x + 0.5)
    return x.astype(images.dtype)


def _along(x: NDArray[Any], size: int) -> NDArray[Any]:
    """Resampled along the second of three axes."""
    if x.shape[1] == size:
        return x
    places, weights = _taps(x.shape[1], size)
    total = np.zeros((x.shape[0], size, x.shape[2]), x.dtype)
    for near, weight in zip(places, weights, strict=True):
        total += x[:, near] * weight.astype(x.dtype)[:, None]
    return total


@lru_cache(maxsize=256)
def _taps(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which source pixels each pixel of the result is a mean of, and their weights, each (taps, new).

    The weights of a pixel add up to 1; where fewer pixels are in reach, as at a border, some are 0.
    """
    scale = old / new
    reach = max(scale, 1.0)
    centre = (np.arange(new) + 0.5) * scale
    first = np.floor(centre - reach).astype(np.int64)
    places = first + np.arange(math.ceil(2 * reach) + 1)[:, None]
    weights = np.maximum(1.0 - np.abs(places + 0.5 - centre) / reach, 0.0)
    weights[(places < 0) | (places >= old)] = 0.0
    total = np.zeros(new)
    for row in weights:
        total += row
    used = weights.any(axis=1)
    return np.clip(places, 0, old - 1)[used], (weights / total)[used]
