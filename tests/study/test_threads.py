"""One study in several threads of one process: ask, report, should_prune and tell take turns."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import satisfice
from satisfice.errors import BudgetSpent

SPEC = {
    "name": "own",
    "seed": 1,
    "objectives": {"loss": "minimize", "size_mb": "minimize"},
    "constraints": {"size_mb": "<= 0.9"},
    "space": {"rate": {"low": 0.0, "high": 1.0}, "width": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 60, "epochs": 9},
}


class Own:
    def profile(self, params: Mapping[str, Any]) -> dict[str, float]:
        return {"size_mb": params["width"]}

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        raise NotImplementedError


@pytest.fixture
def _threads_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_switch_often")
@pytest.mark.parametrize("sampler", ["auto", "tpe"])
def test_threads_share_a_study(sqlite_url: str, sampler: str) -> None:
    study = satisfice.create_study(SPEC | {"search": {"sampler": sampler}}, storage=sqlite_url, task=Own())

    def work(_seat: int) -> int:
        told = 0
        while True:
            try:
                trial = study.ask()
            except BudgetSpent:
                return told
            stopped = False
            for step in range(1, 10):
                trial.report(step, {"loss": trial.params["rate"] + 1 / step})
                stopped = stopped or trial.should_prune()
            study.tell(trial, {"loss": trial.params["rate"]}, state="pruned" if stopped else "complete")
            told += 1

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(work, range(6)))
    assert sum(told) == 60
    states = study.status()["states"]
    assert states.keys() <= {"COMPLETE", "PRUNED"}
    assert sum(states.values()) == 60
    study._opened.db.close()
