"""The pruner named auto, alone and on plain Optuna trials."""

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from tests.search.problems import problem

from satisfice.errors import InputError
from satisfice.search import PRUNERS, History, SatisficePruner
from satisfice.search.history import rungs
from satisfice.spec.trial import TrialRecord

MAX_STEPS = 30


def curve(final: float, step: int, *, start: float = 1.0, informative: bool = True) -> float:
    """Falls from ``start`` to ``final``, or stays at ``start`` and says nothing of the end."""
    left = 1.0 - (step / MAX_STEPS) ** 0.3
    return float(final + left * (start - final)) if informative else start


def study_of(*, informative: bool, n: int = 30, feasible: bool | None = True, seed: int = 0) -> History:
    """Finished trials of all qualities, of one size, with their reports."""
    p = problem(max_steps=MAX_STEPS)
    history, rng = History(p), np.random.default_rng(seed)
    for number in range(n):
        final, start = float(rng.uniform(0.1, 0.8)), 1.0 if informative else float(rng.uniform(0.2, 2.0))
        reports = {
            step: {"error": curve(final, step, start=start, informative=informative), "size": 4.0}
            for step in rungs(MAX_STEPS)
        }
        history.update(
            [
                TrialRecord(
                    number=number,
                    state=TrialState.COMPLETE,
                    params={"lr": float(10 ** rng.uniform(-4, -1)), "layers": 2, "optimizer": "adam"},
                    metrics={"error": final, "size": 4.0},
                    feasible=feasible,
                    reports=reports,
                )
            ]
        )
    return history


def decide(
    history: History,
    final: float,
    size: float,
    step: int = 6,
    number: int = 30,
    pruner: Any = None,
    **others: object,
):
    params = {"lr": 1e-3, "layers": 2, "optimizer": "adam", **others}
    running = TrialRecord(number=number, state=TrialState.RUNNING, params=params, metrics={"size": size})
    history.update([running])
    for s in rungs(MAX_STEPS):
        if s <= step:
            history.report(number, s, {"error": curve(final, s), "size": size})
    return (pruner or PRUNERS.get("auto")(history.problem)).decide(history, number)


def test_a_hopeless_trial_stops_and_says_why():
    decision = decide(study_of(informative=True), final=0.75, size=4.0)
    assert decision.stop
    assert "dominated at step 6" in decision.reason


def test_a_promising_trial_goes_on():
    assert not decide(study_of(informative=True), final=0.05, size=4.0).stop


@pytest.mark.parametrize(("unit", "offset"), [(2.0**-160, 0.0), (2.0**120, 2.0**20)])
@pytest.mark.parametrize(("final", "stops"), [(0.05, False), (0.75, True)])
def test_units_and_offsets_of_a_metric_change_no_decision(
    unit: float, offset: float, final: float, stops: bool
) -> None:
    """Errors of 1e-48, and of 1e42 ± 1e35: float32 would keep none of them apart."""
    history = study_of(informative=True)
    for values in (history._metrics[:, 0], history._curves[..., 0]):
        values[...] = (values + offset) * unit
    params = {"lr": 1e-3, "layers": 2, "optimizer": "adam"}
    history.update([TrialRecord(number=30, state=TrialState.RUNNING, params=params, metrics={"size": 4.0})])
    for step in (1, 2, 4, 6):
        history.report(30, step, {"error": (curve(final, step) + offset) * unit, "size": 4.0})
    assert PRUNERS.get("auto")(history.problem).decide(history, 30).stop == stops


def test_no_trial_that_has_shown_the_best_is_stopped():
    """Whatever a model makes of its configuration: what has been reported is no guess."""
    history = study_of(informative=True)
    best = float(history.objectives()[:, 0].min())
    running = TrialRecord(
        number=30,
        state=TrialState.RUNNING,
        params={"lr": 1e-3, "layers": 2, "optimizer": "adam"},
        metrics={"size": 4.0},
    )
    history.update([running])
    for step in (1, 2, 4, 6):
        history.report(30, step, {"error": best - 1e-4, "size": 4.0})  # flat: it will hardly get better
    assert not PRUNERS.get("auto")(history.problem).decide(history, 30).stop


