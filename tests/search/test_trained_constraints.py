"""Constraints that training decides: what cannot meet them stops, and stopped trials teach what they can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from tests.search.problems import SPACE

from satisfice.search import PRUNERS, SAMPLERS, Decision, History, Screened, SearchProblem
from satisfice.search.auto.surrogates import fit_surrogates
from satisfice.search.curves.finish import CurveModels
from satisfice.search.history import rungs
from satisfice.spec.constraint import Constraint
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord
from satisfice.surrogate.metric_model import HyperparameterCache

MAX_STEPS = 30
SIZE = Objective(metric="size", direction="minimize")
GOOD = Constraint(metric="accuracy", operator=">=", bound=0.7)
STRICT = Constraint(metric="accuracy", operator=">=", bound=0.95)


def accuracy(final: float, step: int, *, informative: bool = True) -> float:
    """Rises from 0 to ``final``, or says nothing before the end."""
    return final * (step / MAX_STEPS) ** 0.3 if informative else 0.1


def params(final: float) -> dict[str, Any]:
    """Of a training that ends there: the rate decides."""
    return {"lr": float(10 ** (-4 + 3 * final)), "layers": 2, "optimizer": "adam"}


def reports(final: float, last: int, *, informative: bool = True) -> dict[int, dict[str, float]]:
    steps = [step for step in rungs(MAX_STEPS) if step <= last]
    return {step: {"accuracy": accuracy(final, step, informative=informative)} for step in steps}


def study_of(constraint: Constraint, n: int = 20, *, informative: bool = True) -> History:
    """Finished trials of all qualities up to 0.9, all of one size."""
    problem = SearchProblem(
        space=SPACE, objectives=(SIZE,), constraints=(constraint,), max_steps=MAX_STEPS, seed=0
    )
    history = History(problem)
    for number, final in enumerate(np.random.default_rng(0).uniform(0.2, 0.9, n)):
        add(history, number, float(final), size=4.0, informative=informative)
    return history


def add(
    history: History,
    number: int,
    final: float,
    *,
    size: float,
    last: int = MAX_STEPS,
    informative: bool = True,
) -> None:
    """A trial that finished, or was stopped at ``last``."""
    told = reports(final, last, informative=informative)
    shown = final if last == MAX_STEPS else told[last]["accuracy"]
    [constraint] = history.problem.constraints
    history.update(
        [
            TrialRecord(
                number=number,
                state=TrialState.COMPLETE if last == MAX_STEPS else TrialState.PRUNED,
                params=params(final),
                metrics={"accuracy": shown, "size": size},
                feasible=constraint.satisfied(shown),
                reports=told,
                steps=last,
            )
        ]
    )


def decide(history: History, final: float, *, size: float = 1.0, step: int = 6) -> Decision:
    """On one more trial, smaller than all others."""
    number = len(history)
    history.update(
        [TrialRecord(number=number, state=TrialState.RUNNING, params=params(final), metrics={"size": size})]
    )
    for at, metrics in reports(final, step).items():
        history.report(number, at, metrics)
    return PRUNERS.get("auto")(history.problem).decide(history, number)


def test_a_trial_that_cannot_meet_a_constraint_stops_and_says_which():
    decision = decide(study_of(GOOD), 0.3)
    assert decision.stop
    assert "cannot meet accuracy >= 0.7 at step 6: at best it reaches 0." in decision.reason


@pytest.mark.parametrize("final", [0.69, 0.72, 0.85])
def test_a_trial_that_may_meet_it_goes_on(final: float):
    assert not decide(study_of(GOOD), final).stop


def test_one_that_meets_it_stops_where_a_better_one_does_too():
    decision = decide(study_of(GOOD), 0.85, size=9.0)
    assert decision.stop
    assert "behind trial" in decision.reason


def test_while_none_meets_it_a_trial_is_measured_by_the_nearest_miss():
    assert decide(study_of(STRICT), 0.3).stop
    assert not decide(study_of(STRICT), 0.9).stop


def test_reports_that_foretell_nothing_stop_nothing():
    assert not decide(study_of(GOOD, informative=False), 0.3).stop


@pytest.mark.parametrize(
    ("final", "reported", "stops"), [(0.9, True, False), (0.2, True, True), (0.9, False, True)]
)
def test_at_the_start_a_trial_that_nears_a_constraint_is_not_behind(
    final: float, *, reported: bool, stops: bool
):
    loss = Objective(metric="loss", direction="minimize")
    problem = SearchProblem(space=SPACE, objectives=(loss,), constraints=(GOOD,), max_steps=MAX_STEPS)
    history = History(problem)
    for number, (ends, worse) in enumerate([(0.5, 0.0), (final, 0.3)]):
        history.update([TrialRecord(number=number, state=TrialState.RUNNING, params=params(ends))])
        for step, metrics in reports(ends, 9).items():
            history.report(number, step, {"loss": 1.0 + worse, **(metrics if reported else {})})
    decision = PRUNERS.get("auto")(problem).decide(history, 1)
    assert decision.stop == stops


def test_what_a_stopped_trial_reported_last_is_not_taken_for_its_end():
    history = study_of(GOOD, n=8)
    for number in range(8, 14):
        add(history, number, 0.8 + 0.01 * number, size=4.0, last=6)  # not there yet, as it must be at step 6
    surrogates = fit_surrogates(history, {"size"}, HyperparameterCache(), CurveModels())
    assert surrogates is not None
    scaled = history.encoder.scaled(np.array([history.encoder.raw(params(final)) for final in (0.85, 0.3)]))
    likely, hopeless = surrogates.probability_feasible(scaled)
    assert likely > 0.8
    assert hopeless < 0.2


def test_the_sampler_goes_on_where_all_that_is_known_of_a_constraint_comes_from_stopped_trials():
    history = study_of(GOOD, n=0)
    for number in range(12):
        add(history, number, 0.2 + 0.01 * number, size=4.0, last=9)
    sampler = SAMPLERS.get("auto")(history.problem)
    proposal = sampler.propose(
        history, lambda _: Screened(fits=True, metrics={"size": 4.0}), np.random.default_rng(0)
    )
    assert proposal.params


def test_while_none_meets_a_constraint_the_sampler_looks_for_what_does():
    history = study_of(STRICT)
    sampler = SAMPLERS.get("auto")(history.problem)

    def screen(configuration: Mapping[str, Any]) -> Screened:
        return Screened(fits=True, metrics={"size": float(configuration["layers"])})

    proposals = [sampler.propose(history, screen, np.random.default_rng(seed)) for seed in range(8)]
    sought = [p for p in proposals if p.why["method"] == "gp-feasible"]
    assert len(sought) > 4
    assert all(0.0 <= p.why["probability_feasible"] <= 1.0 for p in sought)
    assert np.median([p.params["lr"] for p in sought]) > params(0.8)["lr"]  # the higher, the more accurate
