"""Standard errors and ties of stored studies: own tasks, families, changes, moves, and a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.errors import InputError, SpecError

SPEC: dict[str, Any] = {
    "name": "own",
    "objectives": {"accuracy": "maximize"},
    "constraints": {"cost": "<= 10"},
    "space": {"width": {"low": 1, "high": 20}},
    "budget": {"trials": 6},
    "search": {"sampler": "random", "pruner": "none"},
}
SCORES = {1: 0.80, 2: 0.805, 3: 0.70, 4: 0.806, 20: 0.95}


class Own:
    """Reports its standard error with each report, and a cost."""

    error: float = 0.01

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        score = SCORES[params["width"]]
        trial.report(1, {"accuracy": score - 0.1, "accuracy.se": 0.05})
        assert trial.metrics == {"accuracy": score - 0.1}
        return {"accuracy": score, "accuracy.se": self.error, "cost": float(params["width"])}


def finished(task: Any, url: str | None = None, **tables: Any) -> satisfice.Study:
    start = [{"width": w} for w in SCORES]
    spec = {**SPEC, "budget": {"trials": len(SCORES)}, "search": {**SPEC["search"], "start": start}, **tables}
    study = satisfice.create_study(spec, storage=url, task=task)
    study.optimize()
    return study


def by_width(study: satisfice.Study) -> dict[int, int]:
    return {r.params["width"]: r.number for r in study.records()}


def test_own_tasks_report_standard_errors_that_are_no_metrics() -> None:
    study = finished(Own())
    numbers = by_width(study)
    for record in study.records(with_reports=True):
        assert set(record.metrics) == {"accuracy", "cost"}
        assert record.standard_errors == {"accuracy": 0.01}
        assert set(record.reports[1]) == {"accuracy"}
    best = study.best()
    assert best.number == numbers[4]
    assert set(best.tied) == {numbers[1], numbers[2]}  # that of width 20 costs too much
    assert best.expected is not None
    assert best.expected.value < 0.806
    assert study.best(rule="one-standard-error").number == numbers[1]
    with pytest.raises(InputError, match="there is no rule"):
        study.best(rule="one")
    with pytest.raises(InputError, match=r"no trial has a metric 'accuracy\.se'"):
        study.best(where="accuracy.se <= 1")


@pytest.mark.parametrize("error", [-1.0, float("nan"), float("inf")])
def test_what_is_no_standard_error_fails_the_trial_in_one_sentence(error: float) -> None:
    class Wrong(Own):
        def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
            if params["width"] == 20:
                return {"accuracy": 0.5, "accuracy.se": error, "cost": 1.0}
            return super().train(params, trial)

    study = finished(Wrong())
    (failed,) = (r for r in study.records() if r.state.name == "FAIL")
    assert failed.reason is not None
    assert "is no standard error of accuracy" in failed.reason


def test_a_standard_error_is_no_objective() -> None:
    with pytest.raises(SpecError, match="is a standard error, not a metric"):
        satisfice.create_study({**SPEC, "objectives": {"accuracy.se": "minimize"}}, task=Own())


def test_the_rule_of_a_stored_study_may_be_changed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    study = finished(Own(), url)
    numbers = by_width(study)
    assert study.spec.choose.rule == "value"
    said = study.change(choose={"rule": "one-standard-error"})
    assert said == ("the rule of choice is one-standard-error, before value",)
    assert study.best().number == numbers[1]
    assert study.status().best is not None
    assert study.status()["best"]["number"] == numbers[1]
    assert study.confirm().number == numbers[1]
    again = finished(Own(), url)  # a file without [choose] keeps the stored rule
    assert again.spec.choose.rule == "one-standard-error"
    assert again.best(rule="value").number == numbers[4]
    with pytest.raises(SpecError):
        study.change(choose={"rule": "best"})


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, satisfice.Study]:
    """A family's study, whose trials keep what each row did."""
    folder = tmp_path_factory.mktemp("wine")
    spec = {
        "name": "wine",
        "data": {"name": "wine"},
        "model": {"family": "linear"},
        "objectives": {"log_loss": "minimize", "size_mb": "minimize"},
        "space": {"alpha": {"low": 1e-4, "high": 1.0, "log": True}},
        "budget": {"trials": 4},
        "search": {"sampler": "random", "pruner": "none"},
    }
    study = satisfice.create_study(spec, storage=f"sqlite:///{folder}/s.db")
    study.optimize()
    return folder, study


def test_scores_of_a_family_have_errors_and_are_compared_on_the_same_rows(
    wine: tuple[Path, satisfice.Study],
) -> None:
    _, study = wine
    record = study.records()[0]
    predictive = {"accuracy", "f1", "roc_auc", "log_loss", "generalization_gap"}
    assert predictive <= set(record.standard_errors) <= set(record.metrics)
    metrics = {m.metric: m for m in study.compare(0, 1).metrics}
    loss = metrics["log_loss"]
    assert loss.paired
    assert loss.low is not None
    assert loss.high is not None
    assert loss.difference is not None
    assert loss.low <= loss.difference <= loss.high
    independent = sum(r.standard_errors["log_loss"] ** 2 for r in study.records()[:2]) ** 0.5
    assert loss.high - loss.low < 2 * 1.96 * independent
    assert metrics["size_mb"].within_noise is (metrics["size_mb"].difference == 0)
    confirmed = study.confirm()
    assert confirmed.standard_errors is not None
    assert set(confirmed.standard_errors) <= set(confirmed.test)
    assert "accuracy" in confirmed.standard_errors


def test_what_rows_did_is_exported_imported_and_deleted(wine: tuple[Path, satisfice.Study]) -> None:
    folder, study = wine
    study.export(folder / "wine.zip")
    url = f"sqlite:///{folder}/other.db"
    satisfice.import_study(folder / "wine.zip", storage=url)
    other = satisfice.load_study("wine", storage=url)
    assert dict(other.compare(0, 1)) == dict(study.compare(0, 1))
    assert other.best().tied == study.best().tied
    reader = other._reader
    assert len(reader.influences()) == 4
    other.delete()
    assert reader.influences() == {}


def test_questions_import_nothing_that_trains_or_draws(wine: tuple[Path, satisfice.Study]) -> None:
    folder, _ = wine
    code = (
        "import json, sys; from satisfice.cli.main import main\n"
        "try: main(['best', 'wine', '--storage', sys.argv[1], '--json'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'torch', 'alembic', 'sklearn', 'plotly'} & set(sys.modules)\n"
        "print(json.dumps(sorted(heavy)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{folder}/s.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stderr.strip().splitlines()[-1]) == []
    told = json.loads(done.stdout)
    assert {"tied", "standard_errors", "rule", "expected"} <= set(told)
