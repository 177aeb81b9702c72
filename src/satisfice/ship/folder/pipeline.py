"""Prediction with a shipped model: converts rows to input tensors, and output tensors to answers.

Notation: n rows, k classes. Feeds are the inputs of ``model.onnx``: one tensor (n, 1) for each source column,
float64 with NaN for a missing value (moments in seconds since 1970 in UTC) or str with "" for one; or
``images`` (n, channels, height, width). This module ships with models: it imports the standard library, NumPy
and the reader of cells only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.reading.cells import TEXTS, Cells, Rule, category_of, read, refusal
from satisfice.data.reading.text import MISSING
from satisfice.errors import InputError
from satisfice.ship.folder.description import IMAGE_COLUMN, Description, ImageInput, InputColumn
from satisfice.ship.folder.pictures import image_of, pixels_of, sized
from satisfice.ship.runtime import parts_of

Feeds = dict[str, NDArray[Any]]
IMAGES = "images"  # name of the input
_NUMBERS = frozenset((int, float, type(None)))
_TEXTS = frozenset((str, type(None)))
_RELATIVE, _ABSOLUTE = 1e-5, 1e-6  # within which two answers are the same


@dataclass(frozen=True, kw_only=True)
class Told:
    """Warnings about single cells of one call."""

    unread: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # column -> text -> how often
    unseen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # categories new to the model

    def sentences(self) -> list[str]:
        """One sentence for each kind of warning."""
        out = []
        for what, found in (
            ("values that cannot be read count as missing", self.unread),
            ("values that training never saw", self.unseen),
        ):
            told = [
                f"{sum(t.values())} of column {c!r} (such as {next(iter(t))[:60]!r})"
                for c, t in found.items()
            ]
            out += [f"{what}: {', '.join(told)}"] if told else []
        return out


class Pipeline:
    """The rows and answers of one shipped model. It holds no state between calls: threads may share it.

    Args:
        described: The content of ``model.json``.
        session: An ``onnxruntime.InferenceSession`` of ``model.onnx``.

    Raises:
        InputError: The file's inputs or outputs are not those that the description names.
    """

    def __init__(self, described: Description, session: Any) -> None:
        self.described = described
        self.session = session
        self._columns = [(column, column.input_name, _Quick(column)) for column in described.columns]
        self._names = described.names
        self._outputs = ("label", "probabilities") if described.task == "classification" else ("value",)
        given = {each.name for each in session.get_inputs()}
        images = isinstance(described.input, ImageInput)
        wanted = {IMAGES} if images else {column.input_name for column in described.columns}
        if not given <= wanted:
            raise InputError(f"model.onnx takes {min(given - wanted)!r}, which model.json does not name")
        lacking = set(self._outputs) - {each.name for each in session.get_outputs()}
        if lacking:
            raise InputError(f"model.onnx does not give {min(lacking)!r}", hint="ship the model again")
        self._given = given
        self._of_text = {c.input_name for c in described.columns if c.rule.kind == "text"}
        self._keys = tuple(str(label) for label in described.classes)

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], Told]:
        """Answers to n rows, each with every column.

        Returns:
            ``{"label": ..., "probabilities": {...}}`` or ``{"value": ...}`` for each row, and
            warnings about single cells.

        Raises:
            InputError: A column is missing, or cannot be read as in training.
        """
        feeds, told = self.feeds(rows)
        return self.answers(self.outputs(feeds)), told

    def feeds(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Feeds, Told]:
        """The input tensors for n rows. Raises what `answer` raises."""
        if not rows:
            raise InputError("there are no rows", hint="give at least one")
        columns: dict[str, list[Any]] = {}
        for name in self._names:
            try:
                columns[name] = [row[name] for row in rows]
            except KeyError:
                at = next(i for i, row in enumerate(rows) if name not in row)
                raise InputError(
                    f"row {at} lacks column {name!r}", hint="null stands for a missing value"
                ) from None
        if isinstance(self.described.input, ImageInput):
            images = [
                image_of(cell, self.described.input, at) for at, cell in enumerate(columns[IMAGE_COLUMN])
            ]
            return self.feeds_of_images(np.stack(images)), Told()
        return self.feeds_of_columns(columns)

    def feeds_of_columns(self, columns: Mapping[str, Sequence[Any]]) -> tuple[Feeds, Told]:
        """The input tensors for columns of n cells each. Raises what `answer` raises."""
        feeds: Feeds = {}
        unread: dict[str, Mapping[str, int]] = {}
        unseen: dict[str, Mapping[str, int]] = {}
        lacking = [name for name in self._names if name not in columns]
        if lacking:
            raise InputError(
                f"the rows lack {', '.join(map(repr, lacking))}", hint="give every column of the model"
            )
        for column, name, quick in self._columns:
            cells = columns[column.name]
            values = quick.take(cells)
            if values is None:
                found = _read(column.name, column.rule, cells)
                if found.unread:
                    unread[column.name] = dict(found.unread)
                if found.unseen and not column.rare:
                    unseen[column.name] = dict(found.unseen)
                values = _texts(found) if column.rule.kind in TEXTS else found.values
            feeds[name] = values[:, None]
        return feeds, Told(unread=unread, unseen=unseen)

    def feeds_of_images(self, images: NDArray[Any]) -> Feeds:
        """The file's inputs for images, shape (n, channels, height, width); one channel may be left out.

        Raises:
            InputError: The images have another shape, or hold no pixels.
        """
        wanted = self.described.input
        if not isinstance(wanted, ImageInput):
            raise InputError("the model takes rows of a table, not images")
        given = images[:, None] if images.ndim == 3 and wanted.shape[0] == 1 else images
        if given.ndim == 4 and given.dtype.kind in "iufb" and given.size:
            given = sized(given, wanted)
        if given.ndim != 4 or given.shape[1:] != wanted.shape:
            sizes = " x ".join(map(str, wanted.shape))
            raise InputError(
                f"images of shape {images.shape}; the model takes n x {sizes}",
                hint="channels first; one channel may be left out",
            )
        return {IMAGES: pixels_of(given, wanted)}

    def outputs(self, feeds: Feeds) -> Feeds:
        """The file's outputs by name: ``label`` and ``probabilities`` (n, k), or ``value`` (n,)."""
        taken = self.taken(feeds)
        try:
            found = [
                self.session.run(self._outputs, part)
                for part in parts_of(taken, self._of_text & taken.keys())
            ]
        except UnicodeEncodeError as error:
            raise InputError("a text holds half a character", hint="send texts as UTF-8") from error
        joined = found[0] if len(found) == 1 else [np.concatenate(each) for each in zip(*found, strict=True)]
        return dict(zip(self._outputs, joined, strict=True))

    def taken(self, feeds: Feeds) -> Feeds:
        """The feeds without the columns that the model does not use."""
        return {name: tensor for name, tensor in feeds.items() if name in self._given}

    def answers(self, outputs: Feeds) -> list[dict[str, Any]]:
        """The answer to each of n rows, as `answer` returns it.

        Raises:
            InputError: An answer is not finite, since the row is too far from the training rows.
        """
        numbers = outputs["probabilities" if self._keys else "value"]
        rows = numbers.tolist()
        # NaN and the infinities spread through a sum; a sum of finite ones may be infinite too.
        total = sum(map(sum, rows)) if self._keys else sum(rows)
        if not math.isfinite(total) and not np.isfinite(numbers).all():
            at = int(np.flatnonzero(~np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1))[0])
            raise InputError(
                f"row {at} holds a number too far from those that the model was trained on",
                hint="correct it, or give null where it stands for a missing value",
            )
        if not self._keys:
            return [{"value": value} for value in rows]
        labels = self.labels(outputs)
        keys = self._keys
        return [
            {"label": label, "probabilities": dict(zip(keys, row, strict=True))}
            for label, row in zip(labels, rows, strict=True)
        ]

    @staticmethod
    def labels(outputs: Feeds) -> list[Any]:
        """The labels of n rows, of the type that they have in the data."""
        found: list[Any] = outputs["label"].reshape(-1).tolist()
        return found


