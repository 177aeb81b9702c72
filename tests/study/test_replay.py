"""A replay trains as the stored trial did, whatever the budget granted it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import satisfice


class Own:
    """What it scores depends on how many epochs it may train, as with a schedule."""

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        for epoch in range(1, trial.max_epochs + 1):
            trial.report(epoch, {"accuracy": epoch / trial.max_epochs})
        return {"accuracy": 1 / trial.max_epochs}


def spec(**budget: int) -> dict[str, Any]:
    return {
        "name": "own",
        "objectives": {"accuracy": "maximize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}},
        "search": {"pruner": "none"},
        "budget": budget,
    }


def test_a_replay_has_the_epochs_that_its_trial_was_granted(sqlite_url: str) -> None:
    study = satisfice.create_study(spec(trials=2, epochs=6, total_epochs=10), storage=sqlite_url, task=Own())
    study.optimize()
    assert [r.steps for r in study.records()] == [6, 4]
    assert study.replay(1)["metrics"] == {"accuracy": 1 / 4}
    longer = satisfice.create_study(spec(trials=2, epochs=9, total_epochs=99), storage=sqlite_url, task=Own())
    assert [longer.replay(number)["same"] for number in (0, 1)] == [True, True]
