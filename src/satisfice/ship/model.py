"""A model that shipped, with its preprocessing: from raw items to predictions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data import ImageScaler, TableEncoder
from satisfice.data.reading.cells import Cells, refusal
from satisfice.errors import DataError, InputError, UnreadCells
from satisfice.ship.safetensors_file import Header

Items = pd.DataFrame | pd.Series | Mapping[str, Any] | Sequence[Mapping[str, Any]] | NDArray[Any]

_FAR = 1e12  # standard deviations from the training rows, where arithmetic in float32 means nothing
_MANY = 10  # rows of which one at least should be known to training
_CHUNK = 1024  # items at a time, to bound memory


@dataclass(frozen=True, kw_only=True, eq=False)
class ShippedModel:
    """What `load_model` gives back.

    Called with prepared items it is the bare model; `predict` takes raw ones.
    """

    header: Header
    core: Any  # torch module, or a callable from arrays to arrays
    # Of the latest call: by column the texts that could not be read and counted as missing, and how often.
    unread: dict[str, dict[str, int]] = field(default_factory=dict)
    # Of the latest call: by column the categories that training never saw, where it had no rare ones.
    unseen: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[Any, ...]:
        """By column of `predict_proba`; empty for regression."""
        return self.header.classes

    def __call__(self, items: Any) -> Any:
        """The bare model's output for prepared items; of a regression in spreads from the target's centre."""
        return self.core(items)

    def outputs(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, k), or values (n,) in the target's unit, for at least one prepared item."""
        out = predict(self.core, x, classify=self.header.task == "classification")
        return out if self.header.target is None else self.header.target.restore(out)

    def prepare(self, items: Items) -> NDArray[np.float32]:
        """Raw items to model input.

        Args:
            items: Rows of a table: a frame, one row as a Series or dict, or a dict of columns, or a list of
                rows. Or images (n, [channels,] height, width).

        Raises:
            InputError: A column is missing, or images have another shape than those that it was trained on.
            DataError: A column cannot be read as in training. Single cells that cannot are missing; `unread`
                and a warning say which.
        """
        preprocessor = self.header.preprocessor
        if isinstance(preprocessor, ImageScaler):
            given = np.asarray(items)
            images = given[:, None] if given.ndim == 3 else given
            if images.ndim == 4 and images.size and images.dtype.kind in "iufb":
                images = preprocessor.sized(images)
            if images.shape[1:] != preprocessor.shape:
                wanted = " x ".join(map(str, preprocessor.shape))
                raise InputError(
                    f"images of shape {given.shape}; the model takes n x {wanted}",
                    hint="channels first; one channel may be left out",
                )
            return preprocessor.transform(images)
        frame = _rows(items, set(preprocessor.sources))
        names = {str(name).strip(): name for name in frame.columns}
        frame = frame.rename(columns={name: stripped for stripped, name in names.items() if stripped != name})
        lacking = [name for name in preprocessor.sources if name not in frame]
        if lacking:
            raise InputError(
                f"the items lack {', '.join(map(repr, lacking))}",
                hint="give rows with the columns that the model was trained on",
            )
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise InputError(
                f"the items have two columns named {str(twice[0])!r}", hint="rename or remove one"
            )
        read, found = preprocessor.read(frame)
        self._check_cells(preprocessor, found)
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            x = preprocessor.transform(read)
        near = np.abs(x) < _FAR  # NaN is not
        if not near.all():
            column = preprocessor.column_of(int(np.flatnonzero(~near.all(axis=0))[0]))
            raise InputError(
                f"column {column!r} holds a number too far from those that the model was trained on",
                hint="correct it, or leave it empty where it stands for a missing value",
            )
        return x

    def _check_cells(self, preprocessor: TableEncoder, found: Mapping[str, Cells]) -> None:
        """Refuse a column that is written otherwise than in training; count and tell single cells."""
        self.unread.clear()
        for name, cells in found.items():
            refused = refusal(preprocessor.rule_of(name), cells)
            if refused is not None:
                raise DataError(f"column {name!r} {refused[0]}", hint=refused[1])
            if cells.unread:
                self.unread[name] = dict(cells.unread)
        self._check_categories(preprocessor, found)
        for what, cells_by_column in (
            ("values that cannot be read count as missing", self.unread),
            ("values that training never saw", self.unseen),
        ):
            if cells_by_column:
                told = [
                    f"{sum(texts.values())} of column {name!r} (such as {next(iter(texts))[:60]!r})"
                    for name, texts in cells_by_column.items()
                ]
                warnings.warn(f"{what}: {', '.join(told)}", UnreadCells, stacklevel=5)

    def _check_categories(self, preprocessor: TableEncoder, found: Mapping[str, Cells]) -> None:
        """Tell values that have no feature to go to; and where not one value of many is known."""
        self.unseen.clear()
        gathers = {column.name for column in preprocessor.columns if column.rare}
        for name, cells in found.items():
            none_known = cells.known >= _MANY and cells.unseen.total() == cells.known
            if cells.unseen and (name not in gathers or none_known):
                self.unseen[name] = dict(cells.unseen)

    def predict_proba(self, items: Items) -> NDArray[np.float64]:
        """Probabilities, shape (n, k), in the order of `classes`."""
        x = self.prepare(items)
        return predict(self.core, x, classify=True) if len(x) else np.empty((0, len(self.classes)))

    def predict(self, items: Items) -> NDArray[Any]:
        """Class labels, of the type that they have in the data, or values for regression; shape (n,)."""
        if self.header.task == "regression":
            x = self.prepare(items)
            return self.outputs(x) if len(x) else np.empty(0)
        chosen: NDArray[Any] = _labels(self.classes)[self.predict_proba(items).argmax(axis=1)]
        return chosen


def _labels(classes: tuple[Any, ...]) -> NDArray[Any]:
    """Labels of one type as an array of that type; else of objects."""
    if len({type(label) for label in classes}) == 1 and not isinstance(classes[0], str):
        return np.array(classes)
    labels = np.empty(len(classes), dtype=object)
    labels[:] = classes
    return labels


def _rows(items: Any, names: set[str]) -> pd.DataFrame:
    """A table's rows as a frame, whose columns should have these names.

    Raises:
        InputError: It is an array, whose columns have no names, or its columns differ in length.
    """
    if isinstance(items, pd.Series):
        if items.name in names and not names & set(items.index):
            return items.to_frame()
        return pd.DataFrame([items.to_dict()])
    if isinstance(items, Mapping):
        single = all(isinstance(value, str) or not hasattr(value, "__len__") for value in items.values())
        items = [dict(items)] if single else items
    if isinstance(items, np.ndarray) and items.dtype.names is None:
        raise InputError(
            f"an array of shape {items.shape} has no names of columns",
            hint="give a DataFrame, a dict, or a list of dicts",
        )
    try:
        return pd.DataFrame(items)
    except (ValueError, TypeError) as error:
        raise InputError(f"the items are no rows of a table: {error}") from error


def predict(core: Any, x: NDArray[np.float32], *, classify: bool) -> NDArray[np.float64]:
    """Probabilities (n, k), or values (n,), from a bare model of any family."""
    if hasattr(core, "state_dict"):
        from satisfice.ship.torch_model import predict as predict_torch  # imports torch

        return predict_torch(core, x, classify=classify)
    parts = [core(x[at : at + _CHUNK]) for at in range(0, len(x), _CHUNK)]
    out: NDArray[np.float64] = np.concatenate(parts)
    return out
