"""What `enqueue_trial` takes, and what it says of the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.errors import InputError

SPEC = {
    "name": "own",
    "objectives": {"accuracy": "maximize"},
    "space": {
        "optimizer": ["sgd", "adam"],
        "momentum": {"low": 0.0, "high": 1.0, "when": {"optimizer": ["sgd"]}},
        "width": {"low": 1, "high": 9},
        "batch_norm": [True, False],
        "only": ["one"],
        "of_only": {"low": 0.0, "high": 1.0, "when": {"only": ["one"]}},
    },
    "budget": {"trials": 9},
    "search": {"sampler": "random"},
}


class Own:
    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return {"accuracy": 0.5}


@pytest.mark.parametrize(
    "params",
    [
        {"width": np.int64(7), "batch_norm": np.bool_(True)},
        {"optimizer": np.str_("sgd"), "momentum": np.float64(0.25)},
        {"optimizer": "adam"},
        {"of_only": 0.5},  # what it depends on is never otherwise
    ],
)
def test_what_is_enqueued_is_tried(params: dict[str, Any]) -> None:
    study = satisfice.create_study(SPEC, task=Own())
    study.enqueue_trial(params)
    trial = study.ask()
    assert {name: trial.params[name] for name in params} == params


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"optimizer": "adam", "momentum": 0.5}, "momentum is active only with optimizer = 'sgd'"),
        (
            {"momentum": 0.5},
            "momentum is active only with optimizer = 'sgd': name that too, or leave momentum out",
        ),
        ({"width": np.int64(10)}, "width = 10 is outside its distribution"),
        ({"width": math.nan}, "width = nan is outside"),
        ({"width": math.inf}, "width = inf is outside"),
        ({"depth": 1}, "'depth' is not a parameter"),
    ],
)
def test_what_would_be_dropped_or_changed_is_refused(params: dict[str, Any], says: str) -> None:
    study = satisfice.create_study(SPEC, task=Own())
    with pytest.raises(InputError, match=says):
        study.enqueue_trial(params)
    assert study.ask().params.keys() >= {"optimizer", "width"}
