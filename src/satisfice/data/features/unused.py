"""What is said of columns that give a model nothing, or less than they hold."""

from __future__ import annotations

from typing import Any

import pandas as pd

from satisfice.data.features.image import ImageScaler
from satisfice.data.features.table import Column, TableEncoder
from satisfice.data.reading.columns import ColumnNote
from satisfice.data.reading.raw import RawData
from satisfice.data.reading.text import spelled

_MUCH = 0.05  # share of the rows with rare categories that is worth a note


def unused(train: RawData, preprocessor: TableEncoder | ImageScaler) -> list[ColumnNote]:
    """A note on each column of which no feature came, or of which many values became one."""
    if isinstance(preprocessor, ImageScaler) or not isinstance(train.items, pd.DataFrame):
        return []
    items = train.items
    gathered = [_gathered(items[c.name], c) for c in preprocessor.columns if c.rare]
    return [_ignored(items[name]) for name in preprocessor.ignored] + [g for g in gathered if g is not None]


def _gathered(series: pd.Series[Any], column: Column) -> ColumnNote | None:
    """Many rows whose categories are each too rare for a feature."""
    rare = series[~series.isin(column.categories or ()) & series.notna()]
    if len(rare) < _MUCH * len(series):
        return None
    return ColumnNote(
        column=column.name,
        what="read",
        reason=f"has {rare.nunique()} values that are too rare for features of their own: they count as one",
        count=len(rare),
        examples=tuple(str(value) for value in rare.unique()[:3]),
        remedy="group them where that is too many",
    )


def _ignored(series: pd.Series[Any]) -> ColumnNote:
    known = series.dropna()
    distinct = known.nunique()
    remedy = ""
    if distinct == 0:
        why = "it has no value in the training rows"
    elif distinct == 1 and len(known) == len(series):
        why = "it has the same value in all training rows"
    elif distinct > max(50, 0.5 * len(series)):
        why = f"its texts are nearly all different ({distinct} in {len(series)} training rows)"
        remedy = "drop it, or derive a number or a category from it"
    else:
        why = "none of its values is frequent enough for a feature"
    return ColumnNote(
        column=str(series.name),
        what="ignored",
        reason=f"is ignored: {why}",
        count=len(series),
        examples=tuple(spelled(value) or "" for value in known.unique()[:3]),
        remedy=remedy,
    )
