"""The search layer on the benchmark's simulator, without a study, database or profile cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
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


class SearchLoop:
    """Ask, report and tell in memory, each trial with a seed of its own."""

    def __init__(
        self,
        problem: SearchProblem,
        screen: Callable[[Mapping[str, Any]], Screened],
        *,
        sampler: str = "auto",
        pruner: str = "auto",
    ) -> None:
        self._problem, self._screen = problem, screen
        self._history = History(problem)
        self._sampler = SAMPLERS.get(sampler)(problem)
        self._pruner = PRUNERS.get(pruner)(problem)
        self._records: dict[int, TrialRecord] = {}

    def _update(self, record: TrialRecord) -> None:
        self._records[record.number] = record
        self._history.update([record])

    def ask(self) -> TrialRecord:
        """The next trial."""
        number = len(self._records)
        rng = np.random.default_rng([self._problem.seed, number])
        proposal = self._sampler.propose(self._history, self._screen, rng)
        record = TrialRecord(
            number=number,
            state=TrialState.RUNNING,
            params=proposal.params,
            metrics=dict(proposal.metrics),
            feasible=True,
            proposal=dict(proposal.why),
        )
        self._update(record)
        return record

    def report(self, number: int, step: int, metrics: Mapping[str, float]) -> bool:
        """Whether to go on."""
        if not self._pruner.is_decision_step(step, self._problem.max_steps):
            return True
        self._history.report(number, step, metrics)
        return not self._pruner.decide(self._history, number).stop

    def tell(
        self,
        number: int,
        state: TrialState,
        metrics: Mapping[str, float],
        *,
        steps: int,
        feasible: bool = True,
    ) -> None:
        """The trial ended."""
        record = self._records[number]
        known = {**record.metrics, **metrics}
        self._update(dataclasses.replace(record, state=state, metrics=known, steps=steps, feasible=feasible))


class SearchLayer:
    """A strategy of the simulator (see its ``engine.Strategy``)."""

    def __init__(self, task: Any, seed: int, sampler: str = "auto", pruner: str = "auto") -> None:
        self._task = task
        self._objectives = [f"obj{i}" for i in range(len(task.objective_names))]
        self._bounds = [f"con{i}" for i in range(len(task.constraint_names))]
        self._problem = SearchProblem(
            space=search_space(task),
            objectives=tuple(Objective(metric=n, direction="minimize") for n in self._objectives),
            constraints=tuple(Constraint(metric=n, operator="<=", bound=0.0) for n in self._bounds),
            max_steps=task.max_epoch,
            seed=seed,
        )
        self._loop = SearchLoop(self._problem, self._screen, sampler=sampler, pruner=pruner)

    def _screen(self, params: Mapping[str, Any]) -> Screened:
        probe = self._task.probe(_active(self._task, params))
        metrics = {f"obj{i}": value for i, value in probe.static.items()}
        metrics |= dict(zip(self._bounds, probe.constraints, strict=True))
        return screened(self._problem.constraints, metrics)

    def ask(self) -> Any:
        """The next configuration."""
        trial = self._loop.ask()
        return engine.Proposal(trial.number, _active(self._task, trial.params))

    def report(self, config_id: int, epoch: int, objectives: tuple[float, ...]) -> bool:
        """Whether to go on."""
        return self._loop.report(config_id, epoch, dict(zip(self._objectives, objectives, strict=True)))

    def tell(self, config_id: int, outcome: Any) -> None:
        """The trial ended."""
        states = {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED}
        told = outcome.objectives is not None
        metrics = dict(zip(self._objectives, outcome.objectives, strict=True)) if told else {}
        self._loop.tell(config_id, states.get(outcome.state, TrialState.FAIL), metrics, steps=outcome.epoch)


def screened(constraints: Iterable[Constraint], metrics: dict[str, float]) -> Screened:
    """What is known before training, and whether it meets the constraints."""
    missed = violations(tuple(constraints), metrics)
    return Screened(fits=all(v <= 0 for v in missed.values()), metrics=metrics, violations=missed)


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
