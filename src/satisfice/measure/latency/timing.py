"""Timing calls: wall time, or processor time where another process took the core away meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from satisfice.measure.latency.estimate import Array

if sys.platform != "win32":
    import resource

_wall = time.perf_counter_ns
_cpu = time.thread_time_ns


class Timed(NamedTuple):
    """Timed calls."""

    seconds: Array  # of each, shape ``(count,)``
    interruptions: float  # how often another process took the core away, a call


def timed(call: Callable[[], object], count: int, *, by_cpu: bool) -> Timed:
    """Time ``count`` calls, one by one.

    Args:
        call: What is timed.
        count: How often.
        by_cpu: Take the thread's processor time where the thread was interrupted meanwhile. Valid for a call
            that computes in the calling thread and waits for nothing (`computes_alone`).
    """
    wall, cpu = np.empty(count), np.full(count, np.inf)
    before = _switches()[1]
    # Nothing but the clocks between the calls: asking for the switches there made short calls 3% slower.
    if by_cpu:
        for i in range(count):
            c0 = _cpu()
            w0 = _wall()
            call()
            w1 = _wall()
            cpu[i] = _cpu() - c0
            wall[i] = w1 - w0
    else:
        for i in range(count):
            w0 = _wall()
            call()
            wall[i] = _wall() - w0
    interruptions = _switches()[1] - before
    # The processor time spans the wall clock's readings, so it is the larger of both unless interrupted. It
    # is believed for nothing else: on a virtual machine it stands still while it makes up for stolen time.
    seconds = np.minimum(wall, cpu) if interruptions else wall
    return Timed(seconds * 1e-9, interruptions / count)


def computes_alone(call: Callable[[], object], count: int = 5) -> bool:
    """Whether the call computes in the calling thread without ever waiting (for threads, devices, files)."""
    if not _COUNTED:
        return False
    before = _switches()[0]
    for _ in range(count):
        call()
    return _switches()[0] - before < count / 2


_COUNTED = sys.platform != "win32" and hasattr(resource, "RUSAGE_THREAD")  # Linux counts by thread


def _switches() -> tuple[int, int]:
    """How often the calling thread gave its core up to wait, and how often it was taken away."""
    if not _COUNTED:
        return 0, 0
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return usage.ru_nvcsw, usage.ru_nivcsw
