"""Workers as SLURM jobs, by submitit. The folder of the jobs must be one that all nodes share."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from satisfice.errors import InputError, MissingExtra
from satisfice.launch.job import EXIT_UNEXPECTED, GRACE_S, Cause, Ended, Job
from satisfice.launch.local import log_folder
from satisfice.launch.remote import run_to_end, signals_as_flag
from satisfice.launch.supervise import Running, SeatedLauncher, Start
from satisfice.launch.worker_process import STORAGE_VARIABLE, worker_command, worker_environment

_STOP_FILE = "stop"


class SlurmLauncher(SeatedLauncher):
    """Workers as SLURM jobs.

    A job that is preempted or reaches its time limit gives its trial back and is submitted again.

    Args:
        logs: Folder for the jobs and their logs, on a file system that all nodes share; None:
            ``satisfice-slurm`` in the working directory.
        cluster: "slurm"; or "local", which runs the jobs as processes of this machine, to try things out.
        partition: Partition to submit to; None: the cluster's default.
        minutes: Time limit of one job.
        cpus: Of one worker; also its threads.
        gpus: Of one worker; whole.
        grace_s: Seconds between asking a worker to stop and cancelling its job.

    Raises:
        MissingExtra: submitit is not installed.
        InputError: SLURM gives nobody such CPUs or GPUs.
    """

    def __init__(
        self,
        *,
        logs: str | None = None,
        cluster: str = "slurm",
        partition: str | None = None,
        minutes: int = 24 * 60,
        cpus: int = 1,
        gpus: int = 0,
        grace_s: float = GRACE_S,
    ) -> None:
        try:
            import submitit
        except ImportError:
            raise MissingExtra("submitit", "slurm") from None
        if cluster not in ("slurm", "local"):
            raise InputError(f"unknown kind of cluster {cluster!r}", hint="use 'slurm' or 'local'")
        if not (float(cpus).is_integer() and float(gpus).is_integer() and cpus >= 1 and gpus >= 0):
            raise InputError(
                "SLURM gives a worker whole CPUs, at least one, and whole GPUs", hint="for instance --cpus 1"
            )
        super().__init__(grace_s=grace_s + 2.0)  # the job around a worker waits for it
        self._submitit: Any = submitit
        self._logs = logs
        self._cluster = cluster
        self._parameters: dict[str, Any] = {
            "timeout_min": minutes,
            "cpus_per_task": int(cpus),
            "gpus_per_node": int(gpus),
        }
        if partition is not None:
            self._parameters["slurm_partition"] = partition
        self._threads = int(cpus)

    @contextmanager
    def seats(self, job: Job) -> Iterator[Start]:
        """See `SeatedLauncher.seats`."""
        base = log_folder(job.study, self._logs or str(Path("satisfice-slurm") / job.study))
        threads = job.threads or self._threads
        executor = self._executor(base, job)

        def start(_seat: int, worker: str) -> Running:
            work = _Work(
                command=worker_command(job, threads),
                environment=worker_environment(job, worker, threads),
                log=str(base / f"worker-{worker[:8]}.log"),
                stop_file=str(base / f"{_STOP_FILE}-{worker}"),
            )
            # In our environment, which the scheduler hands on: what submitit pickles lies on a disk.
            with _environment({STORAGE_VARIABLE: job.storage}):
                return _SlurmJob(executor.submit(work), Path(work.stop_file), work.log)

        yield start

    def _executor(self, folder: Path, job: Job) -> Any:
        try:
            executor = self._submitit.AutoExecutor(folder=folder, cluster=self._cluster)
        except RuntimeError as error:
            raise InputError(
                f"SLURM is not here: {error}", hint="run it on a login node, where sbatch is found"
            ) from None
        executor.update_parameters(name=f"satisfice-{job.study}"[:60], **self._parameters)
        return executor


class _Work:
    """What a job does; pickled by submitit, so it holds no storage URL."""

    def __init__(
        self, *, command: list[str], environment: Mapping[str, str], log: str, stop_file: str
    ) -> None:
        self.command = command
        self.environment = dict(environment)
        self.log = log
        self.stop_file = stop_file

    def __call__(self) -> Ended:
        """Run the worker; SLURM's signals (preemption, time limit, scancel) ask it to leave."""
        stop = Path(self.stop_file)
        with signals_as_flag((signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)) as signalled:
            ended = run_to_end(
                self.command, self.environment, should_stop=lambda: signalled() or stop.exists(), log=self.log
            )
        stop.unlink(missing_ok=True)
        return ended


class _SlurmJob:
    """One worker, inside a SLURM job."""

    def __init__(self, job: Any, stop_file: Path, log: str) -> None:
        self._job = job
        self._stop_file = stop_file
        self._log = log

    def poll(self) -> Ended | None:
        if not self._job.done():
            return None
        try:
            ended: Ended = self._job.result()
        except Exception as error:  # noqa: BLE001  # submitit raises what the scheduler says, of many types
            lines = str(error).strip().splitlines()
            words = f"job {self._job.job_id}: {lines[0] if lines else type(error).__name__}"
            cause = _cause_of(str(self._job.state))
            return Ended(code=EXIT_UNEXPECTED, cause=cause, words=words, log=self._log)
        return ended

    def terminate(self) -> None:
        # A file, since scancel kills the job's processes too soon for a checkpoint on some clusters.
        self._stop_file.touch()

    def kill(self) -> None:
        self._job.cancel()
        deadline = time.monotonic() + 2.0
        while not self._job.done() and time.monotonic() < deadline:
            time.sleep(0.1)
        with contextlib.suppress(OSError):
            self._stop_file.unlink(missing_ok=True)


def _cause_of(state: str) -> Cause:
    """The cause behind a job state of SLURM's accounting."""
    state = state.split()[0] if state.strip() else ""
    if state in ("PREEMPTED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "REQUEUED", "INTERRUPTED"):
        return Cause.KILLED
    if state == "OUT_OF_MEMORY":
        return Cause.OUT_OF_MEMORY
    if state.startswith("CANCELLED"):
        return Cause.PREEMPTED
    return Cause.UNEXPECTED


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """This process's environment with some variables, for a moment."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
