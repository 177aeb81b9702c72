"""Steps may count environment steps or tokens: beyond 32 bits, far apart, and pruned as others are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.study.lifecycle.trial import running_of

STEPS = [1_000_000, 50_000_000, 400_000_000, 3_000_000_000, 9_000_000_000, 2**63 - 1]


class Own:
    """Trains by a function."""

    def __init__(self, train: Callable[[Mapping[str, Any], Any], dict[str, float]]) -> None:
        self._train = train

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return self._train(params, trial)


def spec(trials: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "objectives": {"score": "maximize"},
        "space": {"a": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": trials},
    } | changes


def test_environment_steps_are_kept_on_every_database(storage_url: str) -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        for step in STEPS:
            trial.report(step, {"score": params["a"] * step / 1e19})
            assert not trial.should_prune()
        return {"score": params["a"]}

    study = satisfice.create_study(spec(1), storage=storage_url, task=Own(train))
    study.optimize()
    again = satisfice.load_study("x", storage=storage_url)
    (record,) = again.records(with_reports=True)
    assert record.state.name == "COMPLETE"
    assert record.steps == 2**63 - 1
    assert list(record.reports) == STEPS
    for opened in (study, again):
        opened._opened.db.close()


def test_a_trial_is_given_back_and_goes_on_at_a_large_step(storage_url: str) -> None:
    study = satisfice.create_study(spec(1), storage=storage_url, task=Own(lambda _p, _t: {}))
    trial = study.ask()
    trial.report(5_000_000_000, {"score": 0.5})
    running_of(trial).flush()
    session = study._session
    session.ledger.leases.give_back(running_of(trial).claim, [], "stopped")
    again = study.ask()
    assert (again.number, running_of(again).claim.last_step) == (trial.number, 5_000_000_000)
    again.report(6_000_000_000, {"score": 0.6})
    study.tell(again, {"score": 0.7})
    assert study.records()[0].steps == 6_000_000_000
    study._opened.db.close()


def test_trials_far_behind_are_pruned_whatever_their_steps_count() -> None:
    """Reports at 2,048 steps, 4,096 and so on never meet a step at which trials are judged: they pass it."""
    spent = {}

    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        for i in range(1, 101):
            spent[trial.number] = i
            trial.report(2048 * i, {"score": params["a"] * (1 - 0.97**i)})
            if trial.should_prune():
                break
        return {"score": params["a"] * (1 - 0.97**i)}

    start = [{"a": 0.9}, {"a": 0.8}, *({"a": 0.02 + 0.01 * i} for i in range(10))]
    study = satisfice.create_study(spec(12, search={"start": start}), task=Own(train))
    study.optimize()
    states = [record.state.name for record in study.records()]
    assert states.count("PRUNED") >= 4
    assert spent[0] == 100
    assert all(spent[i] < 100 for i, state in enumerate(states) if state == "PRUNED")


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ([0, 1], [0, 1]),
        ([np.int64(1), np.float64(2.0), 3.0, np.uint8(4)], [1, 2, 3, 4]),
        ([3, 1, 2], [1, 2, 3]),
        ([5, 5, 5], [5]),
    ],
    ids=["zero", "numpy", "back", "again"],
)
def test_steps_of_any_kind_and_order(steps: list[Any], kept: list[int]) -> None:
    def train(_params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        for i, step in enumerate(steps):
            trial.report(step, {"score": float(i)})
            trial.should_prune()
        return {"score": 1.0}

    study = satisfice.create_study(spec(1), task=Own(train))
    study.optimize()
    (record,) = study.records(with_reports=True)
    assert record.state.name == "COMPLETE"
    assert sorted(record.reports) == kept
    assert record.steps == max(kept)
    assert record.reports[max(kept)] == {
        "score": float(max(i for i, s in enumerate(steps) if s == max(kept)))
    }


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (-1, "step = -1 is no step (count epochs, or steps of your own, by whole numbers from 1)"),
        (1.5, "step = 1.5 is no step"),
        (True, "step = True is no step"),
        ("3", "step = '3' is no step"),
        (None, "step = None is no step"),
        (float("nan"), "step = nan is no step"),
        (2**63, "(steps end at 9223372036854775807)"),
    ],
)
def test_what_is_no_step(step: Any, said: str) -> None:
    def train(_params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        trial.report(step, {"score": 1.0})
        return {"score": 1.0}

    study = satisfice.create_study(spec(1), task=Own(train))
    study.optimize()
    (record,) = study.records()
    assert record.state.name == "FAIL"
    assert said in str(record.reason)


def test_a_metric_too_great_for_a_float_is_said() -> None:
    study = satisfice.create_study(spec(1), task=Own(lambda _p, _t: {"score": 10**400}))
    study.optimize()
    assert "metric score = 1000" in str(study.records()[0].reason)
    assert "is no number" in str(study.records()[0].reason)
