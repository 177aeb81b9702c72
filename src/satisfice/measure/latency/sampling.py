"""Collecting blocks of timings, spread over time and cores, until somebody says enough.

Blocks come in chains: on one core, sample the reference model, run a burst, sample it again, and so on, so
that each sample closes one block and opens the next. A core is left for the next one once it is slow. On a
slow core the reference model alone is sampled, in quick succession, for the next calm to be caught as it
begins: on a shared machine it may be gone after a millisecond.
"""

from __future__ import annotations

import itertools
import math
import time
from array import array
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from satisfice.measure.latency.conditions import Pinning, Precedence
from satisfice.measure.latency.estimate import DEAD_ZONE, Array, Estimate, estimate
from satisfice.measure.latency.reference import Call, Reference, slowdown
from satisfice.measure.latency.timing import computes_alone, timed

_CHAIN_S = 0.008  # a chain goes on for so long at least, and with its last block
_CATCH_S = 0.005  # patience with a slow core
_GAP_S = 0.002  # between chains, for other processes
_REWARM_S = 0.002  # before a chain, untimed: in the gap others have taken the caches
_BURST_S = 0.0002  # of the measured model in a block
_MOST_CALLS = 8  # in a burst
# First calls of a burst that do not count, up to a latency in seconds: after a sample of the reference model,
# which takes its place in caches and predictors, the first call takes 10 to 70 us longer, the second of a
# short one 3 us.
_DISPLACED = ((1e-4, 4), (1e-3, 1))
_REWARM_CALLS = 2  # at least
_LONG_S = 0.05  # a call so long warms itself
_WARM_UP_S = 0.01
_WARM_UP_CALLS = 3
_MOST_PREFERRED_S = 0.2  # a longer call would keep others from the core for too long


@dataclass(kw_only=True)
class Samples:
    """Blocks so far, and all samples of the reference model."""

    medians: list[float] = field(default_factory=list)  # seconds, one a block
    interruptions: list[float] = field(default_factory=list)  # of one call, by block
    calls: list[Array] = field(default_factory=list)  # seconds of the single calls, one array a block
    chains: list[int] = field(default_factory=list)  # the chain's number, by block
    brackets: list[tuple[int, int]] = field(default_factory=list)  # the references around each block
    parts: int = 1  # of the reference model
    reference_times: array[float] = field(default_factory=lambda: array("d"))  # seconds, sample by sample
    seconds: float = 0.0  # since the warm-up began
    pinned: bool = False

    @property
    def references(self) -> Array:
        """Samples of the reference model, in seconds, shape ``(samples, parts)``."""
        return np.array(self.reference_times).reshape(-1, self.parts)

    def estimate(self, best: Array) -> Estimate:
        """Latency on the undisturbed host, where the reference model takes ``best`` seconds, part by part."""
        before, after = self.references[np.array(self.brackets).T]
        return estimate(
            np.array(self.medians),
            np.maximum(slowdown(before, best), slowdown(after, best)),
            np.array(self.interruptions),
            np.array(self.chains, dtype=np.int64),
        )

    @property
    def count(self) -> int:
        """Timed calls."""
        return sum(len(block) for block in self.calls)


def collect(
    call: Call, reference: Reference, *, best: Array | None = None, alone: bool | None = None
) -> Generator[Samples]:
    """Yield the same growing samples after each chain of blocks, until closed.

    Close it (``contextlib.closing``): that puts the affinity back.

    Args:
        call: The measured model on one prepared input; it returns when the result is there.
        reference: The reference model.
        best: Its seconds by part on the undisturbed host, by which calm is told; None: not known.
        alone: Whether ``call`` computes in the calling thread alone; None: found out.
    """
    begin = time.perf_counter()
    samples = Samples(parts=len(reference.names))
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
        chain = _Chain(call, reference, best, each, by_cpu, samples)
        core = 0
        for number in itertools.count():
            pinning.core(core)
            calm = chain.run(number)
            core += best is None or not calm
            samples.seconds = time.perf_counter() - begin
            yield samples
            time.sleep(_GAP_S)


class _Chain:
    """Runs chains of blocks."""

    def __init__(
        self,
        call: Call,
        reference: Reference,
        best: Array | None,
        each: float,
        by_cpu: bool,
        samples: Samples,
    ) -> None:
        self._call = call
        self._reference = reference
        # The slowdown is the geometric mean over the parts.
        dead_zone = math.exp(DEAD_ZONE * samples.parts)
        self._calm = math.inf if best is None else math.prod(best) * dead_zone
        self._by_cpu = by_cpu
        self._samples = samples
        self._rewarm = 0 if each > _LONG_S else max(_REWARM_CALLS, int(_REWARM_S / each))
        self._displaced = next((count for most, count in _DISPLACED if each <= most), 0)
        self._burst = max(1, min(_MOST_CALLS, round(_BURST_S / each)))

    def run(self, number: int) -> bool:
        """Run one chain, of one block at least; whether its core is calm in the end."""
        begin = time.perf_counter()
        for _ in range(self._rewarm):
            self._call()
        blocks = 0
        calm = self._sample()
        while True:
            passed = time.perf_counter() - begin
            if blocks and (passed >= _CHAIN_S or not calm):
                return calm
            if calm or passed >= _CATCH_S:
                calm = self._block(number)
                blocks += 1
            else:
                calm = self._sample()

    def _block(self, number: int) -> bool:
        """Run one block; whether the host is calm after it."""
        samples = self._samples
        times = timed(self._call, self._displaced + self._burst, by_cpu=self._by_cpu)
        last = len(samples.reference_times) // samples.parts
        calm = self._sample()
        seconds = times.seconds[self._displaced :]
        samples.calls.append(seconds)
        samples.medians.append(float(np.median(seconds)))
        samples.interruptions.append(times.interruptions)
        samples.chains.append(number)
        samples.brackets.append((last - 1, last))
        return calm

    def _sample(self) -> bool:
        """Sample the reference model; whether the host is calm."""
        found = self._reference.sample()
        self._samples.reference_times.extend(found)
        return math.prod(found) <= self._calm


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
