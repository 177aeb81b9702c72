"""What is measured of a configuration: here, or read where the measuring host class measured it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from satisfice.measure import Host, Measurement, Meter, Quiet, host
from satisfice.spec.metric import DEFAULT_UNIT, METRICS, as_estimated
from satisfice.spec.standard_error import NORMAL_95, error_name
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Task
from satisfice.store import measurements
from satisfice.store import workers as presence
from satisfice.store.database.engine import Database
from satisfice.study.measuring.architectures import ArchitectureKeys
from satisfice.study.measuring.predicting import Call, memory_of, predicting

_MEASURED = ("latency", "latency_p95", "pipeline_latency", "throughput", "energy", "memory")
_LOOK_AGAIN_S = 5.0  # for further hosts of the measuring class


class StoredMeasurements:
    """The measurement store of `satisfice.measure`, in SQL."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: str, host: str, metric: str) -> Measurement | None:
        """The measurement last put, or None."""
        content = measurements.load(self._db, key, host, metric)
        return None if content is None else Measurement.from_dict(content)

    def put(self, key: str, measurement: Measurement) -> None:
        """Remember it."""
        m = measurement
        measurements.store(self._db, key, m.host, m.metric, m.to_dict())

    def put_host(self, host: Host) -> None:
        """Remember what the fingerprint stands for."""
        presence.put_host(self._db, host.fingerprint, host.description)


class CountedMeasurements:
    """What one study counts with: of each architecture the measurement that was there first.

    Other studies may measure it again, more precisely, and so does `Study.confirm`; two workers may measure
    it at once, on two hosts of one class. All trials of the study still have one figure for it, so that none
    dominates another by noise.

    Args:
        db: The database.
        study_uuid: Our key of the study.
        on: Label of the hosts that measure; None: each host counts for itself.
    """

    def __init__(self, db: Database, study_uuid: str, on: str | None) -> None:
        self._db = db
        self._uuid = study_uuid
        self._on = None if on is None else hashlib.sha256(f"label {on}".encode()).hexdigest()

    @property
    def _place(self) -> str:
        return host().fingerprint if self._on is None else self._on

    def get(self, key: str, metric: str, where: str | None = None) -> Measurement | None:
        """What the study counts with, or None; on this host, or on that of another fingerprint."""
        place = self._place if where is None or self._on is not None else where
        content = measurements.counted(self._db, self._uuid, key, place, metric)
        return None if content is None else Measurement.from_dict(content)

    def first(self, key: str, found: Measurement) -> Measurement:
        """Have the study count with ``found``, unless another was first: that one is returned."""
        stands = measurements.count(self._db, self._uuid, key, self._place, found.metric, found.to_dict())
        return Measurement.from_dict(stands)


