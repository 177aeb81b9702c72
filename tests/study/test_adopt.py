"""Adopting plain Optuna studies: what comes along, what is refused, and that nothing is half-written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

import satisfice
from satisfice.errors import InputError, StorageError, StudyChanged

X = {"x": FloatDistribution(0.0, 1.0)}


def old(folder: Path) -> str:
    return f"sqlite:///{folder}/old.db"


def theirs(folder: Path, name: str = "old", **arguments: Any) -> optuna.Study:
    return optuna.create_study(study_name=name, storage=old(folder), **arguments)


def add(study: optuna.Study, value: Any = 0.5, **arguments: Any) -> None:
    several = {"values": value} if isinstance(value, list) else {"value": value}
    settled = {"params": {"x": 0.5}, "distributions": X} | several | arguments
    study.add_trial(create_trial(**settled))


def constrained(constraints: dict[str, float]) -> dict[str, Any]:
    return {"system_attrs": {f"constraints:{key}": value for key, value in constraints.items()}}


def test_a_study_comes_with_its_numbers_times_and_reports(
    tmp_path: Path, storage_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path))
    source = theirs(tmp_path)
    for number in range(4):
        trial = source.ask()
        trial.suggest_float("x", 0.0, 1.0)
        trial.suggest_categorical("weights", [None, "balanced"])
        trial.set_user_attr("note", f"the {number}th")
        trial.set_constraint("c", number - 1.5)
        trial.report(0.9 if number else math.nan, 0)
        trial.report(math.inf if number == 0 else 0.5 + number, 3)
        if number != 1:  # it runs on
            source.tell(trial, float(number), state=TrialState.COMPLETE)
    with pytest.warns(UserWarning, match="'old', what has not finished stays behind: trial 1"):
        (study,) = satisfice.import_study(old(tmp_path), storage_url)
    finished = [t for t in source.trials if t.state.is_finished()]
    records = study.records(with_reports=True)
    assert [r.number for r in records] == [0, 2, 3]
    assert [r.feasible for r in records] == [True, False, False]
    assert [(r.params, r.metrics["objective"]) for r in records] == [(t.params, t.value) for t in finished]
    reported = [
        {step: {"objective": value} for step, value in t.intermediate_values.items()} for t in finished
    ]
    assert repr([dict(r.reports) for r in records]) == repr(reported)  # NaN among them
    for ours, its in zip(study.optuna_study.trials, finished, strict=True):
        assert (ours.number, ours.state, ours.value) == (its.number, its.state, its.value)
        for here, there in (
            (ours.datetime_start, its.datetime_start),
            (ours.datetime_complete, its.datetime_complete),
        ):
            assert here is not None
            assert there is not None
            assert abs((here - there).total_seconds()) <= 1  # MariaDB keeps whole seconds
        assert repr(ours.intermediate_values) == repr(its.intermediate_values)
        assert ours.user_attrs == its.user_attrs
        assert list(ours.constraints.values()) == list(its.constraints.values())
    assert study.best().number == 0
    assert study.report(tmp_path / "report").is_file()
    study._opened.db.close()


def test_a_choice_that_is_none_is_searched_on(tmp_path: Path, sqlite_url: str) -> None:
    choices: dict[str, Any] = {"depth": CategoricalDistribution([None, 3, 5])}
    source = theirs(tmp_path)
    for depth in (None, 3, 5):
        add(source, 1.0, params={"depth": depth}, distributions=choices)
    satisfice.import_study(old(tmp_path), sqlite_url)

    class Task:
        def train(self, params: dict[str, Any], _trial: Any) -> dict[str, float]:
            return {"objective": 0.0 if params["depth"] is None else 1.0}

    spec = {
        "name": "on",
        "objectives": {"objective": "minimize"},
        "space": {"depth": [None, 3, 5], "x": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 6},
        "search": {"start": [{"depth": None}]},
    }
    study = satisfice.create_study(spec, task=Task())
    study.enqueue_trial({"depth": None, "x": 0.25})
    study.optimize()
    first, second = study.records()[:2]
    assert (first.params["depth"], second.params) == (None, {"depth": None, "x": 0.25})
    assert study.best().params["depth"] is None


@pytest.mark.parametrize(
    ("made", "added", "sentence"),
    [
        ({"name": "a study/é"}, {}, "cannot be adopted: name: .* optuna.copy_study gives it another"),
        ({}, {"params": {}, "distributions": {}}, "cannot be adopted: space: has no parameter"),
        ({"metrics": ["a <= b"]}, {}, "cannot be adopted: objectives.a <= b: "),
        ({"metrics": ["x"]}, {}, "cannot be adopted: space.x: is the name of a metric"),
        (
            {"metrics": ["a", "a"], "directions": ["minimize", "maximize"]},
            {"value": [0.1, 0.2]},
            "cannot be adopted: two of its objectives or constraints have one name",
        ),
        ({}, {"choices": [1.0, math.inf]}, "cannot be adopted: space.x: inf is not a value"),
        ({}, {"choices": [[1, 2], [3, 4]]}, "cannot be adopted: space.x: a list is not a value"),
    ],
)
@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_what_could_not_be_read_again_is_refused_before_anything_is_written(
    tmp_path: Path, made: dict[str, Any], added: dict[str, Any], sentence: str
) -> None:
    metrics = made.pop("metrics", None)
    source = theirs(tmp_path, **made)
    if metrics is not None:
        source.set_metric_names(metrics)
    if "choices" in added:
        choices = CategoricalDistribution(added.pop("choices"))
        added |= {"params": {"x": choices.choices[0]}, "distributions": {"x": choices}}
    add(source, **added)
    with pytest.raises(InputError, match=sentence):
        satisfice.import_study(old(tmp_path), f"sqlite:///{tmp_path}/new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_constraint_named_like_something_else_is_told_from_it(tmp_path: Path, sqlite_url: str) -> None:
    source = theirs(tmp_path)
    add(source, 0.7, **constrained({"objective": -1.0, "x": -2.0, "size_mb": -3.0, "0": -4.0, "own": -5.0}))
    (study,) = satisfice.import_study(old(tmp_path), sqlite_url)
    named = ["constraint_objective", "constraint_x", "constraint_size_mb", "constraint_0", "own"]
    assert {c.metric for c in study.spec.constraints} == set(named)
    best = study.best()
    assert best.metrics["objective"] == 0.7
    assert [best.metrics[name] for name in named] == [-1.0, -2.0, -3.0, -4.0, -5.0]


def test_a_trial_that_lacks_a_constraint_is_not_said_to_fit(tmp_path: Path, sqlite_url: str) -> None:
    source = theirs(tmp_path)
    add(source, 0.1)
    add(source, 0.2, **constrained({"a": -1.0}))
    add(source, 0.3, **constrained({"a": -1.0, "b": -1.0}))
    add(source, 0.4, **constrained({"a": 1.0}))
    (study,) = satisfice.import_study(old(tmp_path), sqlite_url)
    assert [r.feasible for r in study.records()] == [None, None, True, False]
    assert study.best().number == 2
    assert study.report_context()["chosen"] == 2


def test_of_several_those_that_can_be_adopted_are(tmp_path: Path, sqlite_url: str) -> None:
    add(theirs(tmp_path, "first"))
    theirs(tmp_path, "second").ask()
    add(theirs(tmp_path, "third"))
    with pytest.warns(UserWarning, match="the Optuna study 'second' has no finished trial"):
        imported = satisfice.import_study(old(tmp_path), sqlite_url)
    assert [study.name for study in imported] == ["first", "third"]
    add(theirs(tmp_path, "fourth"))
    with pytest.warns(UserWarning, match="Optuna study|in the storage") as said:
        (study,) = satisfice.import_study(old(tmp_path), sqlite_url)
    assert study.name == "fourth"
    assert sorted(str(w.message).split(" (")[0] for w in said) == [
        "a study 'first' is in the storage already",
        "a study 'third' is in the storage already",
        "the Optuna study 'second' has no finished trial",
    ]


def test_nothing_is_adopted_into_its_own_database(tmp_path: Path) -> None:
    add(theirs(tmp_path))
    before = (tmp_path / "old.db").read_bytes()
    with pytest.raises(StorageError, match="cannot be adopted into itself"):
        satisfice.import_study(old(tmp_path), old(tmp_path))
    assert (tmp_path / "old.db").read_bytes() == before
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(StudyChanged, match="an Optuna study 'old', which is none of satisfice"):
        satisfice.import_study(old(tmp_path / "link"), old(tmp_path))
    assert optuna.get_all_study_names(old(tmp_path)) == ["old"]
    assert satisfice.list_studies(old(tmp_path)) == []


def test_the_source_is_only_read(tmp_path: Path, sqlite_url: str) -> None:
    add(theirs(tmp_path))
    before = (tmp_path / "old.db").read_bytes()
    satisfice.import_study(old(tmp_path), sqlite_url)
    assert (tmp_path / "old.db").read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to look at"])
def test_what_is_no_optuna_database_is_left_alone(
    tmp_path: Path, sqlite_url: str, content: bytes | None
) -> None:
    file = tmp_path / "nope.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StorageError, match="give the URL of an Optuna storage"):
        satisfice.import_study(f"sqlite:///{file}", sqlite_url)
    assert (file.read_bytes() if file.exists() else None) == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ([] if content is None else ["nope.db"])
