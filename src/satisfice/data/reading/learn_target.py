"""The target's cells as labels or numbers of its own type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from satisfice.data.reading.cells import Rule
from satisfice.data.reading.columns import ColumnNote, Habits, Texts, read_texts
from satisfice.data.reading.learn import learn
from satisfice.data.reading.text import spelled

_WHOLE = re.compile(r"[+-]?[0-9]+")
MOST_CLASSES = 20  # of which a word for "no value" may be one


@dataclass(frozen=True, kw_only=True)
class LearntTarget:
    """The target's cells as values of its own type."""

    values: list[Any]  # None where there is none
    missing: Mapping[str, int]  # texts taken for "no value", and how often; "" for an empty cell
    unread: Mapping[str, int]  # texts among numbers
    rule: Rule = field(default_factory=Rule)  # by which its numbers were read
    notes: tuple[ColumnNote, ...] = ()
    why: str = ""  # why texts that look like numbers are none
    remedy: str = ""


def learn_target(
    name: str, cells: Sequence[Any], task: str | None, habits: Habits | None = None
) -> LearntTarget:
    """Labels, without blanks around them, or numbers: whole ones stay whole.

    A word such as ``NA`` is a class where it is no rarer than another class; else it means "no value".
    """
    stripped = [c.strip() if isinstance(c, str) else spelled(c) for c in cells]
    counts = Counter("" if c is None else c for c in stripped)
    words = {w: n for w, n in counts.items() if w and spelled(w) is None}
    real = {t: n for t, n in counts.items() if t and t not in words}
    classes = task != "regression" and len(real) <= MOST_CLASSES
    kept = {w for w, n in words.items() if classes and n >= max(3, min(real.values(), default=0))}
    learnt = learn(name, [c for c in stripped if c in real], habits)
    notes = [
        ColumnNote(
            column=name,
            what="read",
            reason=f"has the class {w!r} in {words[w]} rows: it is not taken as missing",
        )
        for w in sorted(kept)
    ]
    lost = {t: n for t, n in counts.items() if t == "" or (t in words and t not in kept)}
    rule = replace(learnt.rule, missing=())
    found: dict[str, float] = {}
    unread = dict(real)
    if rule.kind == "number":
        found, _ = read_texts(rule, Texts(name=name, counts=real, missing=0, rows=sum(real.values())))
        unread = {t: n for t, n in real.items() if np.isnan(found[t])}
    among = bool(unread) and (task == "classification" or (classes and min(unread.values()) >= 3))
    if rule.kind != "number" or kept or among:
        return LearntTarget(
            values=[None if c is None or c in lost else c for c in stripped],
            missing=lost,
            unread={},
            notes=tuple(notes),
            why=learnt.why,
            remedy=learnt.remedy,
        )
    notes += [note for note in learnt.notes if note.what == "read"]
    plain = rule == Rule() and all(map(_WHOLE.fullmatch, real))
    make: Any = bool if rule.truth else int if plain else float
    typed: dict[str, Any] = {t: make(t if plain else v) for t, v in found.items() if t not in unread}
    return LearntTarget(
        values=[typed.get(c) if c else None for c in stripped],
        missing=lost,
        unread=unread,
        rule=rule,
        notes=tuple(notes),
    )
