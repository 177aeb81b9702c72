"""Studies on the move: to one file, from one file, and from a person's own Optuna study."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa

from satisfice.choose import (
    constraints_from_optuna,
    objectives_from_optuna,
    records_from_optuna,
    space_from_optuna,
)
from satisfice.errors import InputError, StudyChanged
from satisfice.spec import parse_dict, to_dict
from satisfice.spec.study import Budget, StudySpec
from satisfice.store import studies, tables
from satisfice.store.artefacts import Artefacts, default_root
from satisfice.store.claim import dump, slot_seed
from satisfice.store.engine import Database
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.phase import Phase
from satisfice.study.opening import Opened, open_database
from satisfice.train import TRAINERS

FORMAT = 1
_CARRIED = ("slots", "reports", "attempts", "queue", "turned_away")


def export(opened: Opened, path: Path) -> None:
    """Write everything of a study to a zip file: rows as JSON, Optuna's trials, artefacts."""
    with opened.db.read() as connection:
        content: dict[str, Any] = {"format": FORMAT, "study": dict(_row(connection, opened.row["uuid"]))}
        for name in _CARRIED:
            table = tables.metadata.tables[tables.PREFIX + name]
            rows = connection.execute(sa.select(table).where(table.c.study_uuid == opened.row["uuid"]))
            content[name] = [dict(r) for r in rows.mappings()]
        content["trials"] = opened.rows.dump(connection, opened.row["optuna_study_id"])
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
        pass
    try:
        with zipfile.ZipFile(part.name, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("study.json", json.dumps(content))
            folder = opened.artefacts.folder
            for artefact in sorted(folder.rglob("model*")) if folder.is_dir() else []:
                file.write(artefact, f"artefacts/{artefact.relative_to(folder)}")
        Path(part.name).replace(path)
    except BaseException:
        Path(part.name).unlink(missing_ok=True)
        raise


def _row(connection: sa.Connection, study_uuid: str) -> sa.RowMapping:
    return (
        connection.execute(sa.select(tables.studies).where(tables.studies.c.uuid == study_uuid))
        .mappings()
        .one()
    )


def import_studies(source: str, storage: str | None) -> list[str]:
    """Take in an exported file, or adopt every Optuna study of another database; returns the names.

    Raises:
        InputError: It is no export, or holds no study.
        StudyChanged: A study of that name is there already.
    """
    if "://" in source:
        return _adopt_all(source, storage)
    try:
        with zipfile.ZipFile(source) as file:
            content = json.loads(file.read("study.json"))
            db = open_database(storage)
            return [_restore(db, content, file)]
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError):
        raise InputError(f"{source} is not an exported study", hint="make one by satisfice export") from None


def _refuse_existing(db: Database, name: str) -> None:
    if studies.find(db, name) is not None:
        raise StudyChanged(
            f"a study {name!r} is in the storage already", hint="delete it first, or use another storage"
        )


def _restore(db: Database, content: Mapping[str, Any], file: zipfile.ZipFile) -> str:
    row = dict(content["study"])
    _refuse_existing(db, row["name"])
    stored = json.loads(row["spec"])
    spec = parse_dict(stored, has_task=not ({"model", "task"} & stored.keys()), families=TRAINERS.get)
    studies.create(db, spec, stored, row["data_fingerprint"])
    made = studies.find(db, row["name"])
    assert made is not None
    rows = OptunaRows(db.engine)
    with db.write() as connection:
        ids = rows.restore(connection, made["optuna_study_id"], content["trials"])
        kept = {
            k: row[k]
            for k in row
            if k not in ("uuid", "name", "optuna_study_id", "created_at", "last_active_at")
        }
        connection.execute(
            sa.update(tables.studies).where(tables.studies.c.uuid == made["uuid"]).values(**kept)
        )
        for name in _CARRIED:
            moved = [{**r, "study_uuid": made["uuid"]} for r in content[name]]
            for r in moved if name == "slots" else []:
                r["optuna_trial_id"] = ids.get(str(r["optuna_trial_id"]))
            if moved:
                connection.execute(sa.insert(tables.metadata.tables[tables.PREFIX + name]), moved)
    folder = Artefacts(default_root(db.url), made["uuid"]).folder
    for member in file.namelist():
        target = folder / member.removeprefix("artefacts/")
        if member.startswith("artefacts/") and target.resolve().is_relative_to(folder.resolve()):
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out)
    return str(row["name"])


def _adopt_all(source: str, storage: str | None) -> list[str]:
    """Adopt Optuna studies: their finished trials are history to learn from; a task is passed from Python."""
    try:
        names = optuna.get_all_study_names(source)
    except Exception as error:  # noqa: BLE001  # whatever Optuna and its drivers raise for a wrong URL
        raise InputError(f"cannot read Optuna studies there: {type(error).__name__}") from None
    if not names:
        raise InputError("there is no Optuna study", hint="give the URL of an Optuna storage")
    db = open_database(storage)
    for name in names:
        _refuse_existing(db, name)
    return [adopt(optuna.load_study(study_name=name, storage=source), db) for name in names]


def adopt(study: optuna.Study, db: Database) -> str:
    """Copy an Optuna study's finished trials into a study of ours; returns its name."""
    records = [r for r in records_from_optuna(study) if r.state.is_finished()]
    if not records:
        raise InputError(f"the Optuna study {study.study_name!r} has no finished trial")
    trials = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
    spec = StudySpec(
        name=study.study_name,
        objectives=objectives_from_optuna(study.directions, study.metric_names),
        constraints=constraints_from_optuna(trials),
        space=space_from_optuna(trials),
        budget=Budget(trials=len(records)),
    )
    content = to_dict(spec)
    studies.create(db, spec, content, None)
    row = studies.find(db, spec.name)
    assert row is not None
    rows = OptunaRows(db.engine)
    with db.write() as connection:
        for slot, record in enumerate(records):
            trial_id, number = rows.create_trial(
                connection, row["optuna_study_id"], spec.space, record.params, {}
            )
            values = (
                [record.metrics[o.metric] for o in spec.objectives]
                if record.state.name == "COMPLETE"
                else None
            )
            rows.finish_trial(connection, trial_id, record.state, values, record.violations, {})
            connection.execute(
                sa.insert(tables.slots).values(
                    study_uuid=row["uuid"],
                    slot=slot,
                    phase=Phase.DONE.value,
                    number=number,
                    optuna_trial_id=trial_id,
                    seed=slot_seed(0, slot),
                    revision=slot + 1,
                    attempt=1,
                    metrics=dump(record.metrics),
                    feasible=record.feasible,
                    last_step=record.steps,
                    proposal=json.dumps({"method": "imported", "kind": "start", "origin": "import"}),
                )
            )
        connection.execute(
            sa.update(tables.studies)
            .where(tables.studies.c.uuid == row["uuid"])
            .values(slots=len(records), revision=len(records) + 1)
        )
    return spec.name
