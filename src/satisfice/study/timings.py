"""What is measured of a configuration: here, or read where the measuring host class measured it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from satisfice.measure import Host, Measurement, Meter, Quiet, architecture_key, host, module_key
from satisfice.spec.metric import DEFAULT_UNIT, METRICS
from satisfice.spec.study import StudySpec
from satisfice.spec.task import BuildsModule, Predicts, Profiles, Task
from satisfice.store import measurements, presence
from satisfice.store.engine import Database
from satisfice.study.predicting import Call, memory_of, predicting

_MEASURED = ("latency", "latency_p95", "pipeline_latency", "throughput", "memory")
_LOOK_AGAIN_S = 5.0  # for further hosts of the measuring class


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
        self.names = tuple(m for m in spec.metric_names if m in METRICS and METRICS[m].quantity in _MEASURED)
        self._wanted = {METRICS[name].quantity for name in self.names}
        self._p95 = "latency_p95" in self._wanted  # from the same calls as the median
        self._known: dict[str, dict[str, float]] = {}
        self._hosts: tuple[float, list[str]] = (-_LOOK_AGAIN_S, [])

    @property
    def measured(self) -> int:
        """Measurements taken by this worker; remembered ones are not counted."""
        return self._meter.measurements

    def measure(
        self,
        params: Mapping[str, Any],
        model: Any = None,
        *,
        told: Collection[str] = (),
        fresh: bool = False,
        enough: Callable[[Mapping[str, float]], bool] = lambda _: False,
    ) -> dict[str, float]:
        """Measure on this host what is not known of it yet, what costs least first.

        Args:
            params: The configuration.
            model: The fitted model; None: an untrained one.
            told: Quantities that the task itself tells: they are not measured.
            fresh: Measure even what is known, and precisely.
            enough: Whether, by what was found, nothing else need be measured.

        Returns:
            By metric; nothing where the task cannot be timed, or only once it is fitted.
        """
        found: dict[str, float] = {}
        for quantity in self._besides(told):
            if enough(found):
                break
            key = self._key(params, quantity, fitted=model is not None)
            if fresh or key + quantity not in self._known:
                measured = self._measure(params, model, quantity, key, fresh=fresh)
                if measured is None:
                    continue
                self._known[key + quantity] = self._values(measured)
            found |= self._known[key + quantity]
        return found

    def key(self, params: Mapping[str, Any]) -> str:
        """Of the architecture, as far as what is timed depends on it."""
        return " ".join(self._key(params, quantity, fitted=False) for quantity in self._besides(()))

    def measured_elsewhere(
        self, params: Mapping[str, Any], told: Collection[str] = ()
    ) -> tuple[dict[str, float], str | None]:
        """What a host of the measuring class found of the untrained model, all or nothing; and which."""
        quantities = self._besides(told)
        for where in self._measuring_hosts():
            stored = [self._stored(params, quantity, where) for quantity in quantities]
            known = [m for m in stored if m is not None]
            if len(known) == len(stored):
                values: dict[str, float] = {}
                for measurement in known:
                    values |= self._values(measurement)
                return values, where
        return {}, None

    def _besides(self, told: Collection[str]) -> list[str]:
        """Quantities to be measured, where those told are not."""
        wanted = {"latency" if q == "latency_p95" else q for q in self._wanted - set(told)}
        return [q for q in _MEASURED if q in wanted]

    def _stored(self, params: Mapping[str, Any], quantity: str, where: str) -> Measurement | None:
        return self._store.get(self._key(params, quantity, fitted=False), where, _metric(quantity))

    def _measuring_hosts(self) -> list[str]:
        label, (looked, hosts) = self._spec.measure.on, self._hosts
        if label is None:
            return [host().fingerprint]
        if not hosts or time.monotonic() - looked > _LOOK_AGAIN_S:
            hosts = self._db.retrying(lambda: presence.hosts_labelled(self._db, label))
            self._hosts = (time.monotonic(), hosts)
        return hosts

    def _measure(
        self, params: Mapping[str, Any], model: Any, quantity: str, key: str, *, fresh: bool
    ) -> Measurement | None:
        """None where the task cannot be measured, or only once it is fitted."""
        bounds = self._spec.constraints
        if quantity == "memory":
            batch = self._batch(quantity)
            return self._meter.memory(
                key, lambda: memory_of(self._spec, self._task, params, model, batch), fresh=fresh
            )
        call = self._call(params, model, quantity)
        if call is None:
            return None
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
        if quantity == "pipeline_latency":
            pipeline = getattr(self._task, "pipeline", None)
            made: Call | None = pipeline(params, model) if pipeline else None
            return made
        return predicting(self._task, params, model, self._batch(quantity))

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
    return DEFAULT_UNIT.get(quantity, quantity)
