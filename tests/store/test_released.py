"""A database of the first released state opens with the present code, answers as it did then, and goes on."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.fixtures.make_released import (
    EXPORTED,
    FOLDER,
    HERE,
    INTERRUPTED,
    QUESTIONS,
    STUDIES,
    answers,
    predictions,
)

import satisfice
from satisfice.cli.main import cli
from satisfice.store import migrate

THEN: dict[str, Any] = json.loads((HERE / "released.json").read_text())


def unpacked(where: Path) -> Path:
    """A copy of the released folder, with the place of its study files written into it."""
    with tarfile.open(HERE / "released.tar.gz") as tar:
        tar.extractall(where, filter="data")
    folder = where / "released"
    with closing(sqlite3.connect(folder / "released.db")) as connection, connection:
        connection.execute(
            "UPDATE satisfice_studies SET source_dir = ? WHERE source_dir = ?", (str(folder), FOLDER)
        )
    return folder


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/released.db"


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that no test works on."""
    return unpacked(tmp_path_factory.mktemp("released"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of this test's own."""
    return unpacked(tmp_path)


@pytest.fixture
def opened(folder: Path) -> Iterator[Any]:
    """Opens studies of this test's copy by name."""
    studies = []

    def load(name: str) -> satisfice.Study:
        studies.append(satisfice.load_study(name, url_of(folder)))
        return studies[-1]

    yield load
    for study in studies:
        study._opened.db.close()


def now(study: satisfice.Study) -> dict[str, Any]:
    """What the present code answers."""
    with closing(study._opened.db):
        return answers(study)


def assert_says_at_least(found: Mapping[str, Any], then: Mapping[str, Any], where: str) -> None:
    """Whatever was answered is answered still; later states may add to it."""
    for key, value in then.items():
        assert key in found, f"{where}.{key}"
        if isinstance(value, dict) and isinstance(found[key], dict):
            assert_says_at_least(found[key], value, f"{where}.{key}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            assert len(found[key]) == len(value), f"{where}.{key}"
            for i, (new, old) in enumerate(zip(found[key], value, strict=True)):
                assert_says_at_least(new, old, f"{where}.{key}[{i}]")
        else:
            assert found[key] == value, f"{where}.{key}"


@pytest.mark.parametrize("name", STUDIES)
def test_it_answers_as_it_did(read_only: Path, name: str) -> None:
    then = {key: value for key, value in THEN[name].items() if key != "predictions"}
    columns = then.pop("frame")
    found = now(satisfice.load_study(name, url_of(read_only)))
    frame = found.pop("frame")
    assert_says_at_least(found, then, name)
    assert set(columns["columns"]) <= set(frame["columns"])
    assert frame["rows"] == columns["rows"]


@pytest.mark.parametrize("name", STUDIES)
def test_the_same_study_file_opens_it(folder: Path, name: str) -> None:
    study = satisfice.create_study(folder / f"{name}.toml", url_of(folder))
    with closing(study._opened.db):
        assert len(study.records()) == len(THEN[name]["records"])
        assert satisfice.list_studies(url_of(folder)) == list(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_kept_models_predict_what_they_did(read_only: Path, name: str) -> None:
    study = satisfice.load_study(name, url_of(read_only))
    assert THEN[name]["predictions"]
    with closing(study._opened.db):
        for number, then in THEN[name]["predictions"].items():
            found = predictions(study, int(number), read_only)
            if isinstance(then, dict):
                assert [str(label) for label in found["labels"]] == [str(label) for label in then["labels"]]
                for row, old in zip(found["probabilities"], then["probabilities"], strict=True):
                    assert row == pytest.approx(old, rel=1e-4, abs=1e-6)
            else:
                assert found == pytest.approx(then, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["digits", "patients"])
def test_the_chosen_model_keeps_the_score_that_it_was_given(folder: Path, opened: Any, name: str) -> None:
    """A spent study trains nothing more, and what was scored on the test split once is not scored again."""
    study = opened(name)
    before = json.loads(study._opened.row["chosen"])
    study.optimize()
    assert [r.number for r in study.records()] == [r["number"] for r in THEN[name]["records"]]
    confirmed = study.confirm()
    assert {key: confirmed[key] for key in before} == before
    assert before["test"]
    index = study.report(folder / "report")
    assert index.is_file()


def test_the_interrupted_trial_goes_on_from_its_checkpoint(opened: Any) -> None:
    study = opened("running")
    study.optimize()
    records = study.records(with_reports=True)
    assert [r.number for r in records] == list(range(8))
    assert {r.state.name for r in records} <= {"COMPLETE", "PRUNED"}
    status = study.status()
    assert status["budget"]["used"] == status["budget"]["trials"] == 8

    resumed = records[INTERRUPTED]
    assert (resumed.attempts, resumed.state.name) == (2, "COMPLETE")
    then = {int(step): accuracy for step, accuracy in THEN["resumed"].items()}
    assert {step: m["accuracy"] for step, m in resumed.reports.items()} == pytest.approx(then, abs=0.03)
    attempts = [a for a in study._session.reader.attempts() if a["number"] == INTERRUPTED]
    assert [(a["outcome"], a["last_step"]) for a in attempts] == [("lost", 2), ("told", 6)]
    with study._opened.db.read() as connection:
        stored = connection.exec_driver_sql(
            "SELECT body FROM satisfice_reports WHERE number = ? AND study_uuid = ?",
            (INTERRUPTED, study._opened.row["uuid"]),
        ).scalars()
        steps = sorted(step for body in stored for step, _ in json.loads(body))
    assert steps == [1, 2, 3, 4, 5, 6]  # none was trained twice
    # What waited in the queue came next.
    assert records[INTERRUPTED + 1].params["width"] == 10
    assert records[INTERRUPTED + 1].params["dropout"] == 0.1
    assert study.best().number in {r.number for r in records}


def test_a_task_of_ones_own_goes_on(opened: Any) -> None:
    study = opened("own")
    study.optimize()
    records = study.records()
    assert [r.number for r in records] == list(range(6))
    assert all(r.metrics["hidden"] <= 6 for r in records)
    assert all(r.feasible for r in records)


def test_trials_that_wait_for_their_verdict_get_it(opened: Any) -> None:
    study = opened("deferred")
    study.run_worker(label="edge-box")
    records = study.records()
    assert [(r.pending, r.feasible) for r in records] == [(False, True)] * 4
    assert all(r.metrics["latency_ms"] > 0 for r in records)
    kept = {r["number"]: r["metrics"]["accuracy"] for r in THEN["deferred"]["records"]}
    assert {r.number: r.metrics["accuracy"] for r in records} == kept
    assert study.status()["waiting"] == ""


def test_a_larger_budget_continues_a_finished_study(folder: Path) -> None:
    file = folder / "patients.toml"
    file.write_text(file.read_text().replace("trials = 8", "trials = 10"))
    study = satisfice.create_study(file, url_of(folder))
    with closing(study._opened.db):
        study.optimize()
        assert len(study.records()) == 10
        assert_says_at_least(
            answers(study)["records"][0], THEN["patients"]["records"][0], "patients.records[0]"
        )


def test_the_migrations_bring_it_up_to_date(folder: Path) -> None:
    def answer(*arguments: str) -> Any:
        done = CliRunner().invoke(cli, [*arguments, "--storage", url_of(folder)])
        assert done.exit_code == 0, done.output
        return done.output

    before = json.loads(answer("db", "current", "--json"))
    assert before["revision"] == "0001"
    answer("db", "upgrade")
    assert json.loads(answer("db", "current", "--json")) == {
        "revision": migrate.head(),
        "head": migrate.head(),
        "is_current": True,
    }
    best = json.loads(answer("best", "digits", "--json"))
    assert best["number"] == THEN["digits"]["best"][0]


@pytest.mark.parametrize("name", EXPORTED)
def test_an_export_of_that_state_moves_to_any_database(folder: Path, storage_url: str, name: str) -> None:
    (study,) = satisfice.import_study(folder / f"{name}.zip", storage_url)
    with closing(study._opened.db):
        for question, number in zip(QUESTIONS[name], THEN[name]["best"], strict=True):
            if number is not None:
                assert study.best(**question).number == number
        assert [r.number for r in study.pareto_front()] == THEN[name]["pareto"]
        stored = ("number", "params", "metrics", "violations", "feasible", "steps", "reason", "proposal")
        for record, then in zip(study.records(), THEN[name]["records"], strict=True):
            assert {key: getattr(record, key) for key in stored} == {key: then[key] for key in stored}
        number = next(iter(THEN[name]["predictions"]))
        assert study.model_file(int(number)).is_file()
