"""Images from rows: nested numbers, or a picture's file in base64. Ships with models; Pillow on use."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.pictures.decode import pixels
from satisfice.data.pictures.resize import resize, resized
from satisfice.errors import InputError
from satisfice.ship.folder.description import IMAGE_COLUMN, ImageInput


def pixels_of(images: NDArray[Any], wanted: ImageInput) -> NDArray[Any]:
    """Images of the type that the model takes; of the right shape already.

    Raises:
        InputError: They hold something else than pixels of that type.
    """
    if images.dtype.kind not in "iufb":
        raise InputError("the images hold something else than numbers", hint="give pixels as numbers")
    if wanted.dtype == "float64":
        doubles = images.astype(np.float64)
        if not np.isfinite(doubles).all():
            raise InputError("an image holds NaN or an infinite number", hint="give finite pixels")
        return np.ascontiguousarray(doubles)
    if images.dtype != np.uint8:
        whole = (images >= 0) & (images <= 255) & (images == np.floor(images))
        if not whole.all():
            raise InputError("a pixel is no whole number from 0 to 255", hint="give bytes, not shares of one")
    return np.ascontiguousarray(images, dtype=np.uint8)


def image_of(cell: Any, wanted: ImageInput, at: int) -> NDArray[Any]:
    """One image, (channels, height, width), from nested numbers or from a picture's file in base64."""
    where = f"row {at}, {IMAGE_COLUMN!r}"
    if isinstance(cell, str):
        try:
            content = base64.b64decode(
                cell.partition(",")[2] if cell.startswith("data:") else cell, validate=True
            )
        except (binascii.Error, ValueError):
            raise InputError(
                f"{where} is not base64", hint="give a picture's file in base64, or numbers"
            ) from None
        return picture(content, wanted, where)
    try:
        array = np.array(cell)
    except (ValueError, OverflowError):
        array = np.empty(0, dtype=object)
    if array.ndim == 2 and wanted.shape[0] == 1:
        array = array[None]
    if array.dtype.kind in "iufb" and array.ndim == 3 and array.size and array.shape[0] == wanted.shape[0]:
        array = sized(array, wanted)
    if array.dtype.kind not in "iufb" or array.shape != wanted.shape:
        sizes = " x ".join(map(str, wanted.shape))
        raise InputError(
            f"{where} is not {sizes} numbers", hint="channels first; one channel may be left out"
        )
    return array


def picture(content: bytes, wanted: ImageInput, where: str) -> NDArray[Any]:
    """The pixels of a picture's file, (channels, height, width).

    Raises:
        InputError: Pillow is not installed, the content is no picture, or it is of another size.
    """
    channels, height, width = wanted.shape
    if channels not in (1, 3, 4):
        raise InputError(f"{where}: no picture has {channels} channels", hint="give numbers")
    try:
        found = pixels(content, channels)
    except ModuleNotFoundError:
        raise InputError(
            f"{where}: Pillow is not installed", hint="pip install pillow, or give numbers"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{where} is not a picture that can be read: {error}", hint="give a PNG, JPEG or WebP file"
        ) from error
    if wanted.kept is not None:
        # However large it is: a training picture of the model's size came to the model in two steps too.
        return resize(resize(found, *wanted.kept), height, width)
    if found.shape != wanted.shape:
        raise InputError(
            f"{where} is {found.shape[2]} pixels wide and {found.shape[1]} high; the model takes {width} by "
            f"{height}",
            hint="bring it to that size",
        )
    return found


def sized(images: NDArray[Any], wanted: ImageInput) -> NDArray[Any]:
    """Images (..., height, width) in the size that the model takes, where it takes other sizes."""
    return images if wanted.kept is None else resized(images, wanted.shape[1:], wanted.kept)
