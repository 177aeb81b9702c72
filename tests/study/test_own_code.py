"""Own training code that raises, prunes or answers wrongly: what it costs, and what is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from torch import nn

import satisfice
from satisfice.errors import InputError

Params = Mapping[str, Any]


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "seed": 3,
        "objectives": {"accuracy": "maximize"},
        "space": {"width": {"low": 1, "high": 8}, "rate": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 6},
    } | changes


class Trains:
    def train(self, params: Params, trial: Any) -> Mapping[str, float]:
        return {"accuracy": params["rate"]}


class Builds(Trains):
    """Not for every width."""

    def __init__(self, most: int) -> None:
        self.most = most

    def defaults(self) -> dict[str, Any]:
        return {"width": 8}

    def build(self, params: Params) -> nn.Module:
        if params["width"] > self.most:
            raise ValueError(f"width {params['width']} is too much")
        return nn.Linear(params["width"], 1)

    def example_input(self, params: Params) -> torch.Tensor:
        return torch.zeros(1, params["width"])


def test_a_trial_that_its_own_code_prunes_is_pruned() -> None:
    class Prunes(Trains):
        def train(self, params: Params, trial: Any) -> Mapping[str, float]:
            trial.report(1, {"accuracy": 0.25})
            raise optuna.TrialPruned("hopeless" if trial.number else "")

    study = satisfice.create_study(spec(budget={"trials": 2}), task=Prunes())
    study.optimize()
    first, second = study.records()
    assert [first.state.name, second.state.name] == ["PRUNED", "PRUNED"]
    assert [first.reason, second.reason] == ["its own code pruned it", "hopeless"]
    assert first.metrics == {"accuracy": 0.25}
    assert study.replay(0)["same"]


@pytest.mark.parametrize("sampler", ["auto", "tpe"])
@pytest.mark.parametrize("constraints", [{}, {"size_mb": "<= 1"}])
def test_what_cannot_be_built_is_turned_away_alone(
    sampler: str, constraints: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    study = satisfice.create_study(
        spec(search={"sampler": sampler}, constraints=constraints), task=Builds(most=5)
    )
    study.optimize()
    assert [r.state.name for r in study.records()] == ["COMPLETE"] * 6
    assert all(r.params["width"] <= 5 for r in study.records())
    assert study.status()["turned_away_by_constraint"].keys() == {"ValueError before training"}
    assert "width 8 is too much" in caplog.text
    assert study.report_context()["default_reason"] == "its code raised ValueError before training"


def test_code_that_always_raises_before_training_ends_the_study_with_its_error() -> None:
    study = satisfice.create_study(spec(), task=Builds(most=0))
    with pytest.raises(ValueError, match="is too much"):
        study.optimize()
    assert study.records() == []


def test_a_profile_that_gives_nothing_is_named() -> None:
    class Silent(Trains):
        def profile(self, params: Params) -> Any:
            return None

    study = satisfice.create_study(spec(), task=Silent())
    with pytest.raises(InputError, match="profile gave None, which is no dict of metrics"):
        study.optimize()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "the task gave no 'accuracy', nor any other metric"),
        (0.9, 'metrics = 0.9 is no dict (give {"accuracy": 0.9})'),
        (0.0, 'metrics = 0.0 is no dict (give {"accuracy": 0.9})'),
        ((0.9, 1.0), "metrics = (0.9, 1.0) is no dict"),
        (torch.tensor([0.5, 0.5]), "metrics = tensor([0.5000, 0.5000]) is no dict"),
        ([], "metrics = [] is no dict"),
        ({"accuracy": "0.9"}, "metric accuracy = '0.9' is no number (return floats)"),
        ({"accuracy": torch.zeros(2)}, "metric accuracy = tensor([0., 0.]) is no number"),
        ({"accuracy": np.zeros(3)}, "metric accuracy = array([0., 0., 0.]) is no number"),
        ({"accuracy": 0.5, "model": nn.Linear(2, 2)}, "metric model = Linear("),
        ({"acc": 0.5}, "the task gave no 'accuracy' (did you mean 'acc'?)"),
        ({"loss": 0.5}, "the task gave no 'accuracy' (it gave loss)"),
    ],
)
def test_what_a_task_returns_wrongly_is_named(given: Any, said: str) -> None:
    class Returns:
        def train(self, params: Params, trial: Any) -> Any:
            return given

    study = satisfice.create_study(spec(budget={"trials": 1}), task=Returns())
    study.optimize()
    (record,) = study.records()
    assert record.state.name == "FAIL"
    assert record.reason is not None
    assert record.reason.startswith(said)


@pytest.mark.parametrize("given", [np.float32(0.5), torch.tensor(0.5), torch.tensor([0.5]), np.array([0.5])])
def test_a_single_number_is_a_number_in_whatever_wrapping(given: Any) -> None:
    class Returns:
        def train(self, params: Params, trial: Any) -> Any:
            trial.report(1, {"accuracy": given})
            return {"accuracy": given}

    study = satisfice.create_study(spec(budget={"trials": 1}), task=Returns())
    study.optimize()
    assert study.records()[0].metrics == {"accuracy": 0.5}


def test_a_task_that_changes_its_parameters_changes_nothing_else() -> None:
    class Takes:
        def profile(self, params: Any) -> dict[str, float]:
            params["rate"] = 100.0
            return {}

        def train(self, params: Any, trial: Any) -> dict[str, float]:
            accuracy = params.pop("rate")
            params.clear()
            return {"accuracy": accuracy}

    study = satisfice.create_study(spec(), task=Takes())
    study.optimize()
    assert study.records()
    for record in study.records():
        assert record.state.name == "COMPLETE"
        assert record.params.keys() == {"width", "rate"}
        assert record.metrics["accuracy"] == record.params["rate"] <= 1.0
