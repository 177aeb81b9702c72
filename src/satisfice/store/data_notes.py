"""What became of columns and values of a study's data, kept beside the study as an attribute of Optuna's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.optuna_rows import OptunaRows

KEY = "satisfice:data_notes"
_LONGEST = 60_000  # characters that fit into Optuna's column on every database


@repeated
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
        row = {"study_id": study_id, "key": KEY, "value_json": _fitting(notes)}
        connection.execute(sa.insert(rows.study_attributes), row)


def _fitting(notes: Sequence[Mapping[str, Any]]) -> str:
    """As JSON; where there are too many, the last one says how many were left out."""
    kept = [dict(note) for note in notes]
    text = json.dumps(kept)
    while len(text) > _LONGEST:
        kept = kept[: int(len(kept) * 0.9)]
        reason = f"{len(notes) - len(kept)} more notes on columns were left out"
        text = json.dumps([*kept, {"column": "", "what": "read", "reason": reason, "examples": []}])
    return text


def notes_of(connection: sa.Connection, rows: OptunaRows, study_id: int) -> list[dict[str, Any]]:
    """The notes of a study, given Optuna's id of it."""
    table = rows.study_attributes
    query = sa.select(table.c.value_json).where(table.c.study_id == study_id, table.c.key == KEY)
    found = connection.execute(query).scalar()
    return list(json.loads(found)) if found else []
