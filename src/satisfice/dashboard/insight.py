"""What satisfice adds to a study in the dashboard: which trials are best, its figures, and a note."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from satisfice.choose import (
    best,
    constraints_from_optuna,
    objectives_from_optuna,
    pareto_front,
    records_from_trials,
    space_from_optuna,
)
from satisfice.choose.bounds import beside, metric_value
from satisfice.dashboard.answers import study_page
from satisfice.errors import NoFeasibleTrial
from satisfice.report.all_figures import Titled, all_figures, history_figures, pareto_figures
from satisfice.report.context import StudyView
from satisfice.report.figures import plain
from satisfice.report.headline import headline
from satisfice.report.summary import paragraphs
from satisfice.results.report_context import ReportContext
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import one_unit
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

# A study by name, read from satisfice's own tables; None for one that satisfice did not make.
Source = Callable[[str], "tuple[StudyView, ReportContext] | None"]

FIGURES = "dashboard:plot_data:"  # before the names of figures among a study's system attributes

# Keys of optuna-dashboard 0.21: a figure's JSON in parts, the note's version, the note in parts.
_FIGURE_KEY = "dashboard:plot_data:{name}:0"
_NOTE_VERSION = "dashboard:note_ver"
_NOTE_PART = "dashboard:note_str:0"

_DRAWN_AT_ONCE = 200  # trials; of more, the first page does not wait for figures and note
_REFRESH_S = 30.0  # figures of a study that runs are drawn again at most this often


def view_from_optuna(
    directions: Sequence[StudyDirection], names: Sequence[str] | None, trials: Sequence[FrozenTrial]
) -> StudyView:
    """A study as its Optuna rows alone tell it, with its best trial chosen."""
    objectives = objectives_from_optuna(directions, names)
    constraints = constraints_from_optuna(trials, objectives)
    records = records_from_trials(trials, objectives)
    try:
        chosen: int | None = best(records, objectives, constraints).number
    except NoFeasibleTrial:
        chosen = None
    return StudyView(
        records=records,
        objectives=objectives,
        constraints=constraints,
        space=space_from_optuna(trials),
        chosen=chosen,
    )


def best_of(
    records: Sequence[TrialRecord], objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> list[int]:
    """Numbers of the feasible front; with one objective, of the best feasible trial."""
    if len(objectives) > 1:
        return sorted(r.number for r in pareto_front(records, objectives, constraints))
    try:
        return [best(records, objectives, constraints).number]
    except NoFeasibleTrial:
        return []


def note(view: StudyView, context: ReportContext) -> str:
    """The study's note, in Markdown."""
    lines = [f"### {_plain(headline(view, context))}", ""]
    if view.constraints:
        lines += ["Constraints: " + ", ".join(f"`{c.key}`" for c in view.constraints) + ".", ""]
    lines += [f"- {_plain(p)}" for p in paragraphs(view, context)]
    front = pareto_front(view.judged, view.objectives, view.constraints)[:20]
    if front:
        names = one_unit(view.metric_names)
        lines += ["", "| trial | " + " | ".join(map(_plain, names)) + " |", "|---:" * (len(names) + 1) + "|"]
        for r in front:
            cells = [_cell(r, n, view) for n in names]
            lines.append(f"| {r.number} | " + " | ".join(cells) + " |")
    name = str(context.status.get("name", ""))
    lines += ["", f"[Explore its trade-offs]({study_page(name)})"] if name else []
    return "\n".join(lines)


def _cell(record: TrialRecord, name: str, view: StudyView) -> str:
    value = metric_value(record, name)
    return "" if value is None else beside(value, [c for c in view.constraints if c.metric == name])


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is; a study's names are not markup."""
    for mark in "\\`*_{}[]<>|#":
        text = text.replace(mark, "\\" + mark)
    return text


@dataclass
class _Drawn:
    attributes: dict[str, str]
    finished: int  # finished trials when it was drawn
    constraints: tuple[object, ...]  # that held then
    at: float  # monotonic seconds
    busy: bool = False  # a thread is drawing


class Insights:
    """Figures and notes by study, kept while nothing finishes.

    What is drawn in an instant is there at once, unless there are many trials. Importances and contours take
    seconds and are drawn in a thread, to be there when the page asks again.
    """

    def __init__(self, source: Source | None = None) -> None:
        self._source = source or (lambda _: None)
        self._drawn: dict[int, _Drawn] = {}
        self._lock = threading.Lock()

    def attributes(self, study_id: int, name: str, fallback: StudyView) -> Mapping[str, str]:
        """System attributes that show the study's note and figures, as far as they are drawn.

        The same object until something is drawn again.

        Args:
            study_id: Optuna's id.
            name: The study's name, for the source.
            fallback: The study as Optuna's rows tell it.
        """
        finished = sum(r.state.is_finished() for r in fallback.records)
        with self._lock:
            entry = self._drawn.get(study_id)
            if entry is None:
                few = len(fallback.records) <= _DRAWN_AT_ONCE
                quick = _quick(*self._read(name, fallback)) if few else {}
                entry = self._drawn[study_id] = _Drawn(
                    attributes=quick, finished=-1, constraints=fallback.constraints, at=-math.inf
                )
            aged = time.monotonic() - entry.at > _REFRESH_S or finished < entry.finished
            stale = finished != entry.finished or fallback.constraints != entry.constraints
            if stale and aged and not entry.busy:
                entry.busy = True
                threading.Thread(
                    target=self._redraw, args=(entry, name, fallback, finished), daemon=True
                ).start()
            return entry.attributes

    def _redraw(self, entry: _Drawn, name: str, fallback: StudyView, finished: int) -> None:
        try:
            view, context = self._read(name, fallback)
            quick = _quick(view, context)
            if not entry.attributes:
                entry.attributes = quick
            entry.attributes = {**quick, **_attributes(all_figures(view))}
        finally:
            entry.constraints = fallback.constraints
            entry.finished, entry.at, entry.busy = finished, time.monotonic(), False

    def _read(self, name: str, fallback: StudyView) -> tuple[StudyView, ReportContext]:
        return self._source(name) or context_of(name, fallback)


def _quick(view: StudyView, context: ReportContext) -> dict[str, str]:
    titled = [*pareto_figures(view), *history_figures(view)]
    return {_NOTE_VERSION: "0", _NOTE_PART: note(view, context), **_attributes(titled)}


def _attributes(titled: Sequence[Titled]) -> dict[str, str]:
    out = {}
    for i, one in enumerate(titled):
        figure = one.figure
        if figure is None:
            continue
        figure.update_layout(
            title={"text": plain(one.title, 80), "x": 0.01, "xanchor": "left", "font": {"size": 16}},
            margin={"t": 130 if one.group == "parallel" else 48},
            legend={"y": -0.2, "yanchor": "top"},
            height=440,  # the dashboard's tile
        )
        out[_FIGURE_KEY.format(name=f"satisfice-{i:02d}-{one.group}")] = figure.to_json()
    return out


def context_of(name: str, view: StudyView) -> tuple[StudyView, ReportContext]:
    """A study that Optuna's rows alone tell of, with what little is known beside them."""
    states = Counter(r.state.name for r in view.records)
    status = {"name": name, "states": dict(states), "budget": {}, "workers": 0, "turned_away": 0}
    return view, ReportContext(status=status, chosen=view.chosen)
