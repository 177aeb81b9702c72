"""Cells to numbers, moments and categories, by rules that are data.

A rule is learnt from a whole column of the training data (`satisfice.data.reading.learn`), kept as JSON with
the model, and used wherever the model meets rows. This module and `satisfice.data.reading.text` import the
standard library and NumPy only.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.reading.text import BLANK, FIRST_YEAR, LAST_YEAR, TRUTH, moment, number, numeric, spelled

ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?", re.ASCII)
_DIGITS = {mark: re.compile(rf"[0-9{mark}eE+\n-]*") for mark in ".,"}
_YES = {"True": ("true", "yes", "y", 1.0, "t", "ja"), "False": ("false", "no", "n", 0.0, "f", "nein")}
_BAD = object()  # what a cell becomes that cannot be read
TEXTS = frozenset(("category", "text"))  # kinds of rules whose values are texts
_PLAIN = (("kind", "number"), ("decimal", "."))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How the cells of one column are read."""

    kind: str = "number"  # "number", "moment" (seconds since 1970 in UTC), "category" or "text"
    decimal: str = "."  # of a number: the decimal mark, "." or ","
    thousands: str = ""  # of a number: what separates thousands; empty for nothing
    unit: str = ""  # of a number: text before or after it, such as "%" or "€"
    truth: bool = False  # of a number: "true" is 1 and "false" is 0
    order: str = ""  # of a moment that ends with its year: "dmy" or "mdy"
    missing: tuple[str, ...] = ()  # further texts that mean "no value"
    values: tuple[str, ...] = ()  # of a category: the frequent values, as training spelled them

    def describe(self) -> dict[str, Any]:
        """What differs from a plain number, JSON-able."""
        found = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {k: v for k, v in found.items() if v not in ("", [], False) and (k, v) not in _PLAIN}

    @classmethod
    def restore(cls, described: Mapping[str, Any]) -> Rule:
        """The rule that `describe` told of."""
        found: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in described.items()}
        return cls(**found)

    def number(self, text: str) -> float | None:
        """The number that a text means; None where it means none."""
        if self.truth and text.lower() in TRUTH:
            return TRUTH[text.lower()]
        return number(text, decimal=self.decimal, thousands=self.thousands, unit=self.unit)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """A column that has been read."""

    values: NDArray[Any]  # float64 with NaN, or of categories and texts: str with None, where nothing is
    unread: Counter[str] = field(default_factory=Counter)  # texts that could not be read, and how often
    unseen: Counter[str] = field(default_factory=Counter)  # categories that are none of the frequent ones

    @property
    def known(self) -> int:
        """How many cells hold a value that was read."""
        if self.values.dtype == object:
            return sum(value is not None for value in self.values.tolist())
        return int(np.isfinite(self.values).sum())


def read(rule: Rule, cells: Sequence[Any] | NDArray[Any]) -> Cells:
    """The n cells of a column by its rule; shape (n,). What cannot be read is missing, and counted."""
    kind = cells.dtype.kind if isinstance(cells, np.ndarray) else "O"
    if isinstance(cells, np.ndarray) and kind in "iufb" and rule.kind == "number":
        numbers = cells.astype(np.float64)
        endless = Counter(str(value) for value in numbers[np.isinf(numbers)].tolist())
        return Cells(values=np.where(np.isfinite(numbers), numbers, np.nan), unread=endless)
    if isinstance(cells, np.ndarray) and kind == "M" and rule.kind == "moment":
        return Cells(values=_seconds(cells))
    listed: Sequence[Any] = cells.tolist() if isinstance(cells, np.ndarray) and kind != "M" else list(cells)
    texts = rule.kind in TEXTS
    quick = None if texts else read_clean(rule, listed)
    if quick is not None:
        return Cells(values=quick)
    found, unread = _one_by_one(rule, listed)
    if not texts:
        return Cells(values=np.array(found, dtype=np.float64), unread=unread)
    values = np.empty(len(found), dtype=object)
    values[:] = found
    known = set(rule.values)
    unseen = Counter(v for v in found if v is not None and v not in known) if known else Counter()
    return Cells(values=values, unread=unread, unseen=unseen)


def _one_by_one(rule: Rule, cells: Sequence[Any]) -> tuple[list[Any], Counter[str]]:
    if rule.kind == "text":
        return [as_written(cell) for cell in cells], Counter()
    meaning = {"number": _as_number, "moment": _as_moment, "category": category_of}[rule.kind](rule)
    nothing = None if rule.kind == "category" else math.nan
    met: dict[Any, Any] = {}  # equal cells are looked at once
    out: list[Any] = []
    unread: Counter[str] = Counter()
    for cell in cells:
        key = cell if type(cell) is str else (type(cell), str(cell))
        if key not in met:
            met[key] = meaning(cell)
        value = met[key]
        if value is _BAD:
            unread[str(cell).strip()] += 1
            value = nothing
        out.append(value)
    return out, unread


