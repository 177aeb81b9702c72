"""The page of a study: one HTML document with everything inside, that asks nothing of the network.

What a study brings is escaped here, once, or travels as JSON that no markup leaves. The script computes with
the columns of `columns`; its rules are those of `satisfice.choose`.
"""

from __future__ import annotations

import html
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from satisfice.choose.bounds import beside, metric_value, number_text, share_text
from satisfice.choose.endings import kind_of
from satisfice.choose.noise.difference import Noise
from satisfice.choose.noise.words import with_interval
from satisfice.choose.trial_group import configurations
from satisfice.report.columns import study_columns, to_json
from satisfice.report.computed import Computed, ExactMetrics
from satisfice.report.context import Absent, StudyView
from satisfice.report.estimates import ModelSource
from satisfice.report.headline import headline
from satisfice.report.importance import Importances, feasibility_importances, importances, trust
from satisfice.report.plot_data import show
from satisfice.report.sections import better_next, made_good
from satisfice.report.slices import Slices, slices_of
from satisfice.report.summary import comparison, paragraphs, tested_first
from satisfice.results.report_context import ReportContext
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import one_unit
from satisfice.spec.standard_error import is_exact
from satisfice.spec.trial import TrialRecord

_SCRIPTS = ("choose.js", "text.js", "noise.js", "plot_data.js", "question.js", "draw.js", "app.js")

# Legend: words, and a mark as SVG in the colours of the style sheet.
_LEGEND = (
    ("fits, on the front of the two axes", '<circle cx="7" cy="7" r="5" fill="var(--accent)"/>'),
    (
        "on the front of all objectives only",
        '<circle cx="7" cy="7" r="4.4" fill="none" stroke="var(--accent)" stroke-width="2"/>',
    ),
    ("fits, not on the front", '<circle cx="7" cy="7" r="3.6" fill="var(--soft)"/>'),
    ("does not fit", '<path d="M3.5 3.5l7 7m0-7l-7 7" stroke="var(--bad)" stroke-width="2"/>'),
    ("stopped early", '<path d="M3 4h8l-4 7z" fill="none" stroke="var(--grey)" stroke-width="1.8"/>'),
    (
        "not known whether it fits",
        '<rect x="3" y="3" width="8" height="8" fill="none" stroke="var(--grey)" stroke-width="1.8"/>',
    ),
    (
        "chosen",
        '<path d="M7 0l2 4.6 5 .4-4 3.2 1.2 5-4.2-2.8L2.8 13 4 8.2 0 5l5-.4z" class="star"/>',
    ),
    (
        "default configuration",
        '<path d="M7 .5L13.5 7 7 13.5.5 7z" fill="none" stroke="var(--violet)" stroke-width="2"/>',
    ),
)


def page_bytes(
    name: str,
    view: StudyView,
    context: ReportContext,
    *,
    exact: ExactMetrics | None = None,
    models: ModelSource | None = None,
) -> bytes:
    """The page of a study, in UTF-8.

    Args:
        name: Of the study.
        view: The study, its records with ``reports`` for the learning curves.
        context: What the records do not tell.
        exact: Metrics of a configuration that are computed and not measured; None: nothing can be here.
        models: The search's models of metrics that training decides; None: made from finished trials.
    """
    computed = None if exact is None else Computed(exact, view.space)
    ranked = {metric: importances(view, metric, computed) for metric in view.metric_names}
    slices = slices_of(view, computed, ranked, models)
    data = {**study_columns(view, context, name), "slices": slices.to_json()}
    footer = f"Measured on {context.host}." if context.host else ""
    page = Template(_text("page.html")).substitute(
        title=_e(name),
        css=_text("page.css"),
        result=_result(name, view, context),
        profile=_profiles(view),
        criteria=_criteria(view),
        better=better_next(context) + made_good(context),
        links="".join(
            f'<a href="#{name}">{words}</a>'
            for name, words, there in (
                ("better", "What to change", context.health),
                ("good", "What made it good", context.ablation),
            )
            if there
        ),
        legend="".join(f"<li>{_svg(mark)} {_e(words)}</li>" for words, mark in _LEGEND),
        example=_e(_example(view)),
        search=_search(view, data),
        matters=_matters(view, ranked),
        surfaces=_surfaces(slices),
        footer=_e(footer),
        data=to_json(data),
        script="\n".join(_text(script) for script in _SCRIPTS),
    )
    return page.encode()


