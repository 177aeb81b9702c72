"""The queue before the one process that trains, and that process's life."""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from satisfice.errors import InputError, SatisficeError
from satisfice.lab.jobs import LabJob
from satisfice.lab.settings import LabRequest

MOST_WAITING = 50  # jobs in the queue
_MOST_KEPT = 200  # jobs whose events can still be read
_ALONE_S = 10.0  # a job that nobody listens to for so long is cancelled
_STOPS_S = 15.0  # a cancelled training that goes on for longer is ended with its process
_SILENT_S = 180.0  # a training that tells nothing for so long is ended with its process
_STARTS_S = 300.0  # until the process is ready, on a busy machine


class QueueFull(SatisficeError):
    """Too many trainings wait already."""


class Bench:
    """Trains what visitors ask for, one job after the other, in one process that is kept warm.

    A new request of a visitor takes the place of the one before. Used as a context: inside it the process
    runs.

    Args:
        study: A study file, whose data and family are trained; None for the Titanic.
    """

    def __init__(self, study: Path | None = None) -> None:
        self._command = [sys.executable, "-m", "satisfice.lab.child"]
        self._command += [] if study is None else [str(study)]
        self._jobs: OrderedDict[str, LabJob] = OrderedDict()
        self._waiting: deque[LabJob] = deque()
        self._running: LabJob | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        self._told: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        """Start the process, and wait until it is warm.

        Raises:
            InputError: It did not start.
        """
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, and tell who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._end()
        self._thread.join(timeout=10)
        for job in self._jobs.values():
            job.tell({"event": "cancelled"})

    @property
    def processes(self) -> list[int]:
        """Ids of the training processes that run: one, or none while it is started again."""
        process = self._process
        return [process.pid] if process is not None and process.poll() is None else []

    def submit(self, request: LabRequest) -> LabJob:
        """Queue what is asked for, and cancel what the same visitor asked for before.

        Raises:
            QueueFull: Too many wait.
        """
        with self._changed:
            for old in [*self._waiting, *([self._running] if self._running else [])]:
                if old.request.visitor == request.visitor:
                    self._cancel(old)
            if len(self._waiting) >= MOST_WAITING:
                raise QueueFull(f"{MOST_WAITING} trainings wait already", hint="try again in a minute")
            job = LabJob(secrets.token_urlsafe(12), request)
            self._jobs[job.number] = job
            while len(self._jobs) > _MOST_KEPT:
                self._jobs.popitem(last=False)
            self._waiting.append(job)
            job.tell({"event": "queued", "before": len(self._waiting) - 1 + (self._running is not None)})
            self._changed.notify_all()
            return job

    def job(self, number: str) -> LabJob | None:
        """The job of that name, if it is still known."""
        return self._jobs.get(number)

    def cancel(self, job: LabJob) -> None:
        """Stop it, or take it out of the queue."""
        with self._changed:
            self._cancel(job)

    def _cancel(self, job: LabJob) -> None:
        if job.cancelled or job.ended:
            return
        job.cancelled = True
        if job in self._waiting:
            self._waiting.remove(job)
        elif job is self._running:
            self._send({"cancel": job.number})
        job.tell({"event": "cancelled"})

    # -- the thread that hands out jobs ---------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._running = self._waiting.popleft()
            try:
                self._train(job)
            except SatisficeError as error:  # the process does not start
                job.tell({"event": "failed", "why": str(error)})
            finally:
                with self._changed:
                    self._running = None

    def _train(self, job: LabJob) -> None:
        """Follow one job to its end in the process."""
        if not self.processes:
            self._end()  # closes what belonged to the one that died
            self._start()
        trainings = [each.as_dict() for each in job.request.trainings]
        self._send({"job": job.number, "trainings": trainings})
        if job.cancelled:  # before it was sent
            self._send({"cancel": job.number})
        stops_at: float | None = None
        told_at = time.monotonic()
        while not self._closed:
            event = self._next(1.0)
            if event is None and not self.processes:
                job.tell({"event": "failed", "why": "the training's process ended; the next one is new"})
                return
            if event is not None and event.get("job") == job.number:
                told_at = time.monotonic()
                job.tell({key: value for key, value in event.items() if key != "job"})
                if event["event"] in ("done", "failed", "cancelled"):
                    return
            if time.monotonic() - told_at > _SILENT_S:
                job.tell({"event": "failed", "why": f"the training told nothing for {_SILENT_S:g} seconds"})
                self._end()
                return
            if job.alone_s > _ALONE_S:
                self.cancel(job)
            if job.cancelled:
                stops_at = stops_at or time.monotonic() + _STOPS_S
                if time.monotonic() > stops_at:
                    self._end()
                    return

    # -- the process ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._told = queue.SimpleQueue()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        threading.Thread(target=_read, args=(self._process, self._told), daemon=True).start()
        ends_at = time.monotonic() + _STARTS_S
        while time.monotonic() < ends_at and not self._closed:
            event = self._next(1.0)
            if event is not None and event["event"] == "ready":
                return
            if event is None and self._process.poll() is not None:
                break
        self._end()
        raise InputError("the lab's training process did not start", hint="its last lines say why")

    def _next(self, timeout_s: float) -> Mapping[str, Any] | None:
        try:
            return self._told.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _send(self, message: Mapping[str, Any]) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError):  # it ended: whoever follows it sees that
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        with contextlib.suppress(OSError, ValueError):
            if process.stdin is not None:
                process.stdin.close()


def _read(process: subprocess.Popen[str], told: queue.SimpleQueue[Mapping[str, Any] | None]) -> None:
    """Hand on what the process tells, until it ends."""
    assert process.stdout is not None
    with process.stdout as lines, contextlib.suppress(ValueError):
        for line in lines:
            told.put(json.loads(line))
    told.put(None)
