"""A study whose first trials all fail in the same way stops itself: its code is broken."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from optuna.trial import TrialState

from satisfice.errors import TrialsFailAlike
from satisfice.spec.trial import TrialRecord
from satisfice.store.database.engine import Database
from satisfice.store.ledger import stops
from satisfice.store.reader import Reader
from satisfice.study.lifecycle.judge import GAVE_NO

logger = logging.getLogger(__name__)

ALIKE = 3  # trials in a row
_POLL_S = (0.1, 3.0)  # between looks at trials that others hold
_ALONE_S = 5.0  # that another worker has to begin the trial that decides

_FRAME = re.compile(r'File "(?P<file>[^"]*)", line (?P<line>\d+), in (?P<function>.*)')
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.+-]+){2,}")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
# What hardware and its load decide: the next configuration may pass.
_OF_THE_MACHINE = re.compile(
    r"out of memory|cuda|cudnn|cublas|nccl|\bhip\b|accelerator|killed by signal|bus error", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Alike:
    """Trials that failed alike."""

    trials: Sequence[int]  # numbers
    reason: str  # of the first
    traceback: str  # of the first; empty where nothing was raised


class SameFailure:
    """Looks whether a study's trials all fail alike.

    Three trials in a row stop the study when each failed with the same type of error, at the same place and
    with the same message but for numbers and values of parameters, while no trial of the study has ever
    finished and none has got further than they did. Failures of memory and of a GPU do not count.

    Args:
        db: The database.
        reader: Reads the study.
    """

    def __init__(self, db: Database, reader: Reader) -> None:
        self._db = db
        self._reader = reader

    def begin(self, stop: threading.Event | None = None, *, anew: bool) -> None:
        """Whoever starts to work calls this.

        Args:
            stop: Ends the waiting for trials that decide whether the code is broken.
            anew: A person started it, so that a stopped study goes on. A launcher's worker lifts no stop.

        Raises:
            TrialsFailAlike: The study is stopped.
        """
        row = self._row()
        if anew:
            stops.lift(self._db, row)
        else:
            self.check()
            self._wait(None, stop or threading.Event())

    def check(self) -> None:
        """See that the study has not stopped itself.

        Raises:
            TrialsFailAlike: It has.
        """
        row = self._row()
        why = stopped(row, self._reader.states()[0])
        if why is not None:
            numbers = stops.trials(row)
            raise _error(numbers, why, self._tracebacks(numbers).get(numbers[0]) or "")

    def look(self, number: int, stop: threading.Event) -> None:
        """After a trial of this worker failed: stop the study, wait for the others' trials, or go on.

        With two alike, the third decides: who holds none of the trials that may still be begun waits, so that
        many workers spend no more than one. No trial is waited for once its lease has run out.

        Args:
            number: The trial's.
            stop: Ends the waiting.

        Raises:
            TrialsFailAlike: Three trials failed alike, and some of the budget is left.
        """
        self._wait(number, stop)

    def _wait(self, number: int | None, stop: threading.Event) -> None:
        """See `look`; a worker that has just begun has no number, and leaves the others the turn."""
        pause, alone_until = _POLL_S[0], time.monotonic() + _ALONE_S
        while not stop.is_set():
            found = self.found()
            row = self._row()
            if found is None or row["slots"] >= row["trials_budget"]:
                return
            if number is not None and number not in found.trials:  # it failed otherwise
                return
            if len(found.trials) >= ALIKE:
                stops.stop(self._db, row, found.trials, found.reason)  # now
                raise _error(found.trials, found.reason, found.traceback)
            held = stops.held(self._db, self._reader.uuid)
            may_begin = ALIKE - len(found.trials) - held
            if may_begin > 0 and number in found.trials[-may_begin:]:
                return
            if held:
                alone_until = time.monotonic() + _ALONE_S
            elif time.monotonic() > alone_until:  # whose turn it was has gone
                return
            stop.wait(pause)
            pause = min(1.5 * pause, _POLL_S[1])

    def warn(self) -> None:
        """Say it to who asks and tells, and decides alone when to end."""
        found = self.found()
        if found is not None and len(found.trials) >= ALIKE:
            logger.warning("%s; last: %s", _sentence(found.trials), found.reason)

    def found(self) -> Alike | None:
        """The last trials that failed, as far as alike, at most three; None: the code may be right."""
        if self._reader.states()[0].get("COMPLETE"):
            return None
        since = stops.first_that_counts(self._row())
        records = self._reader.records()
        failed = [r for r in records if r.state is TrialState.FAIL and r.number >= since][-ALIKE:]
        texts = self._tracebacks([r.number for r in failed])
        signs = {r.number: _signature(r, texts.get(r.number) or "") for r in failed}
        last = signs[failed[-1].number] if failed else None
        alike = list(takewhile(lambda r: signs[r.number] == last, reversed(failed)))[::-1]
        if last is None or _got_past(records, max(r.steps for r in alike)):
            return None
        first = alike[0]
        return Alike(
            trials=[r.number for r in alike],
            reason=first.reason or "",
            traceback=texts.get(first.number) or "",
        )

    def _row(self) -> Mapping[str, Any]:
        return self._reader.study_row()

    def _tracebacks(self, numbers: Sequence[int]) -> dict[int, str | None]:
        return stops.tracebacks(self._db, self._reader.uuid, numbers)


def stopped(row: Mapping[str, Any], states: Mapping[str, int]) -> str | None:
    """Why a study has stopped itself, or None: another worker's trial may have finished all the same."""
    return None if states.get("COMPLETE") else stops.reason(row)


def _got_past(records: Sequence[TrialRecord], step: int) -> bool:
    """Whether a trial got further than those that failed at this step; of one pruned at once nobody knows."""
    return any(
        r.state is not TrialState.FAIL
        and (r.steps > step or (r.state is TrialState.PRUNED and r.steps == step == 0))
        for r in records
    )


def _signature(record: TrialRecord, traceback: str) -> tuple[str, ...] | None:
    """Equal for failures of one cause, whatever the parameters; None where that cannot be told."""
    reason = record.reason or ""
    if _OF_THE_MACHINE.search(reason) or not (traceback or reason.startswith(GAVE_NO)):
        return None
    places = [_place(frame) for frame in _FRAME.finditer(traceback)]
    for name, value in record.params.items():
        if isinstance(value, str) and len(value) > 1:
            reason = reason.replace(value, f"<{name}>")
    message = _NUMBER.sub("#", _PATH.sub("PATH", reason))
    return (message, *dict.fromkeys(places))


def _place(frame: re.Match[str]) -> str:
    """A line of code, wherever the project lies on the machine that ran it."""
    file = frame["file"].replace("\\", "/").rpartition("/")[2]
    return f"{file}:{frame['line']} {frame['function']}"


def _error(numbers: Sequence[int], why: str, traceback: str) -> TrialsFailAlike:
    return TrialsFailAlike(
        f"{_sentence(numbers)}, and none has finished, so that the study stopped: {why}",
        trials=numbers,
        traceback=traceback,
        hint="mend the code and run it again: the rest of the budget is left",
    )


def _sentence(numbers: Sequence[int]) -> str:
    return f"trials {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} failed alike"
