"""Results: how a trial ended, written once together with Optuna's row."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from satisfice.errors import LeaseLost
from satisfice.store.database.repeated import Repeats, transaction
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.study_rows import StepReport, StudyRows
from satisfice.store.ledger.types import Claim, Outcome, dump
from satisfice.store.tables import attempts, influences, storable


class Results(Repeats):
    """What a worker tells of a trial that it trained."""

    def __init__(self, study: StudyRows) -> None:
        super().__init__(study.db)
        self._study = study

    @transaction
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
        self._study.let_go(claim)
        return revision

    def _told(self, claim: Claim) -> bool:
        """Whether this worker's result of this attempt is stored."""
        a = attempts.c
        mine = (a.study_uuid == self._study.uuid, a.number == claim.number, a.attempt == claim.attempt)
        query = sa.select(a.number).where(*mine, a.worker == self._study.worker, a.outcome == "told")
        with self.db.look() as connection:
            return connection.execute(query).first() is not None

    def _tell(self, claim: Claim, body: Sequence[StepReport], outcome: Outcome) -> int:
        assert claim.trial_id is not None
        with self.db.write() as connection:
            study = self._study.advance(connection)
            self._study.check_version(study)
            now = float(study["now"])
            last = self._study.step_after(claim, body)
            if claim.token not in self._study.held_until:  # claimed by another object
                last = self._study.last_step(connection, self._study.held_row(connection, claim), body)
            self._study.insert_reports(connection, study, claim, body)
            used = self._study.epochs_used(last, claim.reserved)
            self._study.update_held(
                connection,
                claim,
                phase=(Phase.AWAITING_TIMING if outcome.awaiting_timing else Phase.DONE).value,
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
            if not outcome.awaiting_timing:
                self._study.rows.finish_trial(
                    connection, claim.trial_id, outcome.state, outcome.values, outcome.constraints, {}
                )
            if outcome.influences is not None:
                body_of_rows = outcome.influences.encoded()
                keys = {"study_uuid": self._study.uuid, "number": claim.number}
                connection.execute(sa.insert(influences).values(**keys, body=body_of_rows))
            self._study.end_attempt(
                connection, claim.number, claim.attempt, last, "told", outcome.reason, now
            )
            self._study.give_epochs_back(connection, claim.reserved - used)
        return int(study["revision"])
