"""Timing calls: wall time, or processor time where another process took the core away meanwhile."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from satisfice.measure.estimate import Array

_wall = time.perf_counter_ns
_cpu = time.thread_time_ns


class Timed(NamedTuple):
    """Timed calls; both arrays have shape ``(count,)``."""

    seconds: Array
    interruptions: Array  # how often another process took the core away during the call


def timed(call: Callable[[], object], count: int, *, by_cpu: bool) -> Timed:
    """Time ``count`` calls, one by one.

    Args:
        call: What is timed.
        count: How often.
        by_cpu: Take the thread's processor time where it is less than the wall time, that is where the thread
            was interrupted. Valid for a call that computes in the calling thread and waits for nothing
            (`computes_alone`).
    """
    seconds, interruptions = np.empty(count), np.zeros(count)
    for i in range(count):
        k0 = _switches()[1]
        c0 = _cpu()
        w0 = _wall()
        call()
        w1 = _wall()
        c1 = _cpu()
        # The processor time spans the wall clock's readings, so it is the larger of both unless interrupted.
        seconds[i] = min(w1 - w0, c1 - c0) if by_cpu else w1 - w0
        interruptions[i] = _switches()[1] - k0
    return Timed(seconds * 1e-9, interruptions)


def computes_alone(call: Callable[[], object], count: int = 5) -> bool:
    """Whether the call computes in the calling thread without ever waiting (for threads, devices, files)."""
    if not _COUNTED:
        return False
    before = _switches()[0]
    for _ in range(count):
        call()
    return _switches()[0] - before < count / 2


_COUNTED = hasattr(resource, "RUSAGE_THREAD")  # Linux counts by thread


def _switches() -> tuple[int, int]:
    """How often the calling thread gave its core up to wait, and how often it was taken away."""
    if not _COUNTED:
        return 0, 0
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_nvcsw, usage.ru_nivcsw
