"""A study whose networks learn from a finished trial of another study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import SpecError
from satisfice.spec import parse_dict, to_toml

TEACHING: dict[str, Any] = {
    "name": "big",
    "seed": 5,
    "data": {"name": "wine"},
    "model": {"family": "forest"},
    "objectives": {"accuracy": "maximize"},
    "space": {"trees": {"low": 5, "high": 6}},
    "budget": {"trials": 1},
}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


@pytest.fixture
def storage(sqlite_url: str) -> str:
    """A storage in which trial 0 of study "big" has a model."""
    satisfice.create_study(TEACHING, storage=sqlite_url).run_worker()
    return sqlite_url


def learning(teacher: Any = "big/0", **changes: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "seed": 5,
        "data": {"name": "wine"},
        "model": {"family": "mlp", "width": 4, "teacher": teacher, "distillation": 0.5},
        "objectives": {"accuracy": "maximize"},
        "space": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
        "budget": {"trials": 1, "epochs": 2},
    } | changes


def test_a_network_learns_from_a_forest(storage: str) -> None:
    satisfice.create_study(learning(), storage=storage)
    study = satisfice.load_study("small", storage=storage)
    assert list(study.missing_teachers) == ["big/0"]
    study.run_worker()
    (record,) = study.records()
    assert record.state.name == "COMPLETE"
    assert list(study.missing_teachers) == []
    alone = satisfice.create_study(
        learning() | {"name": "alone", "model": {"family": "mlp", "width": 4}}, storage=storage
    )
    alone.run_worker()
    (other,) = alone.records()
    assert other.params == record.params
    assert other.metrics["log_loss"] != record.metrics["log_loss"]


def test_teachers_may_be_choices(storage: str) -> None:
    spec = learning(space={"teacher": ["big/0", "big/7"]}, model={"family": "mlp", "distillation": 0.5})
    with pytest.raises(SpecError, match=r"space\.teacher: 'big/7' cannot be the teacher: .*no trial 7"):
        satisfice.create_study(spec, storage=storage).run_worker()
    spec["space"] = {"teacher": ["big/0", ""]}
    study = satisfice.create_study(spec | {"name": "either"}, storage=storage)
    study.run_worker()
    assert [r.state.name for r in study.records()] == ["COMPLETE"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teacher": "tiny/0"}, "no study 'tiny'"),
        ({"teacher": "big/3"}, "no trial 3"),
        ({"seed": 6}, "has the seed 5 and this one 6"),
        ({"data": {"name": "breast_cancer"}}, "learns from other data"),
        ({"data": {"name": "wine", "valid": 0.3}}, "splits them otherwise"),
    ],
)
def test_what_cannot_be_the_teacher_is_refused_before_a_study_is_stored(
    changes: dict[str, Any], said: str, storage: str
) -> None:
    spec = learning(**changes) if "teacher" in changes else learning() | changes
    with pytest.raises(SpecError, match=said):
        satisfice.create_study(spec, storage=storage)
    assert satisfice.list_studies(storage) == ["big"]


def test_a_trial_that_is_unfinished_or_kept_no_model_is_refused(storage: str) -> None:
    satisfice.create_study(TEACHING | {"name": "asked"}, storage=storage).ask()
    with pytest.raises(SpecError, match="trial 0 is RUNNING"):
        satisfice.create_study(learning("asked/0"), storage=storage)
    satisfice.load_study("big", storage=storage).model_file(0).unlink()
    with pytest.raises(SpecError, match="trial 0 kept no model"):
        satisfice.create_study(learning(), storage=storage)


def test_a_teacher_that_is_gone_is_missed_before_a_trial(storage: str) -> None:
    satisfice.create_study(learning(), storage=storage)
    satisfice.delete_study("big", storage=storage)
    study = satisfice.load_study("small", storage=storage)
    for act in (study.run_worker, study.ask, study.check):
        with pytest.raises(SpecError, match="no study 'big'"):
            act()
    assert study.records() == []


def test_what_was_learnt_is_confirmed_without_the_teacher(storage: str) -> None:
    study = satisfice.create_study(learning(), storage=storage)
    study.run_worker()
    satisfice.delete_study("big", storage=storage)
    for again in (study, satisfice.load_study("small", storage=storage)):
        assert again.confirm().number == 0


class Own:
    """Trains nothing."""

    def train(self, _params: Any, _trial: Any) -> dict[str, float]:
        return {"accuracy": 1.0}


def test_a_study_of_own_code_does_not_teach(sqlite_url: str) -> None:
    own = {k: v for k, v in TEACHING.items() if k not in ("data", "model")} | {"name": "own"}
    satisfice.create_study(own, storage=sqlite_url, task=Own()).run_worker()
    with pytest.raises(SpecError, match="trains code of its own"):
        satisfice.create_study(learning("own/0"), storage=sqlite_url).run_worker()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"distillation": 0.5}, "nothing to learn from is named"),
        ({"teacher": "big/0"}, "distillation is 0"),
        ({"teacher": "big", "distillation": 0.5}, 'text like "study-name/12"'),
        ({"teacher": 12, "distillation": 0.5}, 'text like "study-name/12"'),
    ],
)
def test_what_a_study_file_lacks_is_told_when_it_is_read(model: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        satisfice.create_study(learning() | {"model": {"family": "mlp"} | model})


def test_a_teacher_is_no_range() -> None:
    spec = learning(model={"family": "mlp", "distillation": 0.5}, space={"teacher": {"low": 1, "high": 2}})
    with pytest.raises(SpecError, match="does not take a range"):
        satisfice.create_study(spec)


def checked(path: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["check", str(path), "--samples", "5", *options])
    return int(end.value.code or 0)


def test_check_looks_for_the_teacher_in_the_storage(
    storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(to_toml(parse_dict(learning())))
    assert checked(path, "--storage", storage) == 0
    assert "one short training finished" in capsys.readouterr().out
    assert satisfice.list_studies(storage) == ["big"]
    path.write_text(to_toml(parse_dict(learning("big/4"))))
    assert checked(path, "--storage", storage) == 2
    assert "'big/4' cannot be the teacher" in capsys.readouterr().err
    assert checked(path) == 2
    assert "no database" in capsys.readouterr().err
    assert not (tmp_path / "satisfice.db").exists()
