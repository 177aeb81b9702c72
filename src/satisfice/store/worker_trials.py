"""Who works on a study, and at what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.ledger.phase import Phase
from satisfice.store.tables import attempts, reports, slots, workers


def running(db: Database, study_uuid: str) -> list[dict[str, Any]]:
    """Trials in training: ``number``, ``step`` (last report), ``seconds`` (of this attempt), ``owner``.

    ``owner`` is the UUID of whoever holds the trial's lease: a worker, or a program that called `ask`.
    """
    a, s = attempts.c, slots.c
    now = db.now().label("now")
    joined = sa.join(
        slots,
        attempts,
        (a.study_uuid == s.study_uuid) & (a.number == s.number) & (a.attempt == s.attempt),
        isouter=True,
    )
    query = (
        sa.select(s.number, s.last_step, s.lease_owner, a.started_at, now)
        .select_from(joined)
        .where(s.study_uuid == study_uuid, s.phase == Phase.RUNNING.value, s.number.is_not(None))
        .order_by(s.number)
    )
    with db.read() as connection:
        found = connection.execute(query).all()
        reached = _reached(connection, study_uuid, [row.number for row in found])
    return [
        {
            "number": row.number,
            "step": max(row.last_step, reached.get(row.number, 0)),
            "seconds": None if row.started_at is None else max(0.0, row.now - row.started_at),
            "owner": row.lease_owner,
        }
        for row in found
    ]


def _reached(connection: sa.Connection, study_uuid: str, numbers: list[int]) -> dict[int, int]:
    """The last step that each trial reported: a report does not touch the slot."""
    r = reports.c
    query = sa.select(r.number, r.body).where(r.study_uuid == study_uuid, r.number.in_(numbers))
    reached: dict[int, int] = {}
    for number, body in connection.execute(query) if numbers else ():
        steps = [int(step) for step, _ in json.loads(body)]
        reached[number] = max([reached.get(number, 0), *steps])
    return reached


@repeated
def crew(db: Database, study_uuid: str, alive_s: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All workers that ever joined, whether they are alive, and the ``trial`` that each of them trains.

    Args:
        db: The database.
        study_uuid: Ours.
        alive_s: A worker that was silent for so long is not alive.

    Returns:
        The workers in the order in which they came, and the trials in training that no worker holds: a
        program that called `ask` holds them, or their worker died. ``trial`` is None, or has the keys
        ``number``, ``step`` and ``seconds``.
    """
    held: dict[Any, Mapping[str, Any]] = {}
    loose = []
    for trial in running(db, study_uuid):
        owner = trial.pop("owner")
        held[owner] = trial
        loose.append((owner, trial))
    now = db.now().label("now")
    query = sa.select(workers, now).where(workers.c.study_uuid == study_uuid).order_by(workers.c.started_at)
    with db.read() as connection:
        rows = connection.execute(query).mappings().all()
    found = [
        {
            "worker": row["uuid"][:8],
            "hostname": row["hostname"],
            "pid": row["pid"],
            "label": row["label"],
            "alive": row["ended_at"] is None and row["now"] - row["seen_at"] < alive_s,
            "ended": row["ended"],
            "trial": held.get(row["uuid"]),
        }
        for row in rows
    ]
    known = {row["uuid"] for row in rows}
    return found, [trial for owner, trial in loose if owner not in known]
