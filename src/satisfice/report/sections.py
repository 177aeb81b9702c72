"""Sections of the page that tell what to change next, and what made the chosen trial good."""

from __future__ import annotations

import html

from satisfice.choose.bounds import number_text
from satisfice.results.importance import AblationRow
from satisfice.results.report_context import ReportContext
from satisfice.results.understanding import HealthNote

_MOST = 6  # findings that are shown


def better_next(context: ReportContext) -> str:
    """What is wrong with the study, the gravest first, each with the piece of study file that mends it."""
    if not context.health:
        return ""
    shown = list(context.health)[:_MOST]
    items = "".join(f"<li><b>{_e(n.subject)}</b>: {_e(n.evidence)}.{_remedy(n)}</li>" for n in shown)
    more = len(context.health) - len(shown)
    rest = f'<p class="caption">{more} more: <code>satisfice health</code> tells them.</p>' if more else ""
    return _section("better", "What to change next", f'<ul class="says">{items}</ul>{rest}')


def _remedy(note: HealthNote) -> str:
    if not note.remedy:
        return ""
    head = "<summary>What to write in the study file</summary>"
    return f"<details>{head}<pre>{_e(note.remedy.strip())}</pre></details>"


def made_good(context: ReportContext) -> str:
    """What each technique of the chosen trial is worth, by the study that switched each of them off."""
    found = context.ablation
    if found is None or not found.table:
        return ""
    heads = "".join(f"<th>{h}</th>" for h in ("change", "metric", "effect", "95% interval", "seen"))
    rows = "".join(_row(row) for row in found.table)
    seeds = "seed" if found.seeds == 1 else "seeds"
    caption = (
        f"Trial {found.trial} was trained again with one technique switched off at a time, with "
        f"{found.seeds} {seeds} each, in the study {found.study}. An effect is the mean with the technique "
        "minus the mean without it."
    )
    table = (
        '<div class="scroll" role="group" aria-label="What made it good" tabindex="0"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return _section("good", "What made it good", f'<p class="caption">{_e(caption)}</p>{table}')


def _row(row: AblationRow) -> str:
    tone = (
        f' class="{"good" if row.verdict == "better" else "bad"}"'
        if row.verdict in ("better", "worse")
        else ""
    )
    ends = "" if row.low is None or row.high is None else f"{_signed(row.low)} to {_signed(row.high)}"
    effect = "unknown" if row.effect is None else _signed(row.effect)
    cells = "".join(f"<td>{_e(text)}</td>" for text in (row.metric, effect, ends))
    return f"<tr><th>{_e(row.change)}</th>{cells}<td{tone}>{_e(row.verdict)}</td></tr>"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{number_text(value, 3)}"


def _section(name: str, title: str, body: str) -> str:
    head = f'<h2 id="{name}-title">{_e(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{head}{body}</section>'


def _e(text: object) -> str:
    return html.escape(str(text))
