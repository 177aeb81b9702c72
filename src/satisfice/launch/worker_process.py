"""One worker as a process: how it is started, and how it minds its parent and its signals.

The first half runs where workers are started, the second inside the worker.
"""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from satisfice.launch.job import EXIT_PREEMPTED, GRACE_S, Job
from satisfice.launch.resources import thread_environment

STORAGE_VARIABLE = "SATISFICE_STORAGE"
WORKER_VARIABLE = "SATISFICE_WORKER_ID"  # so that a launcher can free the leases of a dead worker
PARENT_VARIABLE = "SATISFICE_PARENT_PID"

_PARENT_POLL_S = 0.5


def worker_command(job: Job, threads: int) -> list[str]:
    """The command line of a worker. It never holds the storage URL, which may contain a password."""
    # -P: a file random.py in the working directory must not hide the library's.
    command = [sys.executable, "-P", "-m", "satisfice.cli.main", "worker", "--threads", str(threads)]
    if job.label is not None:
        command += ["--label", job.label]
    return [*command, "--", job.study]


def worker_environment(job: Job, worker: str, threads: int) -> dict[str, str]:
    """What a worker needs in its environment beside what this process has; without the storage URL."""
    return {
        WORKER_VARIABLE: worker,
        "PYTHONPATH": os.pathsep.join(_import_folders()),
        "PYTHONUNBUFFERED": "1",
        **thread_environment(threads),
    }


def _import_folders() -> list[str]:
    """Folders that this process imports from beside its installation: what it can import, its workers can."""
    installed = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    folders = dict.fromkeys(str(Path(entry).absolute()) for entry in sys.path)
    return [folder for folder in folders if Path(folder).is_dir() and not folder.startswith(installed)]


def with_parent(environment: dict[str, str]) -> dict[str, str]:
    """The environment for a child of this very process, which must not outlive it."""
    return {**os.environ, **environment, PARENT_VARIABLE: str(os.getpid())}


class StopSignals:
    """Inside a worker: SIGTERM, SIGINT or its parent's death set ``stop``; soon after, the process ends.

    The worker is expected to see ``stop``, save its checkpoint, give its trial back and return before. If it
    does not, its process ends all the same, and its lease runs out by itself.

    Args:
        stop: Set on the first signal.
        grace_s: Until the process ends by force.
        on_deadline: Called just before that.
    """

    def __init__(
        self,
        stop: threading.Event,
        *,
        grace_s: float = GRACE_S - 1.0,
        on_deadline: Callable[[], None] | None = None,
    ) -> None:
        self.stop = stop
        self.received: str | None = None  # what asked it to stop, for people
        self._grace_s = grace_s
        self._on_deadline = on_deadline

    def install(self) -> None:
        """Handle the signals of this process and watch its parent. Call from the main thread."""
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)
        # Taken out of the environment: it is about this process, not about those that a task may start.
        parent = os.environ.pop(PARENT_VARIABLE, None)
        if parent is not None:
            threading.Thread(
                target=self._watch, args=(int(parent),), daemon=True, name="parent-watch"
            ).start()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.ask(signal.Signals(number).name)

    def ask(self, reason: str) -> None:
        """Ask the worker to stop."""
        if self.received is not None:
            return
        self.received = reason
        self.stop.set()
        deadline = threading.Timer(self._grace_s, self._end)
        deadline.daemon = True
        deadline.start()

    def _end(self) -> None:
        if self._on_deadline is not None:
            self._on_deadline()
        os._exit(EXIT_PREEMPTED)

    def _watch(self, parent: int) -> None:
        while os.getppid() == parent:
            threading.Event().wait(_PARENT_POLL_S)
        self.ask("the end of its parent process")