class Timings:
    """Times a task's configurations, each architecture once, by the study's `[measure]`.

    Args:
        spec: The study.
        task: Its task.
        db: Where measurements are remembered.
        quiet: This worker's hold on the host's quiet.
        study_uuid: Our key of the study.
    """

    def __init__(self, spec: StudySpec, task: Task, db: Database, quiet: Quiet, study_uuid: str) -> None:
        self._spec = spec
        self._task = task
        self._db = db
        self._store = StoredMeasurements(db)
        self._counted = CountedMeasurements(db, study_uuid, spec.measure.on)
        self._keys = ArchitectureKeys(spec, task)
        self._meter = Meter(self._store, spec.measure, quiet)
        self.names = tuple(m for m in spec.metric_names if m in METRICS and METRICS[m].quantity in _MEASURED)
        self._wanted = {METRICS[name].quantity for name in self.names}
        self._p95 = "latency_p95" in self._wanted  # from the same calls as the median
        self._known: dict[str, Measurement] = {}  # what the study counts with
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
            key = self._keys.of(params, quantity, model)
            measured = None if fresh else self._known.get(key + quantity)
            if measured is None:
                measured = self._measure(params, model, quantity, key, fresh=fresh)
                if measured is None:
                    continue
                if not fresh:
                    self._known[key + quantity] = measured
            found |= self._values(measured)
        return found

    def remembered(self, params: Mapping[str, Any], model: Any, hosts: Collection[str]) -> list[Measurement]:
        """What is stored of a configuration, without its model or with it; nothing is measured.

        Args:
            params: The configuration.
            model: The fitted model.
            hosts: Fingerprints of the hosts that may have measured it.
        """
        out: list[Measurement | None] = []
        for quantity in self._besides(()):
            keys = dict.fromkeys(self._keys.of(params, quantity, given) for given in (None, model))
            for key, where in ((key, where) for key in keys for where in hosts):
                out.append(self._store.get(key, where, _metric(quantity)))
                out.append(self._counted.get(key, _metric(quantity), where))
        return [measured for measured in out if measured is not None]

    def key(self, params: Mapping[str, Any]) -> str:
        """Of the architecture, as far as what is timed depends on it."""
        return " ".join(self._keys.of(params, quantity) for quantity in self._besides(()))

    def host_of(self, params: Mapping[str, Any], told: Collection[str] = ()) -> str:
        """Fingerprint of the host that the configuration's timings are from, if this worker has them."""
        known = [self._known.get(self._keys.of(params, q) + q) for q in self._besides(told)]
        return next((m.host for m in known if m is not None), host().fingerprint)

    def measured_elsewhere(
        self, params: Mapping[str, Any], told: Collection[str] = ()
    ) -> tuple[dict[str, float], str | None]:
        """What a host of the measuring class found of the untrained model, all or nothing; and which."""
        quantities = self._besides(told)
        keys = {quantity: self._keys.of(params, quantity) for quantity in quantities}
        counted = {q: self._counted.get(key, _metric(q)) for q, key in keys.items()}
        for where in self._measuring_hosts():
            found = {q: counted[q] or self._store.get(key, where, _metric(q)) for q, key in keys.items()}
            known = {q: m for q, m in found.items() if m is not None}
            if len(known) < len(quantities):
                continue
            values: dict[str, float] = {}
            for q, measurement in known.items():
                stands = counted[q] or self._counted.first(keys[q], measurement)
                values |= self._values(stands)
            return values, next((m.host for m in known.values()), where)
        return {}, None

    def _besides(self, told: Collection[str]) -> list[str]:
        """Quantities to be measured, where those told are not."""
        wanted = {"latency" if q == "latency_p95" else q for q in self._wanted - set(told)}
        return [q for q in _MEASURED if q in wanted]

    def _measuring_hosts(self) -> list[str]:
        label, (looked, hosts) = self._spec.measure.on, self._hosts
        if label is None:
            return [host().fingerprint]
        if not hosts or time.monotonic() - looked > _LOOK_AGAIN_S:
            hosts = presence.hosts_labelled(self._db, label)
            self._hosts = (time.monotonic(), hosts)
        return hosts

    def _measure(
        self, params: Mapping[str, Any], model: Any, quantity: str, key: str, *, fresh: bool
    ) -> Measurement | None:
        """None where the task cannot be measured, or only once it is fitted."""
        call = None if quantity == "memory" else self._call(params, model, quantity)
        if call is None and quantity != "memory":
            return None
        counted = None if fresh else self._counted.get(key, _metric(quantity))
        if counted is not None:
            return counted
        measured = self._take(params, model, quantity, key, call, fresh=fresh)
        return measured if measured is None or fresh else self._counted.first(key, measured)

    def _take(
        self,
        params: Mapping[str, Any],
        model: Any,
        quantity: str,
        key: str,
        call: Call | None,
        *,
        fresh: bool,
    ) -> Measurement | None:
        """What is remembered of the architecture on this host, else measured now."""
        bounds = self._spec.bounds
        if call is None:
            batch = self._keys.batch(quantity)
            return self._meter.memory(
                key, lambda: memory_of(self._spec, self._task, params, model, batch), fresh=fresh
            )
        if quantity == "energy":
            return self._meter.energy(key, lambda: call, fresh=fresh)
        if quantity == "throughput":
            return self._meter.throughput(key, lambda: call, bounds, fresh=fresh)
        return self._meter.latency(
            key, lambda: call, bounds, precise=fresh, fresh=fresh, metric=_metric(quantity)
        )

    def _values(self, measured: Measurement) -> dict[str, float]:
        # The ends of a 95% interval are 1.96 standard errors from its middle.
        error = (measured.high - measured.low) / 2 / NORMAL_95
        values = {measured.metric: measured.value, error_name(measured.metric): error}
        if measured.metric == "latency_ms" and self._p95:
            values["latency_p95_ms"] = measured.value if measured.p95 is None else measured.p95
        return values | (as_estimated(measured.metric) if measured.estimated else {})

    def _call(self, params: Mapping[str, Any], model: Any, quantity: str) -> Call | None:
        if quantity == "pipeline_latency":
            pipeline = getattr(self._task, "pipeline", None)
            made: Call | None = pipeline(params, model) if pipeline else None
            return made
        return predicting(self._task, params, model, self._keys.batch(quantity))


def _metric(quantity: str) -> str:
    return DEFAULT_UNIT.get(quantity, quantity)
