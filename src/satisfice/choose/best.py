"""The one trial to ship: the best on the optimizing metric among those that satisfy every constraint."""

from __future__ import annotations

import math
from collections.abc import Sequence

from satisfice.choose.bounds import (
    BEYOND,
    Clause,
    beside_bound,
    check_metrics,
    merge_constraints,
    metric_value,
    number_text,
    share_text,
    trial_violations,
)
from satisfice.choose.criteria import first_by
from satisfice.choose.endings import endings, joined
from satisfice.choose.trial_group import TrialGroup, averaged, candidates
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.constraint import Constraint, violated
from satisfice.spec.criterion import Criterion, Objective, parse_order
from satisfice.spec.trial import TrialRecord, TrialState

Order = str | Criterion | Sequence[str | Criterion]

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def best(
    records: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    maximize: str | None = None,
    minimize: str | None = None,
    where: Sequence[Clause] = (),
    order: Order = (),
) -> TrialRecord:
    """The COMPLETE trial that is best on one metric among those that satisfy every constraint.

    Ties go to the other objectives in their order, then to the lower number. With an ``order``, each of its
    criteria keeps the trials within its tolerance of the best that is left, see `criteria.first_by`.
    Replicates (one configuration with several seeds) are judged by their mean; the trial handed out is the
    earliest that fits by itself.

    Args:
        records: All trials of the study.
        objectives: The study's; the first is the default metric.
        constraints: The study's.
        maximize: Metric to maximise instead of the first objective.
        minimize: Metric to minimise instead of the first objective.
        where: Clauses such as ``"size_mb <= 8"``; see `merge_constraints`.
        order: Criteria in order, for instance ``["f1 within 0.005", "size_mb"]``, instead of one metric.

    Raises:
        NoFeasibleTrial: No finished trial fits; carries the nearest miss.
        InputError: A metric that no trial has, a malformed clause or criterion, or two of ``maximize``,
            ``minimize`` and ``order``.
    """
    asked, criteria = asked_of(objectives, constraints, maximize, minimize, where, order)
    return first_by(fitting_by(records, objectives, constraints, asked, criteria), criteria).trial


def asked_of(
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    maximize: str | None = None,
    minimize: str | None = None,
    where: Clause | Sequence[Clause] = (),
    order: Order = (),
) -> tuple[tuple[Constraint, ...], tuple[Criterion, ...]]:
    """All bounds of a question, and what it chooses by; arguments as for `best`.

    Raises:
        InputError: A malformed clause or criterion, or two of ``maximize``, ``minimize`` and ``order``.
    """
    asked = merge_constraints(constraints, where)
    return asked, in_order(objectives, asked, maximize, minimize, order)


def fitting_by(
    records: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    asked: Sequence[Constraint],
    criteria: Sequence[Criterion],
) -> list[TrialGroup]:
    """The feasible configurations with a value of the first criterion; at least one.

    Args:
        records: All trials of the study.
        objectives: The study's.
        constraints: The study's.
        asked: All bounds of the question.
        criteria: What it chooses by.

    Raises:
        NoFeasibleTrial: There is none; carries the nearest miss.
        InputError: A metric that no trial has.
    """
    goal, *others = [c.objective for c in criteria]
    named = [*(o.metric for o in objectives), *(c.metric for c in constraints)]
    check_metrics(
        records, [goal.metric, *(o.metric for o in others), *(c.metric for c in asked)], known=named
    )
    fitting = candidates(records, asked)
    scored = [c for c in fitting if not math.isnan(c.mean(goal.metric))]
    if not scored:
        raise _nothing_fits(records, asked, goal, bool(fitting))
    return scored


def in_order(
    objectives: Sequence[Objective],
    asked: Sequence[Constraint],
    maximize: str | None = None,
    minimize: str | None = None,
    order: Order = (),
) -> tuple[Criterion, ...]:
    """What a question chooses by: its order or its one metric, then the study's other objectives.

    Raises:
        InputError: Two of ``maximize``, ``minimize`` and ``order`` are given, or a criterion is none.
    """
    if order and (maximize is not None or minimize is not None):
        raise InputError(
            "an order is given beside maximize or minimize", hint="let the order name that metric first"
        )
    if order:
        first = parse_order(order, objectives, asked)
    else:
        first = (Criterion(objective=optimizing(objectives, maximize, minimize)),)
    named = {c.objective.metric for c in first}
    return (*first, *(Criterion(objective=o) for o in objectives if o.metric not in named))


def optimizing(
    objectives: Sequence[Objective], maximize: str | None = None, minimize: str | None = None
) -> Objective:
    """The metric to optimise: the one asked for, else the first objective.

    Raises:
        InputError: Both are given.
    """
    if maximize is not None and minimize is not None:
        raise InputError(
            "both maximize and minimize are given",
            hint="name one metric to optimise; bound the other with `where`",
        )
    if maximize is not None:
        return Objective(metric=maximize, direction="maximize")
    if minimize is not None:
        return Objective(metric=minimize, direction="minimize")
    return objectives[0]


