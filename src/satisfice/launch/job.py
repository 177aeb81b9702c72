"""The `Launcher` protocol, the job that a launcher runs, and the ways a worker can end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

GRACE_S = 10.0  # between asking a worker to stop and killing it

# Exit codes of a worker, beside 0 (the budget is spent), 1 (it failed) and 2 (its input is wrong).
EXIT_UNEXPECTED = 70  # an unexpected error; EX_SOFTWARE of sysexits.h
EXIT_PREEMPTED = 128 + signal.SIGTERM  # it gave its trial back and left

_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}


class Cause(Enum):
    """Why a worker ended. The value is the text shown in messages.

    A worker that ended by FINISHED, FAILED or WRONG_INPUT is not restarted, since the next one would end the
    same way. All others are restarted. WRONG_INPUT is final only for the first worker of a seat: a later one
    may have failed because the database was unreachable.
    """

    FINISHED = "the budget is spent"
    FAILED = "it failed"
    WRONG_INPUT = "its input is wrong"
    UNEXPECTED = "an unexpected error"
    PREEMPTED = "it was asked to stop"
    KILLED = "it was killed"
    CRASHED = "its process crashed"
    OUT_OF_MEMORY = "it ran out of memory"

    @property
    def blames_trial(self) -> bool:
        """Whether the trial that the worker held may be the cause."""
        return self in (Cause.CRASHED, Cause.OUT_OF_MEMORY)

    @property
    def is_final(self) -> bool:
        """Whether another start would end the same way."""
        return self in (Cause.FINISHED, Cause.FAILED, Cause.WRONG_INPUT)


def classify(code: int, *, out_of_memory: bool = False) -> Cause:
    """The cause behind an exit code.

    Args:
        code: As `subprocess` gives it: negative for a signal. 128 + signal, as shells and clusters give it,
            counts as the signal.
        out_of_memory: Whether the system killed a process of this control group for its memory meanwhile.
    """
    plain = {0: Cause.FINISHED, 1: Cause.FAILED, 2: Cause.WRONG_INPUT}
    if code in plain:
        return plain[code]
    number = -code if code < 0 else code - 128
    if number in _CRASHES:
        return Cause.CRASHED
    if number == signal.SIGKILL:
        return Cause.OUT_OF_MEMORY if out_of_memory else Cause.KILLED
    if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        return Cause.PREEMPTED
    return Cause.UNEXPECTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """N workers on one study."""

    study: str  # its name
    storage: str = field(repr=False)  # URL; may hold a password, so it travels in the environment only
    workers: int
    label: str | None = None  # of every worker, for `[measure] on`
    threads: int | None = None  # of one worker; None: the cores divided by the workers
    timeout_s: float | None = None  # then all are stopped


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a worker ended."""

    code: int  # exit code, negative for a signal
    cause: Cause
    words: str  # the last line of its standard error; empty if there is none
    log: str  # where its standard error is kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """A worker that ended other than by finishing."""

    seat: int  # 0 ... workers - 1
    worker: str  # identity of that worker, as it knows itself: the environment variable SATISFICE_WORKER_ID
    ended: Ended
    restarts_in_s: float | None  # None: its seat stays empty

    def __str__(self) -> str:
        """One sentence."""
        then = "not started again" if self.restarts_in_s is None else "started again"
        detail = f" ({self.ended.words})" if self.ended.words else ""
        return (
            f"worker {self.seat + 1} ended: {self.ended.cause.value}{detail}; {then}; log: {self.ended.log}"
        )


class Launcher(Protocol):
    """Runs the workers of a job, for example as local processes or on a cluster."""

    def run(
        self,
        job: Job,
        *,
        stop: threading.Event | None = None,
        on_tick: Callable[[], None] | None = None,
        on_death: Callable[[Death], None] | None = None,
    ) -> None:
        """Start the workers, restart those that die, and return when all have ended.

        No worker is left running, even if an exception is raised.

        Args:
            job: The study, and how many workers to run on it.
            stop: Set it to stop: every worker is asked, and killed after ten seconds.
            on_tick: Called a few times a second, in this thread. What it raises stops the workers.
            on_death: Called with each worker that ended other than by finishing.

        Raises:
            InputError: The workers reject their input, or the engine is not installed.
            WorkersFailed: All seats are empty and no worker finished.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFile:
    """A worker's standard error, kept in a file."""

    path: Path

    def last_words(self) -> str:
        """The last line that is not empty."""
        try:
            with self.path.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 8192))
                lines = file.read().decode("utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return last_line(lines)


def last_line(lines: list[str]) -> str:
    """The last line that is not empty, without the program's name before it."""
    words = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return words.removeprefix("satisfice: ")
