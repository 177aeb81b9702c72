"""What the report says in words and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from satisfice.choose import best, close_calls, describe_miss, nearest_miss, trial_violations
from satisfice.choose.bounds import metric_value
from satisfice.errors import NoFeasibleTrial
from satisfice.report.context import ReportContext, StudyView
from satisfice.report.plot_data import show
from satisfice.spec.metric import METRICS
from satisfice.spec.trial import TrialRecord, TrialState


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of "chosen against default"."""

    name: str
    default: str
    chosen: str
    change: str  # empty where there is none
    better: bool | None  # None: neither or not a metric


def headline(view: StudyView) -> str:
    """The one sentence to take away."""
    chosen = view.record(view.chosen)
    if chosen is not None:
        goal, *others = view.objectives
        parts = [f"{goal.metric} {_metric(chosen, goal.metric)}"]
        bounded = {c.metric for c in view.constraints}
        parts += [f"{o.metric} {_metric(chosen, o.metric)}" for o in others if o.metric not in bounded]
        within = [
            f"{c.metric} {_metric(chosen, c.metric)} {_sign(c.operator)} {c.bound:g}"
            for c in view.constraints
        ]
        return f"Chosen: trial {chosen.number}, {_and(parts)}{f', with {_and(within)}' if within else ''}."
    if not view.complete:
        return _none_complete(view)
    nearest = nearest_miss(view.records, view.constraints)
    if nearest is None:
        return "Nothing was chosen."
    return f"Nothing fits. The nearest is trial {nearest.number}: {describe_miss(nearest, view.constraints)}."


def _none_complete(view: StudyView) -> str:
    if not any(r.state.is_finished() for r in view.records):
        return "No trial is complete yet."
    try:
        best(view.records, view.objectives, view.constraints)
    except NoFeasibleTrial as nothing:
        said = [nothing.message, nothing.hint]
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in said if text)


def _sign(operator: str) -> str:
    return {"<=": "≤", ">=": "≥"}.get(operator, operator)


def _metric(record: TrialRecord, name: str) -> str:
    value = metric_value(record, name)
    return "unknown" if value is None else show(value)


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def paragraphs(view: StudyView, context: ReportContext) -> list[str]:
    """Sentences below the headline: test score, default, savings, what else was close, the caller's notes."""
    out = []
    if context.test_metrics:
        scores = [f"{name} {show(value)}" for name, value in context.test_metrics.items()]
        out.append(f"On the test split, scored once: {_and(scores)}.")
    if (trainings := view.trainings(view.chosen)) > 1:
        out.append(f"Trial {view.chosen} was trained with {trainings} seeds: its figures are their means.")
    out += _against_default(view, context)
    out += _turned_away(context)
    out += _pruned(view)
    chosen = view.record(view.chosen)
    if chosen is not None:
        calls = close_calls(view.records, chosen, view.objectives, view.constraints)
        out += [call.sentence[0].upper() + call.sentence[1:] + "." for call in calls]
    return [*out, *context.notes]


def _against_default(view: StudyView, context: ReportContext) -> list[str]:
    if context.default_reason:
        return [f"The default configuration was not trained: {context.default_reason}."]
    chosen, default = view.record(view.chosen), view.record(context.default)
    goal = view.objectives[0]
    if chosen is None or default is None:
        return []
    if chosen.number == default.number:
        return ["The default configuration is the best that fits."]
    mine, theirs = metric_value(chosen, goal.metric), metric_value(default, goal.metric)
    if mine is None or theirs is None:
        return [f"The default configuration (trial {default.number}) has no {goal.metric} to compare with."]
    verdict = "" if default.number in view.fitting else " and does not fit"
    gain = goal.sign * (theirs - mine)
    word = f"{abs(gain):.3g} {'better' if gain > 0 else 'worse'}" if gain else "no better"
    reach = (
        f"The default configuration (trial {default.number}) reaches {goal.metric} {show(theirs)}{verdict}"
    )
    return [f"{reach}; the chosen one is {word}."]


