"""How the numbers of a column are written: decimal mark, thousands, unit."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from satisfice.data.reading.cells import Rule
from satisfice.data.reading.columns import (
    FEW,
    ColumnNote,
    Habits,
    Learnt,
    Texts,
    examples,
    lost,
    read_texts,
    unsure,
    worth_keeping,
)
from satisfice.data.reading.text import SIGNS, pattern

_CODES = frozenset(
    (
        *("EUR", "USD", "GBP", "CHF", "JPY", "CNY", "SEK", "NOK", "DKK", "PLN", "CZK", "INR", "BRL", "RUB"),
        *("TRY", "AUD", "CAD", "R$", "US$", "kr", "Kč", "zł", "Fr", "Rs"),
    )
)
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MANY = 10  # distinct numbers, up to which a column with other texts is one of categories
_PADDED = re.compile(r"0[0-9]+")
_SHAPE = re.compile(
    r"[-+(]?\s*(?P<before>[^-\d\s.,'()+]{0,4})\s*[-+]?\s*"
    r"(?P<core>[.,]?\d(?:[\d.,' ]*\d|[.,])?(?:[eE][+-]?\d+)?)"
    r"\s*(?P<after>[^-\d\s.,'()+][^\d\s()]{0,9})?\s*[-)]?"
)
_FORM = SIGNS | str.maketrans("123456789", "999999999")  # what says of marks as much as the number itself


_CLEAN = re.compile(r"[0-9.eE+\-\n]*[0-9.]+[0-9.eE+\-\n]*")
_PADDED_LINE = re.compile(r"^0[0-9]+$", re.MULTILINE)
_POINT_LINE = re.compile(
    r"^[+-]?(?:[0-9]*\.(?:[0-9]{0,2}|[0-9]{4,})|0?\.[0-9]+|[0-9]{4,}\.[0-9]+)$", re.MULTILINE
)


def plain_numbers(cells: Sequence[Any]) -> Learnt | None:
    """The rule of a clean column of numbers, found quickly; None where its texts must be looked at."""
    try:
        lines = "\n".join(cells)
        pointed = "." in lines
        if _CLEAN.fullmatch(lines) is None or _PADDED_LINE.search(lines) is not None:
            return None
        if pointed and _POINT_LINE.search(lines) is None:
            return None
        if math.isinf(max(map(abs, map(float, filter(None, cells))))):
            return None
    except (TypeError, ValueError):
        return None
    return Learnt(rule=Rule(), certain="." if pointed else "")


def learn_numbers(texts: Texts, habits: Habits) -> Learnt | None:
    """The rule of a column of numbers, or why it is none; None where it does not look like numbers."""
    padded = [t for t in texts.counts if _PADDED.fullmatch(t)]
    if padded and _is_code(texts, padded):
        return Learnt(rule=Rule(kind="category"), why="holds numbers with leading zeros")
    plain = all(map(_PLAIN.fullmatch, texts.counts))
    dotted = [t for t in texts.counts if "." in t] if plain else []
    if plain:
        grouped = bool(dotted) and all(_grouped(t, ".") for t in dotted)
        rule = Rule(decimal=",", thousands=".") if grouped and habits.decimal == "," else Rule()
        certain = "." if dotted and not grouped else ""
    else:
        found = _convention(texts, habits)
        if isinstance(found, Learnt) or found is None:
            return found
        rule, certain = found
    unsettled = not certain and any("." in text for text in texts.counts)
    values, unread = read_texts(rule, texts)
    bad = {t: texts.counts[t] for t in unread}
    blank = {t: texts.counts[t] for t, v in values.items() if v != v and t not in bad}  # NaN
    good = texts.rows - sum(bad.values()) - sum(blank.values())
    if good == 0:
        return None
    share = sum(bad.values()) / (good + sum(bad.values()))
    allowed = FEW if texts.few or rule.unit else 0.5  # too many texts for categories: numbers keep more
    if bad and (share > allowed or len(values) - len(bad) - len(blank) <= _MANY):
        without = f" without {rule.unit!r}" if rule.unit else ""
        why = f"holds numbers and texts{without} ({examples(bad)})" if share <= 0.5 else ""
        return unsure(why, "for numbers, write them in one way, and leave empty what is unknown")
    rule = replace(rule, missing=worth_keeping(bad))
    notes = _number_notes(texts, rule, bad, blank, bool(padded))
    return Learnt(rule=rule, certain=certain, notes=notes, open="decimal" if unsettled else "")


def _number_notes(
    texts: Texts, rule: Rule, bad: Mapping[str, int], blank: Mapping[str, int], padded: bool
) -> tuple[ColumnNote, ...]:
    notes = []
    good = [t for t in texts.counts if t not in bad and t not in blank]
    shown = [t for t in good if not (rule.decimal == "." and _PLAIN.fullmatch(t))]
    if shown and (rule.decimal, rule.thousands, rule.unit) != (".", "", ""):
        parts = [f"{rule.decimal!r} as the decimal mark"]
        parts += [f"{rule.thousands!r} between thousands"] if rule.thousands else []
        parts += [f"{rule.unit!r} as the unit"] if rule.unit else []
        reason = f"is read as numbers with {' and '.join(parts)}"
        notes.append(ColumnNote(column=texts.name, what="read", reason=reason, examples=tuple(shown[:3])))
    elif padded:
        reason = "has leading zeros and too many values for categories: it is read as numbers"
        notes.append(ColumnNote(column=texts.name, what="read", reason=reason))
    return (*notes, *lost(texts, {**bad, **blank}, "numbers"))


def _is_code(texts: Texts, padded: Sequence[str]) -> bool:
    """Postal codes and the like: digits of one width, or with leading zeros now and then."""
    digits = [t for t in texts.counts if t.isdigit()]
    alike = len({len(t) for t in digits}) == 1
    often = sum(texts.counts[t] for t in padded) >= FEW * texts.rows
    return len(digits) >= 0.9 * len(texts.counts) and (alike or often) and texts.few


def _convention(texts: Texts, habits: Habits) -> tuple[Rule, str] | Learnt | None:
    """The marks of a column's numbers, and the decimal mark that they prove; a `Learnt` says why none."""
    forms: Counter[str] = Counter()
    for text, count in texts.counts.items():
        forms[text.translate(_FORM).strip()] += count
    shapes = {form: found for form in forms if (found := _SHAPE.fullmatch(form)) is not None}
    if not shapes:
        return None
    unit = _unit(texts, forms, shapes)
    if isinstance(unit, Learnt):
        return unit
    votes: Counter[str] = Counter()
    for form, shape in shapes.items():
        for vote in _votes(shape["core"]):
            votes[vote] += forms[form]
    comma, point = votes["decimal ,"] + votes["groups ."], votes["decimal ."] + votes["groups ,"]
    undecided = votes["open ,"]
    if min(comma, point) > FEW * (comma + point):
        return unsure("uses decimal commas and decimal points", "use one of them")
    if not comma and not point and undecided:
        if votes["open ."]:
            return unsure(
                "has commas and points of which either may mark decimals", "use the decimal point alone"
            )
        if not habits.decimal:
            why = "has commas that may mark decimals or thousands"
            return replace(unsure(why, "use the decimal point and no thousands mark"), open="decimal")
    by_comma = comma > point or (not point and habits.decimal == "," and bool(undecided or votes["open ."]))
    decimal, grouping = (",", ".") if by_comma else (".", ",")
    grouped = votes[f"groups {grouping}"] + votes[f"open {grouping}"]
    quiet = "'" if votes["groups '"] else " " if votes["groups  "] else ""
    rule = Rule(decimal=decimal, thousands=grouping if grouped else quiet, unit=unit)
    return rule, decimal if comma or point else ""


