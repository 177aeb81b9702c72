"""The ledger: who may train what. Slots of the budget are claimed here, each once, under a lease.

Every public method is one transaction that locks the study's row first (on SQLite: takes the write lock), so that
claims, reports and results have one order, and so that a method may be repeated when the connection broke: what a
worker may do is decided by its lease token alone. Time is the database's clock.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import BudgetSpent, LeaseLost
from satisfice.spec.space import SearchSpace
from satisfice.store.engine import Database
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.phase import Phase
from satisfice.store.tables import attempts, queue, reports, slots, studies, turned_away

DEFAULT_LEASE_S = 60.0
ACTIVE_GAP_S = 120.0  # a longer silence of all workers does not count as wall time of the study
BLAMED_DEATHS = 3
UNBLAMED_LOSSES = 25  # attempts after which a trial is given up though nobody is to blame


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A slot that this worker holds."""

    slot: int
    token: str
    seed: int
    attempt: int
    max_epochs: int | None
    number: int | None = None  # of the trial, if one was begun in this slot before
    trial_id: int | None = None
    last_step: int = 0
    in_queue: bool = False  # enqueued configurations wait


@dataclass(frozen=True, kw_only=True)
class Queued:
    """An enqueued configuration, perhaps partial."""

    position: int
    params: Mapping[str, Any]
    source: str
    replicate_of: int | None


