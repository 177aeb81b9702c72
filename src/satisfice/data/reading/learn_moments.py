"""How the dates of a column are written: which of day, month and year comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from satisfice.data.reading.cells import ISO, Rule, read_clean
from satisfice.data.reading.columns import (
    FEW,
    ColumnNote,
    Habits,
    Learnt,
    Texts,
    lost,
    read_texts,
    unsure,
    worth_keeping,
)
from satisfice.data.reading.text import BLANK, MOMENT, moment


def plain_moments(cells: Sequence[Any]) -> Learnt | None:
    """The rule of a clean column of ISO dates, found quickly; None where its texts must be looked at."""
    rule = Rule(kind="moment")
    values = read_clean(rule, cells)
    clean = values is not None and not any(np.isnan(v) and c for v, c in zip(values, cells, strict=True))
    return Learnt(rule=rule) if clean and any(cells) else None


def learn_moments(texts: Texts, habits: Habits) -> Learnt | None:
    """The rule of a column of dates, or why it is none; None where it does not look like dates."""
    orders: Counter[str] = Counter()
    for text, count in texts.counts.items():
        orders["iso" if ISO.fullmatch(text) else _order(text)] += count
    known = {order: orders[order] for order in ("dmy", "mdy") if orders[order]}
    shaped = texts.rows - orders[""]
    if shaped < (1 - FEW) * sum(n for t, n in texts.counts.items() if t.lower() not in BLANK) or not shaped:
        return None
    if len(known) == 2 and min(known.values()) > FEW * sum(known.values()):
        return unsure("has dates with the day first and with the month first", "write dates as 2024-12-31")
    order = max(known, key=known.__getitem__) if known else habits.order
    if orders["open"] and not order:
        found = unsure("has dates whose day and month cannot be told apart", "write dates as 2024-12-31")
        return replace(found, open="order")
    rule = Rule(kind="moment", order=order if orders["open"] or known else "")
    values, unread = read_texts(rule, texts)
    blank = {t: texts.counts[t] for t in texts.counts if t.lower() in BLANK}
    never = {t: texts.counts[t] for t, v in values.items() if v != v and t not in unread and t not in blank}
    bad = {t: texts.counts[t] for t in unread}
    notes = []
    if rule.order:
        first = "day" if rule.order == "dmy" else "month"
        example = next((t for t, v in values.items() if v == v), "")
        notes.append(
            ColumnNote(
                column=texts.name,
                what="read",
                reason=f"is read as dates with the {first} first",
                examples=(example,),
            )
        )
    if never:
        reason = "has dates outside the years 1678 to 2261: they count as missing"
        notes.append(
            ColumnNote(
                column=texts.name,
                what="coerced",
                reason=reason,
                count=sum(never.values()),
                examples=tuple(never)[:3],
            )
        )
    rule = replace(rule, missing=worth_keeping(bad))
    return Learnt(rule=rule, certain=rule.order, notes=(*notes, *lost(texts, {**bad, **blank}, "dates")))


def _order(text: str) -> str:
    """What a date says of its order: ``iso``, ``dmy``, ``mdy``, ``open``; empty where it is none."""
    shape = MOMENT.fullmatch(text)
    if shape is None:
        return "iso" if moment(text, "") is not None else ""  # with the month's name
    first, mark, second, last = shape.groups()[:4]
    if len(first) == 4:
        return "iso"
    if len(last) not in (2, 4) or len(first) > 2:
        return ""
    if int(first) > 12 or int(second) > 12:
        return "dmy" if int(first) > 12 else "mdy"
    return "dmy" if mark == "." else "open"
