"""What the report says in words and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from satisfice.choose import close_calls, endings
from satisfice.choose.bounds import beside_bound, metric_value
from satisfice.choose.endings import grouped, joined, kind_of
from satisfice.choose.noise.difference import Noise
from satisfice.choose.trial_group import configurations
from satisfice.report.context import StudyView, is_early
from satisfice.report.headline import is_predictive, validated, with_error
from satisfice.report.plot_data import show
from satisfice.results.report_context import ReportContext
from satisfice.spec.metric import METRICS, one_unit
from satisfice.spec.standard_error import NORMAL_95
from satisfice.spec.trial import TrialRecord, TrialState

_REASONS = 5  # of failures and divergences that are told
_GREATEST_CHANGE = 10.0  # from the default, that a percentage tells well


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of "chosen against default"."""

    name: str
    default: str
    chosen: str
    change: str  # empty where there is none
    better: bool | None  # None: neither or not a metric


def paragraphs(view: StudyView, context: ReportContext) -> list[str]:
    """Sentences below the headline: test score, default, savings, what else was close, the caller's notes."""
    out = _tested(view, context)
    out += seeds(view, context)
    out += _against_default(view, context)
    out += _turned_away(context)
    out += _ended_early(view)
    chosen = view.record(view.chosen)
    if chosen is not None:
        calls = close_calls(view.records, chosen, view.objectives, view.constraints)
        out += [call.sentence[0].upper() + call.sentence[1:] + "." for call in calls]
    return [*out, *context.notes]


def seeds(view: StudyView, context: ReportContext) -> list[str]:
    """That the chosen configuration was trained with several seeds, and what that means for its figures."""
    trainings, goal = view.trainings(view.chosen), view.objectives[0].metric
    mean = view.record(view.chosen)
    own = next((r for r in view.records if r.number == view.chosen), None)
    if trainings < 2 or mean is None or own is None:
        return []
    judged, single = metric_value(mean, goal), metric_value(own, goal)
    text = f"Trial {view.chosen} was trained with {trainings} seeds and is judged by their means"
    if judged is not None and single is not None:
        text += f": {goal} {show(judged)}, by itself {show(single)}"
    return [text + (". The test split scored its own model." if context.test_metrics else ".")]


def tested_first(view: StudyView, context: ReportContext) -> list[str]:
    """The metrics that have a test score: those that the study names first, in its order."""
    named = [name for name in view.metric_names if name in context.test_metrics]
    return list(dict.fromkeys([*named, *context.test_metrics]))


def _tested(view: StudyView, context: ReportContext) -> list[str]:
    """The test scores, and what they say against the choice."""
    scored, default = context.test_metrics, context.default_test
    if not scored:
        return []
    other = context.default is not None and context.default != view.chosen
    both = []
    for i, name in enumerate(tested_first(view, context)):
        beside = other and name in default and (i == 0 or name in view.metric_names)
        mine = with_error(scored[name], context.test_errors.get(name))
        theirs = with_error(default[name], context.default_test_errors.get(name)) if beside else ""
        both.append(f"{name} {mine}" + (f" (default configuration: {theirs})" if beside else ""))
    out = [f"On the test split, scored once: {joined(both)}."]
    goal = view.objectives[0]
    if other and goal.metric in scored and goal.metric in default:
        lost = goal.sign * (scored[goal.metric] - default[goal.metric])
        errors = [e.get(goal.metric) for e in (context.test_errors, context.default_test_errors)]
        noise = NORMAL_95 * math.hypot(*(e or 0.0 for e in errors))
        if lost > 0:
            lucky = ", which is within noise" if all(errors) and lost <= noise else ""
            out.append(
                "On the test split the default configuration is better, "
                f"by {lost:.3g} of {goal.metric}{lucky}."
            )
    missed = [c for c in view.constraints if c.metric in scored and not c.satisfied(scored[c.metric])]
    out += [
        f"On the test split {c.metric} is {beside_bound(scored[c.metric], c)}, which misses {c.key}; "
        "validation, by which trials are judged, meets it."
        for c in missed
    ]
    return out


def _against_default(view: StudyView, context: ReportContext) -> list[str]:
    if context.default_reason:
        return [f"The default configuration was not trained: {context.default_reason}."]
    chosen, default = view.record(view.chosen), view.record(context.default)
    goal = view.objectives[0]
    if chosen is None or default is None:
        return []
    if chosen.number == default.number:
        return ["The default configuration is the best that fits."]
    if default.state != TrialState.COMPLETE or default.pending:
        return [_unfinished(default)]
    mine, theirs = metric_value(chosen, goal.metric), metric_value(default, goal.metric)
    if mine is None or theirs is None:
        return [f"The default configuration (trial {default.number}) has no {goal.metric} to compare with."]
    verdict = "" if default.number in view.fitting else " and does not fit"
    where = f" {validated(context)}" if context.has_test and is_predictive(goal.metric) else ""
    gain = goal.sign * (theirs - mine)
    word = f"{abs(gain):.3g} {'better' if gain > 0 else 'worse'}" if gain else "no better"
    if gain and context.default_within_noise:
        word += ", which is within noise"
    reached = f"reaches {goal.metric} {show(theirs)}{where}{verdict}"
    return [f"The default configuration (trial {default.number}) {reached}; the chosen one is {word}."]


def _unfinished(default: TrialRecord) -> str:
    """What became of a default configuration that cannot be compared with."""
    head = f"The default configuration (trial {default.number})"
    kind = kind_of(default)
    if kind is None:
        waits = "waits until its latency is measured" if default.pending else "is not complete yet"
        return f"{head} {waits}, so there is nothing to compare with."
    told = {"failed": "failed", "diverged": "was stopped", "stopped early": "was stopped early"}[kind]
    return f"{head} {told}{f': {default.reason}' if default.reason else ''}."


