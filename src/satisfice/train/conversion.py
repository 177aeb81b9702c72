"""Model files to ONNX files: the family that a file names writes its model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import InputError
from satisfice.ship import onnx_file, safetensors_file
from satisfice.ship.onnx_file import CoreWriter, Options
from satisfice.ship.safetensors_file import Header
from satisfice.train.catalog import TRAINERS


def core_writer(family: str) -> CoreWriter | None:
    """Of the family of that name; None where it cannot be written as ONNX.

    Raises:
        InputError: No such family is registered.
    """
    trainer: object = TRAINERS.get(family)
    return trainer if isinstance(trainer, CoreWriter) else None


def write_onnx(
    kept: Path, path: Path, options: Options | None = None, items: NDArray[np.float32] | None = None
) -> int:
    """Write a model file as ONNX; returns the length in bytes.

    Args:
        kept: A safetensors file of a built-in family.
        path: The file to write.
        options: None for full precision and the most probable class.
        items: Prepared training items, on which ``int8_static`` calibrates.

    Raises:
        DataError: The file is missing or is no model of satisfice.
        InputError: Its family cannot be written as ONNX, or the options do not go with it.
    """
    content, _ = converted(kept, options, items)
    return path.write_bytes(content)


def converted(
    kept: Path, options: Options | None = None, items: NDArray[np.float32] | None = None
) -> tuple[bytes, Header]:
    """The ONNX file of a model file, and its header; arguments and errors as for `write_onnx`."""
    header, arrays = safetensors_file.read(kept)
    writer = core_writer(header.family)
    if writer is None:
        raise InputError(f"a model of the family {header.family} cannot be written as ONNX")
    return onnx_file.content(header, arrays, writer, options, items), header
