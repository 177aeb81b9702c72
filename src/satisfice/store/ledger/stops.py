"""Whether a study has stopped itself.

Column ``stopped`` of our row, JSON: ``from``, the number of the first trial that counts; ``trials``, those
that failed alike, and ``reason``. The last two are missing while the study goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.store import studies
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.ledger.phase import Phase
from satisfice.store.tables import slots
from satisfice.store.tables import studies as rows


def first_that_counts(row: Mapping[str, Any]) -> int:
    """Number of the first trial since the study was begun, or taken up again after a stop."""
    return int(json.loads(row["stopped"] or "{}").get("from", 0))


def reason(row: Mapping[str, Any]) -> str | None:
    """Why the study stopped itself, or None."""
    found: str | None = json.loads(row["stopped"] or "{}").get("reason")
    return found


def trials(row: Mapping[str, Any]) -> list[int]:
    """Numbers of the trials that stopped it."""
    return list(json.loads(row["stopped"] or "{}").get("trials", []))


@repeated
def stop(db: Database, row: Mapping[str, Any], numbers: Sequence[int], why: str) -> None:
    """Write down that the study stopped itself."""
    _write(db, row, {"from": first_that_counts(row), "trials": list(numbers), "reason": why})


@repeated
def lift(db: Database, row: Mapping[str, Any]) -> None:
    """Let a stopped study go on: what failed until now counts no more."""
    if reason(row) is not None:
        _write(db, row, {"from": studies.count_trials(db, row["uuid"])})


def _write(db: Database, row: Mapping[str, Any], content: Mapping[str, Any]) -> None:
    with db.write() as connection:
        here = rows.c.uuid == row["uuid"]
        connection.execute(sa.update(rows).where(here).values(stopped=json.dumps(content)))


@repeated
def held(db: Database, study_uuid: str) -> int:
    """Trials that a worker trains, or is about to begin, under a lease that holds."""
    s = slots.c
    busy = s.phase.in_([Phase.PROPOSING.value, Phase.RUNNING.value])
    query = sa.select(sa.func.count()).where(s.study_uuid == study_uuid, busy, s.lease_until > db.now())
    with db.read() as connection:
        return int(connection.execute(query).scalar_one())


@repeated
def tracebacks(db: Database, study_uuid: str, numbers: Sequence[int]) -> dict[int, str | None]:
    """Of these trials, as they were kept."""
    s = slots.c
    query = sa.select(s.number, s.traceback).where(s.study_uuid == study_uuid, s.number.in_(numbers))
    with db.read() as connection:
        return {row.number: row.traceback for row in connection.execute(query)}
