"""Enqueued configurations: defaults, starts, replicates and what a person asked for, in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.store.database.repeated import Repeats, transaction
from satisfice.store.ledger.study_rows import StudyRows
from satisfice.store.ledger.types import Claim, Queued
from satisfice.store.tables import queue


class Queue(Repeats):
    """The ledger's operations on the queue."""

    def __init__(self, study: StudyRows) -> None:
        super().__init__(study.db)
        self._study = study

    @transaction
    def take(self, claim: Claim) -> Queued | None:
        """The next enqueued configuration, for this slot; first what a dead worker took for the same slot.

        Raises:
            LeaseLost: Somebody else has the slot.
        """
        q = queue.c
        with self.db.write() as connection:
            study = self._study.lock(connection)
            self._study.held_row(connection, claim)
            mine = sa.and_(q.slot == claim.slot, q.turned_away.is_(None))
            query = sa.select(queue).where(q.study_uuid == self._study.uuid, q.slot.is_(None) | mine)
            row = connection.execute(query.order_by(q.slot.is_(None), q.position).limit(1)).mappings().first()
            if row is None:
                return None
            if row["slot"] is None:
                here = sa.and_(q.study_uuid == self._study.uuid, q.position == row["position"])
                connection.execute(sa.update(queue).where(here).values(slot=claim.slot))
                self._study.set_columns(connection, queued=study["queued"] - 1)
            return Queued(
                position=row["position"],
                params=json.loads(row["params"]),
                source=row["source"],
                replicate_of=row["replicate_of"],
            )

    @transaction
    def note_turned_away(self, queued: Queued, violations: Mapping[str, float]) -> None:
        """An enqueued configuration did not fit: by how much."""
        here = sa.and_(queue.c.study_uuid == self._study.uuid, queue.c.position == queued.position)
        with self.db.write() as connection:
            connection.execute(sa.update(queue).where(here).values(turned_away=json.dumps(violations)))

    @transaction
    def enqueue_first(self, entries: Sequence[tuple[Mapping[str, Any], str, int | None]]) -> None:
        """`enqueue`, if nothing was ever enqueued or begun; whoever works first on the study does it."""
        with self.db.write() as connection:
            study = self._study.lock(connection)
            if study["slots"] == 0 and self._last_position(connection) is None:
                self._enqueue(connection, study, entries)

    @transaction
    def enqueue(self, entries: Sequence[tuple[Mapping[str, Any], str, int | None]]) -> None:
        """Add configurations: (parameters, source, number of the trial that it repeats)."""
        with self.db.write() as connection:
            self._enqueue(connection, self._study.lock(connection), entries)

    def _last_position(self, connection: sa.Connection) -> int | None:
        query = sa.select(sa.func.max(queue.c.position)).where(queue.c.study_uuid == self._study.uuid)
        return connection.execute(query).scalar()

    def _enqueue(
        self,
        connection: sa.Connection,
        study: sa.RowMapping,
        entries: Sequence[tuple[Mapping[str, Any], str, int | None]],
    ) -> None:
        last = self._last_position(connection)
        start = 0 if last is None else last + 1
        rows = [
            {
                "study_uuid": self._study.uuid,
                "position": start + i,
                "params": json.dumps(dict(params)),
                "source": source,
                "replicate_of": of,
            }
            for i, (params, source, of) in enumerate(entries)
        ]
        if rows:
            connection.execute(sa.insert(queue), rows)
            self._study.set_columns(connection, queued=study["queued"] + len(rows))
