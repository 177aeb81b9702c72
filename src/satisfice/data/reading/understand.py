"""A table as it was read from its source, to one whose cells are numbers, moments and categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from satisfice.data.reading.cells import Rule
from satisfice.data.reading.columns import ColumnNote, Habits, Learnt
from satisfice.data.reading.learn import habits_of, learn, learn_columns
from satisfice.data.reading.learn_target import MOST_CLASSES, learn_target
from satisfice.data.reading.pandas_columns import as_series, is_text, read_cells
from satisfice.data.reading.prose import check_named, inferred, is_prose
from satisfice.data.reading.raw import RawData, Task
from satisfice.errors import DataError


def understand(
    raw: RawData, task: Task | None, where: str, text: Sequence[str] | None = (), *, infer: bool = False
) -> RawData:
    """Learn the rule of every column from all its rows, and read the table by them.

    Args:
        raw: As it was read.
        task: Of the target; None to infer it.
        where: Names the data in error messages.
        text: Columns of text; None where they are not stated.
        infer: Whether columns of text are then recognised.

    Raises:
        DataError: A row has no target, or one that is no number among numbers; or a column of text is absent
            or empty.
    """
    beside = learn(str(raw.target.name), raw.target.tolist()) if is_text(raw.target) else None
    items = raw.items.rename(columns=str) if isinstance(raw.items, pd.DataFrame) else pd.DataFrame()
    prose = check_named(text or (), items, where)
    texts = {
        name: items[name].tolist() for name in items.columns if is_text(items[name]) and name not in prose
    }
    learnt = learn_columns(texts, [] if beside is None else [beside])
    habits = habits_of([*learnt.values(), *([] if beside is None else [beside])])
    target, rule, said = _target(raw, task, where, habits)
    if not isinstance(raw.items, pd.DataFrame):
        return replace(raw, target=target, target_rule=rule, notes=(*raw.notes, *said))
    found_prose = [name for name in learnt if infer and text is None and is_prose(learnt[name], texts[name])]
    prose = (*prose, *found_prose)
    learnt = {name: each for name, each in learnt.items() if name not in prose}
    rules = {name: learnt[name].rule if name in learnt else _rule_of(items[name]) for name in items.columns}
    rules |= dict.fromkeys(prose, Rule(kind="text"))
    found = {name: read_cells(rule, items[name]) for name, rule in rules.items()}
    read = {name: as_series(rules[name], cells, items.index) for name, cells in found.items()}
    notes = [*raw.notes, *said, *(inferred(name, items[name]) for name in found_prose)]
    for name, each in learnt.items():
        notes += each.notes
        if each.why:
            notes.append(_left_as_text(name, each))
    for name, cells in found.items():
        never = int(items[name].notna().sum()) - cells.known if rules[name].kind == "moment" else 0
        if name not in learnt and name not in prose and (cells.unread or never):
            notes.append(_endless(name, cells.unread, never))
    return replace(
        raw,
        items=pd.DataFrame(read, index=items.index),
        target=target,
        rules=rules,
        target_rule=rule,
        notes=tuple(notes),
    )


def _rule_of(series: pd.Series[Any]) -> Rule:
    """Of a column that has a type."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return Rule(kind="category")
    if pd.api.types.is_datetime64_any_dtype(series):
        return Rule(kind="moment")
    return Rule(truth=pd.api.types.is_bool_dtype(series))


def _left_as_text(name: str, learnt: Learnt) -> ColumnNote:
    return ColumnNote(
        column=name,
        what="read",
        reason=f"{learnt.why}: it is taken as text, not as numbers or dates",
        remedy=learnt.remedy,
    )


def _endless(name: str, unread: Counter[str], never: int) -> ColumnNote:
    """Of a column that has a type."""
    reason = f"has {never} dates outside the years 1678 to 2261: they count as missing"
    if not never:
        reason = f"has {unread.total()} infinite values: they count as missing"
    return ColumnNote(
        column=name,
        what="coerced",
        reason=reason,
        count=never or unread.total(),
        examples=tuple(unread)[:3],
    )


def _target(
    raw: RawData, task: Task | None, where: str, habits: Habits
) -> tuple[pd.Series[Any], Rule, list[ColumnNote]]:
    """The target as values of its own type, and the rule by which its numbers were read."""
    series = raw.target
    if not is_text(series):
        return series, Rule(), []
    learnt = learn_target(str(series.name), series.tolist(), task, habits)
    if learnt.unread:
        shown = ", ".join(repr(t) for t in sorted(learnt.unread, key=lambda t: -learnt.unread[t])[:3])
        count = sum(learnt.unread.values())
        raise DataError(
            f"{where}: the target {series.name!r} holds numbers and {count} that are none ({shown})",
            hint='correct or remove those rows, or set task = "classification" in [data] if they are classes',
        )
    if learnt.missing:
        words = [word for word in learnt.missing if word]
        named = f" ({', '.join(f'{w!r} in {learnt.missing[w]}' for w in words)})" if words else ""
        hint = (
            f"remove those rows; if {words[0]!r} is a class, give it another name"
            if words
            else "remove those rows"
        )
        hint += "".join(f"; {note}" for note in raw.notes if not note.column)
        count = sum(learnt.missing.values())
        raise DataError(
            f"{where}: {count} rows have no value in the target {series.name!r}{named}", hint=hint
        )
    values = learnt.values
    if learnt.why and (task == "regression" or len(set(values)) > MOST_CLASSES):
        raise DataError(f"{where}: the target {series.name!r} {learnt.why}", hint=learnt.remedy)
    kinds = {type(value) for value in values}
    dtype: Any = {frozenset({int}): np.int64, frozenset({float}): np.float64, frozenset({bool}): bool}.get(
        frozenset(kinds), object
    )
    try:
        typed = pd.Series(values, index=series.index, name=series.name, dtype=dtype)
    except OverflowError:  # beyond 64 bits
        typed = pd.Series(values, index=series.index, name=series.name, dtype=np.float64)
    return typed, learnt.rule, list(learnt.notes)
