"""One study's rows in our tables, read and written inside a transaction that holds the study's row."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import LeaseLost, StudyNotFound
from satisfice.spec.space import SearchSpace
from satisfice.store.claim import Claim, TurnedAway
from satisfice.store.engine import Database
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.phase import Phase
from satisfice.store.tables import attempts, reports, slots, studies, turned_away

DEFAULT_LEASE_S = 60.0
ACTIVE_GAP_S = 120.0  # a longer silence of all workers does not count as wall time of the study


class StudyRows:
    """The rows of one study, for one worker: what the operations of the ledger are made of.

    Args:
        db: The database; its tables exist.
        rows: Optuna's rows.
        study_uuid: Our key of the study.
        optuna_study_id: Optuna's key.
        space: The study's parameters.
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

    def _lock(self, connection: sa.Connection) -> sa.RowMapping:
        query = sa.select(studies, self.db.now().label("now")).where(studies.c.uuid == self.uuid)
        row = connection.execute(query.with_for_update()).mappings().first()
        if row is None:
            raise StudyNotFound("the study was deleted")
        return row

    def _slot(self, slot: int) -> sa.Update:
        return sa.update(slots).where(slots.c.study_uuid == self.uuid, slots.c.slot == slot)

    def _held(self, claim: Claim) -> sa.Update:
        return self._slot(claim.slot).where(slots.c.lease_token == claim.token)

    def _select_held(self, claim: Claim) -> sa.Select[Any]:
        here = (slots.c.study_uuid == self.uuid, slots.c.slot == claim.slot)
        return sa.select(slots).where(*here, slots.c.lease_token == claim.token)

    def _held_row(self, connection: sa.Connection, claim: Claim) -> sa.RowMapping:
        """The slot's row. Under the study's lock nobody can take it away before the transaction ends."""
        row = connection.execute(self._select_held(claim)).mappings().first()
        if row is None:
            what = f"slot {claim.slot}" if claim.number is None else f"trial {claim.number}"
            raise LeaseLost(f"{what} was taken over by another worker")
        return row

    def _last_step(self, row: sa.RowMapping, body: Sequence[tuple[int, Mapping[str, float]]]) -> int:
        return max([int(row["last_step"]), *(step for step, _ in body)])

    def _return(
        self, connection: sa.Connection, study: sa.RowMapping, row: sa.RowMapping, **values: Any
    ) -> None:
        """Make a slot claimable at once; its trial, if one was begun, waits."""
        begun = row["number"] is not None
        connection.execute(
            self._slot(row["slot"]).values(
                phase=Phase.RETURNED.value if begun else Phase.FREE.value,
                revision=study["revision"] + 1,
                lease_owner=None,
                lease_token=None,
                lease_until=None,
                **values,
            )
        )
        if begun:
            self.rows.set_state(connection, row["optuna_trial_id"], TrialState.WAITING)

    def _others_hold(self, connection: sa.Connection) -> bool:
        """Whether a slot is held by anybody: it may come back."""
        held = slots.c.phase.in_([Phase.PROPOSING.value, Phase.RUNNING.value])
        query = sa.select(slots.c.slot).where(slots.c.study_uuid == self.uuid, held).limit(1)
        return connection.execute(query).first() is not None

    def _elapsed(self, study: sa.RowMapping, now: float) -> float:
        """Seconds with some worker active. Leases are renewed often: in a long silence nobody was there."""
        if study["last_active_at"] is None:
            return 0.0
        gap = max(now - float(study["last_active_at"]), 0.0)
        nobody = gap > ACTIVE_GAP_S and not self.db.in_memory
        return float(study["elapsed_s"]) + (0.0 if nobody else gap)

    def _active(self, study: sa.RowMapping, now: float) -> dict[str, float]:
        return {"elapsed_s": self._elapsed(study, now), "last_active_at": now}

    def _bump(
        self, connection: sa.Connection, study: sa.RowMapping, now: float | None, **values: Any
    ) -> None:
        if now is not None:
            values |= self._active(study, now)
        self._set(connection, revision=study["revision"] + 1, **values)

    def _set(self, connection: sa.Connection, **values: Any) -> None:
        connection.execute(sa.update(studies).where(studies.c.uuid == self.uuid).values(**values))

    def _insert_reports(
        self,
        connection: sa.Connection,
        study: sa.RowMapping,
        claim: Claim,
        body: Sequence[tuple[int, Mapping[str, float]]],
    ) -> None:
        if not body:
            return
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
        study: sa.RowMapping,
        row: sa.RowMapping,
        now: float,
        reason: str,
    ) -> None:
        self._end_attempt(connection, row["number"], row["attempt"], row["last_step"], "lost", reason, now)
        self.rows.finish_trial(connection, row["optuna_trial_id"], TrialState.FAIL, None, {}, {})
        used = min(int(row["last_step"]), int(row["epochs_reserved"]))
        connection.execute(
            self._slot(row["slot"]).values(
                phase=Phase.DONE.value,
                revision=study["revision"] + 1,
                lease_owner=None,
                lease_token=None,
                lease_until=None,
                reason=reason[:500],
                epochs_reserved=used,
            )
        )
        unused = int(row["epochs_reserved"]) - used
        self._bump(connection, study, now, epochs_reserved=study["epochs_reserved"] - unused)