def read_clean(rule: Rule, cells: Sequence[Any]) -> NDArray[np.float64] | None:
    """The values of a clean column of texts; None where its cells must be looked at one by one."""
    try:
        if rule.kind == "moment":
            clean = all(map(ISO.fullmatch, filter(None, cells)))
            return _seconds(np.array([c or "NaT" for c in cells], "datetime64[us]")) if clean else None
        lines = "\n".join(cells)
        if rule.unit or _DIGITS[rule.decimal].fullmatch(lines) is None:  # thousands are no such digits either
            return None
        texts = lines.replace(rule.decimal, ".").split("\n")
        values = np.array([float(t or "nan") for t in texts] if "" in texts else list(map(float, texts)))
        return None if np.isinf(values).any() or len(values) != len(cells) else values
    except (TypeError, ValueError):
        return None


def _seconds(moments: NDArray[Any]) -> NDArray[np.float64]:
    days = moments.astype("datetime64[D]")
    lost = np.isnat(moments) | (days < np.datetime64(f"{FIRST_YEAR}-01-01"))
    lost |= days > np.datetime64(f"{LAST_YEAR}-12-31")
    whole = np.where(lost, np.datetime64(0, "s"), moments).astype("datetime64[us]").astype(np.int64)
    return np.where(lost, np.nan, whole / 1e6)


def _as_number(rule: Rule) -> Callable[[Any], Any]:
    def meaning(cell: Any) -> Any:
        text = spelled(cell)
        if text is None or text in rule.missing:
            return math.nan
        if isinstance(cell, int | float | Decimal | np.number | np.bool_):
            return float(cell) if math.isfinite(cell) else _BAD
        value = rule.number(text) if isinstance(cell, str) else None
        if value is None:
            return math.nan if text.lower() in BLANK else _BAD
        return value

    return meaning


def _as_moment(rule: Rule) -> Callable[[Any], Any]:
    def meaning(cell: Any) -> Any:
        text = spelled(cell)
        if text is None or text in rule.missing or text.lower() in BLANK:
            return math.nan
        value = moment(text, rule.order) if isinstance(cell, str | date | np.datetime64) else None
        return _BAD if value is None else value

    return meaning


def category_of(rule: Rule) -> Callable[[Any], Any]:
    """What a cell means: a text, or None where nothing is.

    Another spelling of a frequent value is that value: 1.0 and "01" for "1", "yes" or True for "Yes".
    """
    known = frozenset(rule.values)

    @cache  # whole or not at all: threads may share it
    def others() -> dict[Any, str]:
        found: dict[Any, str] = {}
        for key in (numeric, str.lower):
            keys = Counter(key(value) for value in known)
            found.update({key(v): v for v in known if key(v) is not None and keys[key(v)] == 1})
        return found

    def meaning(cell: Any) -> Any:
        text = spelled(cell)
        if text is None or text in known or not known:
            return text
        words = _YES.get(text, ()) if isinstance(cell, bool | np.bool_) else ()
        tried = (numeric(text), text.lower(), *words)
        return next((others()[each] for each in tried if each in others()), text)

    return meaning


def as_written(cell: Any) -> str | None:
    """A cell of text, to the letter: nothing is stripped, and words such as "NA" are words."""
    return cell or None if type(cell) is str else spelled(cell)


def refusal(rule: Rule, cells: Cells) -> tuple[str, str] | None:
    """Why a column cannot be taken, and the remedy; None where single cells at most are missing.

    It is refused where most of its values cannot be read, or where they are written by another habit.
    """
    bad, n = cells.unread.total(), cells.unread.total() + cells.known
    texts = [text for text, _ in cells.unread.most_common(100)]
    share = 0.5
    if rule.kind == "moment" and any(moment(t, order) is not None for t in texts for order in ("dmy", "mdy")):
        share = 0.0  # the days and months of the others are not to be trusted either
    for decimal, thousands in ((".", ","), (",", "."), (",", "")):
        if any(number(t, decimal=decimal, thousands=thousands, unit=rule.unit) is not None for t in texts):
            share = min(share, 0.1)
    if bad <= share * n:
        return None
    kind = {"number": "number", "moment": "date"}.get(rule.kind, rule.kind)
    what = f"holds {texts[0][:60]!r}, which is no {kind} as in training ({bad} of {n} values)"
    return what, f"write {told(rule)}"


def told(rule: Rule) -> str:
    """How values are written so that the rule reads them."""
    if rule.kind == "moment":
        form = {"dmy": ", or day, month, year: 31.12.2024", "mdy": ", or month, day, year: 12/31/2024"}
        return f"dates as 2024-12-31{form.get(rule.order, '')}"
    return "true or false" if rule.truth else f"numbers as 1{rule.thousands}234{rule.decimal}5{rule.unit}"
