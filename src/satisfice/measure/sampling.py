"""Collecting blocks of timings, spread over time and cores, until somebody says enough."""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from satisfice.measure.conditions import Pinning, Precedence
from satisfice.measure.estimate import Array, Estimate, estimate
from satisfice.measure.reference import Call, Reference, slowdown
from satisfice.measure.timing import computes_alone, timed

_BURST_S = 0.004  # of the measured model in a block
_REWARM_S = 0.003  # before it, untimed: in the gap others have taken the caches, and then the reference model
_LEAST_CALLS = 2  # of either
_LONG_S = 0.05  # a call so long warms itself: one is enough
_MAX_CALLS = 100  # in a burst
_BLOCKS = 2  # without a gap between them; after a gap the scheduler seldom interrupts so short a stretch
_GAP_S = 0.004
_WARM_UP_S = 0.01
_WARM_UP_CALLS = 3
_MOST_PREFERRED_S = 0.2  # a longer call would keep others from the core for too long


@dataclass(kw_only=True)
class Samples:
    """Blocks so far."""

    medians: list[float] = field(default_factory=list)  # seconds, one a block
    references: list[Array] = field(
        default_factory=list
    )  # seconds by part of the reference model, one row a block
    interruptions: list[float] = field(default_factory=list)  # of one call, the median of each block
    calls: list[Array] = field(default_factory=list)  # seconds of the single calls, one array a block
    seconds: float = 0.0  # since the warm-up began
    pinned: bool = False

    def estimate(self, best: Array) -> Estimate:
        """Latency on the undisturbed host, where the reference model takes ``best`` seconds, part by part."""
        slowdowns = slowdown(np.array(self.references), best)
        return estimate(np.array(self.medians), slowdowns, np.array(self.interruptions))

    @property
    def count(self) -> int:
        """Timed calls."""
        return sum(len(block) for block in self.calls)


def collect(call: Call, reference: Reference, *, alone: bool | None = None) -> Generator[Samples]:
    """Yield the same growing samples after each block, until closed.

    Close it (``contextlib.closing``): that puts the affinity back.

    Args:
        call: The measured model on one prepared input; it returns when the result is there.
        reference: The reference model.
        alone: Whether ``call`` computes in the calling thread alone; None: found out.
    """
    begin = time.perf_counter()
    samples = Samples()
    with ExitStack() as conditions:
        pinning = conditions.enter_context(Pinning())
        samples.pinned = pinning.works
        precedence = conditions.enter_context(ExitStack())
        if alone is not False:
            precedence.enter_context(Precedence())
        each = _seconds_of(call, 1)  # it may load things: what it waits for does not count against it
        by_cpu = computes_alone(call, 1 if each > _WARM_UP_S else 5) if alone is None else alone
        if not by_cpu or each > _MOST_PREFERRED_S:
            precedence.close()
        each = min(each, _warm_up(call))
        least = 1 if each > _LONG_S else _LEAST_CALLS
        burst, rewarm = (max(least, min(_MAX_CALLS, int(s / each))) for s in (_BURST_S, _REWARM_S))
        for group in itertools.count():
            pinning.core(group)
            for _ in range(_BLOCKS):
                _block(call, reference, rewarm, burst, by_cpu, samples)
                samples.seconds = time.perf_counter() - begin
                yield samples
            time.sleep(_GAP_S)


def _block(call: Call, reference: Reference, rewarm: int, burst: int, by_cpu: bool, samples: Samples) -> None:
    before = reference.sample()
    for _ in range(rewarm):
        call()
    times = timed(call, burst, by_cpu=by_cpu)
    after = reference.sample()
    samples.calls.append(times.seconds)
    samples.medians.append(float(np.median(times.seconds)))
    samples.interruptions.append(float(np.median(times.interruptions)))
    samples.references.append(np.sqrt(before * after))


def _warm_up(call: Call) -> float:
    """Call until nothing is lazy any more; seconds of one call."""
    best = _seconds_of(call, _WARM_UP_CALLS)
    begin = time.perf_counter()
    while time.perf_counter() - begin < _WARM_UP_S:
        best = min(best, _seconds_of(call, 1))
    return best


def _seconds_of(call: Call, count: int) -> float:
    """Seconds of the fastest of some calls."""
    best = float("inf")
    for _ in range(count):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best
