"""The ledger: who may train what. Slots of the budget are claimed here, each once, under a lease.

Every public method is one transaction that locks the study's row first (on SQLite: takes the write lock),
so that claims, reports and results have one order, and so that a method may be repeated when the connection
broke: what a worker may do is decided by its lease token alone. Time is the database's clock. What a
worker wrote itself is not read back: it holds the lease, so nobody else changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.errors import LeaseLost
from satisfice.store.ledger.deferred_timing import DeferredTimings
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.queue import Queue
from satisfice.store.ledger.slots import Slots
from satisfice.store.ledger.study_rows import StepReport, dump_reports
from satisfice.store.ledger.types import Claim, Outcome, dump
from satisfice.store.tables import attempts, slots, storable

BLAMED_DEATHS = 3
_FRESH = 1 / 20  # of a lease


class Ledger(Slots, Queue, DeferredTimings):
    """The ledger of one study, for one worker."""

    def renew(self, claim: Claim) -> None:
        """Prolong the lease.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        if self._keep(claim) is not None:
            return
        with self.db.write() as connection:
            until = float(self._advance(connection, bump=False)["now"]) + self.lease_s
            self._update_held(connection, claim, lease_until=until)
        self._held_until[claim.token] = until

    def flush(self, claim: Claim, body: Sequence[StepReport]) -> int:
        """Store reports and renew the lease; returns the study's revision by this write.

        A lease that was renewed within the last twentieth of its length is left as it is.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
        """
        revision = self._keep(claim, body)
        if revision is None:
            revision = self._flush(claim, body)
        self._reached[claim.token] = self._step_after(claim, body)
        return revision

    def _flush(self, claim: Claim, body: Sequence[StepReport]) -> int:
        with self.db.write() as connection:
            study = self._advance(connection)
            self._insert_reports(connection, study, claim, body)
            until = float(study["now"]) + self.lease_s
            due = until - self._held_until.get(claim.token, 0.0) > _FRESH * self.lease_s
            if due:
                self._update_held(connection, claim, lease_until=until)
        if due:
            self._held_until[claim.token] = until
        return int(study["revision"])

    def _keep(self, claim: Claim, body: Sequence[StepReport] = ()) -> int | None:
        """Renew the lease and store reports in one statement, where the database can.

        Returns:
            The study's revision; None where nothing was stored, and a whole transaction says why.
        """
        if not self.db.writes_at_once:
            return None
        statement = self._statements.keep(self.db.now(), self.lease_s, body=bool(body))
        values: dict[str, Any] = {"at_slot": claim.slot, "at_token": claim.token}
        if body:
            values |= {"of_number": claim.number, "new_body": dump_reports(body)}
        with self.db.at_once() as connection:
            row = connection.execute(statement, values).first()
        if row is None or row.lease_until is None:
            return None
        self._held_until[claim.token] = float(row.lease_until)
        return int(row.revision)

    def _step_after(self, claim: Claim, body: Sequence[StepReport]) -> int:
        """The last step of the trial with ``body``, as far as this worker knows."""
        known = max(claim.last_step, self._reached.get(claim.token, 0))
        return max([known, *(step for step, _ in body)])

    def _let_go(self, claim: Claim) -> None:
        self._held_until.pop(claim.token, None)
        self._reached.pop(claim.token, None)

    def give_back(self, claim: Claim, body: Sequence[StepReport], reason: str) -> None:
        """Preempted: store reports and give the lease back at once.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._advance(connection)
            row = self._held_row(connection, claim)
            last = self._last_step(connection, row, body)
            self._insert_reports(connection, study, claim, body)
            self._return(connection, study, row, last_step=last)
            now = float(study["now"])
            self._end_attempt(connection, row["number"], row["attempt"], last, "preempted", reason, now)
        self._let_go(claim)

    def died(self, claim: Claim, reason: str) -> bool:
        """A death that the trial is to be blamed for; returns whether it may be tried again.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._advance(connection)
            now = float(study["now"])
            row = self._held_row(connection, claim)
            deaths, last = int(row["blamed_deaths"]) + 1, self._last_step(connection, row)
            self._end_attempt(connection, row["number"], row["attempt"], last, "died", reason, now)
            again = deaths < BLAMED_DEATHS
            if again:
                self._return(connection, study, row, blamed_deaths=deaths, last_step=last)
            else:
                self._update_held(connection, claim, blamed_deaths=deaths)
        if again:
            self._let_go(claim)
        return again

    def expire(self, worker: str, *, blame: str | None) -> None:
        """A supervisor saw the worker end: its leases are free at once.

        Args:
            worker: Who ended.
            blame: Why the trial that it held is to blame, or None where it is not.
        """
        outcome = ("died", blame) if blame else ("lost", "its worker was killed")
        held = (slots.c.study_uuid == self.uuid, slots.c.lease_owner == worker)
        while True:
            with self.db.write() as connection:  # one slot at a time: each change takes a revision of its own
                self._lock(connection)
                row = connection.execute(sa.select(slots).where(*held).limit(1)).mappings().first()
                if row is None:
                    return
                study = self._advance(connection)
                now, last = float(study["now"]), self._last_step(connection, row)
                deaths = row["blamed_deaths"] + (1 if blame else 0)
                self._end_attempt(connection, row["number"], row["attempt"], last, *outcome, now)
                if row["number"] is not None and deaths >= BLAMED_DEATHS:
                    self._give_up(connection, study, row, now, f"{deaths} deaths, the last: {blame}")
                    continue
                self._return(connection, study, row, blamed_deaths=deaths, last_step=last)

    def tell(self, claim: Claim, body: Sequence[StepReport], outcome: Outcome) -> int:
        """Write the result, with what was reported last, in one transaction with Optuna's row.

        Returns:
            The study's revision by this write; 0 where the same attempt's result was stored before, by a
            commit whose answer was lost with the connection.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
            SpecMoved: The study's spec was changed: the outcome was judged by another one.
        """
        try:
            revision = self._tell(claim, body, outcome)
        except LeaseLost:
            if not self._told(claim):
                raise
            revision = 0
        self._let_go(claim)
        return revision

    def _told(self, claim: Claim) -> bool:
        """Whether this worker's result of this attempt is stored."""
        a = attempts.c
        mine = (a.study_uuid == self.uuid, a.number == claim.number, a.attempt == claim.attempt)
        query = sa.select(a.number).where(*mine, a.worker == self.worker, a.outcome == "told")
        with self.db.look() as connection:
            return connection.execute(query).first() is not None

    def _tell(self, claim: Claim, body: Sequence[StepReport], outcome: Outcome) -> int:
        assert claim.trial_id is not None
        with self.db.write() as connection:
            study = self._advance(connection)
            self._check_version(study)
            now = float(study["now"])
            last = self._step_after(claim, body)
            if claim.token not in self._held_until:  # claimed by another object
                last = self._last_step(connection, self._held_row(connection, claim), body)
            self._insert_reports(connection, study, claim, body)
            used = min(last, claim.reserved)
            self._update_held(
                connection,
                claim,
                phase=(Phase.PENDING if outcome.pending else Phase.DONE).value,
                revision=study["revision"],
                last_step=last,
                lease_owner=None,
                lease_token=None,
                lease_until=None,
                metrics=dump(outcome.metrics),
                feasible=outcome.feasible,
                reason=outcome.reason,
                traceback=None if outcome.traceback is None else storable(outcome.traceback),
                measured_on=outcome.measured_on,
                epochs_reserved=used,
            )
            if not outcome.pending:
                self.rows.finish_trial(
                    connection, claim.trial_id, outcome.state, outcome.values, outcome.constraints, {}
                )
            self._end_attempt(connection, claim.number, claim.attempt, last, "told", outcome.reason, now)
            self._give_epochs_back(connection, claim.reserved - used)
        return int(study["revision"])
