"""Questions to a study, and its trials as a table: how they may be put, and names that clash."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import satisfice
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.study import Objective


class Own:
    def __init__(self, metrics: Callable[[Mapping[str, Any]], dict[str, float]]) -> None:
        self.metrics = metrics

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return self.metrics(params)


def trained(metrics: Callable[[Mapping[str, Any]], dict[str, float]]) -> satisfice.Study:
    spec = {
        "name": "own",
        "objectives": {"loss": "minimize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}, "number": [7]},
        "budget": {"trials": 3},
    }
    study = satisfice.create_study(spec, task=Own(metrics))
    study.optimize()
    return study


def test_one_condition_and_one_objective_need_no_list() -> None:
    study = trained(lambda params: {"loss": params["rate"]})
    best = study.best()
    assert study.best(where="loss <= 3").number == best.number
    assert [t.number for t in study.pareto_front("loss", where="loss <= 3")] == [best.number]
    assert study.close_calls(where="loss <= 3") == study.close_calls()
    with pytest.raises(NoFeasibleTrial):
        study.best(where="loss < -1")


def test_a_front_over_what_no_trial_has_is_refused() -> None:
    study = trained(lambda params: {"loss": params["rate"]})
    for name in ("nonsense", "accuracy", Objective(metric="nonsense", direction="minimize")):
        with pytest.raises(InputError, match=r"nonsense|accuracy"):
            study.pareto_front([name])


def test_where_all_trials_diverged_it_is_said() -> None:
    with pytest.raises(NoFeasibleTrial, match="no trial is complete; 3 trials diverged: loss was NaN"):
        trained(lambda params: {"loss": math.nan}).best()


def test_columns_whose_names_clash_are_all_there() -> None:
    study = trained(lambda params: {"loss": params["rate"], "rate": 2.0, "state": 3.0, "reason": 4.0})
    frame = study.trials_dataframe()
    assert list(frame["number"]) == [0, 1, 2]
    assert list(frame["state"]) == ["COMPLETE"] * 3
    assert list(frame["rate"]) == [r.params["rate"] for r in study.records()]
    assert set(frame["params_number"]) == {7}
    found = {name: set(frame[f"metrics_{name}"]) for name in ("rate", "state", "reason")}
    assert found == {"rate": {2.0}, "state": {3.0}, "reason": {4.0}}
