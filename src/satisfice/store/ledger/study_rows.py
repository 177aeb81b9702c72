"""One study's rows in our tables, read and written inside a transaction that holds the study's row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import LeaseLost, StudyNotFound
from satisfice.spec.space import SearchSpace
from satisfice.store.database.engine import Database
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.statements import Statements
from satisfice.store.ledger.types import Claim, SpecMoved
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.tables import attempts, reports, slots, studies

StepReport = tuple[int, Mapping[str, float]]  # step, metrics

DEFAULT_LEASE_S = 60.0


def dump_reports(body: Sequence[StepReport]) -> str:
    """A body of reports as JSON."""
    return json.dumps([[step, dict(metrics)] for step, metrics in body])


class StudyRows:
    """The rows of one study, for one worker: what the parts of the ledger are made of, and share.

    Args:
        db: The database; its tables exist.
        rows: Optuna's rows.
        study_uuid: Our key of the study.
        optuna_study_id: Optuna's key.
        space: The study's parameters.
        worker: UUID of this worker.
        seed: The study's seed.
        trainings: Of one trial, which share its epochs: with folds one for each, and a last one.
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
        trainings: int = 1,
        lease_s: float = DEFAULT_LEASE_S,
    ) -> None:
        self.db = db
        self.rows = rows
        self.uuid = study_uuid
        self.optuna_study_id = optuna_study_id
        self.space = space
        self.worker = worker
        self.seed = seed
        self.trainings = trainings
        self.lease_s = lease_s
        self.spec_version: int | None = None  # of the spec that this worker goes by; None: it needs none
        self.held_until: dict[str, float] = {}  # by token, what this worker last wrote
        self.reached: dict[str, int] = {}  # by token, the last step that this worker has stored
        self.statements = Statements(
            study_uuid, skip_silence=not db.in_memory, returns=db.dialect in ("sqlite", "postgresql")
        )

    def advance(
        self,
        connection: sa.Connection,
        adding: Mapping[str, int] = MappingProxyType({}),
        *,
        bump: bool = True,
        active: bool = True,
    ) -> sa.RowMapping:
        """Lock the study's row, take the next revision and count the time since anybody worked, in one go.

        Args:
            connection: In a write transaction.
            adding: What to add to which columns.
            bump: Whether a revision is taken.
            active: Whether this counts as work on the study.

        Returns:
            The counters as they are now, with `now`.
        """
        update, look = self.statements.advance(self.db.now(), adding, bump=bump, active=active)
        added = {f"add_{name}": value for name, value in adding.items()}
        found = connection.execute(update, added)
        row = (found if found.returns_rows else connection.execute(look)).mappings().first()
        if row is None:
            raise StudyNotFound("the study was deleted")
        return row

    def check_version(self, study: sa.RowMapping) -> None:
        """See that the spec is the one that this worker goes by.

        Raises:
            SpecMoved: It was changed.
        """
        if self.spec_version is not None and study["spec_version"] != self.spec_version:
            raise SpecMoved

    def lock(self, connection: sa.Connection) -> sa.RowMapping:
        """Lock the study's row; returns it, with `now`."""
        query = sa.select(studies, self.db.now().label("now")).where(studies.c.uuid == self.uuid)
        row = connection.execute(query.with_for_update()).mappings().first()
        if row is None:
            raise StudyNotFound("the study was deleted")
        return row

    def update_slot(self, slot: int) -> sa.Update:
        """An update of a slot, whoever holds it; without values yet."""
        return sa.update(slots).where(slots.c.study_uuid == self.uuid, slots.c.slot == slot)

    def update_held(self, connection: sa.Connection, claim: Claim, **values: Any) -> None:
        """Set columns of the slot.

        Raises:
            LeaseLost: Another worker has it.
        """
        where = {"at_slot": claim.slot, "at_token": claim.token}
        if not connection.execute(self.statements.held, where | values).rowcount:
            raise self.lease_lost(claim)

    def select_held(self, claim: Claim) -> sa.Select[Any]:
        """Selects the slot's row if this claim still holds it."""
        here = (slots.c.study_uuid == self.uuid, slots.c.slot == claim.slot)
        return sa.select(slots).where(*here, slots.c.lease_token == claim.token)

    def held_row(self, connection: sa.Connection, claim: Claim) -> sa.RowMapping:
        """The slot's row. Under the study's lock nobody can take it away before the transaction ends.

        Raises:
            LeaseLost: Another worker has it.
        """
        row = connection.execute(self.select_held(claim)).mappings().first()
        if row is None:
            raise self.lease_lost(claim)
        return row

    def lease_lost(self, claim: Claim) -> LeaseLost:
        """The error where another worker has it."""
        what = f"slot {claim.slot}" if claim.number is None else f"trial {claim.number}"
        return LeaseLost(f"{what} was taken over by another worker")

    def last_step(
        self, connection: sa.Connection, row: sa.RowMapping, body: Sequence[StepReport] = ()
    ) -> int:
        """The last step reported, ``body`` included. Reports are stored without touching the slot's row."""
        r = reports.c
        query = sa.select(r.body).where(
            r.study_uuid == self.uuid, r.number == row["number"], r.revision > row["revision"]
        )
        stored: list[Sequence[StepReport]] = [
            json.loads(text) for text in connection.execute(query).scalars()
        ]
        return max([int(row["last_step"]), *(step for flushed in [*stored, body] for step, _ in flushed)])

    def step_after(self, claim: Claim, body: Sequence[StepReport]) -> int:
        """The last step of the trial with ``body``, as far as this worker knows."""
        known = max(claim.last_step, self.reached.get(claim.token, 0))
        return max([known, *(step for step, _ in body)])

    def epochs_used(self, last_step: int, reserved: int) -> int:
        """Epochs of a trial that ended after a step, of those that were promised to it.

        A step is an epoch. With folds it is a training that counts in full, though patience may have ended it
        before; after the last fold follows one more.
        """
        if self.trainings == 1:
            return min(last_step, reserved)
        begun = last_step + 1 if last_step >= self.trainings - 1 else last_step
        return min(begun * (reserved // self.trainings), reserved)

    def let_go(self, claim: Claim) -> None:
        """Forget a lease that this worker holds no more."""
        self.held_until.pop(claim.token, None)
        self.reached.pop(claim.token, None)

    def return_slot(
        self, connection: sa.Connection, study: sa.RowMapping, row: sa.RowMapping, **values: Any
    ) -> None:
        """Make a slot claimable at once; its trial, if one was begun, waits."""
        begun = row["number"] is not None
        connection.execute(
            self.update_slot(row["slot"]).values(
                phase=Phase.RETURNED.value if begun else Phase.FREE.value,
                revision=study["revision"],
                lease_owner=None,
                lease_token=None,
                lease_until=None,
                **values,
            )
        )
        if begun:
            self.rows.set_state(connection, row["optuna_trial_id"], TrialState.WAITING)

    def set_columns(self, connection: sa.Connection, **values: Any) -> None:
        """Set columns of the study's row."""
        connection.execute(sa.update(studies).where(studies.c.uuid == self.uuid).values(**values))

    def give_epochs_back(self, connection: sa.Connection, unused: int) -> None:
        """Return epochs that were promised to a slot to the study's total; fewer than 0: promise more."""
        if unused:
            self.set_columns(connection, epochs_reserved=studies.c.epochs_reserved - unused)

    def insert_reports(
        self,
        connection: sa.Connection,
        study: sa.RowMapping,
        claim: Claim,
        body: Sequence[StepReport],
    ) -> None:
        """Store a body of reports under the revision that this transaction has taken.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        if not body:
            return
        values = {
            "at_slot": claim.slot,
            "at_token": claim.token,
            "of_number": claim.number,
            "new_revision": study["revision"],
            "new_body": dump_reports(body),
        }
        if not connection.execute(self.statements.add_reports, values).rowcount:
            raise self.lease_lost(claim)

    def begin_attempt(
        self, connection: sa.Connection, number: int, attempt: int, now: float, first_step: int
    ) -> None:
        """Note that this worker begins an attempt at a trial, after ``first_step``."""
        row = {
            "study_uuid": self.uuid,
            "number": number,
            "attempt": attempt,
            "worker": self.worker,
            "started_at": now,
            "first_step": first_step,
        }
        connection.execute(sa.insert(attempts), row)

    def end_attempt(
        self,
        connection: sa.Connection,
        number: int | None,
        attempt: int,
        last_step: int,
        outcome: str,
        reason: str | None,
        now: float,
    ) -> None:
        """Note how an attempt ended: "told", "preempted", "died" or "lost"; one that ended keeps its end."""
        values = {
            "ended_at": now,
            "outcome": outcome,
            "reason": reason,
            "last_step": last_step,
        }
        where = {"of_number": number, "at_attempt": attempt}
        connection.execute(self.statements.end_attempt, where | values)

    def give_up(
        self,
        connection: sa.Connection,
        study: sa.RowMapping,
        row: sa.RowMapping,
        now: float,
        reason: str,
    ) -> None:
        """End a trial as failed that nobody is to try again; what its epochs did not use is given back."""
        last = self.last_step(connection, row)
        self.end_attempt(connection, row["number"], row["attempt"], last, "lost", reason, now)
        self.rows.finish_trial(connection, row["optuna_trial_id"], TrialState.FAIL, None, {}, {})
        used = self.epochs_used(last, int(row["epochs_reserved"]))
        connection.execute(
            self.update_slot(row["slot"]).values(
                phase=Phase.DONE.value,
                revision=study["revision"],
                lease_owner=None,
                lease_token=None,
                lease_until=None,
                reason=reason,
                last_step=last,
                epochs_reserved=used,
            )
        )
        self.give_epochs_back(connection, int(row["epochs_reserved"]) - used)