def _turned_away(context: ReportContext) -> list[str]:
    turned = int(context.status.get("turned_away", 0))
    if not turned:
        return []
    by = context.status.get("turned_away_by_constraint", {})
    detail = joined([f"{n:,} by {key}" for key, n in sorted(by.items(), key=lambda item: -item[1])])
    counts = f" ({detail})" if detail else ""
    if turned == 1:
        return [f"1 proposal was turned away before training{counts}: it trained no step."]
    return [f"{turned:,} proposals were turned away before training{counts}: none trained a step."]


def epochs_saved(records: Sequence[TrialRecord]) -> tuple[int, float]:
    """Epochs that stopping early saved, and seconds at the pace of the complete trials (NaN where unknown).

    A stopped trial would have gone on as long as the median complete one.
    """
    complete = [r for r in records if r.state == TrialState.COMPLETE and r.steps]
    if not complete:
        return 0, math.nan
    usual = sorted(r.steps for r in complete)[len(complete) // 2]
    saved = sum(max(0, usual - r.steps) for r in records if kind_of(r) == "stopped early")
    timed = [(r.finished_at - r.started_at, r.steps) for r in complete if r.finished_at and r.started_at]
    if not timed:
        return saved, math.nan
    return saved, saved * sum(t.total_seconds() for t, _ in timed) / sum(n for _, n in timed)


def _ended_early(view: StudyView) -> list[str]:
    """Failures and divergences by reason, and what stopping early saved."""
    found = [e for e in endings(view.records) if e.kind != "stopped early"]
    out = [f"{e.sentence}." for e in found[:_REASONS]]
    rest = sum(len(e.numbers) for e in found[_REASONS:])
    if rest:
        out.append(
            f"{_trials(rest)} more failed or diverged for other reasons: the table of trials has each."
        )
    stopped = sum(kind_of(r) == "stopped early" for r in view.records)
    if stopped:
        saved, seconds = epochs_saved(view.records)
        text = f"{_trials(stopped)} {'was' if stopped == 1 else 'were'} stopped early"
        text += f" ({grouped(view.records, 'stopped early')})"
        if saved:
            epochs = view.step if saved == 1 else f"{view.step}s"
            text += f", which saved about {saved:,} {epochs}"
            text += f" ({duration(seconds)})" if seconds >= 1 else ""
        out.append(text + ".")
    return out


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count:,} trials"


def duration(seconds: float) -> str:
    """``95 s``, ``12 min``, ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def comparison(view: StudyView, context: ReportContext | None = None) -> list[Comparison]:
    """Chosen against default: the metrics that the study names first, other metrics, then parameters.

    Scores on the test split come first, where the context has them. Of a default configuration that did not
    complete, what training changes is left out: it is no final figure.
    """
    chosen, default = view.record(view.chosen), view.record(view.default)
    if chosen is None or default is None or chosen.number == default.number:
        return []
    directions = {name: m.direction for name, m in METRICS.items()}
    directions |= {o.metric: o.direction for o in view.objectives}
    rows = []
    if context is not None:
        for name in tested_first(view, context):
            if name in view.metric_names and name in context.default_test:
                figures = context.test_metrics[name], context.default_test[name]
                rows.append(_compared(f"{name} (test split)", *figures, directions.get(name)))
    noisy = _noise_between(view, chosen.number, default.number)
    for name in one_unit(view.metric_names, chosen.metrics):
        mine, theirs = metric_value(chosen, name), metric_value(default, name)
        final = default.state == TrialState.COMPLETE or is_early(name)
        if mine is not None and theirs is not None and final:
            row = _compared(name, mine, theirs, directions.get(name))
            rows.append(replace(row, change=f"{row.change}, noise", better=None) if noisy(name) else row)
    for name in view.space.names:
        mine_text, theirs_text = _param(chosen.params, name), _param(default.params, name)
        if mine_text != "–" or theirs_text != "–":
            rows.append(Comparison(name=name, default=theirs_text, chosen=mine_text, change="", better=None))
    return rows


def _noise_between(view: StudyView, one: int, other: int) -> Callable[[str], bool]:
    """Whether two trials that differ on a metric do so by no more than noise, compared on the same rows."""
    found = {m.number: g for g in configurations(view.records, view.constraints) for m in g.members}
    if one not in found or other not in found:
        return lambda _: False
    a, b = found[one], found[other]
    members = [m.number for g in (a, b) for m in g.members]
    noise = Noise(influences={} if view.influences is None else view.influences(members))

    def noisy(metric: str) -> bool:
        apart = noise.difference(a, b, metric)
        return apart.value != 0 and apart.is_noise()

    return noisy


def _compared(name: str, mine: float, theirs: float, direction: str | None) -> Comparison:
    better = None
    if direction is not None and mine != theirs and not math.isnan(mine + theirs):
        better = (mine > theirs) is (direction == "maximize")
    change = _change(mine, theirs)
    return Comparison(name=name, default=show(theirs), chosen=show(mine), change=change, better=better)


def _param(params: Mapping[str, Any], name: str) -> str:
    return show(params[name]) if name in params else "–"


def _change(mine: float, theirs: float) -> str:
    gain = mine - theirs
    if mine == theirs:
        return "same"
    if theirs == 0 or not math.isfinite(gain) or not 0.1 <= abs(gain) / abs(theirs) < _GREATEST_CHANGE:
        return f"{gain:+.3g}" if math.isfinite(gain) else ""
    return f"{gain / abs(theirs):+.0%}"
