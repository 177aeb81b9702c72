"""Cross-validated studies from end to end: stopped trials, the budget, labels, what ships, a lost worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.results.trial import TrialSummary
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.study.study import Study
from satisfice.train.families.linear import LinearTask

K = 4


def content(**changes: Any) -> dict[str, Any]:
    """Ridge regression on 442 patients, with strengths of which most are clearly too large."""
    return {
        "name": "crossed",
        "seed": 2,
        "data": {"name": "diabetes", "folds": K},
        "model": {"family": "linear"},
        "objectives": {"rmse": "minimize"},
        "constraints": {"size_kb": "<= 4"},
        "space": {"alpha": {"low": 1e-4, "high": 1e3, "log": True}},
        "search": {"sampler": "random"},
        "budget": {"trials": 14},
    } | changes


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('folds') / 'study.db'}"


@pytest.fixture(scope="module")
def study(url: str) -> Study:
    made = satisfice.create_study(content(), storage=url)
    made.optimize()
    return made


@pytest.fixture(scope="module")
def records(study: Study) -> list[TrialRecord]:
    return study.records(with_reports=True)


def test_some_stop_between_folds_and_have_no_score(records: list[TrialRecord]) -> None:
    stopped = [r for r in records if r.state is TrialState.PRUNED]
    assert stopped
    for r in stopped:
        assert 1 <= r.steps < K
        assert not {"rmse", "r2", "mae"} & set(r.metrics)
        assert r.reason is not None
        assert r.reason.startswith(f"clearly worse on {r.steps} fold")
        assert len(r.fold_scores["rmse"]) == r.steps
    best = min(r.metrics["rmse"] for r in records if r.state is TrialState.COMPLETE)
    assert all(np.mean(r.fold_scores["rmse"]) > best for r in stopped)


def test_complete_trials_have_the_mean_and_its_standard_error(
    study: Study, records: list[TrialRecord]
) -> None:
    complete = [r for r in records if r.state is TrialState.COMPLETE]
    for r in complete:
        values = np.array(r.fold_scores["rmse"])
        assert len(values) == K
        assert r.metrics["rmse"] == pytest.approx(values.mean())
        assert TrialSummary.of(r)["folds"] == K
    assert study.best().metrics["rmse"] == min(r.metrics["rmse"] for r in complete)


def test_what_ships_is_the_file_that_the_trial_was_judged_by(study: Study, tmp_path: Path) -> None:
    shipped = study.ship(tmp_path / "out")
    best = study.best()
    assert shipped.trial == best.number
    assert (tmp_path / "out" / "model.onnx").stat().st_size == best.metrics["size_bytes"]
    study.save_model(best.number, tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == (tmp_path / "out" / "model.onnx").read_bytes()
    told = json.loads((tmp_path / "out" / "model.json").read_text())
    scores = {score["split"]: score for score in told["scores"]}
    assert set(scores) == {"test", "cross-validation"}
    assert scores["cross-validation"]["rows"] + scores["test"]["rows"] == 442
    assert scores["cross-validation"]["metrics"]["rmse"] == best.metrics["rmse"]
    assert scores["cross-validation"]["standard_errors"]["rmse"] > 0
    card = " ".join((tmp_path / "out" / "README.md").read_text().split())
    assert f"chose by cross-validation with {K} folds" in card
    assert "354 rows trained it; before that each of them validated" in card
    assert "cross-validation (354 rows)" in card


def test_a_score_is_called_cross_validated(
    study: Study, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["best", "crossed", "--storage", url])
    assert ended.value.code == 0
    assert f"cross-validated over {K} folds" in capsys.readouterr().out
    context = study.report_context()
    assert context.folds == K
    assert any("cross-validated" in note for note in context.notes)


def test_replay_trains_the_same(study: Study, records: list[TrialRecord]) -> None:
    complete = next(r for r in records if r.state is TrialState.COMPLETE)
    replayed = study.replay(complete.number)
    assert replayed.same
    assert not [name for name in replayed.metrics if name.endswith(".fold")]


@pytest.mark.usefixtures("study")
def test_folds_are_a_part_of_the_study(url: str) -> None:
    with pytest.raises(satisfice.errors.SatisficeError, match="folds"):
        satisfice.create_study(content(data={"name": "diabetes", "folds": K + 1}), storage=url)


@pytest.mark.parametrize("total", [25, 27])
def test_epochs_are_counted_by_trainings(total: int) -> None:
    """Five trainings of two epochs a trial, and what is stopped gives back those that did not begin."""
    made = satisfice.create_study(
        content(
            model={"family": "forest", "trees": 4, "max_depth": 3},
            objectives={"rmse": "minimize"},
            constraints={},
            space={"min_samples_leaf": {"low": 1, "high": 60}},
            budget={"trials": 40, "epochs": 2, "total_epochs": total},
        )
    )
    made.optimize()
    used = 0
    for r in made.records():
        trainings = r.steps + 1 if r.state is TrialState.COMPLETE else r.steps
        used += trainings * (r.proposal["epochs"] // (K + 1))
    budget = made.status().budget
    assert budget.epochs_used == used
    assert total - (K + 1) < used <= total


def test_a_worker_that_dies_loses_one_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    made = satisfice.create_study(content(budget={"trials": 2}), storage=url)
    learn, calls = LinearTask.learn, 0

    def dying(self: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return learn(self, *args)

    monkeypatch.setattr(LinearTask, "learn", dying)
    with pytest.raises(KeyboardInterrupt):
        made.optimize()
    assert [r.state for r in made.records()] == [TrialState.WAITING]
    made.optimize()
    assert calls == 2 * (K + 1) + 1
    assert [r.attempts for r in made.records()] == [2, 1]
    whole = satisfice.create_study(content(budget={"trials": 2}))
    whole.optimize()
    for a, b in zip(made.records(with_reports=True), whole.records(with_reports=True), strict=True):
        assert a.reports == b.reports
        assert a.metrics["rmse"] == b.metrics["rmse"]


WRONG = [
    ({"data": {"name": "diabetes", "folds": 1}}, "data.folds"),
    ({"data": {"name": "diabetes", "folds": 4, "valid": 0.2}}, "data.valid: does not go with folds = 4"),
    ({"data": {"name": "diabetes", "folds": 400}}, "data.folds"),
    ({"data": {"name": "diabetes", "groups": "sex"}}, "data.groups: goes with file"),
    ({"data": {"name": "wine", "folds": 60}, "objectives": {"accuracy": "maximize"}}, "fewer than 60 folds"),
    (
        {"budget": {"trials": 3, "epochs": 10, "total_epochs": 40}},
        "budget.total_epochs: 40 is less than the 50 epochs of one trial",
    ),
    (
        {"data": {"file": "x.csv", "target": "y", "time": "day", "folds": 4}},
        "data.folds: does not go with time",
    ),
    (
        {"data": {"file": "x.csv", "target": "y", "groups": "y"}},
        "data.groups: is the target",
    ),
    (
        {
            "data": {"name": "wine", "folds": 3},
            "model": {"family": "mlp", "teacher": "other/3", "distillation": 0.5},
            "objectives": {"accuracy": "maximize"},
            "space": {"dropout": {"low": 0.0, "high": 0.5}},
        },
        "data.folds: does not go with distillation",
    ),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_bad_input_is_one_sentence_and_writes_nothing(
    changes: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from satisfice.spec.toml import toml_key, toml_value

    lines = []
    for name, value in content(**changes).items():
        if isinstance(value, dict):
            lines += [f"[{name}]", *(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{name} = {toml_value(value)}")
    (tmp_path / "s.toml").write_text("\n".join(lines))
    with pytest.raises(SystemExit) as ended:
        main(["run", str(tmp_path / "s.toml"), "--storage", f"sqlite:///{tmp_path / 'none.db'}"])
    printed = capsys.readouterr()
    assert ended.value.code == 2, printed
    assert said in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert "Traceback" not in printed.err
    assert not (tmp_path / "none.db").exists() or not satisfice.study_names(
        f"sqlite:///{tmp_path / 'none.db'}"
    )
