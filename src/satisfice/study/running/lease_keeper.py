"""The thread of a worker that sends reports and renews leases while training goes on."""

from __future__ import annotations

import logging
import threading
import time

from satisfice.errors import LeaseLost
from satisfice.store import workers as presence
from satisfice.study.lifecycle.running_trial import RunningTrial
from satisfice.study.lifecycle.session import Session

logger = logging.getLogger(__name__)

_LOOK_S = 1.0  # between looks at what there is to send


class LeaseKeeper:
    """Sends the reports of the trial in training, renews its lease, and says that the worker lives.

    In memory nobody could take a trial over: there it does nothing.

    Args:
        session: The worker's.

    Attributes:
        trial: In training now, or None.
    """

    def __init__(self, session: Session) -> None:
        self.trial: RunningTrial | None = None
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Begin to look after the session."""
        if not self._session.db.in_memory:
            self._thread.start()

    def stop(self) -> None:
        """End; waits a moment for what is under way."""
        self._ended.set()
        if not self._session.db.in_memory:
            self._thread.join(timeout=5)

    def _keep(self) -> None:
        interval = min(self._session.ledger.leases.seconds / 3, 20.0)
        due = time.monotonic() + interval
        while not self._ended.wait(min(interval, _LOOK_S)):
            trial = self.trial
            try:
                if trial is not None and trial.is_due:
                    trial.send()  # the history is the training thread's
                if time.monotonic() >= due:
                    self._beat(trial)
                    due = time.monotonic() + interval
            except LeaseLost:
                if trial is not None and trial is self.trial and not trial.lease.finished:
                    trial.lease.lost.set()
            except Exception as error:  # noqa: BLE001  # the database is away: the next look tries again
                logger.info("lease not renewed: %s", type(error).__name__)

    def _beat(self, trial: RunningTrial | None) -> None:
        session = self._session
        held = trial.claim if trial is not None else session.proposing
        if held is not None:
            session.ledger.leases.once.renew(held)
        if trial is not None:
            trial.lease.renewed()
        presence.seen(session.db, session.ledger.worker)
