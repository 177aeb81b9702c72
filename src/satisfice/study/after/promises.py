"""What is promised of a shipped file: each bound and each efficiency metric, with its measurement."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from satisfice.measure import InMemoryMeasurements, Measurement, Meter, Quiet, memory_mb
from satisfice.ship import runtime
from satisfice.ship.folder.description import Promise
from satisfice.ship.folder.pipeline import Feeds, Pipeline
from satisfice.spec.metric import METRICS, convert, one_unit
from satisfice.spec.study import StudySpec

_CALLS = ("latency", "latency_p95", "pipeline_latency")  # of one call of the file, from rows to answers
_OF_THE_RUNTIME = frozenset(("memory", "throughput", *_CALLS))  # that another runtime changes
OF_THE_FILE = _OF_THE_RUNTIME | {"size"}
_EXACT = frozenset(("n_parameters", "flops"))
_SAME = 1e-9  # relative difference of a figure that went through the database


def measured_here(
    spec: StudySpec, content: bytes, pipeline: Pipeline, row: Feeds, quantities: Collection[str], quiet: Quiet
) -> list[Measurement]:
    """Time and weigh the file itself, precisely.

    Args:
        spec: Names threads, batches and bounds.
        content: The file.
        pipeline: The file, opened with those threads.
        row: What the file takes for one row.
        quantities: What is wanted; what is no quantity of a clock or of memory is left out.
        quiet: A hold on the host's quiet.
    """
    options, bounds = spec.measure, spec.constraints
    meter = Meter(InMemoryMeasurements(), options, quiet)
    found: list[Measurement] = []
    if not set(_CALLS).isdisjoint(quantities):
        call = runtime.call(pipeline.session, _batch(pipeline.taken(row), options.batch))
        one = meter.latency("shipped", lambda: call, bounds, precise=True)
        found += [one, replace(one, metric="pipeline_latency_ms")]
    if "throughput" in quantities:
        many = runtime.call(pipeline.session, _batch(pipeline.taken(row), options.throughput_batch))
        found.append(meter.throughput("shipped", lambda: many, bounds))
    if "memory" in quantities:
        with TemporaryDirectory(prefix="satisfice-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(content)
            found.append(
                memory_mb(
                    "satisfice.ship.exercise:exercise",
                    {"path": str(path), "threads": options.threads, "batch": options.batch},
                    threads=options.threads,
                    batch=options.batch,
                    imports=("onnxruntime",),
                )
            )
    return found


def _batch(row: Feeds, size: int) -> Feeds:
    return {name: np.ascontiguousarray(np.repeat(tensor, size, axis=0)) for name, tensor in row.items()}


def values_of(
    measured: Sequence[Measurement], quantities: Collection[str], size_bytes: int
) -> dict[str, float]:
    """The size, and those of the quantities that were measured, each in its default unit."""
    found = {"size_bytes": float(size_bytes)}
    for each in measured:
        if METRICS[each.metric].quantity in quantities:
            found[each.metric] = each.value
        if each.metric == "latency_ms" and "latency_p95" in quantities and each.p95 is not None:
            found["latency_p95_ms"] = each.p95
    return convert(found)


def promises_of(
    spec: StudySpec,
    metrics: Mapping[str, float],
    measured: Sequence[Measurement],
    *,
    measured_on: str | None,
    precision: str,
    estimated: Collection[str] = (),
) -> tuple[Promise, ...]:
    """One for each bound, one for each efficiency metric that is known, and the size in bytes.

    Those that a runtime decides (latency, throughput, memory) name it with its version.

    Args:
        spec: The study.
        metrics: Of the shipped file.
        measured: What is stored of them; a value that none of it explains has no interval.
        measured_on: Fingerprint of the host of such a value.
        precision: In which the file holds its numbers.
        estimated: Metrics that were computed from something else.
    """
    ran = {"runtime": "onnxruntime", "version": runtime.version()}
    out = []
    for metric, bound in _named(spec, metrics):
        value = metrics[metric]
        if not math.isfinite(value):
            continue
        source, low, high = _source(metric, value, measured)
        quantity = METRICS[metric].quantity if metric in METRICS else metric
        clocked, exact = quantity in _OF_THE_RUNTIME, quantity in _EXACT
        out.append(
            Promise(
                metric=metric,
                value=value,
                bound=bound,
                low=low,
                high=high,
                host=source.host if source is not None else (measured_on or "") if clocked else "",
                threads=source.threads if source is not None else spec.measure.threads,
                precision="" if exact else precision,
                estimated=metric in estimated,
                **(ran if clocked else {}),
            )
        )
    return tuple(out)


def _named(spec: StudySpec, metrics: Mapping[str, float]) -> Iterator[tuple[str, str | None]]:
    """Metrics with their bounds, or None."""
    bounded = [c for c in spec.constraints if c.metric in metrics]
    for c in bounded:
        yield c.metric, f"{c.operator} {c.bound:.12g}"
    done = {METRICS[c.metric].quantity for c in bounded if c.metric in METRICS}
    for name in one_unit(spec.metric_names, metrics):
        quantity = METRICS[name].quantity if name in METRICS else ""
        if name in metrics and quantity in (OF_THE_FILE | _EXACT) - done - {"size"}:
            yield name, None
    if all(c.metric != "size_bytes" for c in bounded):
        yield "size_bytes", None


def _source(
    metric: str, value: float, measured: Sequence[Measurement]
) -> tuple[Measurement | None, float | None, float | None]:
    """The measurement that gave the value, and the ends of its interval."""
    quantity = METRICS[metric].quantity if metric in METRICS else metric
    for each in measured:
        if METRICS[each.metric].quantity == quantity:
            same = each.to_unit(metric)
            if math.isclose(same.value, value, rel_tol=_SAME):
                return each, same.low, same.high
        p95 = each.p95 if quantity == "latency_p95" and each.metric == "latency_ms" else None
        if p95 is not None and math.isclose(p95 / METRICS[metric].scale, value, rel_tol=_SAME):
            return each, None, None
    return None, None, None
