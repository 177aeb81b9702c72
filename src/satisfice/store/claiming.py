"""How a slot of the budget is claimed, given back unused, or begun as a trial."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import BudgetSpent
from satisfice.store.claim import Claim, TurnedAway, dump, slot_seed
from satisfice.store.phase import Phase
from satisfice.store.study_rows import StudyRows
from satisfice.store.tables import queue, slots

UNBLAMED_LOSSES = 25  # attempts after which a trial is given up though nobody is to blame


class Claiming(StudyRows):
    """The ledger's operations before a trial runs."""

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
            try:
                if found is None:
                    return self._take_new(connection, study, token, now)
                if found["number"] is None:
                    self._check_time(study, now)
                    self._reserve(study, found["epochs_reserved"])
            except BudgetSpent as spent:
                spent.others_hold = self._others_hold(connection)  # in this transaction: none slips through
                raise
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
            # A free slot may be refused by the budget; it must not stand before what goes on anyway.
            .order_by(slots.c.number.is_(None), slots.c.slot)
            .limit(1)
        )

    def _take_over(
        self,
        connection: sa.Connection,
        study: sa.RowMapping,
        row: sa.RowMapping,
        token: str,
        now: float,
    ) -> Claim:
        begun = row["number"] is not None
        lost = row["phase"] == Phase.RUNNING.value
        if lost:
            self._end_attempt(
                connection, row["number"], row["attempt"], row["last_step"], "lost", "its lease ran out", now
            )
        attempt = row["attempt"] + 1 if begun else 0
        held = int(row["epochs_reserved"])
        reserved = held if begun else self._reserve(study, held)
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
            if row["phase"] == Phase.RETURNED.value:
                self.rows.set_state(connection, row["optuna_trial_id"], TrialState.RUNNING)
        self._bump(connection, study, now, epochs_reserved=study["epochs_reserved"] + reserved - held)
        return Claim(
            slot=row["slot"],
            token=token,
            seed=row["seed"],
            attempt=attempt,
            max_epochs=reserved or study["epochs_per_trial"],
            number=row["number"],
            trial_id=row["optuna_trial_id"],
            last_step=row["last_step"],
            in_queue=True,  # who held the slot may have died with a configuration in hand
        )

    def _take_new(self, connection: sa.Connection, study: sa.RowMapping, token: str, now: float) -> Claim:
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

    def _check_time(self, study: sa.RowMapping, now: float) -> None:
        if study["timeout_s"] is not None and self._elapsed(study, now) >= study["timeout_s"]:
            raise BudgetSpent(f"the budget of {study['timeout_s']:g} s is spent")

    def _reserve(self, study: sa.RowMapping, held: int = 0) -> int:
        """Epochs promised to a new trial, so that the total is exact whatever the workers do.

        ``held`` were promised to the same slot before, to a worker that died before it began.
        """
        total = study["total_epochs_budget"]
        if total is None:
            return 0
        left = int(total - study["epochs_reserved"]) + held
        if left <= 0:
            raise BudgetSpent(f"the budget of {total} epochs is spent")
        return min(left, study["epochs_per_trial"] or left)

    def release(self, claim: Claim, away: TurnedAway | None) -> None:
        """Give a slot back that no trial was begun in, with the enqueued configuration it had in hand.

        Keeps the record of what was turned away. Does nothing more where somebody else has the slot by now.
        """
        with self.db.write() as connection:
            study = self._lock(connection)
            row = connection.execute(self._select_held(claim)).mappings().first()
            if row is not None and row["number"] is not None:  # interrupted just after the trial began
                now = float(study["now"])
                self._return(connection, study, row)
                self._end_attempt(connection, row["number"], row["attempt"], 0, "preempted", None, now)
                self._bump(connection, study, now)
                return
            self._insert_turned_away(connection, claim, away)
            turned = study["turned_away"] + (away.proposals if away else 0)
            if row is None:
                self._set(connection, turned_away=turned)
                return
            self._return(connection, study, row, epochs_reserved=0)
            q = queue.c
            in_hand = (q.study_uuid == self.uuid, q.slot == claim.slot, q.turned_away.is_(None))
            back = connection.execute(sa.update(queue).where(*in_hand).values(slot=None)).rowcount
            self._bump(
                connection,
                study,
                None,
                epochs_reserved=study["epochs_reserved"] - row["epochs_reserved"],
                turned_away=turned,
                queued=study["queued"] + back,
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
            row = self._held_row(connection, claim)
            if row["number"] is not None:  # committed before, but the answer was lost with the connection
                return int(row["optuna_trial_id"]), int(row["number"])
            trial_id, number = self.rows.create_trial(
                connection, self.optuna_study_id, self.space, params, system_attributes
            )
            connection.execute(
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
            self._begin_attempt(connection, number, 1, now, 0)
            self._insert_turned_away(connection, claim, away)
            away_count = away.proposals if away else 0
            self._bump(connection, study, now, turned_away=study["turned_away"] + away_count)
            return trial_id, number
