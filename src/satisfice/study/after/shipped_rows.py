"""What a shipped file takes and gives, and the rows of the test split as raw rows for it.

The rows go through the same reader as those of whoever uses the file (`satisfice.ship.folder.pipeline`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data import ImageScaler, Splits, TableEncoder
from satisfice.data.features.table import as_texts, read_number
from satisfice.data.reading.cells import Rule
from satisfice.data.reading.pandas_columns import texts_of
from satisfice.errors import InputError
from satisfice.ship.folder.description import IMAGE_COLUMN, ImageInput, InputColumn, Score
from satisfice.ship.folder.pipeline import Feeds, Pipeline
from satisfice.ship.onnx.tables import input_names
from satisfice.train.file_scores import FileAnswers

_GOLDEN = 20  # rows
_GOLDEN_NUMBERS = 500_000  # pixels in all golden rows together
_LABELS = {"tensor(string)": str, "tensor(int64)": int, "tensor(double)": float, "tensor(bool)": bool}
_TYPES = {"float": "float32", "double": "float64"}
_WHOLE = 2.0**53  # below it a whole number is written without a point

Rows = list[dict[str, Any]]


def inputs_of(
    splits: Splits, preprocessor: TableEncoder | ImageScaler, opened: Any
) -> tuple[InputColumn, ...] | ImageInput:
    """What the rows must hold.

    Args:
        splits: The study's data.
        preprocessor: Of the model.
        opened: The file's session.
    """
    if isinstance(preprocessor, ImageScaler):
        channels, height, width = preprocessor.shape
        dtype = "uint8" if opened.get_inputs()[0].type == "tensor(uint8)" else "float64"
        kept = None if preprocessor.kept is None else (preprocessor.kept[0], preprocessor.kept[1])
        return ImageInput(shape=(channels, height, width), dtype=dtype, kept=kept)
    columns = {column.name: column for column in preprocessor.columns}
    used = set(preprocessor.source_columns)
    found = []
    for name, tensor in input_names(preprocessor.sources).items():
        if name not in used:
            continue
        category = name in columns and columns[name].categories is not None
        rule = preprocessor.rule_of(name)
        if category and rule.kind != "category":  # of the first reading: texts as they are
            rule = Rule(kind="category")
        low, high = splits.ranges.get(name, (None, None))
        found.append(
            InputColumn(
                name=name,
                rule=rule,
                low=low,
                high=high,
                rare=name in columns and columns[name].rare,
                tensor="" if tensor == name else tensor,
            )
        )
    return tuple(found)


def classes_of(classes: Sequence[Any], opened: Any) -> tuple[Any, ...]:
    """The labels, of the type in which the file gives them."""
    types = {each.name: each.type for each in opened.get_outputs()}
    return tuple(map(_LABELS[types["label"]], classes)) if classes else ()


def outputs_of(opened: Any) -> dict[str, str]:
    """The file's outputs by name, with their types."""
    types = {each.name: each.type.removeprefix("tensor(").removesuffix(")") for each in opened.get_outputs()}
    return {name: _TYPES.get(dtype, dtype) for name, dtype in types.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class RawTest:
    """The test split: raw rows, and what the file takes for them."""

    cells: Mapping[str, Sequence[Any]]  # by column: numbers, texts and None; of images the arrays
    feeds: Feeds
    truth: NDArray[Any]  # codes of classes, or numbers

    def __len__(self) -> int:
        return len(self.truth)

    def rows(self, numbers: Sequence[int]) -> Rows:
        """Those rows as JSON has them."""
        return [{name: _plain(cells[at]) for name, cells in self.cells.items()} for at in numbers]

    def lacking(self) -> list[int]:
        """Numbers of the rows with a missing value."""
        found = {at for cells in self.cells.values() for at, cell in enumerate(cells) if cell is None}
        return sorted(found)


def rows_of_test(splits: Splits, preprocessor: TableEncoder | ImageScaler, pipeline: Pipeline) -> RawTest:
    """The study's test split, for a model with that preprocessing."""
    items: Any = splits.raw_test.items
    if isinstance(pipeline.described.input, ImageInput):
        return RawTest(
            cells={IMAGE_COLUMN: items}, feeds=pipeline.feeds_of_images(items), truth=splits.test.y
        )
    assert isinstance(preprocessor, TableEncoder)
    cells = _cells(pipeline.described.columns, preprocessor, items)
    return RawTest(cells=cells, feeds=pipeline.feeds_of_columns(cells)[0], truth=splits.test.y)


def _cells(
    columns: Sequence[InputColumn], encoder: TableEncoder, frame: pd.DataFrame
) -> dict[str, list[Any]]:
    read, _ = encoder.read(frame)
    out: dict[str, list[Any]] = {}
    for column in columns:
        series = read[column.name]
        if column.rule.kind == "category":
            out[column.name] = [text or None for text in as_texts(series, missing="").tolist()]
        elif column.rule.kind == "text":
            out[column.name] = [text or None for text in texts_of(series)]
        elif column.rule.kind == "moment":
            out[column.name] = [_moment(seconds) for seconds in read_number(series, "seconds").tolist()]
        else:
            out[column.name] = [_number(value) for value in read_number(series).tolist()]
    return out


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < _WHOLE else value


def _moment(seconds: float) -> str | None:
    """As ISO 8601 in UTC has it, no finer than needed."""
    if not math.isfinite(seconds):
        return None
    at = np.datetime64(round(seconds * 1e6), "us")
    coarser = (at.astype(f"datetime64[{unit}]") for unit in ("D", "s", "us"))
    return str(next(each for each in coarser if each == at))


def _plain(cell: Any) -> Any:
    if not isinstance(cell, np.ndarray):
        return cell
    whole = cell.dtype.kind in "iub" or bool((cell == np.floor(cell)).all() and (abs(cell) < _WHOLE).all())
    return (cell.astype(np.int64) if whole else cell.astype(np.float64)).tolist()


def golden_rows(test: RawTest, pipeline: Pipeline) -> tuple[Rows, Rows]:
    """Some test rows spread over the split, one with a missing value where there are such, and the answers.

    Raises:
        InputError: The file gives a finite answer to none of them.
    """
    each = max(1, max((np.size(cells[0]) for cells in test.cells.values()), default=1))
    most = max(1, min(_GOLDEN, _GOLDEN_NUMBERS // each, len(test)))
    numbers = np.unique(np.linspace(0, len(test) - 1, most).round().astype(int)).tolist()
    lacking = test.lacking()
    if lacking and not set(lacking) & set(numbers):
        numbers[-1] = lacking[0]
    name = "probabilities" if pipeline.described.classes else "value"
    outputs = pipeline.outputs({key: tensor[numbers] for key, tensor in test.feeds.items()})[name]
    finite = np.flatnonzero(np.isfinite(outputs).reshape(len(numbers), -1).all(axis=1)).tolist()
    rows = test.rows([numbers[place] for place in finite])
    if not rows:
        raise InputError("the model answers no row of the test split by a finite number")
    return rows, pipeline.answer(rows)[0]


def score_on_test(test: RawTest, pipeline: Pipeline) -> Score:
    """The scores of the file's own answers on the test split."""
    answers = FileAnswers(pipeline)
    answers.add(test.feeds, test.truth)
    found = answers.scores()
    return Score(
        split="test",
        rows=found.rows,
        metrics=found.metrics,
        standard_errors=found.standard_errors,
        intervals=found.intervals,
        digest=found.digest,
    )
