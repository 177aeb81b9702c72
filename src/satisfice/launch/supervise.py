"""Supervision of workers: the loop that all launchers share, and the base class around it."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from satisfice.errors import InputError, WorkersFailed
from satisfice.launch.job import GRACE_S, Cause, Death, Ended, Job

TICK_S = 0.2
_QUICK_S = 30.0  # a worker that ends sooner made no progress
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# Quick deaths in a row after which a seat is given up. The limit is higher for kills from outside.
_PATIENCE = {
    Cause.UNEXPECTED: 3,
    Cause.CRASHED: 6,
    Cause.OUT_OF_MEMORY: 6,
    Cause.KILLED: 40,
    Cause.PREEMPTED: 40,
    Cause.WRONG_INPUT: 40,
}


class Running(Protocol):
    """One started worker, wherever it runs."""

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs."""

    def terminate(self) -> None:
        """Ask it to give its trial back and leave."""

    def kill(self) -> None:
        """End it at once."""


Start = Callable[[int, str], Running]  # seat, identity of the worker


class SeatedLauncher(ABC):
    """Base class of launchers. A subclass implements only how the worker of a seat is started.

    Args:
        grace_s: Seconds between asking a worker to stop and killing it.
    """

    def __init__(self, *, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s

    @abstractmethod
    def seats(self, job: Job) -> AbstractContextManager[Start]:
        """A context manager that opens the engine and yields a function to start workers.

        It is closed when all workers have ended.
        """

    def run(
        self,
        job: Job,
        *,
        stop: threading.Event | None = None,
        on_tick: Callable[[], None] | None = None,
        on_death: Callable[[Death], None] | None = None,
    ) -> None:
        """See `Launcher.run`."""
        with self.seats(job) as start:
            supervise(start, job, stop=stop, on_tick=on_tick, on_death=on_death, grace_s=self._grace_s)


@dataclass
class _Seat:
    """A place for one worker at a time."""

    number: int
    running: Running | None = None
    worker: str = ""
    started: float = 0.0
    lives: int = 0  # workers started
    due: float | None = 0.0  # when to start the next worker; None: never again
    quick_deaths: int = 0
    last: Ended | None = None

    @property
    def is_over(self) -> bool:
        return self.running is None and self.due is None


def supervise(
    start: Start,
    job: Job,
    *,
    stop: threading.Event | None = None,
    on_tick: Callable[[], None] | None = None,
    on_death: Callable[[Death], None] | None = None,
    grace_s: float = GRACE_S,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Fill the seats of a job, and refill them until every worker has ended for good.

    Args:
        start: Starts the worker of a seat.
        job: The number of workers and the time limit.
        stop: See `Launcher.run`.
        on_tick: See `Launcher.run`.
        on_death: See `Launcher.run`.
        grace_s: Seconds between asking a worker to stop and killing it.
        clock: Returns monotonic seconds.

    Raises:
        InputError: A worker rejected its input. The others are stopped, since they would reject it too.
        WorkersFailed: All seats are empty and no worker finished.
    """
    seats = [_Seat(number=i) for i in range(job.workers)]
    stop = stop or threading.Event()
    ends = clock() + job.timeout_s if job.timeout_s is not None else None
    try:
        while not all(seat.is_over for seat in seats):
            if stop.is_set() or (ends is not None and clock() >= ends):
                return
            for seat in seats:
                _look_after(seat, start, clock, on_death)
            if on_tick is not None:
                on_tick()
            stop.wait(TICK_S)
    finally:
        _wind_down([s.running for s in seats if s.running is not None], grace_s)
    _raise_failure([seat.last for seat in seats if seat.last is not None])


def _look_after(
    seat: _Seat, start: Start, clock: Callable[[], float], on_death: Callable[[Death], None] | None
) -> None:
    """Start the worker of a seat when it is due, or note how it ended."""
    if seat.running is None:
        if seat.due is not None and clock() >= seat.due:
            seat.worker = uuid4().hex
            seat.lives += 1
            seat.running, seat.started, seat.due = start(seat.number, seat.worker), clock(), None
        return
    ended = seat.running.poll()
    if ended is None:
        return
    seat.running, seat.last = None, ended
    pause = _pause(seat, ended, clock() - seat.started)
    seat.due = None if pause is None else clock() + pause
    if on_death is not None and ended.cause is not Cause.FINISHED:
        on_death(Death(seat=seat.number, worker=seat.worker, ended=ended, restarts_in_s=pause))
    if ended.cause is Cause.WRONG_INPUT and pause is None:
        raise InputError(ended.words or "a worker refused its input", hint=f"its log: {ended.log}")


def _pause(seat: _Seat, ended: Ended, lived_s: float) -> float | None:
    """Seconds until the seat is filled again, or None if it stays empty."""
    # An earlier worker accepted this input, so a database or a shared folder is temporarily unreachable.
    passes = ended.cause is Cause.WRONG_INPUT and seat.lives > 1
    if ended.cause.is_final and not passes:
        return None
    seat.quick_deaths = seat.quick_deaths + 1 if lived_s < _QUICK_S else 0
    if seat.quick_deaths >= _PATIENCE[ended.cause]:
        return None
    if ended.cause in (Cause.KILLED, Cause.PREEMPTED):
        return _FIRST_PAUSE_S
    return float(min(_FIRST_PAUSE_S * 2**seat.quick_deaths, _LONGEST_PAUSE_S))


def _wind_down(running: Sequence[Running], grace_s: float) -> None:
    """Ask all to stop, wait, and kill those that stay. A second interrupt kills at once."""
    left = list(running)
    try:
        for worker in left:
            worker.terminate()
        deadline = time.monotonic() + grace_s
        while left and time.monotonic() < deadline:
            left = [worker for worker in left if worker.poll() is None]
            time.sleep(0.05 if left else 0.0)
    finally:
        for worker in left:
            worker.kill()


def _raise_failure(ends: Sequence[Ended]) -> None:
    if not ends or any(ended.cause is Cause.FINISHED for ended in ends):
        return
    last = ends[-1]
    words = last.words or last.cause.value
    raise WorkersFailed(f"no worker is left: {words}", hint=f"exit code {last.code}; its log: {last.log}")