def test_a_trial_whose_objective_is_missing_from_its_report_goes_on():
    history = study_of(informative=True)
    params = {"lr": 1e-3, "layers": 2, "optimizer": "adam"}
    history.update([TrialRecord(number=30, state=TrialState.RUNNING, params=params, metrics={"size": 4.0})])
    history.report(30, 4, {"error": 0.9, "size": 4.0})
    history.report(30, 6, {"size": 4.0})
    assert not PRUNERS.get("auto")(history.problem).decide(history, 30).stop


def test_a_training_unlike_all_that_finished_gets_more_time():
    """It may be a slow starter: how its like go on has not been seen."""
    histories = [study_of(informative=True, seed=seed) for seed in range(10)]
    finals = [float(np.quantile(h.objectives()[:, 0], 0.4)) for h in histories]
    like = sum(decide(h, f, 4.0).stop for h, f in zip(histories, finals, strict=True))
    histories = [study_of(informative=True, seed=seed) for seed in range(10)]
    unlike = sum(decide(h, f, 4.0, optimizer="sgd").stop for h, f in zip(histories, finals, strict=True))
    assert unlike < like


def test_a_trial_that_no_other_is_as_small_as_goes_on():
    assert not decide(study_of(informative=True), final=0.75, size=1.0).stop


def test_no_trial_is_compared_with_what_is_infeasible():
    assert not decide(study_of(informative=True, feasible=False), final=0.75, size=4.0).stop


def test_reports_that_foretell_nothing_stop_nothing():
    history = study_of(informative=False)
    assert not any(decide(history, final=0.75, size=4.0, number=n).stop for n in range(30, 40))


def test_at_the_start_a_trial_stops_that_is_slower_than_half_as_fast():
    finals = study_of(informative=True, n=3).objectives()[:, 0]
    then = max(step for step in rungs(MAX_STEPS) if step <= 3)
    for final in (0.1, 0.5, 0.99):
        history = study_of(informative=True, n=3)
        behind = curve(final, 6) >= min(curve(f, then) for f in finals)
        decision = decide(history, final=final, size=4.0, number=3)
        assert decision.stop == behind
        assert not behind or f"after {then}" in decision.reason
    assert not decide(study_of(informative=True, n=3), final=0.99, size=1.0, number=3).stop
    assert not decide(study_of(informative=True, n=3, feasible=False), final=0.99, size=4.0, number=3).stop


@pytest.mark.parametrize(("size", "stops"), [(4.0, True), (1.0, False)])
def test_at_the_start_running_trials_are_compared_with_each_other(size, stops):
    history = History(problem(max_steps=MAX_STEPS))
    params = {"lr": 1e-3, "layers": 2, "optimizer": "adam"}
    ahead = TrialRecord(number=0, state=TrialState.RUNNING, params=params, metrics={"size": 4.0})
    history.update([ahead])
    for step in (1, 2, 4, 6):
        history.report(0, step, {"error": curve(0.1, step), "size": 4.0})
    decision = decide(history, final=0.9, size=size, number=1)
    assert decision.stop == stops
    assert not stops or "trial 0" in decision.reason


def test_at_the_start_some_trials_finish_however_bad():
    history = study_of(informative=True, n=1)
    stops = 0
    for number in range(1, 8):
        stops += decide(history, final=0.99, size=4.0, number=number).stop
        history.update(
            [
                TrialRecord(
                    number=number,
                    state=TrialState.PRUNED,
                    params={"lr": 1e-3, "layers": 2, "optimizer": "adam"},
                    metrics={"error": curve(0.99, 6), "size": 4.0},
                    feasible=True,
                    steps=6,
                )
            ]
        )
    assert stops == 3


def test_nothing_stops_before_one_has_finished_early_or_late():
    assert not decide(study_of(informative=True, n=0), final=0.75, size=4.0, number=0).stop
    assert not decide(study_of(informative=True), final=0.75, size=4.0, step=1).stop
    assert not decide(study_of(informative=True), final=0.75, size=4.0, step=21).stop


