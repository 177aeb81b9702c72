"""What each plot shows, as plain values: tested without pixels, drawn by ``figures``."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from satisfice.choose import pareto_front
from satisfice.choose.bounds import metric_value, number_text
from satisfice.report.context import Absent, StudyView, drawn, finite
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS, one_unit
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

# On the front of both axes; on that of all objectives only; feasible but dominated; beyond a bound; without a
# verdict yet; stopped.
Kind = Literal["front", "other front", "dominated", "infeasible", "unknown", "pruned"]

Span = tuple[float, float]  # lowest and highest value

_MANY = 30.0  # a ratio of largest to smallest value that a linear axis shows badly


@dataclass(frozen=True, kw_only=True)
class Point:
    """One trial in a plot."""

    number: int
    x: float
    y: float
    kind: Kind
    hover: str  # lines joined by "\n", plain text


@dataclass(frozen=True, kw_only=True)
class ParetoPlot:
    """Two metrics against each other."""

    x: Objective
    y: Objective
    log_x: bool
    log_y: bool
    points: tuple[Point, ...]
    front: tuple[tuple[float, float], ...]  # the front's points, by x
    bounds: tuple[Constraint, ...]  # on either metric
    chosen: int | None
    default: int | None
    view: tuple[Span, Span]  # what is shown at first; a double click shows all
    outside: int  # points beyond it


@dataclass(frozen=True, kw_only=True)
class HistoryPlot:
    """One objective over the trials."""

    objective: Objective
    points: tuple[Point, ...]  # x: trial number
    best: tuple[
        tuple[int, float], ...
    ]  # (number, best feasible value so far), where it improves, and at the end
    log: bool
    bounds: tuple[Constraint, ...]
    chosen: int | None
    view: Span  # of the objective, shown at first
    outside: int  # points beyond it


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What one trial reported."""

    number: int
    kind: Literal["chosen", "complete", "pruned", "other"]
    steps: tuple[int, ...]
    values: tuple[float, ...]
    hover: str


@dataclass(frozen=True, kw_only=True)
class CurvesPlot:
    """One metric over the epochs."""

    metric: str
    log: bool
    curves: tuple[Curve, ...]
    left_out: int  # trials not drawn
    step: str = "epoch"  # what its steps are called


