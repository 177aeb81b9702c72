"""A column of texts while its rule is learnt: what is known of it, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from satisfice.data.reading.cells import Rule, read

FEW = 0.05  # share of the values up to which single unreadable ones count as missing
_LONG = 60  # characters of a cell that are shown


@dataclass(frozen=True, kw_only=True)
class ColumnNote:
    """What happened to a column that was not simply used as it stands."""

    column: str  # empty for the whole file
    what: str  # "ignored", "coerced" (values became missing) or "read" (by a rule worth knowing)
    reason: str  # a clause that follows the column's name
    count: int = 0  # rows concerned
    examples: tuple[str, ...] = ()
    remedy: str = ""

    def __post_init__(self) -> None:
        """Examples are shown short."""
        object.__setattr__(self, "examples", tuple(text[:_LONG] for text in self.examples))

    def __str__(self) -> str:
        """One sentence."""
        shown = f" ({', '.join(map(repr, self.examples))})" if self.examples else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        subject = f"column {self.column!r} " if self.column else ""
        return f"{subject}{self.reason}{shown}{remedy}"


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A column's rule, and what is worth saying about it."""

    rule: Rule
    notes: tuple[ColumnNote, ...] = ()
    why: str = ""  # of a category: why it is none of numbers and dates, though it looks so
    remedy: str = ""
    certain: str = ""  # of a number: the decimal mark that its cells prove; of a moment: the order
    open: str = ""  # what the column alone does not tell: "decimal" or "order"


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What other columns of the table prove."""

    decimal: str = ""
    order: str = ""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The texts of a column, without those that mean "no value" everywhere."""

    name: str
    counts: Mapping[str, int]
    missing: int  # rows that hold none
    rows: int  # that hold one

    @property
    def few(self) -> bool:
        """Whether they are few enough to be categories."""
        return len(self.counts) + (self.missing > 0) <= max(50, 0.5 * (self.rows + self.missing))


def unsure(why: str, remedy: str) -> Learnt:
    """A column that stays text, since its numbers or dates cannot be read for sure."""
    return Learnt(rule=Rule(kind="category"), why=why, remedy=remedy)


def read_texts(rule: Rule, texts: Texts) -> tuple[dict[str, float], Collection[str]]:
    """The value of each text, NaN where it has none; and the texts that cannot be read."""
    spelt = list(texts.counts)
    cells = read(rule, spelt)
    return dict(zip(spelt, cells.values.tolist(), strict=True)), cells.unread.keys()


def lost(texts: Texts, bad: Mapping[str, int], kind: str) -> list[ColumnNote]:
    """The note on texts that count as missing; none where there are none."""
    if not bad:
        return []
    count = sum(bad.values())
    return [
        ColumnNote(
            column=texts.name,
            what="coerced",
            reason=f"has {count} of {texts.rows} values that are no {kind}: they count as missing",
            count=count,
            examples=tuple(sorted(bad, key=lambda t: -bad[t])[:3]),
            remedy="leave those cells empty, or correct them",
        )
    ]


def examples(texts: Mapping[str, int]) -> str:
    """The most frequent ones, quoted."""
    return ", ".join(repr(t[:_LONG]) for t in sorted(texts, key=lambda t: -texts[t])[:3])


def worth_keeping(bad: Mapping[str, int]) -> tuple[str, ...]:
    """The texts that a rule knows as missing from then on: the most frequent, of those that are short."""
    return tuple(t for t in sorted(bad, key=lambda t: -bad[t]) if len(t) <= _LONG)[:20]
