"""What runs on the other side of a cluster engine: one worker as a child process, minded to its end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from satisfice.launch.job import GRACE_S, Cause, Ended
from satisfice.launch.local import LocalProcess
from satisfice.launch.worker_process import with_parent

POLL_S = 0.2


def run_to_end(
    command: list[str],
    environment: dict[str, str],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    log: str | None = None,
) -> Ended:
    """Run one worker here, until it ends.

    When this function is interrupted (an exception, or ``should_stop``), the worker is asked to give its
    trial back, and killed after ten seconds. When this process is killed, the worker notices by itself.

    Args:
        command: Argument list of the worker.
        environment: What it needs beside what this process has.
        should_stop: Asked a few times a second.
        log: Where its standard error is kept; None: a temporary file of this machine.

    Returns:
        How it ended; ``log`` names this machine too.
    """
    path = Path(log) if log is not None else _temporary_log()
    # The interpreter of this machine: the one that asks may have its own elsewhere.
    process = LocalProcess([sys.executable, *command[1:]], with_parent(environment), path)
    asked: float | None = None
    try:
        while (ended := process.poll()) is None:
            if asked is None and should_stop():
                process.terminate()
                asked = time.monotonic()
            if asked is not None and time.monotonic() - asked > GRACE_S:
                process.kill()
            time.sleep(POLL_S)
    except BaseException:
        _end(process)
        raise
    if log is None and ended.cause is Cause.FINISHED:
        path.unlink(missing_ok=True)
    return Ended(
        code=ended.code, cause=ended.cause, words=ended.words, log=f"{ended.log} on {socket.gethostname()}"
    )


def _end(process: LocalProcess) -> None:
    process.terminate()
    deadline = time.monotonic() + GRACE_S
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    process.kill()


def _temporary_log() -> Path:
    handle, name = tempfile.mkstemp(prefix="satisfice-worker-", suffix=".log")
    os.close(handle)
    return Path(name)


@contextmanager
def signals_as_flag(numbers: tuple[signal.Signals, ...]) -> Iterator[Callable[[], bool]]:
    """While it is open, the signals only set a flag, which the yielded function reads. Main thread only."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
