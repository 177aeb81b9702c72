"""What ``model.json`` says of a shipped model: a typed record, format 1.

This module ships with models: it imports the standard library and the reader of cells only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from satisfice.data.reading.cells import Rule

FORMAT = 1
VALIDATION = "validation"
# Means over folds: each row was scored by a model that had not seen it, and all of them train what ships.
CROSS_VALIDATION = "cross-validation"
IMAGE_COLUMN = "image"  # name under which a row holds its image


@dataclass(frozen=True, kw_only=True)
class InputColumn:
    """One column of a table that the model takes."""

    name: str
    rule: Rule  # how its cells are read; of a category also its frequent values
    low: float | None = None  # least number that training saw; of a moment in seconds since 1970 in UTC
    high: float | None = None  # largest one
    rare: bool = False  # of a category: whether values that training never saw have a feature to go to
    tensor: str = ""  # its input of model.onnx, where that is named otherwise, as beside an output `value`

    @property
    def input_name(self) -> str:
        """The name of its input in ``model.onnx``."""
        return self.tensor or self.name


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """The images that the model takes."""

    shape: tuple[int, int, int]  # channels, height, width
    dtype: str  # "uint8" (0 to 255) or "float64"
    # Height and width to which images of any other size are brought before they are brought to `shape`, as
    # the training images were; None: no other size is taken.
    kept: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One bound that the model was chosen under, or one measured value, and how it was measured."""

    metric: str
    value: float
    bound: str | None = None  # such as "<= 5", in the metric's own unit
    low: float | None = None  # ends of the 95% interval
    high: float | None = None
    host: str = ""  # fingerprint of the class of host; empty where the metric does not depend on it
    runtime: str = ""  # "onnxruntime"
    version: str = ""  # of the runtime
    precision: str = ""  # "none", "fp16", "int8", "int4", "int8_static"
    threads: int = 1
    estimated: bool = False  # computed from something else: energy from processor time


@dataclass(frozen=True, kw_only=True)
class Score:
    """Scores of the shipped file's own answers on one split of the data."""

    split: str  # "test", VALIDATION or CROSS_VALIDATION
    rows: int
    metrics: Mapping[str, float]
    standard_errors: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # 95%
    digest: str = ""  # of the rows, as `satisfice.train.file_scores` computes it; empty where it is not known


@dataclass(frozen=True, kw_only=True)
class Description:
    """All that ``model.json`` holds."""

    name: str
    study: str
    trial: int
    task: str  # "classification" or "regression"
    target: str  # name of the column that is predicted
    input: tuple[InputColumn, ...] | ImageInput
    classes: tuple[Any, ...] = ()  # labels of one type, in the order of the probabilities; () for regression
    target_rule: Rule = field(default_factory=Rule)  # how cells of the target are read where it holds numbers
    threshold: float | None = (
        None  # from which the second of two classes is answered; None: the more probable
    )
    outputs: Mapping[str, str] = field(default_factory=dict)  # name in model.onnx -> ONNX type
    promises: tuple[Promise, ...] = ()
    scores: tuple[Score, ...] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)  # file -> SHA-256 in hexadecimal digits

    @property
    def columns(self) -> tuple[InputColumn, ...]:
        """Columns of a table; () for images."""
        return () if isinstance(self.input, ImageInput) else self.input

    @property
    def names(self) -> tuple[str, ...]:
        """What a row must hold."""
        return (IMAGE_COLUMN,) if isinstance(self.input, ImageInput) else tuple(c.name for c in self.input)

    def promise(self, metric: str) -> Promise | None:
        """What is promised of this metric."""
        return next((each for each in self.promises if each.metric == metric), None)


def to_json(described: Description) -> dict[str, Any]:
    """The content of ``model.json``."""
    given = described.input
    if isinstance(given, ImageInput):
        told: dict[str, Any] = {"kind": "image", "shape": list(given.shape), "dtype": given.dtype}
        told |= {} if given.kept is None else {"kept": list(given.kept)}
    else:
        told = {"kind": "table", "columns": [_column_json(column) for column in given]}
    return {
        "format": FORMAT,
        **{key: getattr(described, key) for key in ("name", "study", "trial", "task", "target")},
        # Left out where it is plain: the checksums of folders that were written without it still hold.
        **({"target_rule": told_rule} if (told_rule := described.target_rule.describe()) else {}),
        "classes": list(described.classes),
        "threshold": described.threshold,
        "input": told,
        "outputs": dict(described.outputs),
        "promises": [_promise_json(each) for each in described.promises],
        "scores": [
            {
                "split": each.split,
                "rows": each.rows,
                "metrics": dict(each.metrics),
                "standard_errors": dict(each.standard_errors),
                "intervals": {name: list(ends) for name, ends in each.intervals.items()},
                "digest": each.digest,
            }
            for each in described.scores
        ],
        "checksums": dict(described.checksums),
    }


def _column_json(column: InputColumn) -> dict[str, Any]:
    rule = column.rule.describe()
    kind = rule.pop("kind", "number")
    told: dict[str, Any] = {"name": column.name, "kind": kind, "rule": rule}
    told |= {"rare": True} if column.rare else {}
    told |= {"tensor": column.tensor} if column.tensor else {}
    told |= {} if column.low is None else {"low": column.low}
    return told | ({} if column.high is None else {"high": column.high})


def _promise_json(promise: Promise) -> dict[str, Any]:
    content = dict(vars(promise))
    if not promise.estimated:
        del content["estimated"]
    return content
