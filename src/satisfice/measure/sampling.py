"""Collecting blocks of timings, spread over time and cores, until somebody says enough."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from satisfice.measure.conditions import Pinning
from satisfice.measure.estimate import Array
from satisfice.measure.reference import Call, Reference
from satisfice.measure.timing import computes_alone, timed

_BURST_S = 0.0015  # of the measured model in a block, at least one call
_MAX_BURST = 60  # calls
_BLOCKS = 3  # without a gap between them; after a gap the scheduler seldom interrupts so short a stretch
_GAP_S = 0.004
_WARM_UP_S = 0.02
_WARM_UP_CALLS = 3


@dataclass(kw_only=True)
class Samples:
    """Blocks so far."""

    medians: list[float] = field(default_factory=list)  # seconds, one a block
    references: list[Array] = field(
        default_factory=list
    )  # seconds by part of the reference model, one row a block
    calls: list[Array] = field(default_factory=list)  # seconds of the single calls, one array a block
    seconds: float = 0.0  # since the warm-up began
    pinned: bool = False

    @property
    def count(self) -> int:
        """Timed calls."""
        return sum(len(block) for block in self.calls)


def collect(call: Call, reference: Reference, *, alone: bool | None = None) -> Iterator[Samples]:
    """Yield the same growing samples after each group of blocks, for as long as they are asked for.

    Args:
        call: The measured model on one prepared input.
        reference: The reference model.
        alone: Whether ``call`` computes in the calling thread alone; None: found out.
    """
    begin = time.perf_counter()
    samples = Samples()
    with Pinning() as pinning:
        samples.pinned = pinning.works
        each = _warm_up(call)
        by_cpu = computes_alone(call, 1 if each > _WARM_UP_S else 5) if alone is None else alone
        burst = max(1, min(_MAX_BURST, int(_BURST_S / each)))
        group = 0
        while True:
            pinning.core(group)
            for _ in range(_BLOCKS if each < _WARM_UP_S else 1):
                _block(call, reference, burst, by_cpu, samples)
            samples.seconds = time.perf_counter() - begin
            yield samples
            group += 1
            time.sleep(_GAP_S)


def _block(call: Call, reference: Reference, burst: int, by_cpu: bool, samples: Samples) -> None:
    before = reference.sample()
    call()  # the reference model has taken the caches
    times = timed(call, burst, by_cpu=by_cpu)
    after = reference.sample()
    samples.calls.append(times)
    samples.medians.append(float(np.median(times)))
    samples.references.append(np.sqrt(before * after))


def _warm_up(call: Call) -> float:
    """Call until nothing is lazy any more; seconds of one call."""
    best = float("inf")
    begin = time.perf_counter()
    count = 0
    while count < _WARM_UP_CALLS or time.perf_counter() - begin < _WARM_UP_S:
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
        count += 1
    return best
