"""The feasible Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from satisfice.choose.bounds import Clause, check_metrics, merge_constraints
from satisfice.choose.trial_group import TrialGroup, candidates
from satisfice.errors import InputError
from satisfice.registry import did_you_mean
from satisfice.spec.constraint import Constraint
from satisfice.spec.dominance import nondominated
from satisfice.spec.metric import METRICS
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord


def resolve_objectives(
    names: Sequence[str | Objective] | None, study_objectives: Sequence[Objective] = ()
) -> tuple[Objective, ...]:
    """Objectives by name: the direction is the study's, else the metric's natural one.

    Args:
        names: Metric names or objectives, or a single name; None means the study's own.
        study_objectives: The study's own.

    Raises:
        InputError: A name whose direction nobody knows, or no name at all.
    """
    own = {o.metric: o for o in study_objectives}
    out: dict[str, Objective] = {}
    asked = [names] if isinstance(names, str) else names
    for name in study_objectives if asked is None else asked:
        if isinstance(name, Objective):
            out[name.metric] = name
        elif name in own:
            out[name] = own[name]
        elif name in METRICS:
            out[name] = Objective(metric=name, direction=METRICS[name].direction)
        else:
            raise InputError(
                f"{name!r} is neither an objective of the study nor a metric of known direction",
                hint=did_you_mean(name, [*own, *METRICS]) if name else "name a metric",
            )
    if not out:
        raise InputError("no objective is named", hint="name at least one metric, for instance 'accuracy'")
    return tuple(out.values())


def pareto_front(
    records: Sequence[TrialRecord],
    objectives: Sequence[str | Objective] | None,
    constraints: Sequence[Constraint],
    where: Sequence[Clause] = (),
    *,
    study_objectives: Sequence[Objective] = (),
) -> list[TrialRecord]:
    """Feasible COMPLETE trials that no other such trial dominates, best on the first objective first.

    Replicates are judged by their mean, as in `best`. With one objective: the best trials, ties included.

    Args:
        records: All trials of the study.
        objectives: Objectives, or names (see `resolve_objectives`); None means ``study_objectives``.
        constraints: The study's.
        where: Clauses such as ``"size_mb <= 8"``; see `merge_constraints`.
        study_objectives: The study's, to resolve names.

    Raises:
        InputError: A metric that no trial has, or a malformed clause.
    """
    goals = resolve_objectives(objectives, study_objectives)
    asked = merge_constraints(constraints, where)
    own = study_objectives or [o for o in objectives or () if isinstance(o, Objective)]
    named = [*(o.metric for o in own), *(c.metric for c in constraints)]
    check_metrics(records, [*(o.metric for o in goals), *(c.metric for c in asked)], known=named)
    return [group.trial for group in front_groups(records, goals, constraints, where)]


def front_groups(
    records: Sequence[TrialRecord],
    goals: Sequence[Objective],
    constraints: Sequence[Constraint],
    where: Clause | Sequence[Clause] = (),
) -> list[TrialGroup]:
    """The configurations behind `pareto_front`, in its order."""
    asked = merge_constraints(constraints, where)
    return [group for _, group in front_of(candidates(records, asked), goals)]


def front_of(
    groups: Sequence[TrialGroup], goals: Sequence[Objective], *, finite: bool = False
) -> list[tuple[tuple[float, ...], TrialGroup]]:
    """The groups that no other one dominates, with their losses, best on the first objective first.

    Equal groups stay together. A group that has no value of an objective, or NaN, is left out.

    Args:
        groups: Configurations, judged by their means.
        goals: The objectives.
        finite: Leave out infinite values too, for answers that measure distances.
    """
    rows = []
    for group in groups:
        losses = tuple(o.sign * group.mean(o.metric) for o in goals)
        if not any(math.isnan(v) or (finite and math.isinf(v)) for v in losses):
            rows.append((losses, group))
    matrix = np.array([losses for losses, _ in rows], dtype=float).reshape(len(rows), len(goals))
    front = [rows[i] for i in np.flatnonzero(nondominated(matrix, keep_equal=True))]
    return sorted(front, key=lambda row: (row[0], row[1].trial.number))
