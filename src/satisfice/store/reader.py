"""Reading trials: rows to records, whole or only what changed since a revision."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.spec.constraint import violations
from satisfice.spec.metric import convert
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.engine import Database
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.phase import Phase
from satisfice.store.tables import attempts, queue, reports, slots, studies, turned_away, workers

Report = tuple[int, int, Mapping[str, float]]  # number, step, metrics


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed since a revision."""

    revision: int
    records: Sequence[TrialRecord]
    reports: Sequence[Report]


class Reader:
    """Reads one study."""

    def __init__(self, db: Database, rows: OptunaRows, study_uuid: str, spec: StudySpec) -> None:
        self.db = db
        self.rows = rows
        self.uuid = study_uuid
        self.spec = spec

    def changes(self, since: int, *, with_reports: bool = True) -> Changes:
        """Trials and reports newer than ``since``: three or four statements, whatever the history."""
        with self.db.read() as connection:
            where = (slots.c.study_uuid == self.uuid, slots.c.revision > since, slots.c.number.is_not(None))
            found = (
                connection.execute(sa.select(slots).where(*where).order_by(slots.c.number)).mappings().all()
            )
            new_reports = self._reports(connection, since) if with_reports else []
            records = self._records(connection, found, {}) if found else []
        newest = max(
            [since, *(row["revision"] for row in found), *(revision for revision, *_ in new_reports)]
        )
        return Changes(
            revision=newest,
            records=records,
            reports=[(number, step, metrics) for _, number, step, metrics in new_reports],
        )

    def records(self, *, with_reports: bool = False) -> list[TrialRecord]:
        """All trials by number."""
        with self.db.read() as connection:
            where = (slots.c.study_uuid == self.uuid, slots.c.number.is_not(None))
            found = (
                connection.execute(sa.select(slots).where(*where).order_by(slots.c.number)).mappings().all()
            )
            by_trial: dict[int, dict[int, Mapping[str, float]]] = {}
            if with_reports:
                for _, number, step, metrics in self._reports(connection, -1):
                    by_trial.setdefault(number, {})[step] = metrics
            return self._records(connection, found, by_trial)

    def pending(self) -> list[TrialRecord]:
        """Trials that were told before their latency was measured, by number."""
        with self.db.read() as connection:
            where = (slots.c.study_uuid == self.uuid, slots.c.phase == Phase.PENDING.value)
            found = (
                connection.execute(sa.select(slots).where(*where).order_by(slots.c.number)).mappings().all()
            )
            return self._records(connection, found, {}) if found else []

    def _reports(
        self, connection: sa.Connection, since: int
    ) -> list[tuple[int, int, int, Mapping[str, float]]]:
        r = reports.c
        query = (
            sa.select(r.revision, r.number, r.body)
            .where(r.study_uuid == self.uuid, r.revision > since)
            .order_by(r.revision)
        )
        return [
            (revision, number, step, metrics)
            for revision, number, body in connection.execute(query)
            for step, metrics in json.loads(body)
        ]

    def _records(
        self,
        connection: sa.Connection,
        found: Sequence[sa.RowMapping],
        by_trial: Mapping[int, Mapping[int, Mapping[str, float]]],
    ) -> list[TrialRecord]:
        ids = [row["optuna_trial_id"] for row in found]
        optuna = self.rows.rows(connection, ids)
        params = self.rows.params(connection, ids, self.spec.space)
        return [
            self._record(
                row, optuna[row["optuna_trial_id"]], params.get(row["optuna_trial_id"], {}), by_trial
            )
            for row in found
            if row["optuna_trial_id"] in optuna
        ]

    def _record(
        self,
        row: sa.RowMapping,
        optuna: Any,
        params: Mapping[str, Any],
        by_trial: Mapping[int, Mapping[int, Mapping[str, float]]],
    ) -> TrialRecord:
        metrics = convert(json.loads(row["metrics"] or "{}"), self.spec.metric_names)
        shown = {Phase.RETURNED.value: TrialState.WAITING, Phase.PENDING.value: TrialState.COMPLETE}
        return TrialRecord(
            number=row["number"],
            state=shown.get(row["phase"], optuna.state),
            params=params,
            metrics=metrics,
            violations=violations(self.spec.constraints, metrics),
            feasible=row["feasible"],
            reports=by_trial.get(row["number"], {}),
            steps=row["last_step"],
            reason=row["reason"],
            proposal=json.loads(row["proposal"] or "{}"),
            seed=row["seed"],
            replicate_of=row["replicate_of"],
            attempts=row["attempt"],
            started_at=optuna.started_at,
            finished_at=optuna.finished_at,
            worker=row["lease_owner"],
            measured_on=row["measured_on"],
            pending=row["phase"] == Phase.PENDING.value,
        )

    def study_row(self) -> Mapping[str, Any]:
        """Our row of the study: budget, counters."""
        with self.db.read() as connection:
            row = connection.execute(sa.select(studies).where(studies.c.uuid == self.uuid)).mappings().one()
            return dict(row)

    def turned_away(self) -> dict[str, int]:
        """Proposals turned away before training, by constraint key."""
        totals: dict[str, int] = {}
        with self.db.read() as connection:
            query = sa.select(turned_away.c.by_constraint).where(turned_away.c.study_uuid == self.uuid)
            for (text,) in connection.execute(query):
                for key, count in json.loads(text).items():
                    totals[key] = totals.get(key, 0) + count
        return totals

    def workers(self, alive_s: float) -> list[dict[str, Any]]:
        """All workers that ever joined, with whether they are alive."""
        now = self.db.now().label("now")
        with self.db.read() as connection:
            query = (
                sa.select(workers, now)
                .where(workers.c.study_uuid == self.uuid)
                .order_by(workers.c.started_at)
            )
            return [
                {
                    "worker": row["uuid"][:8],
                    "hostname": row["hostname"],
                    "pid": row["pid"],
                    "label": row["label"],
                    "alive": row["ended_at"] is None and row["now"] - row["seen_at"] < alive_s,
                    "ended": row["ended"],
                }
                for row in connection.execute(query).mappings()
            ]

    def attempts(self) -> list[dict[str, Any]]:
        """Every attempt at every trial: who, when, from and to which step, and how it ended."""
        with self.db.read() as connection:
            query = sa.select(attempts).where(attempts.c.study_uuid == self.uuid)
            ordered = query.order_by(attempts.c.number, attempts.c.attempt)
            return [dict(row) for row in connection.execute(ordered).mappings()]

    def queue(self) -> list[dict[str, Any]]:
        """Enqueued configurations, in order."""
        with self.db.read() as connection:
            query = sa.select(queue).where(queue.c.study_uuid == self.uuid).order_by(queue.c.position)
            return [
                {**row, "params": json.loads(row["params"])} for row in connection.execute(query).mappings()
            ]
