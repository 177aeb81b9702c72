"""How much one call may do, beside the study's own budget."""

from __future__ import annotations

import threading
import time


class Allowance:
    """How much one call may do, over all its threads; the study's own budget holds beside it.

    Args:
        trials: At most so many further ones; None: no limit.
        timeout_s: No trial begins after so long; those that run are finished.
    """

    def __init__(self, *, trials: int | None = None, timeout_s: float | None = None) -> None:
        self._left = trials
        self._until = None if timeout_s is None else time.monotonic() + timeout_s
        self._stopped = False
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more may begin; then it counts."""
        with self._lock:
            late = self._until is not None and time.monotonic() >= self._until
            if self._stopped or late or self._left == 0:
                return False
            if self._left is not None:
                self._left -= 1
            return True

    def give_back(self) -> None:
        """It was not trained to an end after all."""
        with self._lock:
            if self._left is not None:
                self._left += 1

    def stop(self) -> None:
        """No further trial begins."""
        self._stopped = True
