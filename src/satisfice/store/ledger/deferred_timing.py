"""Verdicts on trials that were told before their latency was measured (`[measure] on`)."""

from __future__ import annotations

import sqlalchemy as sa

from satisfice.store.database.repeated import Repeats, transaction
from satisfice.store.ledger.phase import Phase
from satisfice.store.ledger.study_rows import StudyRows
from satisfice.store.ledger.types import Outcome, dump
from satisfice.store.tables import slots


class DeferredTimings(Repeats):
    """What a worker of the measuring host class writes of trials that await their timing."""

    def __init__(self, study: StudyRows) -> None:
        super().__init__(study.db)
        self._study = study

    @transaction
    def settle(self, number: int, outcome: Outcome) -> bool:
        """Write the verdict on a trial that awaits its timing, in one transaction with Optuna's row.

        Returns:
            Whether it still awaited it; else another worker's verdict stands and nothing was written.

        Raises:
            SpecMoved: The study's spec was changed: the outcome was judged by another one.
        """
        here = (slots.c.study_uuid == self._study.uuid, slots.c.number == number)
        with self.db.write() as connection:
            study = self._study.lock(connection)
            self._study.check_version(study)
            row = connection.execute(sa.select(slots).where(*here)).mappings().first()
            if row is None or row["phase"] != Phase.AWAITING_TIMING.value:
                return False
            connection.execute(
                self._study.update_slot(row["slot"]).values(
                    phase=Phase.DONE.value,
                    revision=study["revision"] + 1,
                    metrics=dump(outcome.metrics),
                    feasible=outcome.feasible,
                    reason=outcome.reason,
                    measured_on=outcome.measured_on,
                )
            )
            self._study.rows.finish_trial(
                connection, row["optuna_trial_id"], outcome.state, outcome.values, outcome.constraints, {}
            )
            self._study.set_columns(
                connection, revision=study["revision"] + 1
            )  # the study's time is that of its search
            return True
