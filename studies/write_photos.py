"""A folder of pictures from a registered set of images: one folder a class, one PNG file an image.

python studies/write_photos.py mnist_5k studies/photos             # what `make photos` does
python studies/write_photos.py digits /tmp/photos --most 30        # at most so many of each class
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from satisfice.data import DATASETS


def write_photos(name: str, folder: Path, most: int | None = None) -> int:
    """Write the pictures.

    Args:
        name: Of a registered set of images.
        folder: Where they go; made where it is absent.
        most: Pictures of each class at most; None for all.

    Returns:
        How many were written.
    """
    from PIL import Image

    raw = DATASETS.get(name).read()
    images: Any = raw.items
    brightest = 255 if images.dtype == np.uint8 else float(images.max())
    count: dict[str, int] = {}
    for image, label in zip(images, map(str, raw.target), strict=True):
        at = count[label] = count.get(label, 0) + 1
        if most is not None and at > most:
            continue
        place = folder / label / f"{at:05}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.rint(image.astype(np.float64) * (255 / brightest)).astype(np.uint8)
        Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(place)
    return sum(min(n, most or n) for n in count.values())


def main() -> int:
    """Read the arguments, and say what was written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="a registered set of images, such as mnist_5k")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=None, help="pictures of each class at most")
    given = parser.parse_args()
    written = write_photos(given.name, given.folder, given.most)
    sys.stdout.write(f"{given.folder} holds {written} pictures\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
