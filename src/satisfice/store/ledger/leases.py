"""Leases: kept by reports and by renewing, given back, or taken from a worker that died."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from satisfice.store.database.repeated import Repeats, transaction
from satisfice.store.ledger.study_rows import StepReport, StudyRows, dump_reports
from satisfice.store.ledger.types import Claim
from satisfice.store.tables import slots

BLAMED_DEATHS = 3
_FRESH = 1 / 20  # of a lease


class Leases(Repeats):
    """What a worker does with a slot that it holds, but for its result."""

    def __init__(self, study: StudyRows) -> None:
        super().__init__(study.db)
        self._study = study

    @property
    def seconds(self) -> float:
        """How long a lease holds without being renewed."""
        return self._study.lease_s

    @transaction
    def renew(self, claim: Claim) -> None:
        """Prolong the lease.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        if self._keep(claim) is not None:
            return
        with self.db.write() as connection:
            until = float(self._study.advance(connection, bump=False)["now"]) + self._study.lease_s
            self._study.update_held(connection, claim, lease_until=until)
        self._study.held_until[claim.token] = until

    @transaction
    def flush(self, claim: Claim, body: Sequence[StepReport]) -> int:
        """Store reports and renew the lease; returns the study's revision by this write.

        A lease that was renewed within the last twentieth of its length is left as it is.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
        """
        revision = self._keep(claim, body)
        if revision is None:
            revision = self._flush(claim, body)
        self._study.reached[claim.token] = self._study.step_after(claim, body)
        return revision

    def _flush(self, claim: Claim, body: Sequence[StepReport]) -> int:
        with self.db.write() as connection:
            study = self._study.advance(connection)
            self._study.insert_reports(connection, study, claim, body)
            until = float(study["now"]) + self._study.lease_s
            due = until - self._study.held_until.get(claim.token, 0.0) > _FRESH * self._study.lease_s
            if due:
                self._study.update_held(connection, claim, lease_until=until)
        if due:
            self._study.held_until[claim.token] = until
        return int(study["revision"])

    def _keep(self, claim: Claim, body: Sequence[StepReport] = ()) -> int | None:
        """Renew the lease and store reports in one statement, where the database can.

        Returns:
            The study's revision; None where nothing was stored, and a whole transaction says why.
        """
        if not self.db.writes_at_once:
            return None
        statement = self._study.statements.keep(self.db.now(), self._study.lease_s, body=bool(body))
        values: dict[str, Any] = {"at_slot": claim.slot, "at_token": claim.token}
        if body:
            values |= {"of_number": claim.number, "new_body": dump_reports(body)}
        with self.db.at_once() as connection:
            row = connection.execute(statement, values).first()
        if row is None or row.lease_until is None:
            return None
        self._study.held_until[claim.token] = float(row.lease_until)
        return int(row.revision)

    @transaction
    def give_back(self, claim: Claim, body: Sequence[StepReport], reason: str) -> None:
        """Preempted: store reports and give the lease back at once.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._study.advance(connection)
            row = self._study.held_row(connection, claim)
            last = self._study.last_step(connection, row, body)
            self._study.insert_reports(connection, study, claim, body)
            self._study.return_slot(connection, study, row, last_step=last)
            now = float(study["now"])
            self._study.end_attempt(connection, row["number"], row["attempt"], last, "preempted", reason, now)
        self._study.let_go(claim)

    @transaction
    def died(self, claim: Claim, reason: str) -> bool:
        """A death that the trial is to be blamed for; returns whether it may be tried again.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._study.advance(connection)
            now = float(study["now"])
            row = self._study.held_row(connection, claim)
            deaths, last = int(row["blamed_deaths"]) + 1, self._study.last_step(connection, row)
            self._study.end_attempt(connection, row["number"], row["attempt"], last, "died", reason, now)
            again = deaths < BLAMED_DEATHS
            if again:
                self._study.return_slot(connection, study, row, blamed_deaths=deaths, last_step=last)
            else:
                self._study.update_held(connection, claim, blamed_deaths=deaths)
        if again:
            self._study.let_go(claim)
        return again

    @transaction
    def expire(self, worker: str, *, blame: str | None) -> None:
        """A supervisor saw the worker end: its leases are free at once.

        Args:
            worker: Who ended.
            blame: Why the trial that it held is to blame, or None where it is not.
        """
        outcome = ("died", blame) if blame else ("lost", "its worker was killed")
        held = (slots.c.study_uuid == self._study.uuid, slots.c.lease_owner == worker)
        while True:
            with self.db.write() as connection:  # one slot at a time: each change takes a revision of its own
                self._study.lock(connection)
                row = connection.execute(sa.select(slots).where(*held).limit(1)).mappings().first()
                if row is None:
                    return
                study = self._study.advance(connection)
                now, last = float(study["now"]), self._study.last_step(connection, row)
                deaths = row["blamed_deaths"] + (1 if blame else 0)
                self._study.end_attempt(connection, row["number"], row["attempt"], last, *outcome, now)
                if row["number"] is not None and deaths >= BLAMED_DEATHS:
                    self._study.give_up(connection, study, row, now, f"{deaths} deaths, the last: {blame}")
                    continue
                self._study.return_slot(connection, study, row, blamed_deaths=deaths, last_step=last)
