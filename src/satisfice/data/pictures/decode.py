"""A picture's file to pixels, the same for training and for whoever uses a shipped model.

Turned as its camera noted (EXIF), 16 bits a channel rounded to 8, what is transparent laid on white, the
first frame of several. This module ships with models: Pillow decodes, and is imported on use.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.pictures.resize import resize

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
CLEAR = ("RGBA", "RGBa", "LA", "La", "PA")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_MOST_16 = 2**16 - 1


def pixels(content: bytes, channels: int) -> NDArray[np.uint8]:
    """The pixels of a picture's file, (channels, height, width), in its own size.

    Args:
        content: Of the file.
        channels: 1 for grey, 3 for red, green and blue, 4 for these and opacity.

    Raises:
        ValueError: It is no picture, is damaged, or has pixels of floating point; the text says which.
        ModuleNotFoundError: Pillow is not installed.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as opened:
            found = _upright(opened)
            array = np.asarray(_flat(found, channels).convert(_MODES[channels]))
    except UnidentifiedImageError:
        raise ValueError("it is no picture of a known format") from None
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(str(error) or type(error).__name__) from None
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def pixels_of_size(content: bytes, channels: int, height: int, width: int) -> NDArray[np.uint8]:
    """The same, brought to a size whatever its proportions; `pixels` says what is raised."""
    return resize(pixels(content, channels), height, width)


def _upright(picture: Any) -> Any:
    """Turned as the camera held it."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


def _flat(picture: Any, channels: int) -> Any:
    """In 8 bits; on white where that is to be opaque."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("it has pixels of floating point")
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        wide = np.asarray(picture).astype(np.int64)
        if wide.min() < 0 or wide.max() > _MOST_16:
            raise ValueError("it has numbers beyond 16 bits")
        return Image.fromarray(((wide * 255 + _MOST_16 // 2) // _MOST_16).astype(np.uint8))
    clear = picture.mode in CLEAR or "transparency" in picture.info
    if not clear or channels == 4:
        return picture
    on = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return Image.alpha_composite(on, picture.convert("RGBA")).convert("RGB")
