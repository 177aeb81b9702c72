"""One safetensors file with the model as it was trained, its preprocessing and its classes.

It is kept beside the ONNX file that ships. Studies made before ONNX was the default ship it itself.

Layout (safetensors 0.4): eight bytes with the header's length, the header as JSON padded to eight bytes, the
tensors. Tensors named ``model.*`` are the family's, ``prep.*`` the preprocessing's, float64; ``target``
holds centre and spread of a regression's target, float64: the model predicts in spreads from the centre. The
metadata ``satisfice`` holds all else as JSON. Nothing in it is code, so a file from a stranger is safe to
open. A file's length follows from names, shapes and metadata alone, so it is known before training.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data import ImageScaler, Preprocessor, Splits, TableEncoder, TargetScale
from satisfice.errors import DataError

FORMAT = 2
_READ = (1, 2)  # in format 1 preprocessing is in float32, and a regression predicts in the target's unit

Arrays = Mapping[str, NDArray[Any]]
Shapes = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]

# In the order in which safetensors lays tensors out, each type's by name.
_CODES = {
    np.dtype("int64"): "I64",
    np.dtype("float64"): "F64",
    np.dtype("float32"): "F32",
    np.dtype("int32"): "I32",
    np.dtype("int16"): "I16",
    np.dtype("uint8"): "U8",
}
_PLACE = {dtype: place for place, dtype in enumerate(_CODES)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Header:
    """All of a shipped model but its tensors."""

    family: str
    task: str  # "classification" or "regression"
    classes: tuple[Any, ...]
    architecture: Mapping[str, Any]  # what its size and latency depend on
    preprocessor: Preprocessor
    target: TargetScale | None = None  # None for classification, and in files of format 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tensors beside the model's, by their name in the file."""
        arrays = {f"prep.{name}": array for name, array in self.preprocessor.arrays().items()}
        if self.target is not None:
            arrays["target"] = np.array([self.target.centre, self.target.spread])
        return arrays

    def metadata(self) -> str:
        """JSON in ASCII, so that its length in bytes is its length."""
        content = {
            "format": FORMAT,
            "family": self.family,
            "task": self.task,
            "classes": list(self.classes),
            "architecture": dict(self.architecture),
            "preprocessor": self.preprocessor.describe(),
        }
        return json.dumps(content, separators=(",", ":"), sort_keys=True)


def header_of(
    family: str, splits: Splits, architecture: Mapping[str, Any], preprocessor: Preprocessor | None = None
) -> Header:
    """The header for a model trained on these data, by default prepared as the splits are."""
    return Header(
        family=family,
        task=splits.task,
        classes=splits.classes,
        architecture=architecture,
        preprocessor=splits.preprocessor if preprocessor is None else preprocessor,
        target=splits.target,
    )


def file_bytes(header: Header, model: Shapes) -> int:
    """Exact length of the file that `write` will write for tensors of these types and shapes."""
    shapes = {f"model.{name}": value for name, value in model.items()}
    shapes |= {name: (array.dtype, array.shape) for name, array in header.arrays().items()}
    entries: dict[str, Any] = {"__metadata__": {"satisfice": header.metadata()}}
    at = 0
    for name, (dtype, shape) in sorted(shapes.items(), key=lambda item: (_PLACE[item[1][0]], item[0])):
        size = dtype.itemsize * prod(shape)
        entries[name] = {"dtype": _CODES[dtype], "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    head = len(json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode())
    return 8 + -(-head // 8) * 8 + at


def write(header: Header, model: Arrays, path: Path) -> int:
    """Write the file and return its length in bytes."""
    from safetensors.numpy import save  # only where a file is written

    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in model.items()}
    tensors |= {name: np.ascontiguousarray(array) for name, array in header.arrays().items()}
    content = save(tensors, {"satisfice": header.metadata()})
    path.write_bytes(content)
    return len(content)


def read(path: Path) -> tuple[Header, dict[str, NDArray[Any]]]:
    """The header and the family's tensors.

    Raises:
        DataError: The file is missing or is no model of satisfice.
    """
    from safetensors import SafetensorError, safe_open  # only where a file is read

    try:
        with safe_open(path, framework="numpy") as file:
            content = json.loads((file.metadata() or {})["satisfice"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise DataError(f"{path} is not a model file of satisfice") from error
    if content["format"] not in _READ:
        raise DataError(f"{path} has format {content['format']}; this release reads up to {FORMAT}")
    description = content["preprocessor"]
    kind: type[TableEncoder] | type[ImageScaler] = (
        TableEncoder if description["kind"] == "table" else ImageScaler
    )
    centre, spread = (float(number) for number in arrays.get("target", (0.0, 0.0)))
    header = Header(
        family=content["family"],
        task=content["task"],
        classes=tuple(content["classes"]),
        architecture=content["architecture"],
        preprocessor=kind.restore(description, _under("prep.", arrays)),
        target=TargetScale(centre=centre, spread=spread) if "target" in arrays else None,
    )
    return header, _under("model.", arrays)


def _under(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
