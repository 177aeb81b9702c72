"""Studies on the move: to one file, and from one file or from a person's own Optuna study."""

from __future__ import annotations

import json
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from satisfice.errors import InputError, StudyNotFound
from satisfice.spec import parse_dict
from satisfice.spec.study import StudySpec
from satisfice.store import capacity, data_notes, studies, tables
from satisfice.store.artefacts import artefacts_of
from satisfice.store.atomic_files import writing, written_whole
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.optuna_rows import OptunaRows
from satisfice.study.after.adopt import adopt_all
from satisfice.study.opening import Opened, open_database
from satisfice.study.stored import optuna_order, with_first_meaning
from satisfice.train import TRAINERS

FORMAT = 1
_NEW = ("uuid", "name", "optuna_study_id", "created_at", "last_active_at")  # not those of the export
# What exports of an older satisfice lack: later tables are empty, later columns as a migration fills them.
_LATER_TABLES = ("timings", "spec_versions", "influences")
_LATER_OF_STUDY = {
    "architecture_form": 1,
    "stopped": None,
    "spec_version": 1,
    "file_budget": None,
    "optuna_objectives": None,
}
_LATER_OF_SLOT = {"spec_version": 1}
_CARRIED = ("slots", "reports", "attempts", "queue", "turned_away", "timings", "spec_versions", "influences")


def export(opened: Opened, path: Path) -> None:
    """Write everything of a study to a zip file: rows as JSON, Optuna's trials, artefacts."""
    content = _content(opened.db, opened.rows, opened.row)
    with written_whole(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("study.json", json.dumps(content))
        folder = opened.artefacts.folder
        kept = [*folder.rglob("model*"), *folder.rglob("weights*")] if folder.is_dir() else []
        for artefact in sorted(kept):
            file.write(artefact, f"artefacts/{artefact.relative_to(folder)}")


@repeated
def _content(db: Database, optuna_rows: OptunaRows, row: Mapping[str, Any]) -> dict[str, Any]:
    study_uuid = row["uuid"]
    with db.read() as connection:
        query = sa.select(tables.studies).where(tables.studies.c.uuid == study_uuid)
        study = connection.execute(query).mappings().first()
        if study is None:
            raise StudyNotFound("the study was deleted")
        content: dict[str, Any] = {"format": FORMAT, "study": dict(study)}
        for name in _CARRIED:
            table = tables.metadata.tables[tables.PREFIX + name]
            rows = connection.execute(sa.select(table).where(table.c.study_uuid == study_uuid))
            content[name] = [dict(r) for r in rows.mappings()]
        content["data_notes"] = data_notes.notes_of(connection, optuna_rows, study["optuna_study_id"])
        content["trials"] = optuna_rows.dump(connection, row["optuna_study_id"])
    return content


def import_studies(source: str, storage: str | None) -> list[str]:
    """Take in an exported file, or adopt every Optuna study of another database; returns the names.

    Raises:
        InputError: It is no export, or holds no study.
        StudyChanged: A study of that name is there already.
    """
    if "://" in source:
        return adopt_all(source, storage)
    with _exported(source) as (file, content), closing(open_database(storage)) as db:
        return [_restore(db, content, file, source)]


@contextmanager
def _exported(source: str) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """An exported file with its rows.

    Raises:
        InputError: It is none, or of another version.
    """
    none = InputError(f"{source} is not an exported study", hint="make one by satisfice export")
    try:
        file = zipfile.ZipFile(source)
    except zipfile.BadZipFile:
        raise none from None
    with file:
        try:
            content = json.loads(file.read("study.json"))
        except (zipfile.BadZipFile, zlib.error, KeyError, ValueError):
            raise none from None
        if not isinstance(content, dict) or "format" not in content:
            raise none
        if content["format"] != FORMAT:
            raise InputError(
                f"{source} has format {content['format']}, and this satisfice reads {FORMAT}",
                hint="import it with the version of satisfice that exported it, or a later one",
            )
        _complete(content)
        if not _is_whole(content):
            raise none
        yield file, content


def _complete(content: dict[str, Any]) -> None:
    """Add what an older satisfice did not have."""
    for name in _LATER_TABLES:
        content.setdefault(name, [])
    if isinstance(content.get("study"), dict):
        content["study"] = _LATER_OF_STUDY | content["study"]
    if isinstance(content.get("slots"), list):
        content["slots"] = [
            _LATER_OF_SLOT | row if isinstance(row, dict) else row for row in content["slots"]
        ]


def _is_whole(content: Mapping[str, Any]) -> bool:
    """Whether every row of ours has the columns of its table, and every trial of Optuna's is one."""
    every = {name: content.get(name) for name in _CARRIED} | {"studies": [content.get("study")]}
    for name, rows in every.items():
        columns = tables.metadata.tables[tables.PREFIX + name].c.keys()
        if not isinstance(rows, list) or any(
            not isinstance(row, dict) or row.keys() != set(columns) for row in rows
        ):
            return False
    trials = content.get("trials")
    return isinstance(trials, list) and all(
        isinstance(trial, dict) and "trial_id" in trial.get("row", ()) for trial in trials
    )


def _restore(db: Database, content: dict[str, Any], file: zipfile.ZipFile, source: str) -> str:
    """Store the models, then all rows in one transaction: nothing is left of what fails."""
    row = content["study"]
    name = str(row["name"])
    stored = with_first_meaning(json.loads(row["spec"]))
    row["spec"] = json.dumps(stored)
    own = not ({"model", "task"} & stored.keys())
    spec = parse_dict(stored, has_task=own, stored=True, families=TRAINERS.get)
    if studies.find(db, name) is not None:
        raise studies.exists(name)
    capacity.check_study(db, spec)
    capacity.check_trials(db, name, content["trials"])
    study_uuid = uuid.uuid4().hex
    artefacts = artefacts_of(db.url, study_uuid)
    try:
        with writing(artefacts.folder):
            _unpack(file, artefacts.folder)
        _insert(db, study_uuid, spec, content)
    except (zipfile.BadZipFile, zlib.error) as error:
        artefacts.discard_all()
        raise InputError(f"{source} is damaged: {error}", hint="export the study again") from None
    except BaseException:
        artefacts.discard_all()
        raise
    return name


@repeated
def _insert(db: Database, study_uuid: str, spec: StudySpec, content: Mapping[str, Any]) -> None:
    row, rows = content["study"], OptunaRows.of(db)
    stored = json.loads(row["spec"])
    kept = {k: v for k, v in row.items() if k not in _NEW}
    try:
        with db.write() as connection:
            study_id = studies.insert(
                connection, db, rows, study_uuid, spec, stored, row["data_fingerprint"], optuna_order(row)
            )
            data_notes.insert(connection, rows, study_id, content.get("data_notes") or [])
            ids = rows.restore(connection, study_id, content["trials"])
            here = tables.studies.c.uuid == study_uuid
            connection.execute(sa.update(tables.studies).where(here).values(**kept))
            for name in _CARRIED:
                moved = [{**r, "study_uuid": study_uuid} for r in content[name]]
                for r in moved if name == "slots" else []:
                    r["optuna_trial_id"] = ids.get(str(r["optuna_trial_id"]))
                if moved:
                    connection.execute(sa.insert(tables.metadata.tables[tables.PREFIX + name]), moved)
    except sa.exc.IntegrityError:
        studies.check_taken(db, spec.name, study_uuid)


def _unpack(file: zipfile.ZipFile, folder: Path) -> None:
    for member in file.namelist():
        target = folder / member.removeprefix("artefacts/")
        if member.startswith("artefacts/") and target.resolve().is_relative_to(folder.resolve()):
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
