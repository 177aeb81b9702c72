"""What is known of a configuration before it trains, and of a model after."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from satisfice.errors import InputError
from satisfice.measure import (
    Host,
    Measurement,
    Meter,
    Quiet,
    architecture_key,
    module_key,
    n_parameters,
    size_of_state,
)
from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.metric import METRICS, convert
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Bounds, BuildsModule, Predicts, Profiles, Task
from satisfice.store import measurements, presence
from satisfice.store.engine import Database

_TIMED = ("latency", "latency_p95", "pipeline_latency", "throughput")


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


class Evaluator:
    """Asks a task what can be known, cheap things first, and remembers it by parameters.

    Args:
        spec: The study.
        task: Its task.
        db: Where measurements are remembered.
        quiet: This worker's hold on the host's quiet.
        measures: Whether this worker may measure (`[measure] on`).
    """

    def __init__(
        self, spec: StudySpec, task: Task, db: Database, quiet: Quiet, *, measures: bool = True
    ) -> None:
        self.spec = spec
        self.task = task
        self.measures = measures
        self._meter = Meter(StoredMeasurements(db), spec.measure, quiet)
        self._cache: dict[str, dict[str, float]] = {}
        wanted = {METRICS[m].quantity for m in spec.metric_names if m in METRICS}
        self._timed = [quantity for quantity in _TIMED if quantity in wanted]

    @property
    def measured(self) -> int:
        """Measurements taken by this worker; remembered ones are not counted."""
        return self._meter.measurements

    @property
    def times(self) -> bool:
        """Whether the study asks for something that is timed."""
        return bool(self._timed)

    def before(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Metrics known without training. Timing is left out where something cheaper decides already."""
        key = json.dumps(params, sort_keys=True, default=repr)
        if key not in self._cache:
            found = self.exact(params)
            cheap_fits = all(v <= 0 for v in violations(self.spec.constraints, found).values())
            if cheap_fits and self._timed and self.measures:
                found = self._named(found | self._timings(params, None))
            if len(self._cache) > 50_000:
                self._cache.clear()
            self._cache[key] = found
        return dict(self._cache[key])

    def decided_by_bounds(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Metrics at their most favourable, where even that violates a constraint (trees, forests)."""
        if not isinstance(self.task, Bounds):
            return {}
        found = {}
        for metric, (low, high) in self.task.bounds(params).items():
            for c in self.spec.constraints:
                best = convert({metric: low if c.is_upper else high}, [c.metric]).get(c.metric)
                if best is not None and c.violation(best) > 0:
                    found[c.metric] = best
        return found

    def after(self, params: Mapping[str, Any], model: Any) -> dict[str, float]:
        """Timings of the fitted model, for families that cannot be timed before."""
        if not self._timed or not self.measures:
            return {}
        return self._named(self._timings(params, model))

    def again(self, params: Mapping[str, Any], model: Any) -> dict[str, float]:
        """Timings taken freshly, for the final word on a winner."""
        if not self._timed or not self.measures:
            return {}
        return self._named(self._timings(params, model, fresh=True))

    def _named(self, found: Mapping[str, float]) -> dict[str, float]:
        return convert(found, self.spec.metric_names)

    def exact(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Metrics that are a function of the configuration: nothing is measured."""
        found: dict[str, float] = {}
        if isinstance(self.task, BuildsModule) and not isinstance(self.task, Profiles):
            module = self._on_meta(params)
            found = {"size_bytes": size_of_state(module), "n_parameters": n_parameters(module)}
        if isinstance(self.task, Profiles):
            found |= {name: _number(name, value) for name, value in self.task.profile(params).items()}
        return self._named(found)

    def _on_meta(self, params: Mapping[str, Any]) -> Any:
        import torch

        assert isinstance(self.task, BuildsModule)
        with torch.device("meta"):
            return self.task.build(params)

    def _timings(self, params: Mapping[str, Any], model: Any, *, fresh: bool = False) -> dict[str, float]:
        found: dict[str, float] = {}
        for quantity in self._timed:
            batch = (
                self.spec.measure.throughput_batch if quantity == "throughput" else self.spec.measure.batch
            )
            call = self._call(params, model, quantity, batch)
            if call is None:
                continue
            key = self._key(params, quantity, batch, fitted=model is not None)
            bounds = [
                c
                for c in self.spec.constraints
                if c.metric in METRICS and METRICS[c.metric].quantity == quantity
            ]
            found |= self._measure(quantity, key, call, bounds, fresh=fresh)
        return found

    def _measure(
        self, quantity: str, key: str, call: Callable[[], object], bounds: list[Constraint], *, fresh: bool
    ) -> dict[str, float]:
        if quantity == "throughput":
            return {"throughput": self._meter.throughput(key, lambda: call, bounds, fresh=fresh).value}
        metric = "pipeline_latency_ms" if quantity == "pipeline_latency" else "latency_ms"
        measured = self._meter.latency(key, lambda: call, bounds, fresh=fresh, metric=metric)
        if quantity == "latency_p95":
            return {"latency_p95_ms": measured.p95 or measured.value}
        return {metric: measured.value}

    def _call(
        self, params: Mapping[str, Any], model: Any, quantity: str, batch: int
    ) -> Callable[[], object] | None:
        if quantity == "pipeline_latency":
            pipeline = getattr(self.task, "pipeline", None)
            made: Callable[[], object] | None = pipeline(params, model) if pipeline else None
            return made
        if isinstance(self.task, Predicts):
            if batch == 1:
                return self.task.predictor(params, model)
            return self.task.predictor(params, model, batch)  # type: ignore[call-arg]  # own tasks need not offer it
        if isinstance(self.task, BuildsModule):
            return _module_call(
                self.task.build(params) if model is None else model, self.task.example_input(params), batch
            )
        return None

    def _key(self, params: Mapping[str, Any], quantity: str, batch: int, *, fitted: bool) -> str:
        threads = self.spec.measure.threads
        if isinstance(self.task, Predicts):
            name = self.spec.model.family if self.spec.model is not None else type(self.task).__qualname__
            # Families known only after fitting differ with every parameter.
            depends_on_weights = fitted and not isinstance(self.task, Profiles)
            architecture = dict(params) if depends_on_weights else dict(self.task.architecture(params))
            return architecture_key(
                architecture | {"": quantity}, family_or_task=name, threads=threads, batch=batch
            )
        return module_key(self._on_meta(params), threads=threads, batch=batch)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(
            f"profile gave {name} = {value!r}, which is no number", hint="return floats"
        ) from None


def _module_call(module: Any, example: Any, batch: int) -> Callable[[], object]:
    import torch

    module.eval()
    items = example if isinstance(example, tuple) else (example,)
    inputs = tuple(x.repeat(batch, *([1] * (x.dim() - 1))) if batch > 1 else x for x in items)

    def call() -> object:
        with torch.inference_mode():
            return module(*inputs)

    return call