def _text(name: str) -> str:
    return files("satisfice.report").joinpath("web").joinpath(name).read_text(encoding="utf-8")


def _e(text: object) -> str:
    return html.escape(str(text))


def _svg(inside: str) -> str:
    return f'<svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">{inside}</svg>'


def _section(title: str, body: str, caption: str = "") -> str:
    said = f'<p class="caption">{_e(caption)}</p>' if caption else ""
    return f"<section><h3>{_e(title)}</h3>{said}{body}</section>"


def _table(label: str, inside: str) -> str:
    """A table that scrolls by itself where it is too wide, by keyboard too."""
    return f'<div class="scroll" role="group" aria-label="{label}" tabindex="0"><table>{inside}</table></div>'


# -- the result ----------------------------------------------------------------------------------------------
def _result(name: str, view: StudyView, context: ReportContext) -> str:
    says = "".join(f"<li>{_e(p)}</li>" for p in paragraphs(view, context))
    parts = [f"<h1>{_e(headline(view, context))}</h1>", _tiles(view, context)]
    card = [_chosen(name, view), _against_default(view, context)]
    if any(card):
        parts.append(f'<section><div class="columns card">{"".join(card)}</div></section>')
    if says:
        parts.append(f'<section><h2>What to know</h2><ul class="says">{says}</ul></section>')
    parts += [_turned_away(context), _data(context)]
    return f'<div id="result">{"".join(p for p in parts if p)}</div>'


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
            tiles.append((f"{count:,}", f"{'trial' if count == 1 else 'trials'} {kind}"))
    for tested in tested_first(view, context)[:1]:
        tiles.insert(0, (show(context.test_metrics[tested]), f"{tested} on the test split"))
    inside = "".join(f'<div class="tile"><b>{_e(a)}</b><span>{_e(b)}</span></div>' for a, b in tiles)
    return f'<div class="tiles">{inside}</div>'


