"""Which columns of a table hold text to be read as such: prose, not names or categories."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import pandas as pd

from satisfice.data.reading.cells import as_written
from satisfice.data.reading.columns import ColumnNote, Learnt
from satisfice.errors import DataError
from satisfice.registry import did_you_mean

# Of the median value; the names of people on a passenger list are shorter.
_LONG = 30  # characters
_WORDS = 4  # separated by blanks
_FEW = 50  # different values that may be categories, however few rows there are
_DIFFERENT = 0.5  # share of the rows, from which on a column has too many values for categories


def is_prose(learnt: Learnt, cells: Sequence[Any]) -> bool:
    """Whether values are long and nearly all different: no category, number or date is written so."""
    if learnt.rule.kind != "category" or learnt.why:
        return False
    texts = [text for text in map(as_written, cells) if text is not None]
    if len(set(texts)) <= max(_FEW, _DIFFERENT * len(cells)):
        return False
    return median(map(len, texts)) >= _LONG and median(len(text.split()) for text in texts) >= _WORDS


def inferred(name: str, series: pd.Series[Any]) -> ColumnNote:
    """The note on a column that was recognised."""
    return ColumnNote(
        column=name,
        what="read",
        reason="is read as text, since its values are long and nearly all different",
        count=len(series),
        remedy="text in [data] names such columns; text = [] for none",
    )


def check_named(names: Sequence[str], items: pd.DataFrame, where: str) -> tuple[str, ...]:
    """The columns of these names, which the study states as text.

    Raises:
        DataError: One is absent, or holds nothing.
    """
    known = [str(name) for name in items.columns]
    for name in names:
        if name not in known:
            if not known:
                raise DataError(f"data.text: {where} holds images, which have no columns", hint="remove text")
            raise DataError(f"data.text: {where} has no column {name!r}", hint=did_you_mean(name, known))
        if not any(text and not text.isspace() for text in map(as_written, items[name].tolist())):
            raise DataError(
                f"data.text: column {name!r} of {where} is empty in all {len(items)} rows",
                hint="name another column, or remove it from text",
            )
    return tuple(names)
