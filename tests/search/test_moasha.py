"""The pruner that benchmarks compare with: successive halving by fronts, whatever a study constrains."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from optuna.trial import TrialState
from tests.search.problems import SPACE

from satisfice.search import History, SearchProblem
from satisfice.spec.constraint import Constraint
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
OBJECTIVES = (
    Objective(metric="accuracy", direction="maximize"),
    Objective(metric="loss", direction="minimize"),
)


@pytest.fixture
def moasha(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "moasha", raising=False)
    import moasha

    return moasha


@pytest.mark.parametrize("constrained", [False, True])
def test_the_best_third_of_a_rung_goes_on(moasha: ModuleType, constrained: bool) -> None:
    constraints = (Constraint(metric="recall", operator=">=", bound=0.1),) if constrained else ()
    problem = SearchProblem(space=SPACE, objectives=OBJECTIVES, constraints=constraints, max_steps=27, seed=0)
    history, pruner = History(problem), moasha.MoAsha(problem)
    for number in range(6):
        params = {"lr": 0.01, "layers": 1 + number % 3, "optimizer": "adam"}
        record = TrialRecord(number=number, state=TrialState.RUNNING, params=params, metrics={})
        history.update([record])
        good = 1 - number / 10
        history.report(number, 9, {"accuracy": good, "loss": 1 - good, "recall": 0.5})
    assert pruner.is_decision_step(9, 27)
    assert [pruner.decide(history, number).stop for number in range(6)] == [False] * 3 + [True] * 3
