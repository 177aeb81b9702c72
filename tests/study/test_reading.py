"""Reading and deleting a study: neither its training code nor its data is touched, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.errors import NoFeasibleTrial, SpecError, StudyNotFound
from satisfice.store import tables

SPEC = """
name = "own"
[task]
entry = "gone_task:Task"
[objectives]
accuracy = "maximize"
[space]
rate = { low = 0.0, high = 1.0 }
[budget]
trials = 2
"""
CODE = """
class Task:
    def defaults(self):
        return {"rate": 0.5}

    def train(self, params, trial):
        return {"accuracy": params["rate"]}
"""


def rows(study: satisfice.Study) -> dict[str, list[Any]]:
    """All that our tables hold."""
    with study._opened.db.read() as connection:
        return {
            name: [tuple(row) for row in connection.execute(sa.select(table))]
            for name, table in tables.metadata.tables.items()
        }


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    file = tmp_path / "own.toml"
    file.write_text(SPEC)
    (tmp_path / "gone_task.py").write_text(CODE)
    return file


def test_a_study_whose_code_is_gone_is_read_and_deleted(
    study_file: Path, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    satisfice.create_study(study_file, storage=sqlite_url).optimize()
    (tmp_path / "gone_task.py").write_text("raise RuntimeError('imported')")
    monkeypatch.delitem(sys.modules, "gone_task")
    study = satisfice.load_study("own", sqlite_url)
    assert [r.state.name for r in study.records()] == ["COMPLETE", "COMPLETE"]
    assert study.best().metrics["accuracy"] >= 0.5
    assert len(study.trials_dataframe()) == 2
    assert study.status()["states"] == {"COMPLETE": 2}
    assert study.report_context()["chosen"] == study.best().number
    assert study.report(tmp_path / "report").is_file()
    study.export(tmp_path / "own.zip")
    for work in (study.ask, study.run_worker, lambda: study.replay(0)):
        with pytest.raises(SpecError, match="gone_task"):
            work()
    satisfice.delete_study("own", sqlite_url)
    with pytest.raises(StudyNotFound):
        satisfice.load_study("own", sqlite_url)


def test_reading_a_study_that_nobody_has_worked_on_writes_nothing(study_file: Path, sqlite_url: str) -> None:
    satisfice.create_study(study_file, storage=sqlite_url)
    study = satisfice.load_study("own", sqlite_url)
    before = rows(study)
    assert study.records() == []
    with pytest.raises(NoFeasibleTrial):
        study.best()
    study.status()
    study.report_context()
    assert rows(study) == before


def test_a_study_whose_spec_cannot_be_read_is_deleted(study_file: Path, sqlite_url: str) -> None:
    opened = satisfice.create_study(study_file, storage=sqlite_url)._opened
    opened.artefacts.put(0, "model-001.bin", b"")
    with opened.db.write() as connection:
        connection.execute(sa.update(tables.studies).values(spec='{"name": "own"}'))
    with pytest.raises(SpecError):
        satisfice.load_study("own", sqlite_url)
    satisfice.delete_study("own", sqlite_url)
    assert satisfice.list_studies(sqlite_url) == []
    assert not opened.artefacts.folder.exists()
