"""Live progress of a run: one line that changes on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy.exc import DBAPIError

from satisfice.cli.errors import without_secrets
from satisfice.cli.output import console, number, seconds
from satisfice.errors import NoFeasibleTrial, StorageError

if TYPE_CHECKING:
    from rich.status import Status

    from satisfice.study import Study

_FINISHED = ("COMPLETE", "PRUNED", "FAIL")
PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 1.0


class Progress:
    """Shows how far a study is, on standard error.

    Args:
        study: The study that runs.
        clock: Seconds, monotonic.
    """

    def __init__(self, study: Study, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._study = study
        self._clock = clock
        self._console = console(stderr=True)
        self._live = self._console.is_terminal
        self._status: Status | None = None
        self._began = clock()
        self._done_before: int | None = None
        self._last_shown = -float("inf")

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear the line."""
        if self._status is not None:
            self._status.stop()

    def __call__(self, status: Mapping[str, Any]) -> None:
        """Show the status, if the last time is long enough ago."""
        now = self._clock()
        if self._done_before is None:
            self._done_before = finished(status)
        if now - self._last_shown < (LIVE_EVERY_S if self._live else PLAIN_EVERY_S):
            return
        self._last_shown = now
        line = self.line(status, now - self._began)
        if self._status is not None:
            self._status.update(line)
        else:
            self.note(line)

    def note(self, line: str) -> None:
        """A line that stays."""
        self._console.print(without_secrets(line), markup=False)

    def line(self, status: Mapping[str, Any], elapsed_s: float) -> str:
        """Trials done, turned away, pruned, best so far, time left."""
        budget, states = status["budget"], status["states"]
        done = finished(status)
        parts = [f"{done}/{budget['trials']} trials"]
        if states.get("RUNNING"):
            parts.append(f"{states['RUNNING']} running")
        parts.append(f"{states.get('PRUNED', 0)} pruned")
        if states.get("FAIL"):
            parts.append(f"{states['FAIL']} failed")
        parts.append(f"{status['turned_away']} turned away")
        if status.get("pending"):
            parts.append(f"{status['pending']} wait for a verdict")
        parts.append(self._best())
        now_done = done - (self._done_before or 0)
        if now_done > 0 and done < budget["trials"]:
            left_s = elapsed_s / now_done * (budget["trials"] - done)
            parts.append(f"about {seconds(left_s)} left")
        return ", ".join(parts)

    def _best(self) -> str:
        objective = self._study.spec.objectives[0].metric
        try:
            trial = self._study.best()
        except NoFeasibleTrial:
            return "nothing feasible yet"
        except (DBAPIError, StorageError):  # the workers say what it is; the line comes again
            return "the database is away"
        return f"best {objective} {number(trial.metrics[objective])} (trial {trial.number})"


def finished(status: Mapping[str, Any]) -> int:
    """Trials that have ended."""
    return sum(status["states"].get(state, 0) for state in _FINISHED)
