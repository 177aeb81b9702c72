"""The journal of a study as Markdown: sections of sentences and tables, those without content left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from satisfice.choose.bounds import number_text

_TAG = re.compile(r"<(?=[A-Za-z/!?])")


@dataclass(frozen=True, kw_only=True)
class JournalSection:
    """One section."""

    title: str
    lines: Sequence[str] = ()  # sentences, one a list item
    rows: Sequence[Mapping[str, Any]] = ()  # a table; all rows have the same columns
    code: str = ""  # a piece of study file


def as_markdown(title: str, intro: str, sections: Sequence[JournalSection]) -> str:
    """The whole text, with one newline at its end.

    Args:
        title: Of the page.
        intro: A paragraph below it.
        sections: In their order.
    """
    parts = [f"# {_plain(title)}", _plain(intro)]
    for section in sections:
        if not (section.lines or section.rows or section.code):
            continue
        parts.append(f"## {_plain(section.title)}")
        if section.lines:
            parts.append("\n".join(f"- {_plain(line)}" for line in section.lines))
        if section.rows:
            parts.append(_table(section.rows))
        if section.code:
            parts.append(f"```toml\n{section.code.strip()}\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(map(_cell, names)) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = number_text(value) if isinstance(value, float) else str(value)
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """On one line, and nothing of it taken for markup."""
    line = " ".join(text.split())
    return _TAG.sub("&lt;", line).replace("*", "\\*").replace("[", "\\[")