def nearest_miss(
    records: Sequence[TrialRecord], constraints: Sequence[Constraint], where: Sequence[Clause] = ()
) -> TrialRecord | None:
    """The finished trial with the smallest sum of violations, or None if none is known to miss.

    The sum over all constraints, each violation divided by its bound's size, is the usual measure of how far
    a point is from feasible (Deb 2000; NSGA-II and TPE rank by it). A trial for which some constraint has no
    value, or none that is finite, ranks behind those for which all are known. Ties go to the trial that
    misses fewer bounds, then to a COMPLETE one, then to the lower number.

    Trials that were stopped because they do not fit count too: they tell as much about the bounds. Replicates
    count as one trial, with their means.
    """
    asked = merge_constraints(constraints, where)
    misses = []
    for r in averaged(records, asked):
        found = trial_violations(r, asked)
        missed = [found[key] for key in violated(found)]
        if r.state not in _FINISHED or r.pending or not missed:
            continue
        unknown = sum(math.isinf(v) for v in missed)
        if unknown == len(missed) and r.state != TrialState.COMPLETE:
            continue  # it was stopped before any bound was missed
        total = sum(v for v in missed if math.isfinite(v))
        misses.append((unknown, total, len(missed), r.state != TrialState.COMPLETE, r.number, r))
    return min(misses, key=lambda m: m[:5])[5] if misses else None


def describe_miss(record: TrialRecord, constraints: Sequence[Constraint]) -> str:
    """Which bounds a trial misses, and by how much: ``size_mb = 10.4 misses size_mb <= 10 by 0.4 (4%)``."""
    found = trial_violations(record, constraints)
    return joined([_missed(record, c, found[c.key]) for c in constraints if found[c.key] > 0])


def _missed(record: TrialRecord, constraint: Constraint, violation: float) -> str:
    value = metric_value(record, constraint.metric)
    if value is None:
        if BEYOND <= violation < math.inf:
            return f"{constraint.metric} is NaN or infinite, which misses {constraint.key}"
        if math.isfinite(violation):
            return f"{constraint.key} is missed"
        return f"{constraint.metric} of {constraint.key} is not known"
    if not math.isfinite(value):
        return f"{constraint.metric} is {number_text(value)}, which misses {constraint.key}"
    if value == constraint.bound:
        return f"{constraint.metric} = {value:g} is exactly at {constraint.key}, which excludes it"
    share = f" ({share_text(violation)})" if constraint.bound and math.isfinite(violation) else ""
    shown = beside_bound(value, constraint, 6)
    gap = abs(value - constraint.bound)
    by = f" by {number_text(gap, 3)}{share}" if math.isfinite(gap) else ""
    return f"{constraint.metric} = {shown} misses {constraint.key}{by}"


def _nothing_fits(
    records: Sequence[TrialRecord], asked: Sequence[Constraint], goal: Objective, some_fit: bool
) -> NoFeasibleTrial:
    if some_fit:
        return NoFeasibleTrial(f"no finished trial that fits has a value of {goal.metric}")
    complete = [r for r in records if r.state == TrialState.COMPLETE]
    reasons = []
    if not records:
        message = "no trial has begun"
    elif not complete:
        message = "; ".join(["no trial is complete", *(e.sentence for e in endings(records))])
    elif all(r.pending for r in complete):
        message = "no finished trial has a verdict yet"
    else:
        message = "no finished trial satisfies " + " and ".join(c.key for c in asked)
        reasons = [text for c in asked if (text := _never_known(complete, c))]
    nearest = nearest_miss(records, asked)
    if nearest is not None:
        reasons.append(f"the nearest is trial {nearest.number}: {describe_miss(nearest, asked)}")
    return NoFeasibleTrial(message, nearest=nearest, hint="; ".join(reasons))


def _never_known(complete: Sequence[TrialRecord], constraint: Constraint) -> str:
    """That no complete trial has a value to judge by; empty where one has, or waits to be timed."""
    values = [metric_value(r, constraint.metric) for r in complete if not r.pending]
    judged = any(
        constraint.key in r.violations for r in complete if metric_value(r, constraint.metric) is None
    )
    if not values or judged or any(v is not None and not math.isnan(v) for v in values):
        return ""
    trials = "the one complete trial" if len(values) == 1 else f"all {len(values)} complete trials"
    nan = sum(v is not None for v in values)
    if nan == len(values):
        return f"{constraint.metric} is NaN in {trials}"
    if not nan:
        return f"{constraint.metric} was not recorded in {trials}"
    return f"{constraint.metric} is NaN or was not recorded in {trials}"
