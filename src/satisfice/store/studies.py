"""Studies: created once, opened by name, budget changed, deleted with everything that is theirs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.errors import StudyChanged
from satisfice.spec.study import StudySpec
from satisfice.store import tables
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.database.url import masked
from satisfice.store.optuna_rows import OptunaRows


@repeated
def find(db: Database, name: str) -> Mapping[str, Any] | None:
    """Our row of a study, or None."""
    with db.read() as connection:
        row = (
            connection.execute(sa.select(tables.studies).where(tables.studies.c.name == name))
            .mappings()
            .first()
        )
        # MySQL takes upper and lower case for the same.
        return None if row is None or row["name"] != name else dict(row)


@repeated
def names(db: Database) -> list[str]:
    """Names of all studies, oldest first."""
    with db.read() as connection:
        query = sa.select(tables.studies.c.name).order_by(tables.studies.c.created_at)
        return list(connection.execute(query).scalars())


@repeated
def create(
    db: Database,
    spec: StudySpec,
    content: Mapping[str, Any],
    data_fingerprint: str | None,
    file_budget: Mapping[str, Any] | None = None,
) -> None:
    """Insert a study; when another process was first, its study stands and this does nothing.

    Raises:
        StudyChanged: An Optuna study of that name is there, without a study of ours.
    """
    rows = OptunaRows(db.engine)
    try:
        with db.write() as connection:
            study_uuid = uuid.uuid4().hex
            insert(connection, db, rows, study_uuid, spec, content, data_fingerprint)
            if file_budget is not None:
                here = tables.studies.c.uuid == study_uuid
                held = json.dumps(file_budget)
                connection.execute(sa.update(tables.studies).where(here).values(file_budget=held))
    except sa.exc.IntegrityError:
        if find(db, spec.name) is None:
            raise taken_by_optuna(db, spec.name) from None


def taken_by_optuna(db: Database, name: str) -> StudyChanged:
    """The error for a name that an Optuna study has, of which we know nothing."""
    return StudyChanged(
        f"an Optuna study {name!r}, which is none of satisfice, is in {masked(db.url)} already",
        hint="take another name or another storage; `optuna delete-study` removes what nobody needs",
    )


def exists(name: str) -> StudyChanged:
    """The error for a study that is stored already."""
    return StudyChanged(
        f"a study {name!r} is in the storage already", hint="delete it first, or use another storage"
    )


def check_taken(db: Database, name: str, study_uuid: str) -> None:
    """After `insert` found the name taken: fine where that was itself, by a commit that was not heard of.

    Raises:
        StudyChanged: It was not.
    """
    row = find(db, name)
    if row is None:
        raise taken_by_optuna(db, name)
    if row["uuid"] != study_uuid:
        raise exists(name)


def insert(
    connection: sa.Connection,
    db: Database,
    rows: OptunaRows,
    study_uuid: str,
    spec: StudySpec,
    content: Mapping[str, Any],
    data_fingerprint: str | None,
    order: Sequence[str] | None = None,
) -> int:
    """Insert Optuna's rows of a study and ours; returns Optuna's key of it.

    ``order`` names the objectives in the order that Optuna's values have, where that is not the spec's.

    Raises:
        sqlalchemy.exc.IntegrityError: The name is taken.
    """
    objectives = spec.objectives
    if order is not None:
        objectives = tuple(sorted(objectives, key=lambda o: list(order).index(o.metric)))
    optuna_study_id = rows.create_study(connection, spec.name, objectives, study_uuid)
    connection.execute(
        sa.insert(tables.studies).values(
            uuid=study_uuid,
            name=spec.name,
            optuna_study_id=optuna_study_id,
            spec=json.dumps(content),
            digest=spec.digest(),
            source_dir=str(spec.base_dir.absolute()) if spec.source is not None else None,
            data_fingerprint=data_fingerprint,
            created_at=db.now(),
            **budget_columns(spec),
        )
    )
    return optuna_study_id


def budget_columns(spec: StudySpec) -> dict[str, Any]:
    """Columns that hold the budget. The epochs of a trial are those of all its trainings."""
    budget = spec.budget
    return {
        "trials_budget": budget.trials,
        "epochs_per_trial": None if budget.epochs is None else budget.epochs * spec.trainings,
        "total_epochs_budget": budget.total_epochs,
        "timeout_s": budget.timeout_s,
    }


@repeated
def set_chosen(db: Database, study_uuid: str, chosen: Mapping[str, Any]) -> None:
    """Keep the chosen trial with its test metrics, so that the test split is scored once."""
    with db.write() as connection:
        connection.execute(
            sa.update(tables.studies)
            .where(tables.studies.c.uuid == study_uuid)
            .values(chosen=json.dumps(chosen))
        )


@repeated
def count_trials(db: Database, study_uuid: str) -> int:
    """How many trials a study has, in whatever state."""
    s = tables.slots.c
    query = sa.select(sa.func.count()).where(s.study_uuid == study_uuid, s.number.is_not(None))
    with db.look() as connection:
        return int(connection.execute(query).scalar_one())


@repeated
def delete(db: Database, row: Mapping[str, Any]) -> None:
    """Remove a study from Optuna's tables and ours, given our row of it."""
    rows = OptunaRows(db.engine)
    with db.write() as connection:
        # Optuna's row is locked before ours, as where a trial begins.
        rows.delete_study(connection, row["optuna_study_id"], row["name"])
        for table in tables.metadata.sorted_tables:
            if "study_uuid" in table.c:
                connection.execute(sa.delete(table).where(table.c.study_uuid == row["uuid"]))
        connection.execute(sa.delete(tables.studies).where(tables.studies.c.uuid == row["uuid"]))
