"""The one sentence to take away: what was chosen, how it scores, beside the default configuration."""

from __future__ import annotations

from collections.abc import Mapping

from satisfice.choose import best
from satisfice.choose.bounds import beside, metric_value, number_text
from satisfice.choose.endings import joined
from satisfice.errors import NoFeasibleTrial
from satisfice.report.context import StudyView
from satisfice.report.plot_data import show
from satisfice.results.report_context import ReportContext
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS, Known
from satisfice.spec.standard_error import NORMAL_95
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

_ENDED = {TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed", TrialState.RUNNING: "still running"}


def headline(view: StudyView, context: ReportContext) -> str:
    """The chosen trial, its objectives on the test split and on validation, and how it meets its bounds.

    The first objective comes first; what the default configuration reaches stands in parentheses. Where
    nothing is chosen, the sentence says why.
    """
    chosen = view.record(view.chosen)
    if chosen is None:
        return _nothing(view)
    bounded = {c.metric for c in view.constraints}
    goal, *others = view.objectives
    told = [goal, *(o for o in others if o.metric not in bounded or o.metric in context.test_metrics)]
    own = ", the default configuration" if chosen.number == context.default else ""
    scores = "; ".join(_objective(o, chosen, view, context) for o in told)
    within = [_bound(c, chosen, view, context, told) for c in view.constraints]
    with_bounds = f"{';' if len(told) > 1 else ','} with {joined(within)}" if within else ""
    return f"Chosen: trial {chosen.number}{own}, {scores}{with_bounds}."


def is_predictive(metric: str) -> bool:
    """Whether the metric is a score of predictions, so that a test split has one of its own."""
    known = METRICS.get(metric)
    return known is not None and known.known is Known.AFTER and known.task != "any"


def _objective(objective: Objective, chosen: TrialRecord, view: StudyView, context: ReportContext) -> str:
    name = objective.metric
    mine = _both(name, metric_value(chosen, name), context.test_metrics, context)
    return f"{chosen.label(name)} {mine}{_default(name, chosen, view, context)}"


def _both(name: str, valid: float | None, test: Mapping[str, float], context: ReportContext) -> str:
    """``0.96 on the test split, 0.97 on validation``; one of them where there is no other."""
    told = "unknown" if valid is None else show(valid)
    if name in test:
        shown = with_error(test[name], context.test_errors.get(name))
        return f"{shown} on the test split, {told} {validated(context)}"
    return f"{told} {validated(context)}" if context.has_test and is_predictive(name) else told


def validated(context: ReportContext) -> str:
    """What a score by which trials are judged was scored on."""
    if context.folds is None:
        return "on validation"
    return f"cross-validated over {context.folds} folds"


def with_error(value: float, error: float | None) -> str:
    """``0.96 ± 0.02``: the value with half the width of its 95% interval, where that is known."""
    return show(value) if not error else f"{show(value)} ± {number_text(NORMAL_95 * error, 2)}"


def _default(name: str, chosen: TrialRecord, view: StudyView, context: ReportContext) -> str:
    """The same of the default configuration, in parentheses."""
    first = name == view.objectives[0].metric
    if context.default_reason:
        return " (the default configuration was not trained)" if first else ""
    default = view.record(context.default)
    if default is None or default.number == chosen.number:
        return ""
    if default.state != TrialState.COMPLETE:
        ended = _ENDED.get(default.state, "not trained yet")
        return f" (default configuration: {ended})" if first else ""
    valid = metric_value(default, name)
    told = "unknown" if valid is None else show(valid)
    if name in context.test_metrics:
        scored, error = context.default_test, context.default_test_errors.get(name)
        told = f"{with_error(scored[name], error) if name in scored else 'not scored'}, {told}"
    misfit = "; it does not fit" if first and view.fits(default) is False else ""
    return f" (default configuration: {told}{misfit})"


def _bound(
    constraint: Constraint,
    chosen: TrialRecord,
    view: StudyView,
    context: ReportContext,
    told: list[Objective],
) -> str:
    name, value = constraint.metric, metric_value(chosen, constraint.metric)
    same = [c for c in view.constraints if c.metric == name]
    shown = "unknown" if value is None else beside(value, same)
    sign = {"<=": "≤", ">=": "≥"}.get(constraint.operator, constraint.operator)
    text = f"{chosen.label(name)} {shown} {sign} {number_text(constraint.bound, 12)}"
    if name in context.test_metrics and name not in [o.metric for o in told]:
        text += f" ({show(context.test_metrics[name])} on the test split)"
    return text


def _nothing(view: StudyView) -> str:
    """Why nothing is chosen, as `best` says it."""
    if not any(r.state.is_finished() for r in view.records):
        return "No trial is complete yet."
    try:
        best(view.records, view.objectives, view.constraints)
    except NoFeasibleTrial as nothing:
        judged = any(not r.pending for r in view.complete)
        said = ["nothing fits" if judged and view.constraints else nothing.message, nothing.hint]
        return " ".join(f"{_capital(text)}." for text in said if text)
    return "Nothing is chosen: measured again, no trial fits."


def _capital(text: str) -> str:
    """The text as a sentence begins; a metric's name stays as it is written."""
    return text[0].upper() + text[1:] if text.partition(" ")[0] in ("the", "no", "nothing") else text
