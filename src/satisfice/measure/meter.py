"""Measures latency, throughput, energy and memory once per architecture and host, and stores the results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from satisfice.measure.energy import energy_use
from satisfice.measure.host import host
from satisfice.measure.latency.calibration import Calibration
from satisfice.measure.latency.conditions import still
from satisfice.measure.latency.estimate import Estimate
from satisfice.measure.latency.quiet import Quiet
from satisfice.measure.latency.reference import Call, Reference
from satisfice.measure.latency.sampling import Samples, collect
from satisfice.measure.remembered import MeasurementStore
from satisfice.measure.result import Measurement, Quality
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS
from satisfice.spec.study import MeasureOptions

logger = logging.getLogger(__name__)

# Limits of the sampling time, in seconds; each ends after the block that it falls into.
COARSE_S = 0.06  # enough where the value is more than twice or less than half of every bound
SOON_S = 0.12  # enough where the interval is narrow already and no bound is near
QUICK_S = 0.6  # enough where the verdict is clear
SETTLED_S = 1.2  # the least for what is to be precise: phases of the host last for tenths of a second
USUAL_S = 1.8  # enough unless the verdict is too close to call
LONGEST_S = 6.0  # for a verdict that is too close to call

_FAR = 2.0  # a value is far from a bound by this factor
_NEAR = 1.3  # and near it within this one
_QUICK_ERROR = 0.08  # half-width of the interval, as a share of the value, that ends a quick measurement
_SAMPLING_FLOOR = 0.0125  # standard deviation below which longer sampling no longer narrows the interval
_MIN_BLOCKS = 2
_ENERGY_BLOCKS, _ENERGY_BLOCK_S = 5, 0.1  # counters step about once a millisecond


class Meter:
    """Measures latency, throughput and memory of one worker's models, and remembers them.

    Args:
        store: Where measurements are remembered.
        options: Threads and batch sizes.
        quiet: This worker's lock for exclusive use of the host. Default: a new one.
    """

    def __init__(self, store: MeasurementStore, options: MeasureOptions, quiet: Quiet | None = None) -> None:
        self._store = store
        self._options = options
        self._quiet = quiet or Quiet()
        self._reference = Reference()
        self._calibration = Calibration(store, self._reference)
        self.measurements = 0  # taken by this meter, remembered ones not counted

    def latency(
        self,
        key: str,
        make_call: Callable[[], Call],
        constraints: Sequence[Constraint] = (),
        precise: bool = False,
        fresh: bool = False,
        *,
        metric: str = "latency_ms",
    ) -> Measurement:
        """The p50 latency of one call, with its 95% interval and p95.

        A stored measurement is returned if it is precise, or if ``precise`` is False and no verdict on
        ``constraints`` is too close to call. Otherwise the model is built and measured with exclusive use of
        the host: `COARSE_S` where every bound is far, up to `USUAL_S`, and up
        to `LONGEST_S` while a verdict is too close to call.

        Args:
            key: Key of the architecture, threads and batch (`architecture_key`, `module_key`).
            make_call: Builds the model and returns the call that predicts one prepared batch; called only if
                measured. On an accelerator the call waits for the result.
            constraints: Bounds that need a verdict. Those on other quantities are ignored.
            precise: Sample until longer sampling no longer narrows the interval.
            fresh: Measure even if remembered.
            metric: "latency_ms", or "pipeline_latency_ms" for a call with preprocessing.

        Returns:
            The measurement, in milliseconds.
        """
        return self._answer(key, make_call, _question(metric, constraints, precise), fresh)

    def throughput(
        self,
        key: str,
        make_call: Callable[[], Call],
        constraints: Sequence[Constraint] = (),
        fresh: bool = False,
    ) -> Measurement:
        """Items a second when predicted in batches of `MeasureOptions.throughput_batch`.

        ``make_call`` predicts one such batch, and ``key`` is of that batch size. There is no p95.
        """
        return self._answer(key, make_call, _question("throughput", constraints, False), fresh)

    def energy(self, key: str, make_call: Callable[[], Call], fresh: bool = False) -> Measurement:
        """The energy of one call, in millijoules, of this process: median of blocks, from least to most.

        Args:
            key: Of the architecture, threads, batch and watts.
            make_call: Builds the model and returns the call; called only if measured.
            fresh: Measure even if remembered.
        """
        found = None if fresh else self._store.get(key, host().fingerprint, "energy_mj")
        if found is not None:
            return found
        call = make_call()
        with self._quiet.measuring(), still(self._options.threads):
            measured = self._energy(call)
        self._store.put_host(host())
        self._store.put(key, measured)
        self.measurements += 1
        return measured

    def _energy(self, call: Call) -> Measurement:
        began = time.perf_counter()
        blocks: list[float] = []
        count, estimated = 0, False
        for _ in range(_ENERGY_BLOCKS + 1):
            calls, ends = 0, time.perf_counter() + _ENERGY_BLOCK_S
            with energy_use(self._options.watts) as use:
                while time.perf_counter() < ends or not calls:
                    call()
                    calls += 1
            blocks.append(1e3 * use.joules / calls)
            count, estimated = count + calls, estimated or use.estimated
        del blocks[0]  # a model's first calls take longer
        return Measurement(
            metric="energy_mj",
            value=float(np.median(blocks)),
            low=min(blocks),
            high=max(blocks),
            samples=count,
            seconds=time.perf_counter() - began,
            host=host().fingerprint,
            threads=self._options.threads,
            batch=self._options.batch,
            quality="precise",
            measured_at=datetime.now(UTC),
            estimated=estimated,
        )

    def memory(
        self, key: str, probe: Callable[[], Measurement | None], fresh: bool = False
    ) -> Measurement | None:
        """The peak memory of prediction, as `memory_mb` measures it; None where it cannot be measured yet.

        Args:
            key: Of the architecture and batch.
            probe: Measures it; called only if it is not remembered. Nothing is timed, so it takes no turn.
            fresh: Measure even if remembered.
        """
        found = None if fresh else self._store.get(key, host().fingerprint, "memory_mb")
        if found is None:
            found = probe()
            if found is None:
                return None
            self._store.put_host(host())
            self._store.put(key, found)
            self.measurements += 1
        return found

    def _answer(
        self, key: str, make_call: Callable[[], Call], question: _Question, fresh: bool
    ) -> Measurement:
        found = None if fresh else self._remembered(key, question)
        if found is not None:
            return found
        call = make_call()
        with self._quiet.measuring() as report:
            # Another worker may have measured the same architecture while this one waited for its turn.
            found = None if fresh else self._remembered(key, question)
            if found is not None:
                return found
            measured = self._measure(call, question)
            self._store.put_host(host())
            self._store.put(key, measured)
        logger.debug("measured %s in %.2f s, quiet: %s", question.metric, measured.seconds, report.quiet)
        return measured

    def _remembered(self, key: str, question: _Question) -> Measurement | None:
        found = self._store.get(key, host().fingerprint, question.metric)
        return found if found is not None and question.answered_by(found) else None

    def _measure(self, call: Call, question: _Question) -> Measurement:
        alone = None if self._options.threads == 1 else False
        with ExitStack() as stack:
            stack.enter_context(still(self._options.threads))
            best = self._calibration.best()
            blocks = stack.enter_context(closing(collect(call, self._reference, best=best, alone=alone)))
            for samples in blocks:
                found = samples.estimate(self._calibration.best_with(samples.references))
                measured = self._record(question.metric, found, samples)
                quality = _enough(measured, found, samples, question)
                if quality is not None:
                    measured = replace(measured, quality=quality)
                    break
        self._calibration.learn(samples.references, samples.seconds)
        self.measurements += 1
        return measured

    def _record(self, metric: str, found: Estimate, samples: Samples) -> Measurement:
        throughput = metric == "throughput"
        batch = self._options.throughput_batch if throughput else self._options.batch
        if throughput:
            low, value, high, p95 = batch / found.high, batch / found.value, batch / found.low, None
        else:
            factor = 1e3 / METRICS[metric].scale
            low, value, high = (factor * s for s in (found.low, found.value, found.high))
            p95 = factor * float(np.quantile(np.concatenate(samples.calls), 0.95))
        return Measurement(
            metric=metric,
            value=value,
            low=low,
            high=high,
            p95=p95,
            samples=samples.count,
            seconds=samples.seconds,
            host=host().fingerprint,
            threads=self._options.threads,
            batch=batch,
            quality="quick",
            measured_at=datetime.now(UTC),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Question:
    """What is asked of a measurement."""

    metric: str
    constraints: tuple[Constraint, ...]  # on the metric's quantity
    precise: bool

    def answered_by(self, found: Measurement) -> bool:
        """Whether a remembered measurement answers."""
        return found.quality == "precise" or (not self.precise and found.is_clear(self.constraints))


def _question(metric: str, constraints: Sequence[Constraint], precise: bool) -> _Question:
    quantity = METRICS[metric].quantity
    mine = tuple(c for c in constraints if c.metric in METRICS and METRICS[c.metric].quantity == quantity)
    return _Question(metric=metric, constraints=mine, precise=precise)


def _enough(measured: Measurement, found: Estimate, samples: Samples, question: _Question) -> Quality | None:
    """The quality reached if sampling may end here, else None."""
    if len(samples.medians) < _MIN_BLOCKS and samples.seconds < USUAL_S:
        return None
    clear = measured.is_clear(question.constraints)
    settled = found.sampling <= _SAMPLING_FLOOR and samples.seconds >= SETTLED_S
    if settled or samples.seconds >= (USUAL_S if clear else LONGEST_S):
        return "precise"
    if question.precise or not clear or samples.seconds < COARSE_S:
        return None
    if question.constraints and all(_beyond(measured, c, _FAR) for c in question.constraints):
        return "quick"
    narrow = measured.relative_error <= _QUICK_ERROR and samples.seconds >= SOON_S
    narrow = narrow and all(_beyond(measured, c, _NEAR) for c in question.constraints)
    return "quick" if narrow or samples.seconds >= QUICK_S else None


def _beyond(measured: Measurement, constraint: Constraint, factor: float) -> bool:
    """Whether value and bound differ by more than the factor (for bounds <= 0: always)."""
    value, bound = measured.to_unit(constraint.metric).value, constraint.bound
    return bound <= 0 or value > factor * bound or value < bound / factor