@dataclass(frozen=True, kw_only=True)
class TurnedAway:
    """What one ask turned away before training."""

    proposals: int
    by_constraint: Mapping[str, int]
    examples: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended."""

    state: TrialState  # COMPLETE, PRUNED or FAIL
    values: Sequence[float] | None
    metrics: Mapping[str, float]
    constraints: Mapping[str, float]  # violation by constraint key, in the study's order
    feasible: bool | None
    reason: str | None = None
    traceback: str | None = None
    measured_on: str | None = None


class Ledger:
    """The ledger of one study, for one worker.

    Args:
        db: The database; its tables exist.
        rows: Optuna's rows.
        study_uuid: Our key of the study.
        optuna_study_id: Optuna's key.
        worker: UUID of this worker.
        seed: The study's seed.
        lease_s: How long a lease holds without being renewed.
    """

    def __init__(
        self,
        db: Database,
        rows: OptunaRows,
        *,
        study_uuid: str,
        optuna_study_id: int,
        space: SearchSpace,
        worker: str,
        seed: int,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self.db = db
        self.rows = rows
        self.uuid = study_uuid
        self.optuna_study_id = optuna_study_id
        self.space = space
        self.worker = worker
        self.seed = seed
        self.lease_s = lease_s

    # -- claims ---------------------------------------------------------------------------------------------

    def claim(self) -> Claim:
        """Take a slot: one given back or whose lease ran out, else a new one.

        Raises:
            BudgetSpent: No slot, no epoch or no time is left.
        """
        while True:
            claim = self._claim_once(uuid.uuid4().hex)
            if claim is not None:
                return claim

    def _claim_once(self, token: str) -> Claim | None:
        """One try; None when the slot found was given up for good, and the next is to be looked at."""
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            found = connection.execute(self._claimable(now)).mappings().first()
            if found is None:
                return self._take_new(connection, study, token, now)
            if found["attempt"] >= UNBLAMED_LOSSES:
                self._give_up(connection, study, found, now, f"lost with its worker {found['attempt']} times")
                return None
            return self._take_over(connection, study, found, token, now)

    def _claimable(self, now: float) -> sa.Select[Any]:
        held = slots.c.phase.in_([Phase.PROPOSING.value, Phase.RUNNING.value])
        free = slots.c.phase.in_([Phase.FREE.value, Phase.RETURNED.value])
        return (
            sa.select(slots)
            .where(slots.c.study_uuid == self.uuid, free | (held & (slots.c.lease_until < now)))
            .order_by(slots.c.slot)
            .limit(1)
        )

    def _take_over(
        self,
        connection: sa.Connection,
        study: Mapping[str, Any],
        row: Mapping[str, Any],
        token: str,
        now: float,
    ) -> Claim:
        begun = row["number"] is not None
        if not begun:
            self._check_time(study, now)
        lost = row["phase"] == Phase.RUNNING.value
        if lost:
            self._end_attempt(
                connection, row["number"], row["attempt"], row["last_step"], "lost", "its lease ran out", now
            )
        attempt = row["attempt"] + 1 if begun else 0
        reserved = row["epochs_reserved"] if begun else self._reserve(study)
        connection.execute(
            self._slot(row["slot"]).values(
                phase=Phase.RUNNING.value if begun else Phase.PROPOSING.value,
                revision=study["revision"] + 1,
                attempt=attempt,
                epochs_reserved=reserved,
                lease_owner=self.worker,
                lease_token=token,
                lease_until=now + self.lease_s,
            )
        )
        if begun:
            self._begin_attempt(connection, row["number"], attempt, now, row["last_step"])
        extra = 0 if begun else reserved
        self._bump(connection, study, now, epochs_reserved=study["epochs_reserved"] + extra)
        return Claim(
            slot=row["slot"],
            token=token,
            seed=row["seed"],
            attempt=attempt,
            max_epochs=reserved or study["epochs_per_trial"],
            number=row["number"],
            trial_id=row["optuna_trial_id"],
            last_step=row["last_step"],
            in_queue=study["queued"] > 0,
        )

    def _take_new(self, connection: sa.Connection, study: Mapping[str, Any], token: str, now: float) -> Claim:
        if study["slots"] >= study["trials_budget"]:
            raise BudgetSpent(f"the budget of {study['trials_budget']} trials is spent")
        self._check_time(study, now)
        reserved = self._reserve(study)
        slot = study["slots"]
        seed = slot_seed(self.seed, slot)
        connection.execute(
            sa.insert(slots).values(
                study_uuid=self.uuid,
                slot=slot,
                phase=Phase.PROPOSING.value,
                seed=seed,
                revision=study["revision"] + 1,
                epochs_reserved=reserved,
                lease_owner=self.worker,
                lease_token=token,
                lease_until=now + self.lease_s,
            )
        )
        self._bump(
            connection, study, now, slots=slot + 1, epochs_reserved=study["epochs_reserved"] + reserved
        )
        return Claim(
            slot=slot,
            token=token,
            seed=seed,
            attempt=0,
            max_epochs=reserved or study["epochs_per_trial"],
            in_queue=study["queued"] > 0,
        )

    def _check_time(self, study: Mapping[str, Any], now: float) -> None:
        if study["timeout_s"] is not None and self._elapsed(study, now) >= study["timeout_s"]:
            raise BudgetSpent(f"the budget of {study['timeout_s']:g} s is spent")

    def _reserve(self, study: Mapping[str, Any]) -> int:
        """Epochs promised to a new trial, so that the total is exact whatever the workers do."""
        total = study["total_epochs_budget"]
        if total is None:
            return 0
        left = int(total - study["epochs_reserved"])
        if left <= 0:
            raise BudgetSpent(f"the budget of {total} epochs is spent")
        return min(left, study["epochs_per_trial"] or left)

    def take_queued(self, claim: Claim) -> Queued | None:
        """The next enqueued configuration, for this slot."""
        with self.db.write() as connection:
            study = self._lock(connection)
            waiting = sa.and_(queue.c.study_uuid == self.uuid, queue.c.slot.is_(None))
            row = (
                connection.execute(sa.select(queue).where(waiting).order_by(queue.c.position).limit(1))
                .mappings()
                .first()
            )
            if row is None:
                return None
            here = sa.and_(queue.c.study_uuid == self.uuid, queue.c.position == row["position"])
            connection.execute(sa.update(queue).where(here).values(slot=claim.slot))
            self._set(connection, queued=study["queued"] - 1)
            return Queued(
                position=row["position"],
                params=json.loads(row["params"]),
                source=row["source"],
                replicate_of=row["replicate_of"],
            )

    def put_back(self, queued: Queued, violations: Mapping[str, float] | None) -> None:
        """Undo `take_queued`, or with ``violations`` note that it did not fit."""
        with self.db.write() as connection:
            study = self._lock(connection)
            here = sa.and_(queue.c.study_uuid == self.uuid, queue.c.position == queued.position)
            if violations is not None:
                connection.execute(sa.update(queue).where(here).values(turned_away=json.dumps(violations)))
                return
            connection.execute(sa.update(queue).where(here).values(slot=None))
            self._set(connection, queued=study["queued"] + 1)

    def enqueue_first(self, entries: Sequence[tuple[Mapping[str, Any], str, int | None]]) -> None:
        """`enqueue`, if nothing was ever enqueued or begun; whoever works first on the study does it."""
        with self.db.write() as connection:
            study = self._lock(connection)
            if study["slots"] == 0 and self._last_position(connection) is None:
                self._enqueue(connection, study, entries)

    def enqueue(self, entries: Sequence[tuple[Mapping[str, Any], str, int | None]]) -> None:
        """Add configurations: (parameters, source, number of the trial that it repeats)."""
        with self.db.write() as connection:
            self._enqueue(connection, self._lock(connection), entries)

    def _last_position(self, connection: sa.Connection) -> int | None:
        query = sa.select(sa.func.max(queue.c.position)).where(queue.c.study_uuid == self.uuid)
        return connection.execute(query).scalar()

    def _enqueue(
        self,
        connection: sa.Connection,
        study: Mapping[str, Any],
        entries: Sequence[tuple[Mapping[str, Any], str, int | None]],
    ) -> None:
        last = self._last_position(connection)
        start = 0 if last is None else last + 1
        rows = [
            {
                "study_uuid": self.uuid,
                "position": start + i,
                "params": json.dumps(dict(params)),
                "source": source,
                "replicate_of": of,
            }
            for i, (params, source, of) in enumerate(entries)
        ]
        if rows:
            connection.execute(sa.insert(queue), rows)
            self._set(connection, queued=study["queued"] + len(rows))

    def release(self, claim: Claim, away: TurnedAway | None) -> None:
        """Give a slot back that no trial was begun in; keeps the record of what was turned away."""
        with self.db.write() as connection:
            study = self._lock(connection)
            self._insert_turned_away(connection, claim, away)
            freed = connection.execute(
                self._held(claim).values(
                    phase=Phase.FREE.value,
                    lease_owner=None,
                    lease_token=None,
                    lease_until=None,
                    epochs_reserved=0,
                )
            )
            reserved = self._promised(study, claim) if freed.rowcount else 0
            self._set(
                connection,
                epochs_reserved=study["epochs_reserved"] - reserved,
                turned_away=study["turned_away"] + (away.proposals if away else 0),
            )

    def begin(
        self,
        claim: Claim,
        params: Mapping[str, Any],
        *,
        metrics: Mapping[str, float],
        proposal: Mapping[str, Any],
        replicate_of: int | None,
        away: TurnedAway | None,
        system_attributes: Mapping[str, Any],
        measured_on: str | None = None,
    ) -> tuple[int, int]:
        """Begin the trial of a slot; returns Optuna's trial id and the number.

        Raises:
            LeaseLost: The lease ran out meanwhile and somebody else took the slot.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            trial_id, number = self.rows.create_trial(
                connection, self.optuna_study_id, self.space, params, system_attributes
            )
            updated = connection.execute(
                self._held(claim).values(
                    phase=Phase.RUNNING.value,
                    number=number,
                    optuna_trial_id=trial_id,
                    revision=study["revision"] + 1,
                    attempt=1,
                    lease_until=now + self.lease_s,
                    metrics=dump(metrics),
                    proposal=json.dumps(dict(proposal)),
                    replicate_of=replicate_of,
                    measured_on=measured_on,
                )
            )
            if updated.rowcount != 1:
                raise LeaseLost("the slot was taken over while its proposal was made")
            self._begin_attempt(connection, number, 1, now, 0)
            self._insert_turned_away(connection, claim, away)
            away_count = away.proposals if away else 0
            self._bump(connection, study, now, turned_away=study["turned_away"] + away_count)
            return trial_id, number

    # -- while it runs --------------------------------------------------------------------------------------

    def renew(self, claim: Claim) -> None:
        """Prolong the lease.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            done = connection.execute(self._held(claim).values(lease_until=self.db.now() + self.lease_s))
            if done.rowcount != 1:
                raise LeaseLost(f"the lease on slot {claim.slot} is lost")

    def flush(self, claim: Claim, body: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Store reports and renew the lease.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            self._write_reports(connection, study, claim, body, keep=True)
            self._bump(connection, study, None)

    def give_back(self, claim: Claim, body: Sequence[tuple[int, Mapping[str, float]]], reason: str) -> None:
        """Preempted: store reports and give the lease back at once.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            self._write_reports(connection, study, claim, body, keep=False)
            last = max([claim.last_step, *(s for s, _ in body)])
            self._end_attempt(connection, claim.number, claim.attempt, last, "preempted", reason, now)
            self._bump(connection, study, now)

    def died(self, claim: Claim, reason: str) -> bool:
        """A death that the trial is to be blamed for; returns whether it may be tried again."""
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            row = (
                connection.execute(
                    sa.select(slots).where(
                        slots.c.study_uuid == self.uuid, slots.c.lease_token == claim.token
                    )
                )
                .mappings()
                .first()
            )
            if row is None:
                raise LeaseLost(f"the lease on slot {claim.slot} is lost")
            deaths = row["blamed_deaths"] + 1
            self._end_attempt(connection, claim.number, claim.attempt, row["last_step"], "died", reason, now)
            again = deaths < BLAMED_DEATHS
            values: dict[str, Any] = {"blamed_deaths": deaths, "revision": study["revision"] + 1}
            if again:
                values |= {"phase": Phase.RETURNED.value, "lease_token": None, "lease_owner": None}
            connection.execute(self._held(claim).values(**values))
            self._bump(connection, study, now)
            return again

    def others_hold(self) -> bool:
        """Whether some slot is held by anybody: it may come back."""
        held = slots.c.phase.in_([Phase.PROPOSING.value, Phase.RUNNING.value])
        with self.db.read() as connection:
            query = sa.select(sa.func.count()).where(slots.c.study_uuid == self.uuid, held)
            return bool(connection.execute(query).scalar_one())

    def expire(self, worker: str, *, blame: str | None) -> None:
        """A supervisor saw the worker end: its leases are free at once.

        Args:
            worker: Who ended.
            blame: Why the trial that it held is to blame, or None where it is not.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            held = (slots.c.study_uuid == self.uuid, slots.c.lease_owner == worker)
            for row in connection.execute(sa.select(slots).where(*held)).mappings().all():
                deaths = row["blamed_deaths"] + (1 if blame else 0)
                outcome = ("died", blame) if blame else ("lost", "its worker was killed")
                self._end_attempt(connection, row["number"], row["attempt"], row["last_step"], *outcome, now)
                if row["number"] is not None and deaths >= BLAMED_DEATHS:
                    self._give_up(connection, study, row, now, f"{deaths} deaths, the last: {blame}")
                    continue
                begun = row["number"] is not None
                phase = Phase.RETURNED if begun else Phase.FREE
                connection.execute(
                    self._slot(row["slot"]).values(
                        phase=phase.value,
                        blamed_deaths=deaths,
                        lease_owner=None,
                        lease_token=None,
                        lease_until=None,
                    )
                )

    # -- the end --------------------------------------------------------------------------------------------

    def tell(self, claim: Claim, body: Sequence[tuple[int, Mapping[str, float]]], outcome: Outcome) -> None:
        """Write the result, with what was reported last, in one transaction with Optuna's row.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
        """
        assert claim.trial_id is not None
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            last = max([claim.last_step, *(s for s, _ in body)])
            updated = connection.execute(
                self._held(claim).values(
                    phase=Phase.DONE.value,
                    revision=study["revision"] + 1,
                    last_step=last,
                    lease_owner=None,
                    lease_token=None,
                    lease_until=None,
                    metrics=dump(outcome.metrics),
                    feasible=outcome.feasible,
                    reason=outcome.reason[:500] if outcome.reason else None,
                    traceback=outcome.traceback,
                    measured_on=outcome.measured_on,
                    epochs_reserved=min(last, self._promised(study, claim)),
                )
            )
            if updated.rowcount != 1:
                raise LeaseLost(f"trial {claim.number} was taken over by another worker")
            if body:
                self._insert_reports(connection, study, claim, body)
            self.rows.finish_trial(
                connection, claim.trial_id, outcome.state, outcome.values, outcome.constraints, {}
            )
            self._end_attempt(connection, claim.number, claim.attempt, last, "told", outcome.reason, now)
            unused = max(0, self._promised(study, claim) - last)
            self._bump(connection, study, now, epochs_reserved=study["epochs_reserved"] - unused)

    # -- pieces ---------------------------------------------------------------------------------------------

    def _lock(self, connection: sa.Connection) -> Mapping[str, Any]:
        query = sa.select(studies, self.db.now().label("now")).where(studies.c.uuid == self.uuid)
        return connection.execute(query.with_for_update()).mappings().one()

    def _slot(self, slot: int) -> sa.Update:
        return sa.update(slots).where(slots.c.study_uuid == self.uuid, slots.c.slot == slot)

    def _held(self, claim: Claim) -> sa.Update:
        return self._slot(claim.slot).where(slots.c.lease_token == claim.token)

    def _promised(self, study: Mapping[str, Any], claim: Claim) -> int:
        return int(claim.max_epochs or 0) if study["total_epochs_budget"] is not None else 0

    def _elapsed(self, study: Mapping[str, Any], now: float) -> float:
        if study["last_active_at"] is None:
            return 0.0
        return float(study["elapsed_s"]) + min(max(now - study["last_active_at"], 0.0), ACTIVE_GAP_S)

    def _bump(
        self, connection: sa.Connection, study: Mapping[str, Any], now: float | None, **values: Any
    ) -> None:
        if now is not None:
            silent = study["last_active_at"] is None or now - study["last_active_at"] > ACTIVE_GAP_S
            values |= {
                "elapsed_s": study["elapsed_s"] if silent else self._elapsed(study, now),
                "last_active_at": now,
            }
        self._set(connection, revision=study["revision"] + 1, **values)

    def _set(self, connection: sa.Connection, **values: Any) -> None:
        connection.execute(sa.update(studies).where(studies.c.uuid == self.uuid).values(**values))

    def _write_reports(
        self,
        connection: sa.Connection,
        study: Mapping[str, Any],
        claim: Claim,
        body: Sequence[tuple[int, Mapping[str, float]]],
        *,
        keep: bool,
    ) -> None:
        values: dict[str, Any] = {"last_step": max([claim.last_step, *(step for step, _ in body)])}
        if keep:
            values["lease_until"] = self.db.now() + self.lease_s
        else:
            values |= {
                "phase": Phase.RETURNED.value,
                "revision": study["revision"] + 1,
                "lease_owner": None,
                "lease_token": None,
                "lease_until": None,
            }
        if connection.execute(self._held(claim).values(**values)).rowcount != 1:
            raise LeaseLost(f"trial {claim.number} was taken over by another worker")
        if body:
            self._insert_reports(connection, study, claim, body)

    def _insert_reports(
        self,
        connection: sa.Connection,
        study: Mapping[str, Any],
        claim: Claim,
        body: Sequence[tuple[int, Mapping[str, float]]],
    ) -> None:
        connection.execute(
            sa.insert(reports).values(
                study_uuid=self.uuid,
                number=claim.number,
                revision=study["revision"] + 1,
                body=json.dumps([[step, dict(metrics)] for step, metrics in body]),
            )
        )

    def _insert_turned_away(self, connection: sa.Connection, claim: Claim, away: TurnedAway | None) -> None:
        if away is None or not away.proposals:
            return
        connection.execute(
            sa.insert(turned_away).values(
                study_uuid=self.uuid,
                slot=claim.slot,
                ask=uuid.uuid4().hex,
                proposals=away.proposals,
                by_constraint=json.dumps(dict(away.by_constraint)),
                examples=json.dumps([dict(e) for e in away.examples]),
            )
        )

    def _begin_attempt(
        self, connection: sa.Connection, number: int, attempt: int, now: float, first_step: int
    ) -> None:
        connection.execute(
            sa.insert(attempts).values(
                study_uuid=self.uuid,
                number=number,
                attempt=attempt,
                worker=self.worker,
                started_at=now,
                first_step=first_step,
            )
        )

    def _end_attempt(
        self,
        connection: sa.Connection,
        number: int | None,
        attempt: int,
        last_step: int,
        outcome: str,
        reason: str | None,
        now: float,
    ) -> None:
        a = attempts.c
        connection.execute(
            sa.update(attempts)
            .where(a.study_uuid == self.uuid, a.number == number, a.attempt == attempt, a.ended_at.is_(None))
            .values(
                ended_at=now, outcome=outcome, reason=reason[:500] if reason else None, last_step=last_step
            )
        )

    def _give_up(
        self,
        connection: sa.Connection,
        study: Mapping[str, Any],
        row: Mapping[str, Any],
        now: float,
        reason: str,
    ) -> None:
        self._end_attempt(connection, row["number"], row["attempt"], row["last_step"], "lost", reason, now)
        self.rows.finish_trial(connection, row["optuna_trial_id"], TrialState.FAIL, None, {}, {})
        connection.execute(
            self._slot(row["slot"]).values(
                phase=Phase.DONE.value, revision=study["revision"] + 1, lease_token=None, reason=reason
            )
        )
        self._bump(connection, study, now)


def slot_seed(study_seed: int, slot: int) -> int:
    """Seed of a slot's own random stream, below 2**31 so that every library takes it."""
    return int(np.random.SeedSequence([study_seed & 0xFFFFFFFF, slot]).generate_state(1)[0] >> 1)


def dump(metrics: Mapping[str, float]) -> str:
    """Metrics as JSON; infinities survive, as Python reads them back."""
    return json.dumps({name: float(value) for name, value in metrics.items()})
