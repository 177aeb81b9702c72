"""What is known of a configuration before it trains, and of a model after."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.measure import Measurement, Quiet, flops_of, n_parameters, size_of_state
from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.metric import apart, convert, quantities_of, updated
from satisfice.spec.profile import turned_away_by
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Bounds, BuildsModule, Profiles, Task
from satisfice.store.database.engine import Database
from satisfice.study.measuring.architectures import built_on_meta
from satisfice.study.measuring.timings import Timings

_MOST_REMEMBERED = 50_000  # configurations


class Evaluator:
    """Asks a task what can be known, cheap things first, and remembers it by parameters.

    Args:
        spec: The study.
        task: Its task.
        db: Where measurements are remembered.
        quiet: This worker's hold on the host's quiet.
        study_uuid: Our key of the study.
        measures: Whether this worker may measure (`[measure] on`).
    """

    def __init__(
        self,
        spec: StudySpec,
        task: Task,
        db: Database,
        quiet: Quiet,
        *,
        study_uuid: str,
        measures: bool = True,
    ) -> None:
        self.spec = spec
        self.task = task
        self.measures = measures
        self._quantities = quantities_of(spec.metric_names)
        self._timings = Timings(spec, task, db, quiet, study_uuid)
        self._cache: dict[str, dict[str, float]] = {}

    @property
    def measured(self) -> int:
        """Measurements taken by this worker; remembered ones are not counted."""
        return self._timings.measured

    @property
    def times(self) -> bool:
        """Whether the study asks for something that is timed."""
        return bool(self._timings.names)

    def before(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Metrics known without training. Timing is left out where something cheaper decides already."""
        key = json.dumps(params, sort_keys=True, default=repr)
        if key in self._cache:
            return dict(self._cache[key])
        found = self.exact(params)
        if self.times and not self._useless(found):
            if self.measures:
                told = self._timings.measure(params, told=quantities_of(found), enough=self._settled)
                found = updated(found, told, self.spec.metric_names)
            else:
                told = self._timings.measured_elsewhere(params, quantities_of(found))[0]
                if not told:
                    return found  # not remembered: it may be measured at any moment
                found = updated(found, told, self.spec.metric_names)
        if len(self._cache) > _MOST_REMEMBERED:
            self._cache.clear()
        self._cache[key] = found
        return dict(found)

    def fits_exactly(self, params: Mapping[str, Any]) -> bool:
        """Whether nothing that is known of the configuration without measuring violates a constraint."""
        return not self.turned_away(params, self.exact(params))

    def turned_away(self, params: Mapping[str, Any], found: Mapping[str, float]) -> dict[str, float]:
        """Violations by key for which a configuration is turned away; empty where somebody can use it.

        Args:
            params: The configuration.
            found: What is known of it.
        """
        own, *of_each = self.judged_by_each(params, found)
        return turned_away_by(own, of_each)

    def judged_by_each(self, params: Mapping[str, Any], found: Mapping[str, float]) -> list[dict[str, float]]:
        """`judged` by the study's constraints, then by each profile's own."""
        regimes = (self.spec.constraints, *(p.constraints for p in self.spec.profiles))
        return [self.judged(params, found, constraints) for constraints in regimes]

    def judged(
        self, params: Mapping[str, Any], found: Mapping[str, float], constraints: Sequence[Constraint]
    ) -> dict[str, float]:
        """Violations by key of the constraints that are decided before training.

        Args:
            params: The configuration.
            found: What is known of it.
            constraints: Which constraints.
        """
        return violations(constraints, {**found, **self.decided_by_bounds(params, constraints)})

    def measures_itself(self, metric: str) -> bool:
        """Whether the metric is timed, or measured, by satisfice."""
        return metric in self._timings.names

    def lacks_timing(self, found: Mapping[str, float]) -> bool:
        """Whether a timed metric that the study names is missing."""
        return any(name not in found for name in self._timings.names)

    def lacks_others(self, missing: Iterable[str]) -> bool:
        """Whether one of the missing metrics is none that is timed."""
        return any(name not in self._timings.names for name in missing)

    def measured_elsewhere(self, params: Mapping[str, Any]) -> tuple[dict[str, float], str | None]:
        """Timings by a host of the measuring class, and its fingerprint; nothing where there are none yet."""
        told, where = self._timings.measured_elsewhere(params, self._told(params))
        return self._named(told), where

    def measured_on(self, params: Mapping[str, Any]) -> str | None:
        """Fingerprint of the host that the configuration's timings are from."""
        if not self.times:
            return None
        if self.measures:
            return self._timings.host_of(params, self._told(params))
        return self.measured_elsewhere(params)[1]

    def decided_by_bounds(
        self, params: Mapping[str, Any], constraints: Sequence[Constraint]
    ) -> dict[str, float]:
        """Metrics at their most favourable, where even that violates a constraint (trees, forests)."""
        if not isinstance(self.task, Bounds):
            return {}
        found = {}
        for metric, (low, high) in self.task.bounds(params).items():
            for c in constraints:
                best = convert({metric: low if c.is_upper else high}, [c.metric]).get(c.metric)
                if best is not None and c.violation(best) > 0:
                    found[c.metric] = best
        return found

    def architecture(self, params: Mapping[str, Any]) -> str:
        """Key of the architecture: equal for configurations of one latency."""
        return self._timings.key(params)

    def timed(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Timings of the untrained model, whatever else is known of the configuration."""
        return self._named(self._timings.measure(params, told=self._told(params))) if self.measures else {}

    def after(self, params: Mapping[str, Any], model: Any) -> dict[str, float]:
        """Timings of the fitted model, for families that cannot be timed before."""
        if not self.times or not self.measures:
            return {}
        return self._named(self._timings.measure(params, model, told=self._told(params)))

    def again(self, params: Mapping[str, Any], model: Any) -> dict[str, float]:
        """Timings taken freshly, for the final word on a winner."""
        if not self.times or not self.measures:
            return {}
        again = self._timings.measure(params, model, told=self._told(params), fresh=True)
        return self._named(apart(again)[0])

    def remembered(self, params: Mapping[str, Any], model: Any, hosts: Collection[str]) -> list[Measurement]:
        """Measurements that are stored of a configuration; see `Timings.remembered`."""
        return self._timings.remembered(params, model, hosts)

    def shipped(self, params: Mapping[str, Any], path: Path | None) -> dict[str, float]:
        """The size of the model file that a trial kept, where the task's `profile` tells none."""
        if path is None or "size" not in self._quantities or "size" in self._told(params):
            return {}
        return self._named({"size_bytes": float(path.stat().st_size)})

    def _named(self, found: Mapping[str, float]) -> dict[str, float]:
        return convert(found, self.spec.metric_names)

    def exact(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Metrics that are a function of the configuration: nothing is measured."""
        found: dict[str, float] = {}
        if isinstance(self.task, Profiles):
            found = _numbers(self.task.profile(dict(params)))
        if isinstance(self.task, BuildsModule):
            lacking = {"size", "n_parameters", *self._quantities} - quantities_of(found)
            found |= _of_module(self.task, params, lacking)
        return self._named(found)

    def _told(self, params: Mapping[str, Any]) -> set[str]:
        """Quantities that the task tells of itself."""
        return quantities_of(self.exact(params)) if isinstance(self.task, Profiles) else set()

    def _settled(self, found: Mapping[str, float]) -> bool:
        return self._useless(self._named(found))

    def _useless(self, found: Mapping[str, float]) -> bool:
        """Whether a configuration of which so much is known is turned away."""
        own = violations(self.spec.constraints, found)
        return bool(turned_away_by(own, [violations(p.constraints, found) for p in self.spec.profiles]))


def _of_module(
    task: BuildsModule, params: Mapping[str, Any], quantities: Collection[str]
) -> dict[str, float]:
    """Those of the quantities that follow from a module's structure, exactly."""
    if not {"size", "n_parameters", "flops"} & set(quantities):
        return {}
    module = built_on_meta(task, params)
    found: dict[str, float] = {}
    if "size" in quantities:
        found["size_bytes"] = size_of_state(module)
    if "n_parameters" in quantities:
        found["n_parameters"] = n_parameters(module)
    if "flops" in quantities:
        found["flops"] = flops_of(module, task.example_input(params))
    return found


def _numbers(told: Any) -> dict[str, float]:
    if not isinstance(told, Mapping):
        raise InputError(f"profile gave {told!r}, which is no dict of metrics", hint="return floats by name")
    return {name: _number(name, value) for name, value in told.items()}


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(
            f"profile gave {name} = {value!r}, which is no number", hint="return floats"
        ) from None
