"""Claims slots of the budget, gives them back unused, and begins trials in them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import BudgetSpent, LeaseLost
from satisfice.store.database.repeated import Repeats, transaction
from satisfice.store.ledger import budget
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.study_rows import StudyRows
from satisfice.store.ledger.types import EXACT_KEY, Begun, Claim, TurnedAway, dump, slot_seed
from satisfice.store.optuna_rows import lost
from satisfice.store.tables import attempts, queue, slots, studies, turned_away

FRUITLESS_ATTEMPTS = 25  # attempts in a row without progress after which a trial is given up


class Slots(Repeats):
    """The ledger's operations before a trial runs."""

    def __init__(self, study: StudyRows) -> None:
        super().__init__(study.db)
        self._study = study

    @transaction
    def claim(self) -> Claim:
        """Claim a slot: one that was given back or whose lease ran out, otherwise a new one.

        Raises:
            BudgetSpent: No slot, no epoch or no time is left.
            SpecMoved: The study's spec was changed.
        """
        while True:
            claim = self._claim_once(uuid.uuid4().hex)
            if claim is not None:
                return claim

    def _claim_once(self, token: str) -> Claim | None:
        """Try once. None if the slot found was given up for good, so that the caller tries the next one."""
        with self.db.write() as connection:
            study = self._study.advance(connection, {"slots": 1})  # a new slot, as is most common
            self._study.check_version(study)
            now = float(study["now"])
            found = connection.execute(self._study.statements.claimable, {"now_s": now}).mappings().first()
            try:
                if found is None:
                    claim = self._take_new(connection, study, token, now)
                elif found["number"] is None:
                    budget.check_time(study)
                    if budget.is_full(connection, self._study.uuid, study, found["slot"]):
                        raise budget.trials_spent(study)
                    budget.reserve(study, found["epochs_reserved"])
            except BudgetSpent as spent:
                # Read in the same transaction, so that the answer is consistent.
                spent.others_hold = budget.others_hold(connection, self._study.uuid)
                raise
            if found is not None:
                self._study.set_columns(connection, slots=study["slots"] - 1)
                fruitless = self._fruitless(connection, found)
                if fruitless >= FRUITLESS_ATTEMPTS:
                    why = f"lost with its worker {fruitless} times in a row before it got any further"
                    self._study.give_up(connection, study, found, now, why)
                    return None
                claim = self._take_over(connection, study, found, token, now)
        self._study.held_until[token] = now + self._study.lease_s
        return claim

    def _fruitless(self, connection: sa.Connection, row: sa.RowMapping) -> int:
        """Number of attempts since the last one that made progress."""
        if row["attempt"] < FRUITLESS_ATTEMPTS:
            return int(row["attempt"])
        a = attempts.c
        reached = sa.func.coalesce(
            a.last_step, self._study.last_step(connection, row)
        )  # NULL of one that runs
        query = sa.select(sa.func.max(a.attempt)).where(
            a.study_uuid == self._study.uuid, a.number == row["number"], reached > a.first_step
        )
        return int(row["attempt"]) - int(connection.execute(query).scalar() or 0)

    def _take_over(
        self,
        connection: sa.Connection,
        study: sa.RowMapping,
        row: sa.RowMapping,
        token: str,
        now: float,
    ) -> Claim:
        begun = row["number"] is not None
        last = int(row["last_step"])
        if row["phase"] == Phase.RUNNING.value:
            last = self._study.last_step(connection, row)
            self._study.end_attempt(
                connection, row["number"], row["attempt"], last, "lost", "its lease ran out", now
            )
        attempt = row["attempt"] + 1 if begun else 0
        held = int(row["epochs_reserved"])
        reserved = held if begun else budget.reserve(study, held, least=self._study.trainings)
        connection.execute(
            self._study.update_slot(row["slot"]).values(
                phase=Phase.RUNNING.value if begun else Phase.PROPOSING.value,
                revision=study["revision"],
                attempt=attempt,
                last_step=last,
                epochs_reserved=reserved,
                lease_owner=self._study.worker,
                lease_token=token,
                lease_until=now + self._study.lease_s,
            )
        )
        if begun:
            self._study.begin_attempt(connection, row["number"], attempt, now, last)
            if row["phase"] == Phase.RETURNED.value:
                self._study.rows.set_state(connection, row["optuna_trial_id"], TrialState.RUNNING)
        self._study.give_epochs_back(connection, held - reserved)
        return Claim(
            slot=row["slot"],
            token=token,
            seed=row["seed"],
            attempt=attempt,
            max_epochs=reserved or study["epochs_per_trial"],
            number=row["number"],
            trial_id=row["optuna_trial_id"],
            last_step=last,
            in_queue=True,  # who held the slot may have died with a configuration in hand
            reserved=reserved,
            revision=study["revision"],
        )

    def _take_new(self, connection: sa.Connection, study: sa.RowMapping, token: str, now: float) -> Claim:
        slot = study["slots"] - 1
        if slot >= study["trials_budget"]:
            raise budget.trials_spent(study)
        budget.check_time(study)
        reserved = budget.reserve(study, least=self._study.trainings)
        seed = slot_seed(self._study.seed, slot)
        row = {
            "study_uuid": self._study.uuid,
            "slot": slot,
            "phase": Phase.PROPOSING.value,
            "seed": seed,
            "revision": study["revision"],
            "epochs_reserved": reserved,
            "lease_owner": self._study.worker,
            "lease_token": token,
            "lease_until": now + self._study.lease_s,
        }
        connection.execute(sa.insert(slots), row)
        self._study.give_epochs_back(connection, -reserved)
        return Claim(
            slot=slot,
            token=token,
            seed=seed,
            attempt=0,
            max_epochs=reserved or study["epochs_per_trial"],
            in_queue=study["queued"] > 0,
            reserved=reserved,
            revision=study["revision"],
        )

    @transaction
    def release(self, claim: Claim, away: TurnedAway | None) -> None:
        """Give back a slot without a trial, and return its enqueued configuration to the queue.

        The proposals that were turned away are recorded even if another worker has taken the slot.
        """
        with self.db.write() as connection:
            self._study.lock(connection)
            row = connection.execute(self._study.select_held(claim)).mappings().first()
            if row is not None and row["number"] is not None:  # interrupted just after the trial began
                study = self._study.advance(connection)
                self._study.return_slot(connection, study, row)
                now = float(study["now"])
                self._study.end_attempt(connection, row["number"], row["attempt"], 0, "preempted", None, now)
                return
            self._insert_turned_away(connection, claim, away)
            turned = away.proposals if away else 0
            if row is None:
                self._study.set_columns(connection, turned_away=studies.c.turned_away + turned)
                return
            q = queue.c
            in_hand = (q.study_uuid == self._study.uuid, q.slot == claim.slot, q.turned_away.is_(None))
            back = connection.execute(sa.update(queue).where(*in_hand).values(slot=None)).rowcount
            study = self._study.advance(
                connection,
                {
                    "epochs_reserved": -row["epochs_reserved"],
                    "turned_away": turned,
                    "queued": back,
                },
                active=False,
            )
            self._study.return_slot(connection, study, row, epochs_reserved=0)

    @transaction
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
    ) -> Begun:
        """Begin the trial of a slot.

        Raises:
            BudgetSpent: The budget was lowered in the meantime, and this trial exceeds it.
            SpecMoved: The study's spec was changed after the trial was screened.
            LeaseLost: The lease ran out, and another worker took the slot.
        """
        exact = lost(self._study.space, params)
        columns = {
            "metrics": dump(metrics),
            "proposal": json.dumps({**proposal, **({EXACT_KEY: exact} if exact else {})}),
            "replicate_of": replicate_of,
            "measured_on": measured_on,
        }
        try:
            return self._begin(claim, params, columns, away, system_attributes)
        except LeaseLost:
            with self.db.look() as connection:
                row = self._study.held_row(connection, claim)
            if row["number"] is None:
                raise
            # An earlier try was committed, but the connection broke before it answered.
            return Begun(trial_id=row["optuna_trial_id"], number=row["number"], revision=row["revision"])

    def _begin(
        self,
        claim: Claim,
        params: Mapping[str, Any],
        columns: Mapping[str, Any],
        away: TurnedAway | None,
        system_attributes: Mapping[str, Any],
    ) -> Begun:
        turned = {"turned_away": away.proposals} if away else {}
        with self.db.write() as connection:
            # First what nobody else can see or wait for: our study is locked for as short as can be. Optuna's
            # row of it, which this locks, is locked by nobody who has ours.
            trial_id, number = self._study.rows.create_trial(
                connection, self._study.optuna_study_id, self._study.space, params, system_attributes
            )
            self._insert_turned_away(connection, claim, away)
            study = self._study.advance(connection, turned)
            self._study.check_version(study)
            now = float(study["now"])
            budget.check_lowered(connection, self._study.uuid, study, claim)
            begun = {
                "at_slot": claim.slot,
                "at_token": claim.token,
                "phase": Phase.RUNNING.value,
                "number": number,
                "optuna_trial_id": trial_id,
                "revision": study["revision"],
                "attempt": 1,
                "lease_until": now + self._study.lease_s,
                "spec_version": study["spec_version"],
            }
            if not connection.execute(self._study.statements.beginning, begun | dict(columns)).rowcount:
                raise self._study.lease_lost(claim)
            self._study.begin_attempt(connection, number, 1, now, 0)
        self._study.held_until[claim.token] = now + self._study.lease_s
        return Begun(trial_id=trial_id, number=number, revision=study["revision"])

    def _insert_turned_away(self, connection: sa.Connection, claim: Claim, away: TurnedAway | None) -> None:
        if away is None or not away.proposals:
            return
        connection.execute(
            sa.insert(turned_away).values(
                study_uuid=self._study.uuid,
                slot=claim.slot,
                ask=uuid.uuid4().hex,
                proposals=away.proposals,
                by_constraint=json.dumps(dict(away.by_constraint)),
                examples=json.dumps([dict(e) for e in away.examples]),
            )
        )
