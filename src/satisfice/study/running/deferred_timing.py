"""Trials that trained elsewhere and wait until a worker of the measuring host class times them."""

from __future__ import annotations

import logging
import threading
from typing import Any

from satisfice.spec.study import StudySpec
from satisfice.spec.task import ScoresTest
from satisfice.spec.trial import TrialRecord
from satisfice.store.ledger.types import SpecMoved
from satisfice.study.lifecycle.checkpoint import kept_model
from satisfice.study.lifecycle.session import Session
from satisfice.study.lifecycle.telling import verdict

logger = logging.getLogger(__name__)


class DeferredTimer:
    """What a worker of the measuring host class does for trials that others trained.

    Each architecture is measured once; all trials that wait for it get their verdict.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._out_of_reach: set[int] = set()  # trials whose model file is not on this machine

    def settle(self, stop: threading.Event) -> int:
        """Measure what trials wait for, and write their verdicts; returns how many were written.

        Args:
            stop: Ends it after the measurement under way.
        """
        if not self._serves():
            return 0
        session, written = self._session, 0
        for record in session.reader.awaiting_timing():
            if stop.is_set():
                break
            if record.number not in self._out_of_reach:
                written += self._settle(record)
        return written

    def _serves(self) -> bool:
        """Whether this worker may time, or nothing is timed any more: the bound that asked for it is gone."""
        session = self._session
        if session.spec.measure.on is None:
            return False
        if session.evaluator.times:
            return session.evaluator.measures
        return (session.ledger.spec_version or 1) > 1

    def _settle(self, record: TrialRecord) -> bool:
        session = self._session
        found = session.evaluator.timed(record.params)
        if session.evaluator.lacks_timing({**record.metrics, **found}):
            model = self._model(record)
            if record.number in self._out_of_reach:
                return False
            found = found | session.evaluator.after(record.params, model)
        while True:
            outcome = verdict(session, record, found)
            try:
                return session.ledger.deferred_timings.settle(record.number, outcome)
            except SpecMoved:
                session.reload()

    def _model(self, record: TrialRecord) -> Any:
        """The fitted model, for what cannot be timed before; None for a task that keeps none."""
        session = self._session
        if not isinstance(session.task, ScoresTest):
            return None
        file = kept_model(session.artefacts, record.number, record.attempts)
        if file is None:
            self._out_of_reach.add(record.number)
            logger.warning("trial %d waits: its model file is not on this machine", record.number)
            return None
        return session.task.load_model(record.params, file)


def waiting_sentence(spec: StudySpec, count: int) -> str:
    """How many trials wait for their verdict, and who can give it; empty where none does."""
    if not count:
        return ""
    trials = "1 trial waits" if count == 1 else f"{count} trials wait"
    return (
        f"{trials} for a verdict until a worker of the measuring host times it: "
        f"satisfice worker {spec.name} --label {spec.measure.on}"
    )
