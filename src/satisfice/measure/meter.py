"""Latency with a verdict: measured once per architecture and host, no longer than needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from satisfice.measure.calibration import Calibration
from satisfice.measure.conditions import still
from satisfice.measure.estimate import Estimate
from satisfice.measure.host import host
from satisfice.measure.quiet import Quiet
from satisfice.measure.reference import Call, Reference
from satisfice.measure.remembered import MeasurementStore
from satisfice.measure.result import Measurement, Quality
from satisfice.measure.sampling import Samples, collect
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS
from satisfice.spec.study import MeasureOptions

logger = logging.getLogger(__name__)

# Limits of the sampling time, in seconds; each after the last group of blocks that began before it.
COARSE_S = 0.06  # enough where the value is more than twice or less than half of every bound
SOON_S = 0.12  # enough where the interval is narrow already
QUICK_S = 0.6  # enough where no bound is near
USUAL_S = 1.6  # enough unless the verdict is too close to call
LONGEST_S = 6.0  # for a verdict that is too close to call

_FAR = 2.0  # a value is far from a bound by this factor
_QUICK_ERROR = 0.08  # half-width of the interval, as a share of the value, that ends a quick measurement
_SAMPLING_FLOOR = 0.0125  # standard deviation below which longer sampling no longer narrows the interval
_MIN_BLOCKS = 2


class Meter:
    """Measures latency and throughput of one worker's models, and remembers them.

    Args:
        store: Where measurements are remembered.
        options: Threads and batch sizes.
        quiet: This worker's hold on the host's quiet; default: one of its own.
    """

    def __init__(self, store: MeasurementStore, options: MeasureOptions, quiet: Quiet | None = None) -> None:
        self._store = store
        self._options = options
        self._quiet = quiet or Quiet()
        self._reference = Reference()
        self._calibration = Calibration(store, self._reference)

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

        The remembered measurement is returned if it answers: no verdict on ``constraints`` is too close to
        call, or it is precise already; and it is precise if ``precise`` is asked for. Otherwise the model is
        built and measured in the host's quiet: `COARSE_S` where every bound is far, up to `USUAL_S`, and up
        to `LONGEST_S` while a verdict is too close to call.

        Args:
            key: Of the architecture, threads and batch (`architecture_key`, `module_key`).
            make_call: Builds the model and returns the call that predicts one prepared batch; called only if
                measured.
            constraints: Bounds to be judged; those on other quantities are ignored.
            precise: Sample until more would not help.
            fresh: Measure even if remembered.
            metric: What the call is: "latency_ms", or "pipeline_latency_ms" for a call with preprocessing.
        """
        mine = _on_quantity(constraints, metric)
        return self._remembered(
            key, metric, mine, precise, fresh, lambda: self._measure(make_call, metric, mine, precise)
        )

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
        mine = _on_quantity(constraints, "throughput")
        return self._remembered(
            key, "throughput", mine, False, fresh, lambda: self._measure(make_call, "throughput", mine, False)
        )

    def _remembered(
        self,
        key: str,
        metric: str,
        constraints: Sequence[Constraint],
        precise: bool,
        fresh: bool,
        measure: Callable[[], Measurement],
    ) -> Measurement:
        found = None if fresh else self._store.get(key, host().fingerprint, metric)
        if found is not None and _answers(found, constraints, precise):
            return found
        measured = measure()
        self._store.put_host(host())
        self._store.put(key, measured)
        return measured

    def _measure(
        self, make_call: Callable[[], Call], metric: str, constraints: Sequence[Constraint], precise: bool
    ) -> Measurement:
        call = make_call()
        with self._quiet.measuring() as report, still(self._options.threads):
            best = self._calibration.best()
            alone = None if self._options.threads == 1 else False
            for samples in collect(call, self._reference, alone=alone):
                found = samples.estimate(best)
                measured = self._record(metric, found, samples)
                quality = _enough(measured, found, samples, constraints, precise)
                if quality is not None:
                    measured = replace(measured, quality=quality)
                    break
            self._calibration.learn(np.array(samples.references), samples.seconds)
        logger.debug("measured %s in %.2f s, quiet: %s", metric, samples.seconds, report.quiet)
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


def _on_quantity(constraints: Sequence[Constraint], metric: str) -> list[Constraint]:
    quantity = METRICS[metric].quantity
    return [c for c in constraints if c.metric in METRICS and METRICS[c.metric].quantity == quantity]


def _answers(found: Measurement, constraints: Sequence[Constraint], precise: bool) -> bool:
    return found.quality == "precise" or (not precise and found.is_clear(constraints))


def _enough(
    measured: Measurement, found: Estimate, samples: Samples, constraints: Sequence[Constraint], precise: bool
) -> Quality | None:
    """The quality reached if sampling may end here, else None."""
    if len(samples.medians) < _MIN_BLOCKS and samples.seconds < USUAL_S:
        return None
    clear = measured.is_clear(constraints)
    settled = found.sampling <= _SAMPLING_FLOOR and samples.seconds >= QUICK_S
    if settled or samples.seconds >= (USUAL_S if clear else LONGEST_S):
        return "precise"
    if precise or not clear or samples.seconds < COARSE_S:
        return None
    if constraints and all(_is_far(measured, c) for c in constraints):
        return "quick"
    if samples.seconds >= QUICK_S or (measured.relative_error <= _QUICK_ERROR and samples.seconds >= SOON_S):
        return "quick"
    return None


def _is_far(measured: Measurement, constraint: Constraint) -> bool:
    """Whether the value is more than twice the bound, or less than half of it (for bounds <= 0: always)."""
    value, bound = measured.to_unit(constraint.metric).value, constraint.bound
    return bound <= 0 or value > _FAR * bound or value < bound / _FAR
