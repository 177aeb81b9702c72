"""Someone else's Optuna study, read as a `History`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from satisfice.search.history import History
from satisfice.search.protocol import SearchProblem
from satisfice.spec.constraint import Constraint, feasibility
from satisfice.spec.distributions import same_kind, union
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

Exact = Callable[[Mapping[str, Any]], Mapping[str, float]]  # parameters to constraint values by key
_LATEST = 20  # trials whose ranges make a parameter's
_WORST = 1e12  # stands for an infinite violation, which no model takes
REPORT_KEY = "satisfice:step:"  # user attribute of a trial, followed by the step: the metrics reported there


class CopyableLock:
    """A lock between the threads of a process; a copy of its owner, pickled or not, has one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_raised: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[CopyableLock], tuple[()]]:
        return CopyableLock, ()


def constraint_of(key: str) -> Constraint:
    """What a value given to ``trial.set_constraint`` must meet. Its metric is named as no objective is."""
    return Constraint(metric=f"constraints:{key}", operator="<=", bound=0.0)


def space_of(trials: Sequence[FrozenTrial]) -> dict[str, BaseDistribution]:
    """The parameters of trials. Where ranges change, those of the latest few trials count, together."""
    space: dict[str, BaseDistribution] = {}
    looked_at: Counter[str] = Counter()
    for trial in reversed(trials):
        for name, distribution in trial.distributions.items():
            if looked_at[name] < _LATEST:
                looked_at[name] += 1
                latest = space.setdefault(name, distribution)
                if same_kind(latest, distribution):
                    space[name] = union(latest, distribution)
    return space


class StudyReader:
    """Keeps a history in step with a study.

    Args:
        directions: The study's directions.
        space: The parameters to see; others are ignored.
        constraint_keys: Keys given to ``trial.set_constraint``, and those that ``exact`` gives.
        metrics: Names of the objectives in the order of the directions.
        max_steps: Steps of a full training.
        seed: For `SearchProblem`.
        exact: Constraints that are functions of the parameters: older trials may lack their values.
    """

    def __init__(
        self,
        directions: Sequence[optuna.study.StudyDirection],
        space: Mapping[str, BaseDistribution],
        constraint_keys: Sequence[str],
        *,
        metrics: Sequence[str],
        max_steps: int | None = None,
        seed: int = 0,
        exact: Exact | None = None,
    ) -> None:
        self._metrics, self._exact = tuple(metrics), exact
        self._constraints = {key: constraint_of(key) for key in constraint_keys}
        self.problem = SearchProblem(
            space=SearchSpace(parameters=tuple(Parameter(name=n, distribution=d) for n, d in space.items())),
            objectives=tuple(
                Objective(metric=name, direction="maximize" if d.name == "MAXIMIZE" else "minimize")
                for name, d in zip(metrics, directions, strict=True)
            ),
            constraints=tuple(self._constraints.values()),
            max_steps=max_steps,
            seed=seed,
        )
        self.history = History(self.problem)
        self._seen: dict[int, tuple[TrialState, int, int]] = {}

    def read(self, trials: Sequence[FrozenTrial], *, skip: int | None = None) -> History:
        """Take in what has changed; ``skip`` is the trial that is being asked for.

        What has ended stays so: another thread may have seen less.
        """
        for trial in trials:
            size = len(trial.user_attrs) + len(trial.intermediate_values)
            mark = (trial.state, len(trial.params), size)
            seen = self._seen.get(trial.number)
            if trial.number != skip and seen != mark and not (seen is not None and seen[0].is_finished()):
                self._seen[trial.number] = mark
                self.history.update([self._record(trial)])
        return self.history

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        if not self._covers(trial):  # it is outside this space
            return TrialRecord(number=trial.number, state=TrialState.WAITING, params={})
        metrics: dict[str, float] = {}
        if trial.state == TrialState.COMPLETE and trial.values is not None:
            metrics.update(zip(self._metrics, trial.values, strict=True))
        constraints = self._constraint_values(trial)
        metrics.update({self._constraints[key].metric: min(v, _WORST) for key, v in constraints.items()})
        return TrialRecord(
            number=trial.number,
            state=trial.state,
            params=dict(trial.params),
            metrics=metrics,
            feasible=feasibility(constraints, len(self._constraints)),
            reports=all_reports_of(trial, self._metrics[0]),
        )

    def _covers(self, trial: FrozenTrial) -> bool:
        """Whether the trial's numbers are within the ranges of the space."""
        by_name = self.problem.space.by_name
        numbers = ((by_name[n], v) for n, v in trial.params.items() if n in by_name)
        return all(
            p.contains(v) for p, v in numbers if not isinstance(p.distribution, CategoricalDistribution)
        )

    def _constraint_values(self, trial: FrozenTrial) -> dict[str, float]:
        values = trial.constraints
        ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        if self._exact is not None and ended and not self._constraints.keys() <= values.keys():
            values = {**self._exact(trial.params), **values}
        return {key: float(v) for key, v in values.items() if key in self._constraints}


def all_reports_of(trial: FrozenTrial, metric: str) -> dict[int, dict[str, float]]:
    """The same with what ``trial.report`` of Optuna's stored, which takes one objective's values alone.

    Args:
        trial: The trial.
        metric: Name of that objective.
    """
    plain = {step: {metric: value} for step, value in trial.intermediate_values.items() if step > 0}
    return plain | reports_of(trial.user_attrs)


def reports_of(attributes: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """What `SatisficePruner.report` left in a trial's attributes, by step."""
    return {
        int(name.removeprefix(REPORT_KEY)): value
        for name, value in attributes.items()
        if name.startswith(REPORT_KEY)
    }
