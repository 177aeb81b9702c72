"""Timing calls: wall time, or processor time where other processes took the core away in the middle of a call."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

_wall = time.perf_counter_ns
_cpu = time.thread_time_ns


def timed(call: Callable[[], object], count: int, *, by_cpu: bool) -> npt.NDArray[np.float64]:
    """Seconds of each of ``count`` calls, shape ``(count,)``.

    Args:
        call: What is timed.
        count: How often.
        by_cpu: Take the thread's processor time where it is less than the wall time, that is where the thread was
            interrupted. Valid for a call that computes in the calling thread and waits for nothing (`computes_alone`).
    """
    out = np.empty(count)
    for i in range(count):
        c0 = _cpu()
        w0 = _wall()
        call()
        w1 = _wall()
        c1 = _cpu()
        # The processor time spans the wall clock's readings, so it is the larger of both unless interrupted.
        out[i] = min(w1 - w0, c1 - c0) if by_cpu else w1 - w0
    return out * 1e-9


def computes_alone(call: Callable[[], object], count: int = 5) -> bool:
    """Whether the call computes in the calling thread without ever waiting (for threads, devices, files)."""
    before = _voluntary_switches()
    for _ in range(count):
        call()
    return before is not None and (_voluntary_switches() or 0) - before < count / 2


def _voluntary_switches() -> int | None:
    """How often the calling thread gave up its core to wait, or None where the system does not count by thread."""
    if not hasattr(resource, "RUSAGE_THREAD"):
        return None
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