def _chosen(name: str, view: StudyView) -> str:
    """The winner's metrics with the margin that each bound leaves, and how to ship and serve it."""
    chosen = view.record(view.chosen)
    if chosen is None:
        return ""
    noise, group = (
        Noise(),
        next(
            g
            for g in configurations(view.records, view.constraints)
            if chosen.number in [m.number for m in g.members]
        ),
    )
    rows = "".join(
        _metric_row(chosen, metric, view.constraints, noise.error(group, metric))
        for metric in one_unit(view.metric_names)
    )
    heads = "".join(f"<th>{h}</th>" for h in ("metric", "value", "95% interval", "bound", "room left"))
    table = _table("The chosen trial", f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>")
    return f"<div><h2>Trial {chosen.number}</h2>{table}{_commands(name, view, chosen.number)}</div>"


def _metric_row(
    chosen: TrialRecord, metric: str, constraints: Sequence[Constraint], error: float | None
) -> str:
    own = [c for c in constraints if one_unit([metric, c.metric]) == [metric]]
    value = metric_value(chosen, metric)
    shown = "unknown" if value is None else beside(value, [c for c in own if c.metric == metric])
    bounds = ", ".join(
        c.key if c.metric != metric else f"{c.operator} {number_text(c.bound, 12)}" for c in own
    )
    room = ", ".join(_room(chosen, c) for c in own)
    cells = (shown, _interval(value, error, metric), bounds, room)
    return f"<tr><th>{_e(metric)}</th>{''.join(f'<td>{_e(cell)}</td>' for cell in cells)}</tr>"


def _interval(value: float | None, error: float | None, metric: str) -> str:
    """``0.77 to 0.87``; ``exact`` of what is counted, empty where nobody knows."""
    if value is None or error is None:
        return ""
    if error == 0:
        return "exact" if is_exact(metric) else ""
    return with_interval(value, error, metric).partition("(95% ")[2].rstrip(")")


def _room(chosen: TrialRecord, constraint: Constraint) -> str:
    """How far the value is from the bound, as a share of the bound's size."""
    value = metric_value(chosen, constraint.metric)
    if value is None:
        return "unknown"
    left = -constraint.violation(value)
    if constraint.bound == 0:
        return number_text(left, 3)
    return share_text(left) if left > 0 else "none"


def _commands(name: str, view: StudyView, number: int) -> str:
    quoted, folder = shlex.quote(name), shlex.quote(f"shipped/{name}")
    if view.ships:
        lines = [
            ("Ship it", f"satisfice ship {quoted} --trial {number} --output {folder}"),
            ("Serve it", f"satisfice serve {folder}"),
        ]
    else:
        code = f"satisfice.load_study({name!r}).load_model({number})"
        lines = [("Load it in Python", code)]
    out = []
    for i, (what, line) in enumerate(lines):
        button = f'<button type="button" data-copy="how-{i}" aria-label="Copy: {what}">Copy</button>'
        out.append(f'<h3>{what}</h3><div class="command"><code id="how-{i}">{_e(line)}</code>{button}</div>')
    return "".join(out)


def _against_default(view: StudyView, context: ReportContext) -> str:
    rows = comparison(view, context)
    if not rows:
        return ""
    lines = []
    for row in rows:
        tone = "" if row.better is None else ' class="good"' if row.better else ' class="bad"'
        cells = f"<td>{_e(row.default)}</td><td>{_e(row.chosen)}</td><td{tone}>{_e(row.change)}</td>"
        lines.append(f"<tr><th>{_e(row.name)}</th>{cells}</tr>")
    heads = ("what", f"default (trial {context.default})", f"chosen (trial {context.chosen})", "change")
    head = "".join(f"<th>{h}</th>" for h in heads)
    title = "Against the default configuration"
    table = _table(title, f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>")
    return f"<div><h2>{title}</h2>{table}</div>"


def _turned_away(context: ReportContext) -> str:
    by = context.status.get("turned_away_by_constraint", {})
    if not by:
        return ""
    ranked = sorted(by.items(), key=lambda item: -item[1])
    rows = "".join(f"<tr><th>{_e(key)}</th><td>{count:,}</td></tr>" for key, count in ranked)
    caption = "A proposal that misses several bounds counts for each. None of them trained a step."
    head = "<thead><tr><th>constraint</th><th>proposals</th></tr></thead>"
    body = _table("Turned away", f"{head}<tbody>{rows}</tbody>")
    return f'<section><h2>Turned away before training</h2><p class="caption">{caption}</p>{body}</section>'


def _data(context: ReportContext) -> str:
    if not context.data_notes:
        return ""
    lines = "".join(f"<li>{_e(note[0].upper() + note[1:])}.</li>" for note in context.data_notes)
    return f'<section><h2>How the data were read</h2><ul class="says">{lines}</ul></section>'


def _profiles(view: StudyView) -> str:
    """A choice between the study's own question and its profiles'; nothing where it has none."""
    if not view.profiles:
        return ""
    named = "".join(f'<option value="{_e(p.name)}">{_e(p.name)}</option>' for p in view.profiles)
    choices = f'<option value="">the study itself</option>{named}'
    return f'<label>Profile <select id="profile">{choices}</select></label>'


def _criteria(view: StudyView) -> str:
    criteria = '<option value="goal">the objective</option>'
    if any(p.order for p in view.profiles):
        criteria = '<option value="profile" hidden>the profile\'s order</option>' + criteria
    return criteria


def _example(view: StudyView) -> str:
    """A condition for the filter's label, of this study's own metrics."""
    if view.constraints:
        return view.constraints[0].key
    goal = view.objectives[0]
    return f"{goal.metric} {'>' if goal.direction == 'maximize' else '<'} 0.5"


# -- pictures ------------------------------------------------------------------------------------------------
def _search(view: StudyView, data: dict[str, object]) -> str:
    """Places where the script draws each objective over the trials, and what they reported."""
    out = []
    if any(r.state.is_finished() for r in view.records):
        for objective in view.objectives:
            caption = "The line is the best value that fits, so far."
            out.append(
                _section(
                    f"{objective.metric} over the trials",
                    _canvas("history", objective.metric, 300, keys=True),
                    caption,
                )
            )
    else:
        out.append('<p class="caption">No trial has finished yet.</p>')
    curves = data["curves"]
    assert isinstance(curves, dict)
    drawable = [metric for metric, found in curves["metrics"].items() if _moves(found)]
    if not drawable and any(curves["metrics"].values()):
        return "".join([*out, '<p class="caption">Each trial reported once: there is no curve to draw.</p>'])
    if not drawable:
        out.append('<p class="caption">No trial reported anything while it trained.</p>')
        return "".join(out)
    left = curves["left_out"]
    more = f" {left:,} earlier {'trial is' if left == 1 else 'trials are'} not drawn." if left else ""
    caption = (
        "The thick line is the chosen trial; a line that ends in a cross belongs to a trial that was stopped."
    )
    out += [
        _section(f"{metric} while training", _canvas("curves", metric, 320), caption + more)
        for metric in drawable
    ]
    return "".join(out)


def _moves(found: Mapping[str, Sequence[Any]]) -> bool:
    """Whether some trial reported a metric more than once."""
    return any(len(values) > 1 for _, values in found.values())


def _canvas(kind: str, metric: str, height: int, *, keys: bool = False) -> str:
    role = 'role="application" tabindex="0"' if keys else 'role="img"'
    canvas = (
        f'<canvas class="{kind}" data-metric="{_e(metric)}" data-height="{height}" {role} '
        f'aria-label="{_e(metric)}"></canvas>'
    )
    return f'<div class="plot">{canvas}<div class="tip" hidden></div></div>'


def _matters(view: StudyView, ranked: Mapping[str, Importances | Absent]) -> str:
    parts = [_bars(f"What drives {metric}", found) for metric, found in ranked.items()]
    if view.constraints:
        parts.append(_bars("What decides whether a trial fits", feasibility_importances(view)))
    return f'<div class="columns">{"".join(parts)}</div>'


def _bars(title: str, found: Importances | Absent) -> str:
    if isinstance(found, Absent):
        return _section(title, "", found.sentence)
    most = max(share for _, share in found.shares)
    rows = "".join(
        f'<dt>{_e(name)}</dt><dd><div class="bar" style="width:{100 * share / most:.1f}%"></div></dd>'
        f"<dd>{100 * share:.0f}%</dd>"
        for name, share in found.shares
    )
    return _section(title, f'<dl class="bars">{rows}</dl>', trust(found))


def _surfaces(slices: Slices) -> str:
    absent = "".join(f'<p class="caption">{_e(a.title)}: {_e(a.sentence)}</p>' for a in slices.absent)
    if not slices.pairs or not slices.surfaces:
        return absent or '<p class="caption">There is nothing to draw yet.</p>'
    selects = "".join(
        f'<label>{words} <select id="surface-{which}"></select></label>'
        for words, which in (("Metric", "metric"), ("Across", "x"), ("Upwards", "y"))
    )
    return (
        f'<p class="caption">{_e(slices.which)}</p><div class="controls">{selects}</div>'
        '<p class="caption" id="surface-says"></p><ul class="legend" id="surface-legend"></ul>'
        '<div class="plot"><canvas id="surface" data-height="430" role="application" tabindex="0" '
        'aria-label="Surface"></canvas><div class="tip" id="surface-tip" hidden></div></div>' + absent
    )
