"""Records of a plain Optuna study: one that satisfice did not write, or only the Optuna tables of one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial

from satisfice.choose.bounds import BEYOND
from satisfice.errors import InputError
from satisfice.spec.constraint import Constraint, feasibility, parse_clause
from satisfice.spec.distributions import union
from satisfice.spec.metric import METRICS
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

METRICS_ATTRIBUTE = (
    "satisfice:metrics"  # user attribute of a trial: every metric by name, where one was written
)


def objectives_from_optuna(
    directions: Sequence[StudyDirection], names: Sequence[str] | None
) -> tuple[Objective, ...]:
    """Objectives in Optuna's order; ``objective``, or ``objective_0`` and so on, where none is named."""
    default = ["objective"] if len(directions) == 1 else [f"objective_{i}" for i in range(len(directions))]
    return tuple(
        Objective(metric=name, direction="maximize" if d == StudyDirection.MAXIMIZE else "minimize")
        for name, d in zip(names or default, directions, strict=True)
    )


def constraints_from_optuna(
    trials: Sequence[FrozenTrial], objectives: Sequence[Objective]
) -> tuple[Constraint, ...]:
    """Constraints by the keys of the trials' verdicts, in the order of their first appearance.

    A key that satisfice wrote (``size_mb <= 8``) gives that bound back; any other key is a metric that must
    be at most 0, as Optuna has it; ``constraint_`` is put before a name that means something else already.
    """
    return tuple(_constraints(trials, objectives).values())


def _constraints(trials: Sequence[FrozenTrial], objectives: Sequence[Objective]) -> dict[str, Constraint]:
    taken = {*METRICS, *(o.metric for o in objectives)}
    for t in trials:
        taken.update(t.params, t.user_attrs)
    keys = dict.fromkeys(key for t in trials for key in t.constraints)
    return {key: _constraint(key, taken) for key in keys}


def _constraint(key: str, taken: Collection[str]) -> Constraint:
    try:
        return parse_clause(key)
    except InputError:
        metric = f"constraint_{key}" if key.isdigit() or key in taken else key
        return Constraint(metric=metric, operator="<=", bound=0.0)


def records_from_optuna(study: Study) -> list[TrialRecord]:
    """Every trial of an Optuna study as a record, by number."""
    objectives = objectives_from_optuna(study.directions, study.metric_names)
    return records_from_trials(study.get_trials(deepcopy=False), objectives)


def records_from_trials(trials: Sequence[FrozenTrial], objectives: Sequence[Objective]) -> list[TrialRecord]:
    """Records of trials whose values stand in the order of ``objectives``."""
    constraints = _constraints(trials, objectives)
    return [_record(t, objectives, constraints) for t in sorted(trials, key=lambda t: t.number)]


def _record(
    trial: FrozenTrial, objectives: Sequence[Objective], constraints: Mapping[str, Constraint]
) -> TrialRecord:
    verdicts = {constraints[key].key: float(value) for key, value in trial.constraints.items()}
    first = objectives[0].metric
    return TrialRecord(
        number=trial.number,
        state=trial.state,
        params=dict(trial.params),
        metrics=_metrics(trial, objectives, constraints),
        violations=verdicts,
        feasible=_feasible(trial, verdicts, len(constraints)),
        reports={step: {first: value} for step, value in sorted(trial.intermediate_values.items())},
        steps=max(trial.intermediate_values, default=0),
        started_at=trial.datetime_start,
        finished_at=trial.datetime_complete,
    )


def _feasible(trial: FrozenTrial, verdicts: Mapping[str, float], constraints: int) -> bool | None:
    """Unknown while a constraint that other trials have is not known of this one."""
    if not verdicts and not trial.state.is_finished():
        return None
    return feasibility(verdicts, constraints)


def _metrics(
    trial: FrozenTrial, objectives: Sequence[Objective], constraints: Mapping[str, Constraint]
) -> dict[str, float]:
    metrics = {
        name: float(value)
        for name, value in trial.user_attrs.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and not name.startswith("satisfice:")
    }
    for key, violation in trial.constraints.items():
        value = _value_behind(constraints[key], violation)
        if math.isfinite(value) and abs(violation) < BEYOND:
            metrics[constraints[key].metric] = value
    metrics |= {name: float(value) for name, value in trial.user_attrs.get(METRICS_ATTRIBUTE, {}).items()}
    if trial.values is not None:
        metrics |= {o.metric: v for o, v in zip(objectives, trial.values, strict=True)}
    return metrics


def _value_behind(constraint: Constraint, violation: float) -> float:
    """The metric whose violation this is: the inverse of ``Constraint.violation``."""
    excess = violation * (abs(constraint.bound) or 1.0)
    return constraint.bound + excess if constraint.is_upper else constraint.bound - excess


def space_from_optuna(trials: Sequence[FrozenTrial]) -> SearchSpace:
    """The union of the trials' search spaces: every parameter, its range wide enough for every trial."""
    found: dict[str, BaseDistribution] = {}
    for t in trials:
        for name, distribution in t.distributions.items():
            found[name] = union(found[name], distribution) if name in found else distribution
    return SearchSpace(parameters=tuple(Parameter(name=n, distribution=d) for n, d in found.items()))
