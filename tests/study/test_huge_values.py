"""Penalties of the greatest float: no search, report or answer breaks, and every JSON document is valid."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import SatisficeError
from satisfice.search.history import History
from satisfice.search.protocol import SearchProblem
from satisfice.spec import Constraint, TrialRecord, TrialState
from satisfice.spec.study import StudySpec

GREATEST = sys.float_info.max
PATTERNS: dict[str, Callable[[int, float], float]] = {
    "penalty below": lambda i, a: -GREATEST if i % 3 == 2 else a,
    "penalty above": lambda i, a: GREATEST if i % 3 == 2 else a,
    "both": lambda i, a: (GREATEST, -GREATEST, a)[i % 3],
    "all the same": lambda _i, _a: GREATEST,
    "all over": lambda _i, a: GREATEST * (2 * a - 1),
    "least": lambda i, _a: 5e-324 * (i % 3),
    "infinite": lambda i, a: math.inf if i % 4 == 2 else a,
    "not a number": lambda i, a: math.nan if i % 4 == 2 else a,
}


class Task:
    """Scores by a pattern."""

    def __init__(self, pattern: str) -> None:
        self._value = PATTERNS[pattern]

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        value = self._value(trial.number, params["a"])
        for step in (1, 2, 4, 6):
            trial.report(step, {"score": value, "cost": value})
            if trial.should_prune():
                break
        return {"score": value, "cost": value, "other": value}


def spec(sampler: str, *, two: bool) -> dict[str, Any]:
    return {
        "name": "x",
        "objectives": {"score": "maximize"} | ({"cost": "minimize"} if two else {}),
        "constraints": {"other": ["<= 1e308", ">= -1e308"]} if two else {},
        "space": {"a": {"low": 0.001, "high": 1.0}, "b": {"low": 1, "high": 5}},
        "budget": {"trials": 14, "epochs": 10},
        "search": {"sampler": sampler},
    }


def check(pattern: str, sampler: str, *, two: bool, folder: Path) -> None:
    """Run it to its end; warnings are errors, also numpy's of an overflow."""
    url = f"sqlite:///{folder}/x.db"
    study = satisfice.create_study(spec(sampler, two=two), storage=url, task=Task(pattern))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="trial")
        study.optimize()
    if pattern not in ("infinite", "not a number"):
        assert {record.state.name for record in study.records()} <= {"COMPLETE", "PRUNED"}
    study.report(folder / "report")
    study.trials_dataframe()
    json.dumps(study.status(), allow_nan=False)
    try:
        best = study.best()
    except SatisficeError:
        return
    complete = [
        r.metrics["score"] for r in study.records() if r.state.name == "COMPLETE" and r.feasible is not False
    ]
    assert best.metrics["score"] == max(v for v in complete if math.isfinite(v))
    study.pareto_front()
    study.close_calls()


@pytest.mark.parametrize("pattern", ["penalty below", "both", "all the same"])
def test_a_penalty_breaks_nothing(pattern: str, tmp_path: Path) -> None:
    check(pattern, "auto", two=pattern == "both", folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("sampler", ["auto", "tpe", "nsga2", "gp"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_value_breaks_any_sampler(pattern: str, sampler: str, two: bool, tmp_path: Path) -> None:
    check(pattern, sampler, two=two, folder=tmp_path)


def test_answers_in_json_are_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path}/x.db"
    study = satisfice.create_study(spec("random", two=True), storage=url, task=Task("both"))
    study.optimize()
    for command in (
        ["best", "x"],
        ["pareto", "x"],
        ["status", "x"],
        ["best", "x", "--where", "score <= 1e308"],
    ):
        with pytest.raises(SystemExit):
            main([*command, "--storage", url, "--json"])
        out = capsys.readouterr().out

        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        if out:
            json.loads(out, parse_constant=refuse)


@pytest.mark.parametrize(
    ("operator", "bound", "value", "expected"),
    [
        ("<=", -1e308, GREATEST, 1.0 + GREATEST / 1e308),
        (">=", 1e308, -GREATEST, 1.0 + GREATEST / 1e308),
        ("<=", 1e-10, GREATEST, GREATEST),
        ("<=", 1e308, -GREATEST, -(1.0 + GREATEST / 1e308)),
        ("<=", 1.0, math.inf, math.inf),
        (">=", 1.0, math.inf, -math.inf),
        ("<=", 8.0, 10.0, 0.25),
    ],
)
def test_violations_of_finite_values_are_finite(
    operator: Any, bound: float, value: float, expected: float
) -> None:
    constraint = Constraint(metric="m", operator=operator, bound=bound)
    assert constraint.violation(value) == pytest.approx(expected, rel=1e-12)
    assert constraint.violation(np.float64(value)) == constraint.violation(value)


def test_the_history_keeps_the_order_of_what_it_tames() -> None:
    study: StudySpec = satisfice.create_study(spec("auto", two=False), task=Task("both")).spec
    history = History(
        SearchProblem(
            space=study.space, objectives=study.objectives, constraints=(), max_steps=10, n_trials=10, seed=0
        )
    )
    values = [-GREATEST, -1e300, -1e151, -1e150, -1.0, 0.0, 2.5, 1e149, 1e151, 1e300, GREATEST]
    history.update(
        TrialRecord(number=i, state=TrialState.COMPLETE, params={"a": 0.5, "b": 1}, metrics={"score": v})
        for i, v in enumerate(values)
    )
    kept = history.metrics[:, 0]
    assert (np.diff(kept) > 0).all()
    assert np.isfinite(kept**2).all()
    assert kept[3:8].tolist() == values[3:8]
