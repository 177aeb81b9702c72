"""Sampler and pruner in Optuna studies that are not ours."""

import copy
import math
import pickle
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pytest

from satisfice.errors import InputError
from satisfice.search import SatisficePruner, SatisficeSampler


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def fits(params: Mapping[str, Any]) -> dict[str, float]:
    return {"units": params["units"] / 32 - 1}


def test_threads_share_a_sampler_and_a_pruner():
    pruner = SatisficePruner(["loss", "units"], max_steps=9)

    def objective(trial):
        x, units = trial.suggest_float("x", 0, 1), trial.suggest_int("units", 1, 64, log=True)
        if trial.number % 3 == 0:
            trial.suggest_float("y", 0, 1)
        for step in range(1, 10):
            pruner.report(trial, step, {"loss": x + 1 / step, "units": units})
            if pruner.should_prune(trial):
                raise optuna.TrialPruned
        return x, units

    at_work, most = [], 0

    def slowly(params):  # other threads have their turn meanwhile
        nonlocal most
        at_work.append(1)
        most = max(most, len(at_work))
        time.sleep(0.005)
        at_work.pop()
        return fits(params)

    sampler = SatisficeSampler(seed=0, constraints=slowly)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)
    study.optimize(objective, n_trials=30, n_jobs=4)
    assert all(t.state.is_finished() and t.state != optuna.trial.TrialState.FAIL for t in study.trials)
    assert most == 1


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_sampler_and_pruner_can_be_copied(again):
    pruner = SatisficePruner(["loss"], max_steps=9)
    study = optuna.create_study(sampler=SatisficeSampler(seed=0))

    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        pruner.report(trial, 1, {"loss": x})
        pruner.should_prune(trial)
        return x

    study.optimize(objective, n_trials=8)
    study.sampler, pruner = again((study.sampler, pruner))
    study.optimize(objective, n_trials=2)
    assert len(study.trials) == 10


def test_constraints_may_ask_for_what_a_part_of_the_space_lacks():
    """Also for a trial that was pruned before it had any parameter."""

    def objective(trial):
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.suggest_categorical("learner", ["tree", "net"]) == "tree":
            return trial.suggest_float("depth", 1, 9)
        return trial.suggest_int("units", 1, 64) / 9

    def units(params):
        return {"units": params["units"] / 32 - 1} if params["learner"] == "net" else {}

    for constraints in (fits, units):
        study = optuna.create_study(sampler=SatisficeSampler(seed=0, constraints=constraints))
        study.optimize(objective, n_trials=25)
        nets = [t for t in study.trials if "units" in t.params]
        assert nets
        assert all(t.constraints == fits(t.params) for t in nets)
        assert all(t.constraints["units"] <= 0 for t in nets[1:])
        assert not any(t.constraints for t in study.trials if t not in nets)


def test_exact_constraints_go_with_those_that_training_decides():
    def objective(trial):
        x, units = trial.suggest_float("x", 0, 1), trial.suggest_int("units", 1, 64)
        trial.set_constraint("error", x - 0.5)
        return -x - units / 64

    study = optuna.create_study(sampler=SatisficeSampler(seed=0, constraints=fits))
    study.optimize(objective, n_trials=25)
    assert all(t.constraints.keys() == {"error", "units"} for t in study.trials)
    assert all(t.constraints["units"] <= 0 for t in study.trials[1:])
    assert study.best_trial.constraints["error"] <= 0
    assert study.best_value < -0.9


def test_constants_are_there_for_constraints():
    def objective(trial):
        layers = trial.suggest_int("layers", 2, 2)
        kind = trial.suggest_categorical("kind", ["dense"])
        return trial.suggest_int("units", 1, 64) * layers + len(kind)

    def size(params):
        return {"size": params["layers"] * params["units"] / 64 - 1 + (params["kind"] != "dense")}

    study = optuna.create_study(direction="maximize", sampler=SatisficeSampler(seed=0, constraints=size))
    study.optimize(objective, n_trials=20)
    assert all(t.constraints["size"] <= 0 for t in study.trials[1:])
    assert study.best_params["units"] >= 30


def test_a_space_of_constants_can_be_run():
    study = optuna.create_study(sampler=SatisficeSampler(seed=0, constraints=lambda p: {"x": p["x"] - 1}))
    study.optimize(lambda trial: trial.suggest_float("x", 0.5, 0.5), n_trials=4)
    assert [t.constraints for t in study.trials] == [{"x": -0.5}] * 4


def test_what_fits_is_repeated_once_all_of_it_was_tried():
    def objective(trial):
        return trial.suggest_int("units", 31, 64)

    study = optuna.create_study(sampler=SatisficeSampler(seed=1, constraints=fits))
    study.optimize(objective, n_trials=12)
    assert all(t.params["units"] <= 32 for t in study.trials[1:])


def test_trials_of_before_the_sampler_are_judged_by_its_constraints():
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_int("units", 1, 64), n_trials=10)
    study.sampler = SatisficeSampler(seed=0, constraints=fits)
    study.optimize(lambda trial: trial.suggest_int("units", 1, 64), n_trials=8)
    later = [t.params["units"] for t in study.trials[10:]]
    assert max(later) <= 32


