"""Measurements remembered in SQL, for every trial and every study on the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from satisfice.store.engine import Database
from satisfice.store.tables import measurements


def load(db: Database, architecture: str, host: str, metric: str) -> dict[str, Any] | None:
    """The content last stored, or None."""
    m = measurements.c
    with db.read() as connection:
        query = sa.select(m.body).where(m.architecture == architecture, m.host == host, m.metric == metric)
        text = connection.execute(query).scalar()
        return None if text is None else json.loads(text)


def store(db: Database, architecture: str, host: str, metric: str, content: Mapping[str, Any]) -> None:
    """Store content in place of older content."""
    m = measurements.c
    values = {"body": json.dumps(dict(content)), "measured_at": db.now()}
    here = sa.and_(m.architecture == architecture, m.host == host, m.metric == metric)
    key = {"architecture": architecture, "host": host, "metric": metric}
    try:
        with db.write() as connection:
            if not connection.execute(sa.update(measurements).where(here).values(**values)).rowcount:
                connection.execute(sa.insert(measurements).values(**key, **values))
    except sa.exc.IntegrityError:
        return  # another worker of an equal host measured at the same time: one of both will do
