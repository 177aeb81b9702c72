"""The launcher `local`, the default: runs workers as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from satisfice.launch.job import GRACE_S, Cause, Ended, Job, LogFile, classify
from satisfice.launch.resources import (
    accelerator_environment,
    out_of_memory_kills,
    shared_accelerators,
    threads_per_worker,
)
from satisfice.launch.supervise import Running, SeatedLauncher, Start
from satisfice.launch.worker_process import (
    STORAGE_VARIABLE,
    with_parent,
    worker_command,
    worker_environment,
)


class LocalProcess:
    """A process with its standard error in a file.

    Args:
        command: Argument list.
        environment: The complete environment.
        log: Where its output goes; appended to.
    """

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._kills_before = out_of_memory_kills()
        self._log = LogFile(path=log)
        with log.open("ab") as file:
            # In a session of its own, so that Ctrl-C in the terminal reaches only the launcher.
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def poll(self) -> Ended | None:
        """How it ended, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        cause = classify(code, out_of_memory=out_of_memory_kills() > self._kills_before)
        return Ended(code=code, cause=cause, words=self._log.last_words(), log=str(self._log.path))

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to the process and its children."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class LocalLauncher(SeatedLauncher):
    """Workers as processes of this machine.

    The workers share its cores and accelerators. They are restarted when they die, and end when this process
    ends for any reason. Their logs are kept in a temporary folder if one of them died or was killed.

    Args:
        logs: Folder for the logs of the workers, kept in any case.
        grace_s: Seconds between asking a worker to stop and killing it.
    """

    def __init__(self, *, logs: str | None = None, grace_s: float = GRACE_S) -> None:
        super().__init__(grace_s=grace_s)
        self._logs = logs

    @contextmanager
    def seats(self, job: Job) -> Iterator[Start]:
        """See `SeatedLauncher.seats`."""
        threads = job.threads or threads_per_worker(job.workers)
        devices = shared_accelerators()
        folder = log_folder(job.study, self._logs)
        started: list[LocalProcess] = []

        def start(seat: int, worker: str) -> Running:
            environment = {
                **worker_environment(job, worker, threads),
                **accelerator_environment(seat, devices),
                STORAGE_VARIABLE: job.storage,
            }
            log = folder / f"worker-{seat + 1}.log"
            started.append(LocalProcess(worker_command(job, threads), with_parent(environment), log))
            return started[-1]

        try:
            yield start
        finally:
            ends = [process.poll() for process in started]
            if self._logs is None and all(e and e.cause in (Cause.FINISHED, Cause.PREEMPTED) for e in ends):
                shutil.rmtree(folder, ignore_errors=True)


def log_folder(study: str, given: str | None) -> Path:
    """The folder given, made if missing, or a new temporary one that names the study."""
    if given is None:
        name = re.sub(r"[^A-Za-z0-9._-]", "-", study)[:60]
        return Path(tempfile.mkdtemp(prefix=f"satisfice-{name}-"))
    folder = Path(given).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
