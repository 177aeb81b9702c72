"""The lease of one running trial, as the process sees it that holds it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from satisfice.errors import LeaseLost, StorageLost, TrialFinished
from satisfice.store.ledger.leases import Leases
from satisfice.store.ledger.types import Claim

_AWAY_S = 5.0  # between tries to reach a database that is away


class Preempted(BaseException):
    """The worker was asked to stop: the trial is given back. No `Exception`: a task must not swallow it."""


class HeldLease:
    """Whether the trial is still this process's own; training never waits for a database that is away.

    Attributes:
        claim: The slot with its trial.
        finished: The trial was told or given back.
        lost: Set by whoever learnt that another worker has the trial.
        stop: Set from outside to give the trial back; None: nobody may.
        kept: Whether a thread of the worker renews the lease and sends reports.
    """

    def __init__(self, leases: Leases, claim: Claim, number: int) -> None:
        self.claim = claim
        self.finished = False
        self.lost = threading.Event()
        self.stop: threading.Event | None = None
        self.kept = False
        self._leases = leases
        self._number = number
        self._checked_at = self._renewed_at = time.monotonic()
        self._away_until = 0.0  # no other try before
        self._slept = False  # past its lease, and has not heard since whether the trial is still its own

    def check(self) -> None:
        """See that the trial may go on; renews an old lease where no thread does.

        Raises:
            TrialFinished: It was told.
            LeaseLost: Another worker has it.
            Preempted: The worker was asked to stop.
        """
        if self.finished:
            raise TrialFinished(f"trial {self._number} was told already")
        if self.lost.is_set():
            raise LeaseLost(f"trial {self._number} was taken over by another worker")
        if self.stop is not None and self.stop.is_set():
            raise Preempted
        now, lease_s = time.monotonic(), self._leases.seconds
        # Where a thread tries all the time, an old lease means that the database is away, or that this
        # process was stopped or asleep. Only then may the trial have got lost without a word.
        if now - self._checked_at > lease_s:
            self._slept = True
        self._checked_at = now
        if now - self._renewed_at <= lease_s:
            return
        if self._slept:  # no answer is no yes: it is waited for, lest a trial that was told is trained again
            self._leases.renew(self.claim)
            self._heard()
        elif not self.kept:
            self.attempt(self.renew)

    def renew(self) -> None:
        """Prolong the lease.

        Raises:
            LeaseLost: Another worker has the trial.
            StorageLost: The database does not answer now.
        """
        self._leases.promptly.renew(self.claim)
        self._heard()

    def _heard(self) -> None:
        self.renewed()
        self._slept = False

    def renewed(self) -> None:
        """Something was stored under the lease just now, from whichever thread."""
        self._renewed_at = time.monotonic()

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it if the database answers. Else training goes on, and there is another try later."""
        if time.monotonic() < self._away_until:
            return
        try:
            action()
        except StorageLost:
            self._away_until = time.monotonic() + _AWAY_S
