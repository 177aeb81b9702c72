"""Exported files: taken in whole, or refused with nothing left behind."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import optuna
import pytest

import satisfice
from satisfice.errors import InputError, StudyChanged

SPEC: dict[str, Any] = {
    "name": "mine",
    "objectives": {"loss": "minimize"},
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 2},
}


class Task:
    def train(self, params: dict[str, Any], trial: Any) -> dict[str, float]:
        trial.report(1, {"loss": 1.0})
        file = Path(str(params["rate"]))
        file.write_text("weights " * 1000)
        trial.save_model(file)
        return {"loss": params["rate"]}


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "from"
    folder.mkdir()
    monkeypatch.chdir(folder)
    study = satisfice.create_study(SPEC, storage=f"sqlite:///{folder}/a.db", task=Task())
    study.optimize()
    study.export(folder / "mine.zip")
    return folder / "mine.zip"


def other(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/b.db"


def rewritten(file: Path, **changes: Any) -> Path:
    made = file.with_name("changed.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == "study.json":
                content = json.dumps(json.loads(content) | changes).encode()
            new.writestr(member, content)
    return made


def nothing_in(url: str, tmp_path: Path) -> bool:
    artefacts = tmp_path / "b.db.artefacts"
    return satisfice.list_studies(url) == [] and (not artefacts.exists() or not list(artefacts.iterdir()))


def test_a_study_moves_with_its_models(exported: Path, tmp_path: Path) -> None:
    (study,) = satisfice.import_study(exported, other(tmp_path))
    before = satisfice.load_study("mine", f"sqlite:///{exported.parent}/a.db")
    assert study.records(with_reports=True) == before.records(with_reports=True)
    assert study.model_file(1).read_text() == before.model_file(1).read_text()
    with pytest.raises(StudyChanged, match="a study 'mine' is in the storage already"):
        satisfice.import_study(exported, other(tmp_path))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "has format 2, and this satisfice reads 1"),
        ({"format": None}, "has format None"),
        ({"trials": [{"row": {}}]}, "is not an exported study"),
        ({"study": {"name": "mine"}}, "is not an exported study"),
    ],
)
def test_what_is_none_of_ours_is_refused(
    exported: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        satisfice.import_study(rewritten(exported, **changes), other(tmp_path))
    assert nothing_in(other(tmp_path), tmp_path)


def test_a_damaged_model_leaves_nothing_behind(exported: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(exported) as file:
        last = max(file.infolist(), key=lambda member: member.header_offset)
    content = bytearray(exported.read_bytes())
    content[last.header_offset + 30 + len(last.filename) + 5] ^= 0xFF
    exported.write_bytes(bytes(content))
    with pytest.raises(InputError, match="is damaged"):
        satisfice.import_study(exported, other(tmp_path))
    assert nothing_in(other(tmp_path), tmp_path)


def test_an_optuna_study_of_that_name_stays_as_it_is(exported: Path, tmp_path: Path) -> None:
    theirs = optuna.create_study(study_name="mine", storage=other(tmp_path))
    with pytest.raises(StudyChanged, match="an Optuna study 'mine', which is none of satisfice"):
        satisfice.import_study(exported, other(tmp_path))
    assert theirs.trials == []
    assert nothing_in(other(tmp_path), tmp_path)