def show(value: Any) -> str:
    """A number or choice as a reader wants it."""
    if isinstance(value, float):
        return number_text(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def hover_text(record: TrialRecord, metrics: Sequence[str]) -> str:
    """Trial, its state where it is not COMPLETE, its metrics in one unit each, its parameters; one a line."""
    lines = [f"trial {record.number}"]
    if record.state != TrialState.COMPLETE:
        lines.append(f"{record.state.name.lower()}{f': {record.reason}' if record.reason else ''}")
    values = ((name, metric_value(record, name)) for name in one_unit(metrics))
    lines += [f"{name} {show(value)}" for name, value in values if value is not None]
    lines += [f"{name} = {show(value)}" for name, value in record.params.items()]
    return "\n".join(lines)


def pareto_plots(view: StudyView) -> list[ParetoPlot | Absent]:
    """Every pair of objectives, then the first objective against each other metric that is bounded."""
    pairs = list(itertools.combinations(view.objectives, 2))
    pairs += [(view.objectives[0], other) for other in _bounded(view)]
    if not pairs:
        sentence = (
            "The study has one objective and no constraint on another metric, so nothing is traded off."
        )
        return [Absent(title="Pareto front", sentence=sentence)]
    # The cheaper-to-know metric (size, latency) reads best on the horizontal axis.
    return [_pareto_plot(view, x=second, y=first) for first, second in pairs]


def _bounded(view: StudyView) -> list[Objective]:
    own = {o.metric for o in view.objectives}
    others = {c.metric: "minimize" if c.is_upper else "maximize" for c in view.constraints}
    return [
        Objective(metric=m, direction="minimize" if d == "minimize" else "maximize")
        for m, d in others.items()
        if m not in own
    ]


def _pareto_plot(view: StudyView, *, x: Objective, y: Objective) -> ParetoPlot | Absent:
    in_pair = {r.number for r in pareto_front(view.judged, [x, y], view.constraints)}
    in_all = {r.number for r in pareto_front(view.judged, view.objectives, view.constraints)}
    points = []
    for r in view.judged:
        value_x, value_y = finite(r, x.metric), finite(r, y.metric)
        if value_x is None or value_y is None or r.state not in (TrialState.COMPLETE, TrialState.PRUNED):
            continue
        kind: Kind = "pruned"
        if r.state == TrialState.COMPLETE:
            kind = _kind(r, in_pair, in_all if len(view.objectives) > 1 else set(), view)
        points.append(
            Point(number=r.number, x=value_x, y=value_y, kind=kind, hover=hover_text(r, view.metric_names))
        )
    title = f"{y.metric} against {x.metric}"
    if not points:
        return Absent(title=title, sentence="No finished trial has both metrics yet.")
    keep = {p.number for p in points if p.kind in ("front", "other front")} | {view.chosen, view.default}
    spans = (_focus(points, "x", x, keep), _focus(points, "y", y, keep))
    return ParetoPlot(
        x=x,
        y=y,
        log_x=wants_log(x.metric, [p.x for p in points]),
        log_y=wants_log(y.metric, [p.y for p in points]),
        points=tuple(points),
        front=tuple(sorted({(p.x, p.y) for p in points if p.kind == "front"})),
        bounds=tuple(c for c in view.constraints if c.metric in (x.metric, y.metric)),
        chosen=view.chosen,
        default=view.default,
        view=spans,
        outside=sum(not (_within(p.x, spans[0]) and _within(p.y, spans[1])) for p in points),
    )


def _focus(
    points: Sequence[Point], axis: Literal["x", "y"], goal: Objective, keep: Collection[int | None]
) -> Span:
    """The part of an axis where decisions are made.

    A few hopeless trials (a network that learnt nothing, one a hundred times too large) would crush what a
    reader compares. Then the view holds the better three quarters, and the trials to keep.
    """
    values = sorted(getattr(p, axis) for p in points)
    kept = [getattr(p, axis) for p in points if p.number in keep]
    finished = [getattr(p, axis) for p in points if p.kind != "pruned"] or values
    finished.sort(key=lambda v: goal.sign * v)
    kept += finished[: math.ceil(0.75 * len(finished))]
    focus, whole = (min(kept), max(kept)), (values[0], values[-1])
    return focus if whole[1] - whole[0] > 2 * (focus[1] - focus[0]) > 0 else whole


def _within(value: float, span: Span) -> bool:
    return span[0] <= value <= span[1]


def _kind(record: TrialRecord, in_pair: set[int], in_all: set[int], view: StudyView) -> Kind:
    if record.number in in_pair:
        return "front"
    if record.number in in_all:
        return "other front"
    if record.number in view.fitting:
        return "dominated"
    return "unknown" if view.fits(record) is None else "infeasible"


def wants_log(metric: str, values: Sequence[float]) -> bool:
    """Whether a metric spans so many orders that a linear axis would crush it. Shares of one never do."""
    known = METRICS.get(metric)
    if known is not None and known.upper == 1.0:
        return False
    return bool(values) and min(values) > 0 and max(values) / min(values) > _MANY


def history_plots(view: StudyView) -> list[HistoryPlot | Absent]:
    """Each objective over the trials, with the best feasible value so far."""
    return [_history(view, objective) for objective in view.objectives]


def _history(view: StudyView, objective: Objective) -> HistoryPlot | Absent:
    points = []
    best: list[tuple[int, float]] = []
    for r in view.judged:
        value = finite(r, objective.metric)
        if value is None or r.state not in (TrialState.COMPLETE, TrialState.PRUNED):
            continue
        fits = r.number in view.fitting
        kind: Kind = _kind(r, set(), set(), view) if r.state == TrialState.COMPLETE else "pruned"
        if fits and (not best or objective.sign * value < objective.sign * best[-1][1]):
            best.append((r.number, value))
            kind = "front"
        text = hover_text(r, view.metric_names)
        points.append(Point(number=r.number, x=float(r.number), y=value, kind=kind, hover=text))
    if not points:
        title = f"{objective.metric} over the trials"
        return Absent(title=title, sentence=f"No finished trial has a value of {objective.metric} yet.")
    if best:
        best.append((max(r.number for r in view.records), best[-1][1]))
    return HistoryPlot(
        objective=objective,
        points=tuple(points),
        best=tuple(best),
        log=wants_log(objective.metric, [p.y for p in points]),
        bounds=tuple(c for c in view.constraints if c.metric == objective.metric),
        chosen=view.chosen,
        view=(span := _focus(points, "y", objective, (view.chosen, view.default))),
        outside=sum(not _within(p.y, span) for p in points),
    )


def curves_plots(view: StudyView, *, most: int = 120) -> list[CurvesPlot | Absent]:
    """What the trials reported, epoch by epoch: the objectives, else whatever was reported.

    Args:
        view: The study, its records with ``reports``.
        most: Draw at most so many curves; the chosen trial and those that came last are kept.
    """
    reported = list(dict.fromkeys(m for r in view.records for step in r.reports.values() for m in step))
    wanted = [o.metric for o in view.objectives if o.metric in reported] or reported[:3]
    if not wanted:
        return [Absent(title="Learning curves", sentence="No trial reported anything while it trained.")]
    return [_curves(view, metric, most) for metric in wanted]


def _curves(view: StudyView, metric: str, most: int) -> CurvesPlot | Absent:
    curves = []
    for r in view.records:
        reported = ((s, v[metric]) for s, v in sorted(r.reports.items()) if metric in v)
        at = {s: drawn(value) for s, value in reported if math.isfinite(value)}
        if at:
            curves.append(
                Curve(
                    number=r.number,
                    kind=_curve_kind(r, view.chosen),
                    steps=tuple(at),
                    values=tuple(at.values()),
                    hover=hover_text(r, view.metric_names),
                )
            )
    if not curves:
        return Absent(title=f"{metric} while training", sentence=f"No trial reported a finite {metric}.")
    chosen = [c for c in curves if c.kind == "chosen"]
    rest = [c for c in curves if c.kind != "chosen"]
    kept = rest[max(0, len(rest) - most + len(chosen)) :]
    lines = (*kept, *chosen)
    return CurvesPlot(
        metric=metric,
        log=wants_log(metric, [v for c in lines for v in c.values]),
        curves=lines,
        left_out=len(curves) - len(lines),
        step=view.step,
    )


def _curve_kind(record: TrialRecord, chosen: int | None) -> Literal["chosen", "complete", "pruned", "other"]:
    if record.number == chosen:
        return "chosen"
    if record.state == TrialState.COMPLETE:
        return "complete"
    return "pruned" if record.state == TrialState.PRUNED else "other"
