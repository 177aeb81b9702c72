"""The ledger: who may train what. Slots of the budget are claimed here, each once, under a lease.

Every public method is one transaction that locks the study's row first (on SQLite: takes the write lock),
so that claims, reports and results have one order, and so that a method may be repeated when the connection
broke: what a worker may do is decided by its lease token alone. Time is the database's clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from satisfice.store.claim import Claim, Outcome, dump
from satisfice.store.claiming import Claiming
from satisfice.store.phase import Phase
from satisfice.store.tables import slots
from satisfice.store.verdicts import Verdicts
from satisfice.store.waiting import Waiting

BLAMED_DEATHS = 3


class Ledger(Claiming, Waiting, Verdicts):
    """The ledger of one study, for one worker."""

    def renew(self, claim: Claim) -> None:
        """Prolong the lease.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            self._held_row(connection, claim)
            connection.execute(self._held(claim).values(lease_until=float(study["now"]) + self.lease_s))
            self._set(connection, **self._active(study, float(study["now"])))

    def flush(self, claim: Claim, body: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Store reports and renew the lease.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            last = self._last_step(self._held_row(connection, claim), body)
            connection.execute(
                self._held(claim).values(last_step=last, lease_until=float(study["now"]) + self.lease_s)
            )
            self._insert_reports(connection, study, claim, body)
            self._bump(connection, study, float(study["now"]))

    def give_back(self, claim: Claim, body: Sequence[tuple[int, Mapping[str, float]]], reason: str) -> None:
        """Preempted: store reports and give the lease back at once.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            row = self._held_row(connection, claim)
            last = self._last_step(row, body)
            self._insert_reports(connection, study, claim, body)
            self._return(connection, study, row, last_step=last)
            self._end_attempt(connection, row["number"], row["attempt"], last, "preempted", reason, now)
            self._bump(connection, study, now)

    def died(self, claim: Claim, reason: str) -> bool:
        """A death that the trial is to be blamed for; returns whether it may be tried again.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            row = self._held_row(connection, claim)
            deaths = int(row["blamed_deaths"]) + 1
            self._end_attempt(
                connection, row["number"], row["attempt"], row["last_step"], "died", reason, now
            )
            again = deaths < BLAMED_DEATHS
            if again:
                self._return(connection, study, row, blamed_deaths=deaths)
            else:
                connection.execute(self._held(claim).values(blamed_deaths=deaths))
            self._bump(connection, study, now)
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
                study = self._lock(connection)
                now = float(study["now"])
                row = connection.execute(sa.select(slots).where(*held).limit(1)).mappings().first()
                if row is None:
                    return
                deaths = row["blamed_deaths"] + (1 if blame else 0)
                self._end_attempt(connection, row["number"], row["attempt"], row["last_step"], *outcome, now)
                if row["number"] is not None and deaths >= BLAMED_DEATHS:
                    self._give_up(connection, study, row, now, f"{deaths} deaths, the last: {blame}")
                    continue
                self._return(connection, study, row, blamed_deaths=deaths)
                self._bump(connection, study, now)

    def tell(self, claim: Claim, body: Sequence[tuple[int, Mapping[str, float]]], outcome: Outcome) -> None:
        """Write the result, with what was reported last, in one transaction with Optuna's row.

        Raises:
            LeaseLost: Another worker has the trial; nothing was written.
        """
        assert claim.trial_id is not None
        with self.db.write() as connection:
            study = self._lock(connection)
            now = float(study["now"])
            row = self._held_row(connection, claim)
            last = self._last_step(row, body)
            used = min(last, int(row["epochs_reserved"]))
            connection.execute(
                self._held(claim).values(
                    phase=(Phase.PENDING if outcome.pending else Phase.DONE).value,
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
                    epochs_reserved=used,
                )
            )
            self._insert_reports(connection, study, claim, body)
            if not outcome.pending:
                self.rows.finish_trial(
                    connection, claim.trial_id, outcome.state, outcome.values, outcome.constraints, {}
                )
            self._end_attempt(connection, claim.number, claim.attempt, last, "told", outcome.reason, now)
            unused = int(row["epochs_reserved"]) - used
            self._bump(connection, study, now, epochs_reserved=study["epochs_reserved"] - unused)
