"""The search layer on the benchmark's simulator, without a study, database or profile cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import engine
import numpy as np
from optuna.trial import TrialState
from product import _active, _space

from satisfice.search import PRUNERS, SAMPLERS, History, Screened, SearchProblem
from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord


class SearchLayer:
    """A strategy of the simulator (see its ``engine.Strategy``)."""

    def __init__(self, task: Any, seed: int, sampler: str = "auto", pruner: str = "auto") -> None:
        self._task, self._seed = task, seed
        self._objectives = [f"obj{i}" for i in range(len(task.objective_names))]
        self._bounds = [f"con{i}" for i in range(len(task.constraint_names))]
        self._problem = SearchProblem(
            space=search_space(task),
            objectives=tuple(Objective(metric=n, direction="minimize") for n in self._objectives),
            constraints=tuple(Constraint(metric=n, operator="<=", bound=0.0) for n in self._bounds),
            max_steps=task.max_epoch,
            seed=seed,
        )
        self._history = History(self._problem)
        self._sampler = SAMPLERS.get(sampler)(self._problem)
        self._pruner = PRUNERS.get(pruner)(self._problem)
        self._records: dict[int, TrialRecord] = {}

    def _screen(self, params: Mapping[str, Any]) -> Screened:
        probe = self._task.probe(_active(self._task, params))
        metrics = {f"obj{i}": value for i, value in probe.static.items()}
        metrics |= dict(zip(self._bounds, probe.constraints, strict=True))
        missed = violations(self._problem.constraints, metrics)
        return Screened(fits=all(v <= 0 for v in missed.values()), metrics=metrics, violations=missed)

    def _update(self, record: TrialRecord) -> None:
        self._records[record.number] = record
        self._history.update([record])

    def ask(self) -> Any:
        """The next configuration."""
        number = len(self._records)
        rng = np.random.default_rng([self._seed, number])
        proposal = self._sampler.propose(self._history, self._screen, rng)
        self._update(
            TrialRecord(
                number=number,
                state=TrialState.RUNNING,
                params=proposal.params,
                metrics=dict(proposal.metrics),
                feasible=True,
                proposal=dict(proposal.why),
            )
        )
        return engine.Proposal(number, _active(self._task, proposal.params))

    def report(self, config_id: int, epoch: int, objectives: tuple[float, ...]) -> bool:
        """Whether to go on."""
        if not self._pruner.is_decision_step(epoch, self._task.max_epoch):
            return True
        self._history.report(config_id, epoch, dict(zip(self._objectives, objectives, strict=True)))
        return not self._pruner.decide(self._history, config_id).stop

    def tell(self, config_id: int, outcome: Any) -> None:
        """The trial ended."""
        record, states = (
            self._records[config_id],
            {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED},
        )
        metrics = dict(record.metrics)
        if outcome.objectives is not None:
            metrics |= dict(zip(self._objectives, outcome.objectives, strict=True))
        state = states.get(outcome.state, TrialState.FAIL)
        self._update(dataclasses.replace(record, state=state, metrics=metrics, steps=outcome.epoch))


def search_space(task: Any) -> SearchSpace:
    """The space as a study states it, with its conditions."""
    stated = _space(task)
    parameters = []
    for name, distribution in task.space.items():
        entry = stated[name]
        when = entry.get("when", {}) if isinstance(entry, dict) else {}
        when = {parent: tuple(values) for parent, values in when.items()}
        parameters.append(Parameter(name=name, distribution=distribution, when=when))
    return SearchSpace(parameters=tuple(parameters))
