"""What one text means as a number, a moment or a category. Standard library only: it ships with models."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

# Texts that mean "no value" in every column, as pandas reads them, and "?".
MISSING = frozenset(
    (
        *("", "?", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
        *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)
# Texts, in small letters, that mean it among numbers and dates.
BLANK = frozenset(
    (
        *("-", "--", "---", "–", "—", ".", "..", "...", "*", "na", "n.a.", "n.a", "n/a", "n/d", "nd", "none"),
        *("nil", "null", "nan", "nat", "missing", "unknown", "not available", "k.a.", "k. a.", "tbd", "#nv"),
        *("#n/v", "#value!", "#wert!", "#ref!", "#bezug!", "#div/0!", "#num!", "#name?", "#null!", "#n/a"),
        *("0000-00-00", "0000-00-00 00:00:00"),
    )
)
TRUTH = {"true": 1.0, "false": 0.0}
SIGNS = str.maketrans({"−": "-", "’": "'", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\ufeff": " "})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1678, 2261  # years outside stand for "never", such as 9999
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED = re.compile(
    r"([A-Za-z]{3,9})\.?[ ,]+(\d{1,2}),?[ ]+(\d{4})|(\d{1,2})[-. /]+([A-Za-z]{3,9})\.?[-, /]+(\d{2,4})"
)
MOMENT = re.compile(
    r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})"
    r"(?:[T ,]\s*(\d{1,2}):?(\d{2})?(?::?(\d{2})(?:[.,](\d+))?)?\s*([AaPp])?(?:\.?[Mm]\.?)?"
    r"\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)


def spelled(cell: Any) -> str | None:
    """A cell as text, without blanks around it; None for a missing value. A whole number has no ".0"."""
    if isinstance(cell, str):
        text = cell.strip()
        return None if text in MISSING else text
    if cell is None or str(cell) in MISSING or str(cell) == "NaT":
        return None
    if not isinstance(cell, bool) and isinstance(cell, float) and math.isfinite(cell) and cell == int(cell):
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else str(cell).strip()


@lru_cache(maxsize=64)
def pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    """An unsigned number with these marks. Thousands are in groups of three; with commas also as in India."""
    d, t = re.escape(decimal), re.escape(thousands)
    middle = "{2,3}" if thousands == "," else "{3}"
    groups = rf"[0-9]{{1,3}}(?:{t}[0-9]{middle})*{t}[0-9]{{3}}|" if thousands else ""
    return re.compile(rf"(?:(?:{groups}[0-9]+)(?:{d}[0-9]*)?|{d}[0-9]+)(?:[eE][+-]?[0-9]+)?")


def number(text: str, *, decimal: str = ".", thousands: str = "", unit: str = "") -> float | None:
    """The number that a text means by these marks; None where it means none.

    Negative ones may have a sign before or after them, of ASCII or Unicode, or brackets around them.
    """
    text = text.translate(SIGNS).strip()
    if unit:
        bare = text.replace(unit, "", 1).strip()
        if bare == text and unit == "%" and text.strip("0.,") != "":
            return None  # 5 beside 5% may mean 5 or 500%
        text = bare
    negative = text.startswith("(") and text.endswith(")")
    text = text[1:-1].strip() if negative else text
    if text[:1] in ("-", "+") or text[-1:] == "-":
        negative ^= "-" in (text[0], text[-1])
        text = (text[1:] if text[0] in "-+" else text[:-1]).strip()
    if pattern(decimal, thousands).fullmatch(text) is None:
        return None
    plain = text.replace(thousands, "") if thousands else text
    value = float(plain.replace(decimal, "."))
    return (-value if negative else value) if math.isfinite(value) else None


def moment(text: str, order: str) -> float | None:
    """Seconds since 1970 in UTC; None where the text is no such moment; NaN for a year that means "never".

    A year of four digits may always come first. A time without zone is taken as UTC.

    Args:
        text: A date, with or without a time.
        order: Of one that ends with its year: "dmy" or "mdy"; empty for none.
    """
    named = _NAMED.match(text)
    if named is not None:
        month, day, year = (named[i] for i in ((1, 2, 3) if named[1] else (5, 4, 6)))
        if month[:3].lower() not in _MONTHS:
            return None
        text, order = f"{day}.{_MONTHS.index(month[:3].lower()) + 1}.{year}{text[named.end() :]}", "dmy"
    found = MOMENT.fullmatch(text)
    if found is None:
        return None
    a, _, b, c, *clock, half, zone = found.groups()
    if len(a) == 4:
        year, month, day = a, b, c
    elif order and len(c) in (2, 4) and len(a) < 3:
        year, (day, month) = c, (a, b) if order == "dmy" else (b, a)
    else:
        return None
    try:
        hour, minute, second = (int(part or 0) for part in clock[:3])
        if half is not None:
            hour = hour % 12 + 12 * (half in "pP")
        years = int(year) + (0 if len(year) == 4 else 1900 if int(year) > 68 else 2000)
        at = datetime(years, int(month), int(day), hour, minute, second, tzinfo=_zone(zone))
    except ValueError:
        return None
    if not FIRST_YEAR <= years <= LAST_YEAR:
        return math.nan
    return (at - EPOCH).total_seconds() + float(f"0.{clock[3] or 0}")


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return UTC
    away = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]) if len(text) > 3 else 0)
    return timezone(-away if text[0] == "-" else away)


def numeric(text: str) -> float | None:
    """The plain number that a category's text is; None where it is none."""
    return number(text) if text[:1].isdigit() or text[:1] in ("-", "+", ".") else None
