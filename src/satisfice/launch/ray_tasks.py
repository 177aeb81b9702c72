"""Workers as Ray tasks: placed by their CPUs and (fractions of) GPUs, retried elsewhere when a node dies."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from satisfice.errors import InputError, MissingExtra
from satisfice.launch.job import GRACE_S, Cause, Ended, Job
from satisfice.launch.remote import run_to_end
from satisfice.launch.supervise import Running, SeatedLauncher, Start
from satisfice.launch.worker_process import STORAGE_VARIABLE, worker_command, worker_environment

_OBJECT_STORE_BYTES = 100 << 20  # workers pass nothing through it


class RayLauncher(SeatedLauncher):
    """Workers as Ray tasks.

    Each needs the package, the task's code and the database within reach of its node.

    Args:
        address: Of a running cluster, "auto" for the one on this machine; None: the one in ``RAY_ADDRESS``,
            else one started here for as long as it is needed.
        cpus: Of one worker; also its threads, rounded down.
        gpus: Of one worker; below 1 it may be a fraction.
        grace_s: Seconds between asking a worker to stop and killing it.

    Raises:
        MissingExtra: Ray is not installed.
        InputError: Ray gives nobody so many CPUs or GPUs.
    """

    def __init__(
        self, *, address: str | None = None, cpus: float = 1.0, gpus: float = 0.0, grace_s: float = GRACE_S
    ) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtra("ray", "ray") from None
        if not (0 < cpus < math.inf and 0 <= gpus < math.inf):
            raise InputError(
                f"Ray cannot give a worker {cpus:g} CPUs and {gpus:g} GPUs", hint="for instance --cpus 1"
            )
        if gpus > 1 and not float(gpus).is_integer():
            raise InputError(f"Ray cannot give a worker {gpus:g} GPUs", hint="above 1 they are whole")
        super().__init__(grace_s=grace_s + 2.0)  # the task around a worker waits for it
        self._ray: Any = ray
        self._address = address
        self._cpus = cpus
        self._gpus = gpus

    @contextmanager
    def seats(self, job: Job) -> Iterator[Start]:
        """See `SeatedLauncher.seats`."""
        ray = self._ray
        started_here = not ray.is_initialized()
        if started_here:
            self._connect(job)
        threads = job.threads or max(1, int(self._cpus))
        # A node that dies is no fault of the worker: Ray runs the task again elsewhere, as often as it takes.
        task = ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_retries=-1)(run_to_end)

        def start(_seat: int, worker: str) -> Running:
            environment = {**worker_environment(job, worker, threads), STORAGE_VARIABLE: job.storage}
            return _RayTask(ray, task.remote(worker_command(job, threads), environment))

        try:
            yield start
        finally:
            if started_here:
                ray.shutdown()

    def _connect(self, job: Job) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        address = self._address or os.environ.get("RAY_ADDRESS")
        if address is None:
            options.update(
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                num_cpus=math.ceil(job.workers * self._cpus),
            )
        try:
            self._ray.init(address=address, **options)
        except (ConnectionError, ValueError, TimeoutError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"cannot reach the Ray cluster {address or 'of this machine'}: {reason}",
                hint="give the address of its head node, for instance --address 10.0.0.5:6379",
            ) from None


class _RayTask:
    """One worker, inside a Ray task."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._ray = ray
        self._reference = reference

    def poll(self) -> Ended | None:
        ready, _ = self._ray.wait([self._reference], timeout=0)
        if not ready:
            return None
        try:
            ended: Ended = self._ray.get(self._reference)
        except self._ray.exceptions.TaskCancelledError:
            return Ended(code=143, cause=Cause.PREEMPTED, words="", log="of Ray")
        except self._ray.exceptions.RayError as error:
            words = str(error).strip().splitlines()[0]
            return Ended(code=70, cause=Cause.UNEXPECTED, words=words, log="of Ray")
        return ended

    def terminate(self) -> None:
        # Raises KeyboardInterrupt inside the task, which then asks its worker to leave and waits for it.
        self._cancel(force=False)

    def kill(self) -> None:
        self._cancel(force=True)  # the worker notices that its parent is gone
        time.sleep(0.5)

    def _cancel(self, *, force: bool) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.cancel(self._reference, force=force)
