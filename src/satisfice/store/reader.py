"""Reads the trials of a study: all of them, or those that changed since a revision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import StudyNotFound
from satisfice.spec.influences import Influences
from satisfice.spec.metric import apart, convert
from satisfice.spec.standard_error import in_every_unit, split
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.changes import PARAM, READ, REPORTS, STUDY, changes_statement
from satisfice.store.database.engine import Database
from satisfice.store.database.repeated import Repeats, transaction
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.types import EXACT_KEY
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.tables import attempts, influences, queue, reports, slots, studies, turned_away

TrialReport = tuple[int, int, Mapping[str, float]]  # number, step, metrics

_AT_ONCE = 500  # trials of one query
PAGE = 4000  # revisions read at once; each is one slot that changed, or the reports of one flush


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed since a revision."""

    revision: int
    more: bool  # than was read
    spec_version: int
    records: Sequence[TrialRecord]
    reports: Sequence[TrialReport]


_RUNNING = slots.c.phase == Phase.RUNNING.value


def _state(phase: str, optuna: str) -> TrialState:
    shown = {Phase.RETURNED.value: TrialState.WAITING, Phase.AWAITING_TIMING.value: TrialState.COMPLETE}
    return shown[phase] if phase in shown else TrialState[optuna]


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


class Reader(Repeats):
    """Reads one study. Waits for an unreachable database, as `Patience.retrying` does."""

    def __init__(self, db: Database, rows: OptunaRows, study_uuid: str, spec: StudySpec) -> None:
        super().__init__(db)
        self.rows = rows
        self.uuid = study_uuid
        self.spec = spec

    @cached_property
    def _since(self) -> sa.CompoundSelect[Any]:
        return changes_statement(self.rows, self.uuid)

    @transaction
    def changes(self, since: int) -> Changes:
        """Trials and reports newer than ``since``, read by one statement.

        The records have no times and no workers. One call reads at most `PAGE` revisions, to bound memory:
        call again while ``more`` is True.
        """
        with self.db.look() as connection:
            rows = connection.execute(self._since, {"since": since, "until": since + PAGE}).all()
        params: dict[int, dict[str, float]] = {}
        found, flushed, newest, version = [], [], since, 0
        for row in rows:
            if row.kind == STUDY:
                newest, version = row.revision, row.attempt
            elif row.kind == PARAM:
                params.setdefault(row.number, {})[row.name] = row.value
            elif row.kind == REPORTS:
                flushed.append(row)
            else:
                found.append(row)
        found.sort(key=lambda row: row.number)
        flushed.sort(key=lambda row: row.revision)
        return Changes(
            revision=min(newest, since + PAGE),
            more=newest > since + PAGE,
            spec_version=version,
            records=[self._record(row, params.get(row.number, {}), {}) for row in found],
            reports=[
                (row.number, step, self._metrics(told))
                for row in flushed
                for step, told in json.loads(row.body)
            ],
        )

    @transaction
    def records(self, *, with_reports: bool = False) -> list[TrialRecord]:
        """All trials by number."""
        return self._records(with_reports=with_reports)

    @transaction
    def record(self, number: int) -> TrialRecord | None:
        """One trial, without its reports."""
        return next(iter(self._records(slots.c.number == number)), None)

    @transaction
    def awaiting_timing(self) -> list[TrialRecord]:
        """Trials that were told before their latency was measured, by number."""
        return self._records(slots.c.phase == Phase.AWAITING_TIMING.value)

    @transaction
    def states(self) -> tuple[dict[str, int], int]:
        """The number of trials by Optuna state, and how many of them await a deferred timing."""
        t = self.rows.trials.c
        joined = sa.join(slots, self.rows.trials, t.trial_id == slots.c.optuna_trial_id)
        query = sa.select(slots.c.phase, t.state, sa.func.count().label("trials")).select_from(joined)
        counts: dict[str, int] = {}
        awaiting = 0
        with self.db.look() as connection:
            where = (slots.c.study_uuid == self.uuid, slots.c.number.is_not(None))
            for row in connection.execute(query.where(*where).group_by(slots.c.phase, t.state)):
                name = _state(row.phase, row.state).name
                counts[name] = counts.get(name, 0) + row.trials
                awaiting += row.trials if row.phase == Phase.AWAITING_TIMING.value else 0
        return counts, awaiting

    def _records(self, *where: sa.ColumnElement[bool], with_reports: bool = False) -> list[TrialRecord]:
        t, p = self.rows.trials.c, self.rows.params.c
        here = (slots.c.study_uuid == self.uuid, slots.c.number.is_not(None), *where)
        trials = sa.join(slots, self.rows.trials, t.trial_id == slots.c.optuna_trial_id)
        columns = (*(slots.c[n] for n in READ), slots.c.number, slots.c.lease_owner)
        found_query = (
            sa.select(*columns, t.state, t.started_at, t.finished_at).select_from(trials).where(*here)
        )
        with_params = sa.join(slots, self.rows.params, p.trial_id == slots.c.optuna_trial_id)
        params_query = sa.select(slots.c.number, p.name, p.value).select_from(with_params).where(*here)
        with self.db.read() as connection:
            found = connection.execute(found_query.order_by(slots.c.number)).all()
            params: dict[int, dict[str, float]] = {}
            for number, name, value in connection.execute(params_query):
                params.setdefault(number, {})[name] = value
            flushed: dict[int, dict[int, Mapping[str, float]]] = {}
            # Reports are stored without touching the slot: only they say how far a running trial is.
            if with_reports or any(row.phase == Phase.RUNNING.value for row in found):
                flushed = self._reports(connection, here if with_reports else (*here, _RUNNING))
        records = []
        for row in found:
            reported = flushed.get(row.number, {})
            record = self._record(row, params.get(row.number, {}), reported if with_reports else {})
            records.append(replace(record, steps=max([record.steps, *reported])))
        return records

    def _reports(
        self, connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]]
    ) -> dict[int, dict[int, Mapping[str, float]]]:
        """Reports by trial number and step. A later report of a step replaces an earlier one."""
        r = reports.c
        joined = sa.join(slots, reports, (r.study_uuid == slots.c.study_uuid) & (r.number == slots.c.number))
        query = sa.select(r.number, r.body).select_from(joined).where(*where).order_by(r.revision)
        found: dict[int, dict[int, Mapping[str, float]]] = {}
        for number, body in connection.execute(query):
            for step, told in json.loads(body):
                found.setdefault(number, {})[step] = self._metrics(told)
        return found

    def _metrics(self, told: Mapping[str, float]) -> Mapping[str, float]:
        """The reported metrics without their standard errors."""
        return split(told, self.spec.metric_names)[0]

    @transaction
    def influences(self, numbers: Iterable[int] | None = None) -> dict[int, Influences]:
        """Influence values of trials by number. Trials without any are left out.

        Args:
            numbers: Numbers of the trials, or None for all trials.
        """
        i = influences.c
        query = sa.select(i.number, i.body).where(i.study_uuid == self.uuid)
        wanted = None if numbers is None else sorted(set(numbers))
        found: dict[int, Influences] = {}
        with self.db.look() as connection:
            for at in range(0, 1 if wanted is None else len(wanted), _AT_ONCE):
                some = query if wanted is None else query.where(i.number.in_(wanted[at : at + _AT_ONCE]))
                for number, body in connection.execute(some):
                    found[number] = Influences.decoded(body)
        return found

    def _record(
        self, row: Any, raw: Mapping[str, float], by_step: Mapping[int, Mapping[str, float]]
    ) -> TrialRecord:
        recorded, estimated = apart(json.loads(row.metrics or "{}"))
        metrics, errors = split(recorded, self.spec.metric_names)
        metrics = convert(metrics, self.spec.metric_names)
        proposal = json.loads(row.proposal or "{}")
        exact = proposal.pop(EXACT_KEY, {})
        whole = row._mapping  # noqa: SLF001  # how SQLAlchemy names its public mapping
        return TrialRecord(
            number=row.number,
            state=_state(row.phase, row.state),
            params={
                q.name: exact.get(q.name, q.distribution.to_external_repr(raw[q.name]))
                for q in self.spec.space.parameters
                if q.name in raw
            },
            metrics=metrics,
            estimated=estimated,
            standard_errors=in_every_unit(metrics, errors),
            feasible=row.feasible,
            reports=by_step,
            steps=row.last_step,
            reason=row.reason,
            proposal=proposal,
            seed=row.seed,
            replicate_of=row.replicate_of,
            attempts=row.attempt,
            started_at=_aware(whole.get("started_at")),
            finished_at=_aware(whole.get("finished_at")),
            worker=whole.get("lease_owner"),
            measured_on=row.measured_on,
            folds=self.spec.folds,
            pending=row.phase == Phase.AWAITING_TIMING.value,
        ).judged_by(self.spec.constraints)

    @transaction
    def study_row(self) -> Mapping[str, Any]:
        """The row of the study in our table: budget and counters.

        Raises:
            StudyNotFound: The study was deleted.
        """
        with self.db.look() as connection:
            row = connection.execute(sa.select(studies).where(studies.c.uuid == self.uuid)).mappings().first()
        if row is None:
            raise StudyNotFound("the study was deleted")
        return dict(row)

    @transaction
    def spent(self) -> tuple[str, float] | None:
        """The key of [budget] that is used up, with its limit; None while something is left."""
        row = self.study_row()
        with self.db.look() as connection:
            begun = slots.c.number.is_not(None)
            query = sa.select(sa.func.count()).where(slots.c.study_uuid == self.uuid, begun)
            used = int(connection.execute(query).scalar_one())
        if used >= row["trials_budget"]:
            return "trials", row["trials_budget"]
        for key, limit, taken in (
            ("total_epochs", row["total_epochs_budget"], row["epochs_reserved"]),
            ("timeout", row["timeout_s"], row["elapsed_s"]),
        ):
            if limit is not None and taken >= limit:
                return key, limit
        return None

    @transaction
    def spec_version(self) -> int:
        """The current version of the spec; 0 if the study was deleted."""
        with self.db.look() as connection:
            query = sa.select(studies.c.spec_version).where(studies.c.uuid == self.uuid)
            return int(connection.execute(query).scalar() or 0)

    def turned_away(self) -> dict[str, int]:
        """Proposals turned away before training, by constraint key."""
        totals: dict[str, int] = {}
        for _, by_constraint in self.turned_away_by_ask():
            for key, count in by_constraint.items():
                totals[key] = totals.get(key, 0) + count
        return totals

    @transaction
    def turned_away_by_ask(self) -> list[tuple[int, dict[str, int]]]:
        """Of each ask that turned proposals away: how many, and how many of them by constraint key."""
        t = turned_away.c
        with self.db.read() as connection:
            query = sa.select(t.proposals, t.by_constraint).where(t.study_uuid == self.uuid)
            found = connection.execute(query.order_by(t.slot, t.ask))
            return [(proposals, json.loads(text)) for proposals, text in found]

    @transaction
    def attempts(self) -> list[dict[str, Any]]:
        """Every attempt at every trial: who, when, from and to which step, and how it ended."""
        with self.db.read() as connection:
            query = sa.select(attempts).where(attempts.c.study_uuid == self.uuid)
            ordered = query.order_by(attempts.c.number, attempts.c.attempt)
            return [dict(row) for row in connection.execute(ordered).mappings()]

    @transaction
    def queue(self) -> list[dict[str, Any]]:
        """Enqueued configurations, in order."""
        with self.db.read() as connection:
            query = sa.select(queue).where(queue.c.study_uuid == self.uuid).order_by(queue.c.position)
            return [
                {**row, "params": json.loads(row["params"])} for row in connection.execute(query).mappings()
            ]
