"""The target column: what kind of task it makes, and its classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.features.scale import is_constant
from satisfice.data.reading.raw import Task
from satisfice.errors import DataError

# A column of whole numbers with more distinct values than this is a quantity, not a set of classes.
_MOST_NUMERIC_CLASSES = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """The target as numbers.

    For two classes the positive one has code 1.
    """

    task: Task
    values: NDArray[Any]  # classification: int64 codes; regression: float64; shape (n,)
    classes: tuple[Any, ...] = ()  # by code; JSON-able; empty for regression


def infer_task(target: pd.Series[Any]) -> Task:
    """Classification for text, flags and few whole numbers, else regression."""
    if pd.api.types.is_bool_dtype(target) or not pd.api.types.is_numeric_dtype(target):
        return "classification"
    values = target.dropna()
    whole = bool(np.isfinite(values).all() and (values == values.round()).all())
    return "classification" if whole and values.nunique() <= _MOST_NUMERIC_CLASSES else "regression"


def encode_target(target: pd.Series[Any], task: Task | None, positive: Any, where: str) -> Target:
    """Turn the target column into numbers.

    Args:
        target: Length n.
        task: None to infer it.
        positive: The positive class; None for the rarer one.
        where: Names the data in error messages.

    Raises:
        DataError: Missing values, a single class, too few rows of a class, text where numbers are due, or an
            unknown positive class.
    """
    missing = int(target.isna().sum())
    if missing:
        raise DataError(
            f"{where}: {missing} rows have no value in the target {target.name!r}", hint="remove those rows"
        )
    task = task or infer_task(target)
    if task == "regression":
        return _encode_numbers(target, where)
    return _encode_classes(target, positive, where)


def _encode_numbers(target: pd.Series[Any], where: str) -> Target:
    numbers = pd.to_numeric(target, errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        first = str(target[~np.isfinite(numbers)].iloc[0])
        raise DataError(
            f"{where}: the target {target.name!r} holds values that are no numbers, such as {first!r}",
            hint='name another target, or set task = "classification" in [data]',
        )
    if is_constant(numbers):
        raise DataError(f"{where}: the target {target.name!r} has the same value in every row")
    return Target(task="regression", values=numbers)


def _encode_classes(target: pd.Series[Any], positive: Any, where: str) -> Target:
    plain = [_plain(value) for value in target.unique()]
    classes = sorted(plain, key=lambda value: (isinstance(value, str), value))
    if len(classes) < 2:
        raise DataError(
            f"{where}: the target {target.name!r} has the single class {classes[0]!r}",
            hint="at least two classes are needed",
        )
    codes = target.map({value: code for code, value in enumerate(classes)}).to_numpy(dtype=np.int64)
    counts = np.bincount(codes)
    rarest = int(np.argmin(counts))
    if counts[rarest] < 3:
        rows = "1 row" if counts[rarest] == 1 else f"{counts[rarest]} rows"
        raise DataError(
            f"{where}: class {classes[rarest]!r} of the target {target.name!r} has {rows}, "
            "too few for training, validation and test",
            hint='drop or merge it, or set task = "regression" in [data] if the target is a quantity',
        )
    if len(classes) == 2:
        chosen = rarest if positive is None else _find(positive, classes, target.name, where)
        if chosen == 0:
            classes, codes = classes[::-1], 1 - codes
    elif positive is not None:
        raise DataError(
            f"{where}: `positive` is given, but the target {target.name!r} has {len(classes)} classes",
            hint="leave it out: metrics are averaged over the classes",
        )
    return Target(task="classification", values=codes, classes=tuple(classes))


def _find(positive: Any, classes: list[Any], name: Any, where: str) -> int:
    for code, value in enumerate(classes):
        if value == positive or str(value) == str(positive):
            return code
    raise DataError(
        f"{where}: the positive class {positive!r} is not in the target {name!r}",
        hint="its classes are " + ", ".join(repr(c) for c in classes),
    )


def _plain(value: Any) -> Any:
    """A class label as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, bool | int | float | str) else str(value)