def test_one_sampler_serves_one_study_after_another():
    def first_ten(sampler: SatisficeSampler) -> list[dict[str, Any]]:
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda t: t.suggest_float("x", 0, 1) + t.suggest_float("y", 0, 1), n_trials=10)
        return [t.params for t in study.trials]

    sampler = SatisficeSampler(seed=0)
    assert first_ten(sampler) == first_ten(sampler)


def test_workers_with_one_seed_begin_apart():
    study = optuna.create_study()
    for _ in range(3):
        study.sampler = SatisficeSampler(seed=0)  # each has a process of its own
        study.ask().suggest_float("x", 0, 1)
    assert len({t.params["x"] for t in study.trials}) == 3


def test_a_constraint_named_like_an_objective_changes_no_objective():
    pruner = SatisficePruner(["loss", "units"], max_steps=9)
    sampler = SatisficeSampler(seed=0)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)

    def objective(trial):
        units = trial.suggest_int("units", 1, 64)
        pruner.report(trial, 1, {"loss": 1 / units, "units": units})
        pruner.should_prune(trial)
        trial.set_constraint("units", -1e6)
        trial.set_constraint("objective 0", -1e6)
        return 1 / units, units

    study.optimize(objective, n_trials=8)
    for reader in (pruner._reader, sampler._reader):
        assert reader is not None
        history = reader.history
        ended = history.rows(optuna.trial.TrialState.COMPLETE)
        assert len(ended) >= 6
        assert history.objectives(ended).tolist() == [study.trials[i].values for i in ended]


def test_an_infinite_violation_is_learnt_from():
    def objective(trial):
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        trial.set_constraint("screening", math.inf if x > 0.5 else -1.0)
        return (y - 0.5) ** 2 - x

    study = optuna.create_study(sampler=SatisficeSampler(seed=1))
    study.optimize(objective, n_trials=40)
    assert study.best_value < -0.47


def test_other_ranges_replace_those_of_older_trials():
    def objective(low: float, high: float) -> Callable[[optuna.Trial], float]:
        return lambda trial: (math.log10(trial.suggest_float("rate", low, high, log=True)) + 3) ** 2

    sampler = SatisficeSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective(1e-8, 1.0), n_trials=30)
    study.optimize(objective(1e-4, 1e-2), n_trials=30)
    assert sampler._reader is not None
    [rate] = sampler._reader.problem.space
    assert (rate.distribution.low, rate.distribution.high) == (1e-4, 1e-2)  # type: ignore[attr-defined]  # a float
    history = sampler._reader.history
    inside = [t.number for t in study.trials[:-1] if 1e-4 <= t.params["rate"] <= 1e-2]
    assert history.rows(optuna.trial.TrialState.COMPLETE).tolist() == inside


def test_ranges_that_depend_on_other_parameters_are_searched_together():
    def objective(trial):
        a = trial.suggest_int("a", 1, 20)
        return (a - 10) ** 2 + (trial.suggest_int("b", 1, a) - 4) ** 2

    sampler = SatisficeSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=40)
    assert sampler._reader is not None
    assert len(sampler._reader.history.rows(optuna.trial.TrialState.COMPLETE)) == 39
    assert study.best_value <= 2


def test_choices_may_be_lists():
    study = optuna.create_study(sampler=SatisficeSampler(seed=0))

    def objective(trial):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna takes them and warns
            return sum(sum(trial.suggest_categorical(f"x{i}", [[1, 2], [3], [4, 5]])) for i in range(4))

    study.optimize(objective, n_trials=15)
    assert len(study.trials) == 15


@pytest.mark.parametrize("endless", [math.inf, -math.inf, 1e200, math.nan])
def test_reports_that_no_model_takes_say_nothing(endless):
    pruner = SatisficePruner(["loss"], max_steps=27)

    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        for step in range(1, 28):
            loss = endless if x > 0.5 and step < 4 else x + 1 / step
            pruner.report(trial, step, {"loss": loss})
            if step > 4 and pruner.should_prune(trial):
                raise optuna.TrialPruned
        return loss

    study = optuna.create_study(sampler=SatisficeSampler(seed=0))
    study.optimize(objective, n_trials=25)
    assert study.best_value < 0.1


def test_what_has_diverged_is_stopped_from_the_first_trial_on():
    pruner = SatisficePruner(["loss"], max_steps=9)
    trial = optuna.create_study().ask()
    pruner.report(trial, 1.0, {"loss": 0.5})  # type: ignore[arg-type]  # a whole number all the same
    assert not pruner.should_prune(trial)
    pruner.report(trial, 2, {"loss": math.inf})
    assert pruner.decide(trial).reason == "diverged: loss is infinite"


def test_objectives_of_a_pruner_have_names_of_their_own():
    with pytest.raises(InputError, match="one name"):
        SatisficePruner(["loss", "loss"], max_steps=9)
