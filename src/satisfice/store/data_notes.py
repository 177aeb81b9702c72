"""What became of columns and values of a study's data, kept beside the study as an attribute of Optuna's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.store.engine import Database
from satisfice.store.optuna_rows import OptunaRows

KEY = "satisfice:data_notes"
_MOST = 200  # of one study: more are no news


def put(db: Database, rows: OptunaRows, study_id: int, notes: Sequence[Mapping[str, Any]]) -> None:
    """Keep the notes of a study that has none yet."""
    try:
        with db.write() as connection:
            insert(connection, rows, study_id, notes)
    except sa.exc.IntegrityError:
        return  # another process was first, with the same data


def insert(
    connection: sa.Connection, rows: OptunaRows, study_id: int, notes: Sequence[Mapping[str, Any]]
) -> None:
    """Keep the notes, given Optuna's id of the study; of none, nothing."""
    if notes:
        text = json.dumps([dict(note) for note in notes[:_MOST]])
        row = {"study_id": study_id, "key": KEY, "value_json": text}
        connection.execute(sa.insert(rows.study_attributes), row)


def notes_of(connection: sa.Connection, rows: OptunaRows, study_id: int) -> list[dict[str, Any]]:
    """The notes of a study, given Optuna's id of it."""
    table = rows.study_attributes
    query = sa.select(table.c.value_json).where(table.c.study_id == study_id, table.c.key == KEY)
    found = connection.execute(query).scalar()
    return list(json.loads(found)) if found else []
