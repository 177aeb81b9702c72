"""What is timed of a configuration: measured here, or read where the measuring host class measured it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from satisfice.measure import Host, Measurement, Meter, Quiet, architecture_key, host, module_key
from satisfice.spec.metric import METRICS
from satisfice.spec.study import StudySpec
from satisfice.spec.task import BuildsModule, Predicts, Profiles, Task
from satisfice.store import measurements, presence
from satisfice.store.engine import Database

_TIMED = ("latency", "latency_p95", "pipeline_latency", "throughput")
_LOOK_AGAIN_S = 5.0  # for further hosts of the measuring class

Call = Callable[[], object]


class StoredMeasurements:
    """The measurement store of `satisfice.measure`, in SQL."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str, host: str, metric: str) -> Measurement | None:
        """The measurement last put, or None."""
        content = self._db.retrying(lambda: measurements.load(self._db, key, host, metric))
        return None if content is None else Measurement.from_dict(content)

    def put(self, key: str, measurement: Measurement) -> None:
        """Remember it."""
        m = measurement
        self._db.retrying(lambda: measurements.store(self._db, key, m.host, m.metric, m.to_dict()))

    def put_host(self, host: Host) -> None:
        """Remember what the fingerprint stands for."""
        presence.put_host(self._db, host.fingerprint, host.description)


class Timings:
    """Times a task's configurations, each architecture once, by the study's `[measure]`.

    Args:
        spec: The study.
        task: Its task.
        db: Where measurements are remembered.
        quiet: This worker's hold on the host's quiet.
    """

    def __init__(self, spec: StudySpec, task: Task, db: Database, quiet: Quiet) -> None:
        self._spec = spec
        self._task = task
        self._db = db
        self._store = StoredMeasurements(db)
        self._meter = Meter(self._store, spec.measure, quiet)
        self.names = tuple(m for m in spec.metric_names if m in METRICS and METRICS[m].quantity in _TIMED)
        wanted = {METRICS[name].quantity for name in self.names}
        self._p95 = "latency_p95" in wanted  # from the same calls as the median
        timed = {"latency" if quantity == "latency_p95" else quantity for quantity in wanted}
        self._quantities = [quantity for quantity in _TIMED if quantity in timed]
        self._known: dict[str, dict[str, float]] = {}
        self._hosts: tuple[float, list[str]] = (-_LOOK_AGAIN_S, [])

    @property
    def measured(self) -> int:
        """Measurements taken by this worker; remembered ones are not counted."""
        return self._meter.measurements

    def measure(
        self, params: Mapping[str, Any], model: Any = None, *, fresh: bool = False
    ) -> dict[str, float]:
        """Measure on this host what is not known of it yet.

        Args:
            params: The configuration.
            model: The fitted model; None: an untrained one.
            fresh: Measure even what is known, and precisely.

        Returns:
            By metric; nothing where the task cannot be timed, or only once it is fitted.
        """
        found: dict[str, float] = {}
        for quantity in self._quantities:
            key = self._key(params, quantity, fitted=model is not None)
            if fresh or key + quantity not in self._known:
                call = self._call(params, model, quantity)
                if call is None:
                    continue
                self._known[key + quantity] = self._values(self._time(quantity, key, call, fresh=fresh))
            found |= self._known[key + quantity]
        return found

    def key(self, params: Mapping[str, Any]) -> str:
        """Of the architecture, as far as what is timed depends on it."""
        return " ".join(self._key(params, quantity, fitted=False) for quantity in self._quantities)

    def measured_elsewhere(self, params: Mapping[str, Any]) -> tuple[dict[str, float], str | None]:
        """What a host of the measuring class told of the untrained model, all of it or nothing; and which."""
        for where in self._measuring_hosts():
            told = [self._told(params, quantity, where) for quantity in self._quantities]
            known = [m for m in told if m is not None]
            if len(known) == len(told):
                values: dict[str, float] = {}
                for measurement in known:
                    values |= self._values(measurement)
                return values, where
        return {}, None

    def _told(self, params: Mapping[str, Any], quantity: str, where: str) -> Measurement | None:
        return self._store.get(self._key(params, quantity, fitted=False), where, _metric(quantity))

    def _measuring_hosts(self) -> list[str]:
        label, (looked, hosts) = self._spec.measure.on, self._hosts
        if label is None:
            return [host().fingerprint]
        if not hosts or time.monotonic() - looked > _LOOK_AGAIN_S:
            hosts = self._db.retrying(lambda: presence.hosts_labelled(self._db, label))
            self._hosts = (time.monotonic(), hosts)
        return hosts

    def _time(self, quantity: str, key: str, call: Call, *, fresh: bool) -> Measurement:
        bounds = self._spec.constraints
        if quantity == "throughput":
            return self._meter.throughput(key, lambda: call, bounds, fresh=fresh)
        return self._meter.latency(
            key, lambda: call, bounds, precise=fresh, fresh=fresh, metric=_metric(quantity)
        )

    def _values(self, measured: Measurement) -> dict[str, float]:
        values = {measured.metric: measured.value}
        if measured.metric == "latency_ms" and self._p95:
            values["latency_p95_ms"] = measured.value if measured.p95 is None else measured.p95
        return values

    def _batch(self, quantity: str) -> int:
        options = self._spec.measure
        return options.throughput_batch if quantity == "throughput" else options.batch

    def _call(self, params: Mapping[str, Any], model: Any, quantity: str) -> Call | None:
        task, batch = self._task, self._batch(quantity)
        if quantity == "pipeline_latency":
            pipeline = getattr(task, "pipeline", None)
            made: Call | None = pipeline(params, model) if pipeline else None
            return made
        if isinstance(task, Predicts):
            if batch == 1:
                return task.predictor(params, model)
            return task.predictor(params, model, batch)  # type: ignore[call-arg]  # own tasks need not offer it
        if isinstance(task, BuildsModule):
            return _module_call(
                task.build(params) if model is None else model, task.example_input(params), batch
            )
        return None

    def _key(self, params: Mapping[str, Any], quantity: str, *, fitted: bool) -> str:
        task, threads, batch = self._task, self._spec.measure.threads, self._batch(quantity)
        if isinstance(task, Predicts):
            name = self._spec.model.family if self._spec.model is not None else type(task).__qualname__
            # Families known only after fitting differ with every parameter.
            depends_on_weights = fitted and not isinstance(task, Profiles)
            architecture = dict(params) if depends_on_weights else dict(task.architecture(params))
            return architecture_key(
                architecture | {"": quantity}, family_or_task=name, threads=threads, batch=batch
            )
        if isinstance(task, BuildsModule):
            example = task.example_input(params)
            return module_key(built_on_meta(task, params), threads=threads, batch=batch, example=example)
        return ""  # cannot be timed


def built_on_meta(task: BuildsModule, params: Mapping[str, Any]) -> Any:
    """The task's module without memory."""
    import torch

    with torch.device("meta"):
        return task.build(params)


def _metric(quantity: str) -> str:
    return quantity if quantity == "throughput" else f"{quantity}_ms"


def _module_call(module: Any, example: Any, batch: int) -> Call:
    import torch

    module.eval()
    items = example if isinstance(example, tuple) else (example,)
    inputs = tuple(x.repeat(batch, *([1] * (x.dim() - 1))) if batch > 1 else x for x in items)

    def call() -> object:
        with torch.inference_mode():
            return module(*inputs)

    return call