def _turned_away(context: ReportContext) -> list[str]:
    turned = int(context.status.get("turned_away", 0))
    if not turned:
        return []
    by = context.status.get("turned_away_by_constraint", {})
    detail = (
        _and([f"{n:,} by {key}" for key, n in sorted(by.items(), key=lambda item: -item[1])]) if by else ""
    )
    plural = "proposal was" if turned == 1 else "proposals were"
    counts = f" ({detail})" if detail else ""
    return [f"{turned:,} {plural} turned away before training{counts}: none trained a step."]


def epochs_saved(records: Sequence[TrialRecord]) -> tuple[int, float]:
    """Epochs that stopping early saved, and seconds at the pace of the complete trials (NaN where unknown).

    A stopped trial would have gone on as long as the median complete one.
    """
    complete = [r for r in records if r.state == TrialState.COMPLETE and r.steps]
    if not complete:
        return 0, math.nan
    usual = sorted(r.steps for r in complete)[len(complete) // 2]
    saved = sum(max(0, usual - r.steps) for r in records if r.state == TrialState.PRUNED)
    timed = [(r.finished_at - r.started_at, r.steps) for r in complete if r.finished_at and r.started_at]
    if not timed:
        return saved, math.nan
    return saved, saved * sum(t.total_seconds() for t, _ in timed) / sum(n for _, n in timed)


def _pruned(view: StudyView) -> list[str]:
    pruned = [r for r in view.records if r.state == TrialState.PRUNED]
    if not pruned:
        return []
    reasons: dict[str, int] = {}
    for r in pruned:
        reason = (r.reason or "stopped early").split(" at ")[0]
        reasons[reason] = reasons.get(reason, 0) + 1
    counted = sorted(reasons.items(), key=lambda item: -item[1])
    why = counted[0][0] if len(counted) == 1 else _and([f"{n} {reason}" for reason, n in counted])
    saved, seconds = epochs_saved(view.records)
    trials = "trial was" if len(pruned) == 1 else "trials were"
    text = f"{len(pruned)} {trials} stopped early" + ("" if why == "stopped early" else f" ({why})")
    if saved:
        text += f", which saved about {saved:,} epochs" + (f" ({duration(seconds)})" if seconds >= 1 else "")
    return [text + "."]


def duration(seconds: float) -> str:
    """``95 s``, ``12 min``, ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def comparison(view: StudyView) -> list[Comparison]:
    """Chosen against default: the metrics that the study names first, other metrics, then parameters."""
    chosen, default = view.record(view.chosen), view.record(view.default)
    if chosen is None or default is None or chosen.number == default.number:
        return []
    directions = {name: m.direction for name, m in METRICS.items()}
    directions |= {o.metric: o.direction for o in view.objectives}
    names = dict.fromkeys([*view.metric_names, *chosen.metrics])
    rows = []
    for name in names:
        mine, theirs = metric_value(chosen, name), metric_value(default, name)
        if mine is None or theirs is None:
            continue
        gain = (mine - theirs) * (1 if directions.get(name) == "maximize" else -1)
        better = None if mine == theirs or name not in directions else gain > 0
        rows.append(
            Comparison(
                name=name,
                default=show(theirs),
                chosen=show(mine),
                change=_change(mine, theirs),
                better=better,
            )
        )
    for name in view.space.names:
        mine_text, theirs_text = _param(chosen.params, name), _param(default.params, name)
        if mine_text != "–" or theirs_text != "–":
            rows.append(Comparison(name=name, default=theirs_text, chosen=mine_text, change="", better=None))
    return rows


def _param(params: Mapping[str, Any], name: str) -> str:
    return show(params[name]) if name in params else "–"


def _change(mine: float, theirs: float) -> str:
    if mine == theirs:
        return "same"
    if theirs == 0 or abs(mine - theirs) / abs(theirs) < 0.1:
        return f"{mine - theirs:+.3g}"
    return f"{(mine - theirs) / abs(theirs):+.0%}"


def verdict(record: TrialRecord, view: StudyView) -> str:
    """``fits``, ``does not fit`` or ``unknown``, by the verdicts known."""
    found = trial_violations(record, view.constraints).values()
    if all(v <= 0 for v in found):
        return "fits"
    return "does not fit" if any(0 < v < math.inf for v in found) else "unknown"
