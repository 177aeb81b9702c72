"""Cores and accelerators of this machine, and their division among workers."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# Every numeric library reads one of these when it is loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def cores() -> int:
    """Whole cores this process may use: its affinity, cut down by the control group's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):  # "max" is no number: no quota
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        allowed = min(allowed, int(limit) // int(period))
    return max(1, allowed)


def threads_per_worker(workers: int, available: int | None = None) -> int:
    """Threads for each of ``workers``, so that together they do not ask for more cores than there are."""
    return max(1, (available or cores()) // workers)


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that hold numeric libraries to so many threads."""
    return dict.fromkeys(THREAD_VARIABLES, str(threads))


def accelerators() -> list[str]:
    """CUDA devices this process may use, named as in ``CUDA_VISIBLE_DEVICES``. Imports no torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    with contextlib.suppress(OSError):
        return [str(i) for i, _ in enumerate(Path("/proc/driver/nvidia/gpus").iterdir())]
    return []


def shared_accelerators() -> list[str]:
    """CUDA devices to deal out to workers: none where ``SATISFICE_DEVICE`` names one by its number.

    ``cuda:1`` counts the devices that a process sees: a worker that saw one alone would not find it.
    """
    return [] if ":" in os.environ.get("SATISFICE_DEVICE", "") else accelerators()


def accelerator_environment(seat: int, devices: list[str]) -> dict[str, str]:
    """The device of one seat, dealt out in turn; empty where there is none."""
    return {"CUDA_VISIBLE_DEVICES": devices[seat % len(devices)]} if devices else {}


def out_of_memory_kills() -> int:
    """How often the system killed a process of this control group for want of memory; 0 if not told."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        group = next(
            line.split("::", 1)[1].strip()
            for line in Path("/proc/self/cgroup").read_text().splitlines()
            if line.startswith("0::")
        )
        for folder in (Path("/sys/fs/cgroup") / group.lstrip("/"), Path("/sys/fs/cgroup")):
            events = folder / "memory.events"
            if events.exists():
                counts = dict(line.split() for line in events.read_text().splitlines())
                return int(counts.get("oom_kill", 0))
    return 0
