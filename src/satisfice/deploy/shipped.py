"""A shipped folder as a model in Python: `satisfice.load_shipped`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import InputError, UnreadCells
from satisfice.ship.folder.description import Description, ImageInput
from satisfice.ship.folder.pictures import picture
from satisfice.ship.folder.pipeline import Feeds
from satisfice.ship.folder.standalone import open_pipeline

_CHUNK = 4096  # rows at a time, to bound memory


class Shipped:
    """The model of a shipped folder, on the CPU. Threads may share it.

    Args:
        directory: The folder.
        threads: That compute one call.

    Raises:
        InputError: A file of the folder is missing or damaged.
    """

    def __init__(self, directory: str | os.PathLike[str], *, threads: int = 1) -> None:
        self.directory = Path(directory)
        self._pipeline = open_pipeline(self.directory, threads)

    @property
    def description(self) -> Description:
        """What ``model.json`` says."""
        return self._pipeline.described

    @property
    def classes(self) -> tuple[Any, ...]:
        """Labels in the order of the probabilities; () for regression."""
        return self.description.classes

    def predict(self, rows: Any) -> NDArray[Any]:
        """Labels of the type that they have in the data, or values of a regression; shape (n,).

        Args:
            rows: A table as a DataFrame, a dict of columns, one dict or a list of dicts; or images,
                (n, channels, height, width), or paths of pictures.

        Raises:
            InputError: A column is absent, or is written otherwise than in training.
        """
        parts: list[Any] = []
        for outputs in self._outputs(rows):
            labels = self._pipeline.labels(outputs) if self.classes else outputs["value"].tolist()
            parts += labels
        if not self.classes:
            return np.array(parts, dtype=np.float64)
        return np.array(parts, dtype=object if isinstance(self.classes[0], str) else None)

    def predict_proba(self, rows: Any) -> NDArray[np.float32]:
        """Probabilities, shape (n, k), in the order of `classes`; rows and errors as in `predict`.

        Raises:
            InputError: The model is a regression.
        """
        if not self.classes:
            raise InputError("a regression has no probabilities", hint="call predict")
        parts = [outputs["probabilities"] for outputs in self._outputs(rows)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)

    def _outputs(self, rows: Any) -> list[Feeds]:
        if isinstance(self.description.input, ImageInput):
            images = _images(rows, self.description.input)
            parts = [images[at : at + _CHUNK] for at in range(0, len(images), _CHUNK)]
            return [self._pipeline.outputs(self._pipeline.feeds_of_images(part)) for part in parts]
        columns = _columns(rows, self.description.names)
        if not columns or not len(next(iter(columns.values()))):
            return []
        # A column is refused by the share of its cells that cannot be read: it is read as a whole.
        feeds, told = self._pipeline.feeds_of_columns(columns)
        for sentence in told.sentences():
            warnings.warn(sentence, UnreadCells, stacklevel=4)
        n = len(next(iter(feeds.values())))
        chunks = [{k: v[at : at + _CHUNK] for k, v in feeds.items()} for at in range(0, n, _CHUNK)]
        return [self._pipeline.outputs(chunk) for chunk in chunks]


def load_shipped(directory: str | os.PathLike[str], *, threads: int = 1) -> Shipped:
    """The model of a shipped folder; needs onnxruntime, and no study.

    Args:
        directory: The folder.
        threads: That compute one call.

    Raises:
        InputError: A file of the folder is missing or damaged.
    """
    return Shipped(directory, threads=threads)


def _images(rows: Any, wanted: ImageInput) -> NDArray[Any]:
    """Images as they are, or the pictures in one file or in several."""
    paths = [rows] if isinstance(rows, str | os.PathLike) else rows
    if not isinstance(paths, list | tuple) or not paths:
        return np.asarray(rows)
    if not all(isinstance(path, str | os.PathLike) for path in paths):
        return np.asarray(rows)
    try:
        return np.stack([picture(Path(path).read_bytes(), wanted, str(path)) for path in paths])
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None


def _columns(rows: Any, names: Sequence[str]) -> dict[str, Any]:
    """The named columns of rows in any usual form; those that are absent are left out."""
    if hasattr(rows, "columns") and hasattr(rows, "iloc"):  # a DataFrame, without importing pandas
        held = {str(name).strip(): name for name in rows.columns}
        return {name: _cells(rows[held[name]]) for name in names if name in held}
    if isinstance(rows, Mapping):
        single = all(isinstance(value, str) or not hasattr(value, "__len__") for value in rows.values())
        columns = {name: [rows[name]] if single else list(rows[name]) for name in names if name in rows}
        if len({len(cells) for cells in columns.values()}) > 1:
            raise InputError("the columns differ in length", hint="give every column as many cells")
        return columns
    listed: list[Any] = list(rows)
    if not all(isinstance(row, Mapping) for row in listed):
        raise InputError(
            "the rows have no names of columns", hint="give a DataFrame, a dict, or a list of dicts"
        )
    for at, row in enumerate(listed):
        absent = [name for name in names if name not in row]
        if absent:
            raise InputError(f"row {at} lacks column {absent[0]!r}", hint="None stands for a missing value")
    return {name: [row[name] for row in listed] for name in names}


def _cells(series: Any) -> Any:
    """Arrays of numbers and moments stay arrays; moments with a zone become UTC; all else is a list."""
    values = series.to_numpy()
    return values if values.dtype.kind in "iufbM" else series.astype(object).tolist()
