"""The rule of choice: the best by its value, or the cheapest within one standard error of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from satisfice.choose.bounds import metric_value
from satisfice.choose.criteria import first_by
from satisfice.choose.noise.difference import Noise
from satisfice.choose.noise.expected import Choice
from satisfice.choose.trial_group import TrialGroup
from satisfice.errors import InputError
from satisfice.registry import did_you_mean
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion
from satisfice.spec.grammar import CHOOSE
from satisfice.spec.metric import METRICS
from satisfice.spec.standard_error import NORMAL_95
from satisfice.spec.study import Objective, Rule

_RULES: tuple[Rule, ...] = ("value", "one-standard-error")
_USUAL_COSTS = ("size_mb", "latency_ms", "memory_mb", "n_parameters")


def rule_named(name: str | None, default: Rule = "value") -> Rule:
    """The rule of that name; None: the default.

    Raises:
        InputError: There is none of that name.
    """
    if name is None:
        return default
    known = next((rule for rule in _RULES if rule == name), None)
    if known is None:
        raise InputError(f"there is no rule {name!r}", hint=did_you_mean(name, list(CHOOSE["rule"].choices)))
    return known


def costs_of(
    goal: Objective,
    objectives: Sequence[Objective],
    asked: Sequence[Constraint],
    groups: Sequence[TrialGroup],
) -> list[Objective]:
    """What "cheapest" means: metrics in order, each with its better direction.

    The study's other objectives in their order, then what is bounded in the order of the bounds, then, where
    they are recorded and not named yet in some unit, size, latency, memory and the number of parameters.

    Args:
        goal: The metric chosen by, which is no cost.
        objectives: The study's.
        asked: The bounds of the question.
        groups: The candidates.
    """
    found = {o.metric: o for o in objectives}
    for c in asked:
        side = Objective(metric=c.metric, direction="minimize" if c.is_upper else "maximize")
        found.setdefault(c.metric, side)
    found.pop(goal.metric, None)
    known = {_quantity(name) for name in (*found, goal.metric)}
    for name in _USUAL_COSTS:
        recorded = any(metric_value(g.trial, name) is not None for g in groups)
        if recorded and _quantity(name) not in known:
            found[name] = Objective(metric=name, direction=METRICS[name].direction)
    return list(found.values())


def usual_costs(names: Sequence[str]) -> list[Objective]:
    """What is a cost of any study, each in the unit that is among these names, in the order of `costs_of`."""
    found = []
    for cost in _USUAL_COSTS:
        own = next((n for n in names if _quantity(n) == _quantity(cost)), None)
        if own is not None:
            found.append(Objective(metric=own, direction=METRICS[cost].direction))
    return found


def within_errors(
    groups: Sequence[TrialGroup], objective: Objective, noise: Noise, errors: float
) -> list[TrialGroup]:
    """Those that are worse than the best of them by at most so many standard errors of the difference.

    The best is the first by value, of equals the lowest number. Groups without a value stay only where none
    has one.

    Args:
        groups: At least one.
        objective: The metric.
        noise: Of the study.
        errors: How many.
    """
    scored = [g for g in groups if not math.isnan(g.mean(objective.metric))]
    if not scored:
        return list(groups)
    top = first_by(scored, [Criterion(objective=objective)])
    return [g for g in scored if noise.difference(top, g, objective.metric).is_noise(errors)]


def one_standard_error(
    groups: Sequence[TrialGroup], criteria: Sequence[Criterion], costs: Sequence[Objective], noise: Noise
) -> TrialGroup:
    """The cheapest of those within one standard error of the best (Breiman et al. 1984), compared in pairs.

    After the first criterion, each further one and then each cost keeps those that are within noise of its
    best: equal latencies that a clock tells apart decide nothing. What is left is decided by the first
    criterion's value, then by the lowest number.

    Args:
        groups: Feasible ones with a value of the first criterion; at least one.
        criteria: What the question chooses by, the first one first; the study's other objectives may follow.
        costs: See `costs_of`.
        noise: Of the study.
    """
    first = criteria[0]
    losses = {g.trial.number: first.loss(g) for g in groups}
    least = min(losses.values())
    near = {g.trial.number for g in within_errors(groups, first.objective, noise, 1.0)}
    left = [g for g in groups if g.trial.number in near or first.as_good(losses[g.trial.number], least)]
    for criterion in _in_turn(criteria[1:], costs):
        by_value = [criterion.loss(g) for g in left]
        best = min(by_value)
        near = {g.trial.number for g in within_errors(left, criterion.objective, noise, NORMAL_95)}
        left = [
            g
            for g, loss in zip(left, by_value, strict=True)
            if g.trial.number in near or criterion.as_good(loss, best)
        ]
    return min(left, key=lambda g: (losses[g.trial.number], g.trial.number))


def as_choice(
    groups: Sequence[TrialGroup],
    criteria: Sequence[Criterion],
    costs: Sequence[Objective],
    noise: Noise,
    rule: Rule,
) -> Choice:
    """The choice among these groups as a function of losses that chance has moved.

    Of those within one standard error of the least loss (by the rule), or within the first criterion's
    tolerance, it takes the one that is cheapest by the exact values of what follows.

    Args:
        groups: The candidates.
        criteria: What the question chooses by.
        costs: See `costs_of`.
        noise: Of the study.
        rule: The rule of choice.
    """
    first, later = criteria[0], _in_turn(criteria[1:], costs)
    keys = [(*(c.loss(g) for c in later), g.trial.number) for g in groups]
    rank = np.empty(len(groups))
    rank[sorted(range(len(groups)), key=lambda i: keys[i])] = np.arange(len(groups))
    slack = np.full((len(groups), len(groups)), first.tolerance)
    if rule == "one-standard-error":
        metric = first.objective.metric
        slack = np.maximum(
            slack, [[noise.difference(a, b, metric).error or 0.0 for b in groups] for a in groups]
        )

    def choose(losses: NDArray[np.float64]) -> NDArray[np.intp]:
        least = losses.argmin(axis=1)
        near = losses <= losses.min(axis=1, keepdims=True) + slack[least]
        return np.asarray(np.where(near, rank, np.inf).argmin(axis=1))

    return choose


def _in_turn(criteria: Sequence[Criterion], costs: Sequence[Objective]) -> list[Criterion]:
    named = {c.objective.metric for c in criteria}
    return [*criteria, *(Criterion(objective=o) for o in costs if o.metric not in named)]


def _quantity(metric: str) -> str:
    known = METRICS.get(metric)
    return metric if known is None else known.quantity
