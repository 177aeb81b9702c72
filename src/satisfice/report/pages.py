"""The report's pages as HTML. Everything that came from a study is escaped here, once."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from string import Template

from satisfice.choose import pareto_front, trial_violations
from satisfice.choose.bounds import beside, metric_value
from satisfice.choose.endings import kind_of
from satisfice.report.all_figures import Group, Titled
from satisfice.report.context import StudyView
from satisfice.report.headline import headline
from satisfice.report.plot_data import show
from satisfice.report.summary import comparison, paragraphs, tested_first, verdict
from satisfice.results.report_context import ReportContext
from satisfice.spec.metric import one_unit
from satisfice.spec.trial import TrialRecord

# File name without its ending: title in the navigation, heading, group of figures
PAGES: Mapping[str, tuple[str, str, Group | None]] = {
    "index": ("Result", "", None),
    "pareto": ("Trade-offs", "What is traded for what", "pareto"),
    "history": ("History", "How the search went", "history"),
    "importances": ("What matters", "Which parameters matter", "importances"),
    "contours": ("Contours", "Each metric over the two parameters that drive it most", "contours"),
    "parallel": ("Parallel", "All parameters and metrics at once", "parallel"),
    "curves": ("Learning curves", "What the trials reported while training", "curves"),
    "trials": ("Trials", "Every trial", None),
}

_ROWS = 2000  # a table of more helps no reader; the export has them all


def render(name: str, body: str, *, study: str, footer: str, plots: bool) -> str:
    """One whole page."""
    links = []
    for page, (title, _, _) in PAGES.items():
        current = ' aria-current="page"' if page == name else ""
        links.append(f'<a href="{page}.html"{current}>{title}</a>')
    heading = PAGES[name][0]
    return Template(_text("page.html")).substitute(
        title=f"{_e(study)}: {heading}",
        css=_text("report.css"),
        brand=_e(study),
        nav=" ".join(links),
        body=body,
        footer=_e(footer),
        scripts=(Template(_text("figures.html")).substitute() if plots else "") + _text("tables.html"),
    )


def _text(name: str) -> str:
    return files("satisfice.report").joinpath(name).read_text(encoding="utf-8")


def _e(text: object) -> str:
    return html.escape(str(text))


def figure_section(titled: Titled) -> str:
    """A heading, its caption, and the plot; without a plot the caption says why."""
    head = f"<h2>{_e(titled.title)}</h2>"
    if titled.caption:
        head += f'<p class="caption">{_e(titled.caption)}</p>'
    if titled.figure is None:
        return f'<section class="absent">{head}</section>'
    # Within a script element only "</" could end it early; JSON may write the solidus escaped.
    content = titled.figure.to_json().replace("</", "<\\/").replace("<!--", "<\\u0021--")
    wide = ""
    if titled.group == "parallel":
        axes = len(json.loads(content)["data"][0]["dimensions"])
        wide = f' wide" style="--width: {90 * axes}px'
    height = titled.figure.layout.height
    plot = f'<div class="scroll"><div class="plot{wide}" data-height="{height}"></div>'
    return f'<section>{head}{plot}<script type="application/json">{content}</script></div></section>'


def index_body(view: StudyView, context: ReportContext, figures: Sequence[Titled]) -> str:
    """The page that answers: what was chosen, what it is worth, what it cost."""
    says = "".join(f"<li>{_e(p)}</li>" for p in paragraphs(view, context))
    parts = [f"<h1>{_e(headline(view, context))}</h1>", _tiles(view, context)]
    if says:
        parts.append(f'<ul class="says">{says}</ul>')
    parts += [figure_section(f) for f in figures if f.group == "pareto"][:1]
    parts += [_front_section(view), _comparison_section(view, context), _turned_away_section(context)]
    parts.append(_data_section(context))
    parts += [figure_section(f) for f in figures if f.group == "history"][:1]
    return "\n".join(p for p in parts if p)


def _tiles(view: StudyView, context: ReportContext) -> str:
    status = context.status
    budget = status.get("budget", {})
    ended = Counter(map(kind_of, view.records))
    fitting, away = len(view.feasible), int(status.get("turned_away", 0))
    tiles = [
        (f"{budget.get('used', 0):,} of {budget.get('trials', 0):,}", "trials of the budget used"),
        (f"{fitting:,}", "complete trial that fits" if fitting == 1 else "complete trials that fit"),
        (f"{away:,}", f"{'proposal' if away == 1 else 'proposals'} turned away before training"),
    ]
    for kind in ("stopped early", "diverged", "failed"):
        count = ended[kind]
        if count or kind == "stopped early":
            tiles += [(f"{count:,}", f"{'trial' if count == 1 else 'trials'} {kind}")]
    for name in tested_first(view, context)[:1]:
        tiles.insert(0, (show(context.test_metrics[name]), f"{name} on the test split"))
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{_e(a)}</b><span>{_e(b)}</span></div>' for a, b in tiles)
        + "</div>"
    )


def _front_section(view: StudyView) -> str:
    front = pareto_front(view.judged, view.objectives, view.constraints)
    if not front:
        return ""
    single = len(view.objectives) == 1
    title = (
        "The best that fits"
        if single
        else f"The front: {len(front)} {'trial' if len(front) == 1 else 'trials'}"
    )
    return f"<section><h2>{title}</h2>{trial_table(view, front)}</section>"


def _comparison_section(view: StudyView, context: ReportContext) -> str:
    rows = comparison(view, context)
    if not rows:
        return ""
    lines = []
    for row in rows:
        tone = "" if row.better is None else ' class="good"' if row.better else ' class="bad"'
        cells = f"<td>{_e(row.default)}</td><td>{_e(row.chosen)}</td><td{tone}>{_e(row.change)}</td>"
        lines.append(f"<tr><td>{_e(row.name)}</td>{cells}</tr>")
    heads = ["", f"default (trial {context.default})", f"chosen (trial {context.chosen})", "change"]
    head = "".join(f"<th>{h}</th>" for h in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    title = "Chosen against the default configuration"
    return f'<section><h2>{title}</h2><div class="scroll">{table}</div></section>'


def _turned_away_section(context: ReportContext) -> str:
    by = context.status.get("turned_away_by_constraint", {})
    if not by:
        return ""
    rows = "".join(
        f"<tr><td>{_e(k)}</td><td>{n:,}</td></tr>" for k, n in sorted(by.items(), key=lambda i: -i[1])
    )
    caption = "A proposal that misses several bounds counts for each. None of them trained a step."
    table = (
        f"<table><thead><tr><th>constraint</th><th>proposals</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    return f'<section><h2>Turned away before training</h2><p class="caption">{caption}</p>{table}</section>'


def _data_section(context: ReportContext) -> str:
    if not context.data_notes:
        return ""
    lines = "".join(f"<li>{_e(note[0].upper() + note[1:])}.</li>" for note in context.data_notes)
    return f'<section><h2>How the data were read</h2><ul class="says">{lines}</ul></section>'


def trials_body(view: StudyView) -> str:
    """Every trial in one sortable table."""
    shown = view.records[-_ROWS:]
    note = "Click a heading to sort."
    if len(shown) < len(view.records):
        note += f" The last {_ROWS:,} of {len(view.records):,} trials."
    if not shown:
        note = "There is no trial yet."
    table = trial_table(view, shown, full=True) if shown else ""
    return f'<h1>Every trial</h1><section><p class="caption">{note}</p>{table}</section>'


def trial_table(view: StudyView, records: Iterable[TrialRecord], *, full: bool = False) -> str:
    """Trials with the metrics that the study names and their parameters; ``full``: also how they ended."""
    names = [*one_unit(view.metric_names), *view.space.names]
    heads = ["trial", *(["state", "fits"] if full else []), *names, *(["why it ended"] if full else [])]
    cells = [f"<th>{f'<button>{_e(h)}</button>' if full else _e(h)}</th>" for h in heads]
    rows = [_row(view, r, full=full) for r in records]
    kind = ' class="sortable"' if full else ""
    table = f"<table{kind}><thead><tr>{''.join(cells)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _row(view: StudyView, record: TrialRecord, *, full: bool) -> str:
    marks = [
        text
        for number, text in ((view.chosen, "chosen"), (view.default, "default"))
        if number == record.number
    ]
    label = f"{record.number} ({', '.join(marks)})" if marks else str(record.number)
    cells = [f'<td data-value="{record.number}">{_e(label)}</td>']
    if full:
        fits = verdict(record, view)
        tone = {"fits": "good", "does not fit": "bad"}.get(fits, "")
        cells += [f"<td>{record.state.name}</td>", f'<td class="{tone}">{fits}</td>']
    found = trial_violations(record, view.constraints)
    for name in one_unit(view.metric_names):
        value = metric_value(record, name)
        own = [c for c in view.constraints if one_unit([name, c.metric]) == [name]]
        missed = value is not None and any(found[c.key] > 0 for c in own)
        shown = "–" if value is None else beside(value, [c for c in own if c.metric == name])
        tone = ' class="bad"' if missed else ""
        cells.append(f'<td{tone} data-value="{"" if value is None else value}">{_e(shown)}</td>')
    for name in view.space.names:
        choice = record.params.get(name, "–")
        cells.append(f'<td data-value="{_e(choice)}">{_e(show(choice))}</td>')
    if full:
        cells.append(f'<td class="wrap">{_e(record.reason or "")}</td>')
    chosen = ' class="chosen"' if record.number == view.chosen else ""
    return f"<tr{chosen}>{''.join(cells)}</tr>"
