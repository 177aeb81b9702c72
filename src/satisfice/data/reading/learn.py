"""How each column of a table is written: rules for its cells, learnt from the whole column.

What is unambiguous in a column as a whole is read. Where two readings remain, the other columns of the table
may settle it; else the column is left as text, and a note says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from satisfice.data.reading.cells import Rule
from satisfice.data.reading.columns import ColumnNote, Habits, Learnt, Texts
from satisfice.data.reading.learn_moments import learn_moments, plain_moments
from satisfice.data.reading.learn_numbers import learn_numbers, plain_numbers
from satisfice.data.reading.text import spelled


def learn_columns(columns: Mapping[str, Sequence[Any]], beside: Sequence[Learnt] = ()) -> dict[str, Learnt]:
    """The rule of every column of texts, by its name; what one leaves open, the others may settle.

    Args:
        columns: The cells of each.
        beside: Columns of the same table that are learnt on their own, such as the target.
    """
    found = {name: learn(name, cells) for name, cells in columns.items()}
    habits = habits_of([*found.values(), *beside])
    for name, each in found.items():
        if each.open and getattr(habits, each.open):
            found[name] = learn(name, columns[name], habits)
    return found


def habits_of(found: Sequence[Learnt]) -> Habits:
    """What the columns of a table prove together; nothing where they contradict each other."""
    marks = {f.certain for f in found if f.rule.kind == "number" and f.certain}
    orders = {f.certain for f in found if f.rule.kind == "moment" and f.certain}
    return Habits(
        decimal=marks.pop() if len(marks) == 1 else "", order=orders.pop() if len(orders) == 1 else ""
    )


def learn(name: str, cells: Sequence[Any], habits: Habits | None = None) -> Learnt:
    """The rule of one column."""
    habits = habits or Habits()
    quick = plain_numbers(cells) or plain_moments(cells)
    if quick is not None:
        return quick
    spelt = Counter(map(spelled, cells))
    missing = spelt.pop(None, 0)
    counts = {text: count for text, count in spelt.items() if text is not None}
    texts = Texts(name=name, counts=counts, missing=missing, rows=sum(counts.values()))
    if counts and not missing and {text.lower() for text in counts} <= {"true", "false"}:
        return Learnt(rule=Rule(truth=True))
    why = Learnt(rule=Rule(kind="category"))
    if counts:
        for kind in (learn_numbers, learn_moments):
            learnt = kind(texts, habits)
            if learnt is not None and learnt.rule.kind != "category":
                return learnt
            why = learnt or why
    return replace(why, rule=Rule(kind="category"), notes=_words_for_missing(name, cells))


def _words_for_missing(name: str, cells: Sequence[Any]) -> tuple[ColumnNote, ...]:
    words = Counter(c.strip() for c in cells if isinstance(c, str) and c.strip() and spelled(c) is None)
    if not words:
        return ()
    return (
        ColumnNote(
            column=name,
            what="coerced",
            reason=f"has {words.total()} {'cell' if words.total() == 1 else 'cells'} taken as missing",
            count=words.total(),
            examples=tuple(word for word, _ in words.most_common(3)),
            remedy="write the value in another way if it is one",
        ),
    )