class _Quick:
    """Fast conversion of cells that need no warnings: plain numbers, texts and known categories."""

    def __init__(self, column: InputColumn) -> None:
        rule = column.rule
        self._number = rule.kind == "number" and not rule.missing
        self._moment = rule.kind == "moment"
        self._category = rule.kind == "category"
        self._text = rule.kind == "text"
        self._known = frozenset(rule.values) - MISSING - {""}
        self._known_or_nothing = self._known | {None}
        self._meaning = category_of(rule) if column.rare and self._category else None  # nothing is unseen

    def take(self, cells: Sequence[Any]) -> NDArray[Any] | None:
        if self._number and _NUMBERS.issuperset(map(type, cells)):
            try:
                values = np.array(cells, dtype=np.float64)  # None becomes NaN
            except OverflowError:
                return None
            return None if math.inf in cells or -math.inf in cells else values
        if self._text and _TEXTS.issuperset(map(type, cells)):
            return np.array([cell or "" for cell in cells], dtype=object)
        if self._moment and all(cell is None for cell in cells):
            return np.full(len(cells), np.nan)
        if self._category and _TEXTS.issuperset(map(type, cells)):
            if self._known.issuperset(cells):
                return np.array(cells, dtype=object)
            if self._known_or_nothing.issuperset(cells):
                return np.array([cell or "" for cell in cells], dtype=object)
            if self._meaning:
                texts = [cell if cell in self._known else self._meaning(cell) or "" for cell in cells]
                return np.array(texts, dtype=object)
        return None


def _read(name: str, rule: Rule, cells: Sequence[Any]) -> Cells:
    deep = next((cell for cell in cells if isinstance(cell, list | dict)), None)
    if deep is not None:
        raise InputError(f"column {name!r} holds {str(deep)[:60]!r}", hint="give one number or text, or null")
    try:
        found = read(rule, cells)
    except OverflowError:
        raise InputError(
            f"column {name!r} holds a number too large for float64", hint="give null where it is unknown"
        ) from None
    refused = refusal(rule, found)
    if refused is not None:
        raise InputError(f"column {name!r} {refused[0]}", hint=refused[1])
    return found


def _texts(found: Cells) -> NDArray[Any]:
    values = np.empty(len(found.values), dtype=object)
    values[:] = ["" if value is None else value for value in found.values.tolist()]
    return values


def same_answer(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two answers are the same, their numbers within 1e-6 and 1e-5 of the value.

    Labels of equally probable classes may differ.
    """
    if found.keys() != wanted.keys():
        return False
    if "value" in wanted:
        return _close(found["value"], wanted["value"])
    a, b = found["probabilities"], wanted["probabilities"]
    if a.keys() != b.keys() or not all(_close(a[key], b[key]) for key in b):
        return False
    if found["label"] == wanted["label"] and type(found["label"]) is type(wanted["label"]):
        return True
    best = Counter(b).most_common(2)
    return _close(best[0][1], best[1][1]) and str(found["label"]) in {label for label, _ in best}


def _close(a: Any, b: Any) -> bool:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (a, b))
    return numbers and math.isclose(a, b, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
