"""Sampler and pruner in Optuna studies that are not ours."""

import copy
import pickle
import time
from collections.abc import Mapping
from typing import Any

import optuna
import pytest

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
