"""Features of a frozen backbone for all its stages, in a file that a host's workers map into memory.

The file is named by a digest of images, weights and format, and is moved into its place whole. Workers that
start at once take turns; the system lets go of the lock of one that died.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.pictures.cache import turn, writing
from satisfice.train.backbones.backbone import BackboneStage, features_shape

GRIDS = (1, 2, 4)  # height and width after pooling; those that a stage's image has room for are kept
FORMAT = 1  # of the file, and of how features are computed

Blocks = dict[tuple[int, int], NDArray[np.float32]]
"""(n, channels, grid, grid) by stage, from 1 on, and grid."""

Shapes = dict[tuple[int, int], tuple[int, int, int]]
"""(channels, grid, grid) by stage, from 1 on, and grid; in the order of the file."""


def block_shapes(stages: tuple[BackboneStage, ...], image_size: int) -> Shapes:
    """What is kept for images of a size."""
    found: Shapes = {}
    for k in range(1, len(stages) + 1):
        channels, side, _ = features_shape(stages[:k], image_size)
        found |= {(k, grid): (channels, grid, grid) for grid in GRIDS if grid <= side}
    return found


def name_of(images: NDArray[Any], weights: str) -> str:
    """Of the file: a digest of the images and of what names the folded weights and their precision."""
    told = json.dumps([FORMAT, weights, list(images.shape), str(images.dtype)]).encode()
    digest = hashlib.sha256(told)
    digest.update(np.ascontiguousarray(images).data)
    return f"features-{digest.hexdigest()[:32]}"


def kept(folder: Path, name: str, items: int, shapes: Shapes, fill: Callable[[Blocks], None]) -> Blocks:
    """The features, read-only; computed by ``fill``, which writes every block, where no worker has yet.

    Raises:
        CannotWrite: The file cannot be written.
    """
    place = folder / f"{name}.features"
    size = 4 * items * sum(map(prod, shapes.values()))
    if not _whole(place, size):
        with writing(folder, "features"):
            folder.mkdir(parents=True, exist_ok=True)
            with turn(place):
                if not _whole(place, size):
                    with _part(place, size) as part:
                        fill(_blocks(part, "r+", items, shapes))
    return _blocks(place, "r", items, shapes)


def _whole(place: Path, size: int) -> bool:
    return place.is_file() and place.stat().st_size == size


def _blocks(place: Path, mode: Any, items: int, shapes: Shapes) -> Blocks:
    found: Blocks = {}
    start = 0
    for key, shape in shapes.items():
        found[key] = np.memmap(place, np.float32, mode=mode, offset=start, shape=(items, *shape))
        start += 4 * items * prod(shape)
    return found


@contextlib.contextmanager
def _part(place: Path, size: int) -> Iterator[Path]:
    """A file of that size, moved into its place once it is filled."""
    number, name = tempfile.mkstemp(dir=place.parent, prefix=".part-")
    try:
        with os.fdopen(number, "wb") as file:
            file.truncate(size)
        yield Path(name)
        os.replace(name, place)  # noqa: PTH105  # as one step
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
