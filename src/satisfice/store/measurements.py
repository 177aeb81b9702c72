"""Measurements remembered in SQL: for every study on the database, and those that one study counts with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import repeated
from satisfice.store.tables import measurements, timings


@repeated
def load(db: Database, architecture: str, host: str, metric: str) -> dict[str, Any] | None:
    """The content last stored, or None."""
    m = measurements.c
    with db.read() as connection:
        query = sa.select(m.body).where(m.architecture == architecture, m.host == host, m.metric == metric)
        text = connection.execute(query).scalar()
        return None if text is None else json.loads(text)


@repeated
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


@repeated
def counted(
    db: Database, study_uuid: str, architecture: str, place: str, metric: str
) -> dict[str, Any] | None:
    """What a study counts with, or None."""
    with db.read() as connection:
        text: str | None = connection.execute(_counted(study_uuid, architecture, place, metric)).scalar()
        return None if text is None else json.loads(text)


@repeated
def count(
    db: Database, study_uuid: str, architecture: str, place: str, metric: str, content: Mapping[str, Any]
) -> dict[str, Any]:
    """Have a study count with a measurement unless it has one; returns the one that it counts with."""
    key = {"study_uuid": study_uuid, "architecture": architecture, "place": place, "metric": metric}
    try:
        with db.write() as connection:
            text: str | None = connection.execute(_counted(**key)).scalar()
            if text is None:
                text = json.dumps(dict(content))
                connection.execute(sa.insert(timings).values(**key, body=text))
    except sa.exc.IntegrityError:  # another worker was first
        stands = counted(db, **key)
        assert stands is not None
        return stands
    found: dict[str, Any] = json.loads(text)
    return found


def _counted(study_uuid: str, architecture: str, place: str, metric: str) -> sa.Select[Any]:
    t = timings.c
    return sa.select(t.body).where(
        t.study_uuid == study_uuid, t.architecture == architecture, t.place == place, t.metric == metric
    )
