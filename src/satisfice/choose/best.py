"""The one trial to ship: the best on the optimizing metric among those that satisfy every constraint."""

from __future__ import annotations

import math
from collections.abc import Sequence

from satisfice.choose.bounds import (
    Clause,
    check_metrics,
    merge_constraints,
    metric_value,
    number_text,
    trial_violations,
)
from satisfice.choose.candidate import averaged, candidates
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.constraint import Constraint
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def best(
    records: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    maximize: str | None = None,
    minimize: str | None = None,
    where: Sequence[Clause] = (),
) -> TrialRecord:
    """The COMPLETE trial that is best on one metric among those that satisfy every constraint.

    Ties go to the other objectives in their order, then to the lower number. Replicates (one configuration
    with several seeds) are judged by their mean; the trial handed out is the earliest that fits by itself.

    Args:
        records: All trials of the study.
        objectives: The study's; the first is the default metric.
        constraints: The study's.
        maximize: Metric to maximise instead of the first objective.
        minimize: Metric to minimise instead of the first objective.
        where: Clauses such as ``"size_mb <= 8"``; see `merge_constraints`.

    Raises:
        NoFeasibleTrial: No finished trial fits; carries the nearest miss.
        InputError: A metric that no trial has, a malformed clause, or both ``maximize`` and ``minimize``.
    """
    goal = optimizing(objectives, maximize, minimize)
    asked = merge_constraints(constraints, where)
    named = [*(o.metric for o in objectives), *(c.metric for c in constraints)]
    check_metrics(records, [goal.metric, *(c.metric for c in asked)], known=named)
    order = (goal, *(o for o in objectives if o.metric != goal.metric))
    fitting = candidates(records, asked)
    scored = [c for c in fitting if not math.isnan(c.mean(goal.metric))]
    if not scored:
        raise _nothing_fits(records, asked, goal, bool(fitting))
    return min(scored, key=lambda c: (*(_rank(c.mean(o.metric), o) for o in order), c.trial.number)).trial


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


def _rank(value: float, objective: Objective) -> float:
    return math.inf if math.isnan(value) else objective.sign * value


def nearest_miss(
    records: Sequence[TrialRecord], constraints: Sequence[Constraint], where: Sequence[Clause] = ()
) -> TrialRecord | None:
    """The finished trial whose worst violation is smallest, or None if none is known to miss.

    Trials that were stopped because they do not fit count too: they tell as much about the bounds. Replicates
    count as one trial, with their means.
    """
    asked = merge_constraints(constraints, where)
    misses = []
    for r in averaged(records, asked):
        worst = max(trial_violations(r, asked).values(), default=0.0)
        if r.state in _FINISHED and 0 < worst < math.inf:
            misses.append((worst, r.state != TrialState.COMPLETE, r.number, r))
    return min(misses, key=lambda m: m[:3])[3] if misses else None


def describe_miss(record: TrialRecord, constraints: Sequence[Constraint]) -> str:
    """Which bounds a trial misses, and by how much: ``size_mb = 10.4 misses size_mb <= 10 by 0.4 (4%)``."""
    parts = []
    found = trial_violations(record, constraints)
    for constraint in constraints:
        violation = found[constraint.key]
        if violation <= 0:
            continue
        value = metric_value(record, constraint.metric)
        if value is None or math.isnan(value):
            parts.append(f"{constraint.key} is missed or unknown")
        elif value == constraint.bound:
            parts.append(f"{constraint.metric} = {value:g} is exactly at {constraint.key}, which excludes it")
        else:
            share = f" ({_percent(violation)})" if constraint.bound else ""
            gap = number_text(abs(value - constraint.bound), 3)
            shown = number_text(value, 6)
            parts.append(f"{constraint.metric} = {shown} misses {constraint.key} by {gap}{share}")
    return " and ".join(parts)


def _loss(record: TrialRecord) -> str:
    return (record.reason or "").removeprefix("diverged").removeprefix(": ") or "its loss is no number"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:,.0f}%"


def _nothing_fits(
    records: Sequence[TrialRecord], asked: Sequence[Constraint], goal: Objective, some_fit: bool
) -> NoFeasibleTrial:
    if some_fit:
        return NoFeasibleTrial(f"no finished trial that fits has a value of {goal.metric}")
    if not any(r.state == TrialState.COMPLETE for r in records):
        message = "no trial is complete"
        failed = [r for r in records if r.state == TrialState.FAIL and r.reason]
        if failed:
            message += f"; {len(failed)} failed, trial {failed[-1].number} by {failed[-1].reason}"
        gone = [
            r for r in records if r.state == TrialState.PRUNED and (r.reason or "").startswith("diverged")
        ]
        if gone:
            message += f"; {len(gone)} diverged, trial {gone[-1].number} as {_loss(gone[-1])}"
    else:
        message = "no finished trial satisfies " + " and ".join(c.key for c in asked)
    nearest = nearest_miss(records, asked)
    hint = (
        "" if nearest is None else f"the nearest is trial {nearest.number}: {describe_miss(nearest, asked)}"
    )
    return NoFeasibleTrial(message, nearest=nearest, hint=hint)
