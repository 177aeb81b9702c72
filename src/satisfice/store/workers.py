"""Workers and hosts: who is there."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.tables import hosts, workers


@repeated
def join(db: Database, worker: str, study_uuid: str, host: str, label: str | None) -> bool:
    """Announce a worker.

    Returns:
        Whether another process lived under this identity before: a cluster ran the worker again elsewhere.
    """
    place = {"hostname": socket.gethostname()[:200], "pid": os.getpid()}
    values = {
        **place,
        "study_uuid": study_uuid,
        "host": host,
        "label": label,
        "started_at": db.now(),
        "seen_at": db.now(),
        "ended_at": None,
        "ended": None,
    }
    with db.write() as connection:
        before = connection.execute(sa.select(workers).where(workers.c.uuid == worker)).mappings().first()
        if before is None:
            connection.execute(sa.insert(workers).values(uuid=worker, **values))
            return False
        connection.execute(sa.update(workers).where(workers.c.uuid == worker).values(**values))
        return any(before[name] != here for name, here in place.items())


def seen(db: Database, worker: str) -> None:
    """Say that the worker lives."""
    with db.write() as connection:
        connection.execute(sa.update(workers).where(workers.c.uuid == worker).values(seen_at=db.now()))


def leave(db: Database, worker: str, reason: str) -> None:
    """Say that the worker ended, and why."""
    with db.write() as connection:
        connection.execute(
            sa.update(workers).where(workers.c.uuid == worker).values(ended_at=db.now(), ended=reason)
        )


@repeated
def hosts_labelled(db: Database, label: str) -> list[str]:
    """Fingerprints of the hosts where workers of that label worked, on whichever study, latest first."""
    w = workers.c
    latest = sa.func.max(w.started_at).desc()
    with db.read() as connection:
        query = sa.select(w.host, w.label).where(w.label == label).group_by(w.host, w.label)
        found = connection.execute(query.order_by(latest, w.host))
        return [host for host, labelled in found if labelled == label]  # MySQL takes "A" for "a"


def put_host(db: Database, fingerprint: str, description: Mapping[str, Any]) -> None:
    """Keep what a fingerprint stands for."""
    values = {"description": json.dumps(dict(description)), "seen_at": db.now()}
    try:
        with db.write() as connection:
            known = connection.execute(
                sa.update(hosts).where(hosts.c.fingerprint == fingerprint).values(**values)
            )
            if not known.rowcount:
                connection.execute(sa.insert(hosts).values(fingerprint=fingerprint, **values))
    except sa.exc.IntegrityError:
        return  # another worker of the same host was first


@repeated
def hosts_described(db: Database) -> dict[str, dict[str, Any]]:
    """What each fingerprint known here stands for."""
    with db.read() as connection:
        rows = connection.execute(sa.select(hosts.c.fingerprint, hosts.c.description))
        return {fingerprint: json.loads(description) for fingerprint, description in rows}