def _votes(core: str) -> list[str]:
    """What a number says of its marks: ``decimal ,``, ``groups .``, ``open ,`` (either), or nothing."""
    body = re.split("[eE]", core)[0]
    marks = list(dict.fromkeys(c for c in body if c in ".,' "))
    quiet = next((m for m in marks if m in "' "), "")
    if len(marks) > 2 or (len(marks) == 2 and body.count(marks[1]) > 1) or (quiet and marks[0] != quiet):
        return []
    if quiet or len(marks) == 2:
        decimal = marks[1] if len(marks) == 2 else "."
        if not _fits(core, decimal, marks[0]):
            return []
        return [f"groups {marks[0]}", *([f"decimal {decimal}"] if len(marks) == 2 else [])]
    if not marks:
        return []
    if body.count(marks[0]) > 1:
        return [f"groups {marks[0]}"] if _grouped(core, marks[0]) else []
    return [f"open {marks[0]}" if _grouped(core, marks[0]) else f"decimal {marks[0]}"]


def _fits(core: str, decimal: str, thousands: str) -> bool:
    return pattern(decimal, thousands).fullmatch(core) is not None


def _grouped(text: str, mark: str) -> bool:
    """Whether the marks may separate thousands."""
    return _GROUPED[mark].fullmatch(text) is not None


_GROUPED = {
    mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}(?:[{mark}][0-9]{size})*[{mark}][0-9]{{3}}")
    for mark, size in ((",", "{2,3}"), (".", "{3}"), ("'", "{3}"), (" ", "{3}"))
}


def _unit(texts: Texts, forms: Mapping[str, int], shapes: Mapping[str, re.Match[str]]) -> str | Learnt:
    """The one unit that stands at numbers; empty where there is none; a `Learnt` where there are several."""
    found: Counter[str] = Counter()
    for form, shape in shapes.items():
        before, after = shape["before"] or "", shape["after"] or ""
        if bool(before) != bool(after) and (after or _is_money(before)):
            found[before or after] += forms[form]
    if not found:
        return ""
    (unit, rows), *others = found.most_common(3)
    if rows < (1 - FEW) * found.total():
        if texts.few or found.total() < 0.5 * texts.rows:
            return ""
        units = " and ".join(repr(each) for each in (unit, *(other for other, _ in others)))
        return unsure(f"has numbers in several units ({units})", "use one unit")
    certain = unit in ("%", "‰") or _is_money(unit)
    if not certain and (rows < 0.5 * texts.rows or len(texts.counts) <= 20):
        return ""
    return unit


def _is_money(unit: str) -> bool:
    return unit in _CODES or any(unicodedata.category(c) == "Sc" for c in unit)
