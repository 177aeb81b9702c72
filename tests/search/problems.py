"""Small search problems for the tests, and a loop that drives a sampler through them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from satisfice.search import History, Proposal, Sampler, Screened, SearchProblem
from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord
from satisfice.surrogate.encoding import Layout

Known = Callable[[Mapping[str, Any]], dict[str, float]]

SPACE = SearchSpace(
    parameters=(
        Parameter(name="lr", distribution=FloatDistribution(1e-4, 1e-1, log=True)),
        Parameter(name="layers", distribution=IntDistribution(1, 5)),
        Parameter(name="optimizer", distribution=CategoricalDistribution(("sgd", "adam"))),
        Parameter(name="momentum", distribution=FloatDistribution(0.0, 0.99), when={"optimizer": ("sgd",)}),
    )
)


def flat_layout(ordered: NDArray[np.bool_]) -> Layout:
    """Of a space without conditions."""
    return Layout(ordered, (float(len(ordered)),) * len(ordered))


def size(params: Mapping[str, Any]) -> float:
    """Known before training; 1 to 25."""
    return float(params["layers"] ** 2)


def error(params: Mapping[str, Any]) -> float:
    """Decided by training: best near lr = 1e-2, many layers, adam."""
    bad_rate = (np.log10(params["lr"]) + 2.0) ** 2
    return float(0.1 + 0.1 * bad_rate + 0.2 / params["layers"] + 0.05 * params.get("momentum", 0.0))


def problem(
    space: SearchSpace = SPACE,
    objectives: tuple[str, ...] = ("error", "size"),
    bounds: Mapping[str, float] | None = None,
    **more: Any,
) -> SearchProblem:
    """Minimise the objectives subject to upper bounds."""
    found = bounds if bounds is not None else {"size": 9.0}
    return SearchProblem(
        space=space,
        objectives=tuple(Objective(metric=name, direction="minimize") for name in objectives),
        constraints=tuple(Constraint(metric=n, operator="<=", bound=b) for n, b in found.items()),
        **more,
    )


def screen_for(p: SearchProblem, known: Known | None = None) -> Callable[[Mapping[str, Any]], Screened]:
    """A screen that knows the size, or what ``known`` says."""

    def screen(params: Mapping[str, Any]) -> Screened:
        assert p.space.problem_with(params) is None, params
        metrics = {"size": size(params)} if known is None else known(params)
        missed = violations(p.constraints, metrics)
        return Screened(fits=all(v <= 0 for v in missed.values()), metrics=metrics, violations=missed)

    return screen


def run(
    p: SearchProblem,
    sampler: Sampler,
    n: int,
    *,
    evaluate: Callable[[Mapping[str, Any]], Mapping[str, float]] | None = None,
    screen: Callable[[Mapping[str, Any]], Screened] | None = None,
) -> tuple[History, list[Proposal]]:
    """Propose and finish ``n`` trials one after the other."""
    history, proposals = History(p), []
    screen = screen or screen_for(p)
    for number in range(n):
        proposal = sampler.propose(history, screen, np.random.default_rng([p.seed, number]))
        proposals.append(proposal)
        record = TrialRecord(
            number=number,
            state=TrialState.RUNNING,
            params=proposal.params,
            metrics=dict(proposal.metrics),
            feasible=True,
            proposal=dict(proposal.why),
        )
        history.update([record])
        values = evaluate(proposal.params) if evaluate else {"error": error(proposal.params)}
        metrics = {**proposal.metrics, **values}
        done = dataclasses.replace(
            record,
            state=TrialState.COMPLETE,
            metrics=metrics,
            feasible=all(v <= 0 for v in violations(p.constraints, metrics).values()),
        )
        history.update([done])
    return history, proposals