def test_every_worker_decides_the_same_whatever_it_did_before():
    history = study_of(informative=True)
    used = PRUNERS.get("auto")(history.problem)
    stopped = set()
    for number, final in enumerate((0.7, 0.3, 0.75, 0.1, 0.5), start=30):
        fresh = decide(history, final=final, size=4.0, number=number)
        assert used.decide(history, number) == fresh
        stopped.add(fresh.stop)
    assert stopped == {True, False}


def test_one_in_some_trials_is_never_stopped():
    history = study_of(informative=True)
    pruner = PRUNERS.get("auto")(history.problem)  # one for all: its models are those of the finished trials
    stops = [decide(history, final=0.75, size=4.0, number=n, pruner=pruner).stop for n in range(30, 180)]
    assert 0 < stops.count(False) < 15


def test_none_never_stops():
    history = study_of(informative=True)
    decide(history, final=0.75, size=4.0)
    assert not PRUNERS.get("none")(history.problem).decide(history, 30).stop


@pytest.mark.parametrize("name", ["auto", "none"])
def test_decision_steps_are_few_and_before_the_end(name):
    pruner = PRUNERS.get(name)(problem())
    for max_steps in (1, 2, 20, 50, 200):
        steps = [s for s in range(1, max_steps + 1) if pruner.is_decision_step(s, max_steps)]
        assert len(steps) <= 13
        assert max_steps not in steps


def test_plain_optuna_trials_with_several_objectives_are_pruned():
    rng = np.random.default_rng(0)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=optuna.samplers.RandomSampler(0))
    pruner = SatisficePruner(["error", "size"], max_steps=MAX_STEPS)

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        trial.suggest_float("x", 0, 1)
        final = float(rng.uniform(0.1, 0.8))
        for step in range(1, MAX_STEPS + 1):
            pruner.report(trial, step, {"error": curve(final, step), "size": 4.0})
            if pruner.should_prune(trial):
                raise optuna.TrialPruned
        return final, 4.0

    study.optimize(objective, n_trials=45)
    states = [t.state for t in study.trials]
    assert states[:4] == [TrialState.COMPLETE] * 4
    assert 15 <= states.count(TrialState.PRUNED) <= 40

    again = SatisficePruner(["error", "size"], max_steps=MAX_STEPS)  # after a restart: state is in the trials
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    for step in (1, 2, 4, 6):
        pruner.report(trial, step, {"error": curve(0.78, step), "size": 4.0})
    assert again.decide(trial) == pruner.decide(trial)


def test_a_report_without_an_objective_is_refused():
    study = optuna.create_study(directions=["minimize", "minimize"])
    pruner = SatisficePruner(["error", "size"], max_steps=MAX_STEPS)
    with pytest.raises(InputError, match="lacks size"):
        pruner.report(study.ask(), 1, {"error": 0.5})


@pytest.mark.parametrize("max_steps", [0, -1, 2.5, True, "9", None, float("nan")])
def test_a_full_training_has_a_whole_number_of_steps(max_steps: Any) -> None:
    with pytest.raises(InputError, match="is no number of steps"):
        SatisficePruner(["loss"], max_steps=max_steps)


@pytest.mark.parametrize("value", [None, "x"])
def test_a_report_of_what_is_no_number_is_refused(value: Any) -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(InputError, match="no number"):
        SatisficePruner(["loss"], max_steps=9).report(trial, 1, {"loss": value})
    assert trial.user_attrs == {}


@pytest.mark.parametrize("worst", [math.nan, math.inf, -math.inf, 1e300])
def test_reports_beyond_all_numbers_leave_the_models_whole(worst: float) -> None:
    pruner = SatisficePruner(["loss", "other"], max_steps=10)
    study = optuna.create_study(directions=["minimize", "minimize"])

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        x = trial.suggest_float("x", 0.0, 1.0)
        for step in range(1, 11):
            pruner.report(trial, step, {"loss": worst if x > 0.5 else x + 1 / step, "other": 1 - x})
            if pruner.should_prune(trial):
                raise optuna.TrialPruned
        return x, 1 - x

    study.optimize(objective, n_trials=30)  # warnings are errors
    assert len(study.trials) == 30
