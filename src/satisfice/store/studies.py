"""Studies: created once, opened by name, budget changed, deleted with everything that is theirs."""

from __future__ import annotations

import json
import uuid
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import optuna
import sqlalchemy as sa

from satisfice.errors import StudyNotFound
from satisfice.spec.study import Budget, StudySpec
from satisfice.store import tables
from satisfice.store.engine import Database


def find(db: Database, name: str) -> Mapping[str, Any] | None:
    """Our row of a study, or None."""
    with db.read() as connection:
        row = (
            connection.execute(sa.select(tables.studies).where(tables.studies.c.name == name))
            .mappings()
            .first()
        )
        return None if row is None else dict(row)


def names(db: Database) -> list[str]:
    """Names of all studies, oldest first."""
    with db.read() as connection:
        query = sa.select(tables.studies.c.name).order_by(tables.studies.c.created_at)
        return list(connection.execute(query).scalars())


def create(db: Database, spec: StudySpec, content: Mapping[str, Any], data_fingerprint: str | None) -> None:
    """Insert a study; when another process was first, its study stands and this does nothing."""
    study_uuid = uuid.uuid4().hex
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # set_metric_names
        study = optuna.create_study(
            storage=db.optuna_storage(),
            study_name=spec.name,
            directions=[o.direction for o in spec.objectives],
            load_if_exists=True,
        )
        study.set_metric_names([o.metric for o in spec.objectives])
    try:
        with db.write() as connection:
            connection.execute(
                sa.insert(tables.studies).values(
                    uuid=study_uuid,
                    name=spec.name,
                    optuna_study_id=study._study_id,  # noqa: SLF001  # Optuna gives no public name to the key
                    spec=json.dumps(content),
                    digest=spec.digest(),
                    source_dir=str(spec.base_dir.absolute()) if spec.source is not None else None,
                    data_fingerprint=data_fingerprint,
                    created_at=db.now(),
                    **budget_columns(spec.budget),
                )
            )
    except sa.exc.IntegrityError:
        return
    study.set_user_attr("satisfice:uuid", study_uuid)


def budget_columns(budget: Budget) -> dict[str, Any]:
    """Columns that hold the budget."""
    return {
        "trials_budget": budget.trials,
        "epochs_per_trial": budget.epochs,
        "total_epochs_budget": budget.total_epochs,
        "timeout_s": budget.timeout_s,
    }


def change_budget(db: Database, study_uuid: str, budget: Budget, content: Mapping[str, Any]) -> None:
    """Write another budget."""
    with db.write() as connection:
        connection.execute(
            sa.update(tables.studies)
            .where(tables.studies.c.uuid == study_uuid)
            .values(spec=json.dumps(content), **budget_columns(budget))
        )


def set_chosen(db: Database, study_uuid: str, chosen: Mapping[str, Any]) -> None:
    """Keep the chosen trial with its test metrics, so that the test split is scored once."""
    with db.write() as connection:
        connection.execute(
            sa.update(tables.studies)
            .where(tables.studies.c.uuid == study_uuid)
            .values(chosen=json.dumps(chosen))
        )


def delete(db: Database, name: str) -> str:
    """Remove a study from Optuna's tables and ours; returns its UUID, for its artefacts.

    Raises:
        StudyNotFound: There is none.
    """
    row = find(db, name)
    if row is None:
        raise StudyNotFound(f"no study {name!r} in the storage")
    with db.write() as connection:
        for table in tables.metadata.sorted_tables:
            if "study_uuid" in table.c:
                connection.execute(sa.delete(table).where(table.c.study_uuid == row["uuid"]))
        connection.execute(sa.delete(tables.studies).where(tables.studies.c.uuid == row["uuid"]))
    with suppress(KeyError):  # somebody removed Optuna's half already
        optuna.delete_study(study_name=name, storage=db.optuna_storage())
    return str(row["uuid"])
