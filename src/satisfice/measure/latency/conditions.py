"""The conditions under which a call is timed: threads, garbage collection, gradients, core, precedence.

All of them are put back.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from collections.abc import Iterator

import threadpoolctl

_MAX_CORES = 4


@contextlib.contextmanager
def still(threads: int) -> Iterator[None]:
    """Set ``threads`` for numerical libraries, stop garbage collection, turn off gradients; put all back.

    torch is only touched when it is imported already.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _pools().limit(limits=threads), _torch_still(threads):
            yield
    finally:
        if collecting:
            gc.enable()


def _pools() -> threadpoolctl.ThreadpoolController:
    """The thread pools of the libraries loaded by now; looked for anew when modules were imported since."""
    return _pools_of(len(sys.modules))


@functools.lru_cache(maxsize=1)
def _pools_of(_modules: int) -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()  # takes 0.1 s


@contextlib.contextmanager
def _torch_still(threads: int) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


class Pinning:
    """Pins the calling thread to one core after another, so that no single disturbed core decides.

    Used as a context manager, which puts the old affinity back.
    """

    def __init__(self) -> None:
        self.works = False
        self._before: set[int] = set()
        self._cores: list[int] = []

    def __enter__(self) -> Pinning:
        if hasattr(os, "sched_setaffinity"):
            self._before = os.sched_getaffinity(0)
            self._cores = _spread(sorted(self._before), _MAX_CORES)
            self.works = self._pin(self._cores[0])
        return self

    def __exit__(self, *_: object) -> None:
        if self.works:
            os.sched_setaffinity(0, self._before)

    def core(self, i: int) -> None:
        """Move to the ``i``-th core, counted around."""
        if self.works:
            self._pin(self._cores[i % len(self._cores)])

    def _pin(self, core: int) -> bool:
        try:
            os.sched_setaffinity(0, {core})
        except OSError:  # a container may forbid it, and a core may have been taken away since
            return False
        return True


class Precedence:
    """Lets the calling thread run before all ordinary ones, where the system allows it.

    On a busy host a call longer than a time slice is interrupted nearly always, and finds the caches full of
    other processes' data when it goes on: no statistic sees through that. Used as a context manager around
    short calls that compute in this thread alone and never wait, with pauses that leave the core to others.
    It takes CAP_SYS_NICE or an RLIMIT_RTPRIO on Linux; elsewhere nothing happens.
    """

    def __init__(self) -> None:
        self.works = False
        self._before: tuple[int, os.sched_param] | None = None

    def __enter__(self) -> Precedence:
        if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) == os.SCHED_OTHER:
            before = (os.SCHED_OTHER, os.sched_getparam(0))
            # A process or thread that the call starts is an ordinary one.
            first = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
            try:
                os.sched_setscheduler(0, first, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))
            except OSError:
                return self
            self._before, self.works = before, True
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            return
        policy, parameters = self._before
        self._before = None
        try:
            os.sched_setscheduler(0, policy, parameters)
        except PermissionError:  # one may not give up "reset on fork" without the capability
            os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, parameters)


def _spread(cores: list[int], count: int) -> list[int]:
    """At most ``count`` of the cores, evenly spread."""
    if len(cores) <= count:
        return cores
    return [cores[i * len(cores) // count] for i in range(count)]
