"""Surrogates: the observed front, and a model of each metric that training decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfice.search.auto.local_starts import best_of_ranges, promising
from satisfice.search.auto.observations import observations
from satisfice.search.curves.finish import CurveModels
from satisfice.search.curves.trained_metrics import TrainedModels
from satisfice.search.history import History
from satisfice.spec.dominance import nondominated
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.metric_model import HyperparameterCache, MetricModel

_STOPPED = 500  # latest stopped trials that may be local starts


@dataclass(frozen=True)
class Surrogates:
    """Objectives are to be minimised (signs applied) and sorted by name: their order changes nothing."""

    names: tuple[str, ...]
    signs: Array
    static: frozenset[str]  # metrics known before training
    stopped: float  # share of the trainings that was stopped early
    front: Array  # feasible, finished or expected of running trials, shape [f, m]
    observed: Array  # objectives of all feasible finished trials, shape [n, m]
    typical: Array  # median of each objective, shape [m]
    local_starts: Array  # raw rows of trials that are searched near, shape [p, d]
    models: Mapping[str, MetricModel]  # of signed objectives and of constraint metrics that training decides
    late: Mapping[str, float]  # keys of constraints that training decides, and bounds on their models' scale

    @property
    def seeks_feasible(self) -> bool:
        """Whether no finished trial meets the constraints that training decides."""
        return bool(self.late) and len(self.observed) == 0

    def box(self, fitting: Mapping[str, tuple[float, float] | None]) -> tuple[Array, Array]:
        """Ideal and reference point, each of shape [m].

        Args:
            fitting: Ends of the static metrics over all configurations known to fit.
        """
        seen = self.observed if len(self.observed) else self.typical[None]
        front = self.front if len(self.front) else seen
        ideal, nadir = np.minimum(seen.min(axis=0), front.min(axis=0)), front.max(axis=0)
        reference = np.maximum(nadir, np.median(seen, axis=0))
        for j, name in enumerate(self.names):
            ends = fitting.get(name)
            if ends is not None:
                low, high = sorted(float(self.signs[j]) * end for end in ends)
                ideal[j], reference[j] = min(ideal[j], low), max(reference[j], high)
        width = reference - ideal
        size = np.where(reference == 0, 1.0, np.abs(reference))
        width = np.where(width > 0, width, 1e-3 * size)
        return ideal, reference + 0.05 * width

    def probability_feasible(self, scaled: Array) -> Array:
        """Probability that the constraints which training decides will be met, shape [q]."""
        out = np.ones(len(scaled))
        for key, bound in self.late.items():
            out *= self.models[key].probability_below(scaled, bound)
        return out

    def predict(self, scaled: Array) -> dict[str, float]:
        """Predicted metrics of one configuration, by name, in the metric's own direction."""
        out = {}
        for j, name in enumerate(self.names):
            if name in self.models:
                model = self.models[name]
                out[name] = float(self.signs[j] * model.values(model.predict(scaled)[0])[0])
        return out


def fit_surrogates(
    history: History,
    static: set[str],
    cache: HyperparameterCache,
    curves: CurveModels,
    *,
    roughness: float = 1.0,
) -> Surrogates | None:
    """Surrogates fitted to the history, or None while it is too little for a model.

    Args:
        history: The trials.
        static: Metrics known before training.
        cache: Hyperparameters that were fitted before.
        curves: The same, of models that see unfinished trials.
        roughness: See `gaussian.KernelParameters.rougher`.
    """
    order = np.argsort([o.metric for o in history.problem.objectives], kind="stable")
    names = tuple(history.objective_names[j] for j in order)
    if len(history.encoder.free) == 0:
        return None
    observed = observations(history, static)
    if observed is None:
        return None
    complete, pruned = observed.rows, observed.stopped
    objectives = observed.objectives[:, order]
    feasible = complete[history.feasible[complete] != 0]
    make = TrainedModels(
        history,
        history.encoder.scaled(history.raw),
        complete,
        cache,
        curves if observed.at_the_end else None,
        roughness,
    )
    models = {
        name: make.of_objective(int(order[j]), objectives[:, j])
        for j, name in enumerate(names)
        if name not in static
    }
    expected = objectives.copy()
    for j, name in enumerate(names):
        if name in models:
            expected[observed.running, j] = _kriging_believer(models[name], make.x, observed.running)
    late: dict[str, float] = {}
    for constraint in history.problem.constraints:
        if constraint.metric not in static and make.ever_violated(constraint, np.r_[complete, pruned]):
            found = make.of_constraint(constraint)
            if found is not None:
                models[constraint.key], late[constraint.key] = found
    imputed = observed.running[np.isfinite(expected[observed.running]).all(axis=1)]
    candidates = expected[np.r_[feasible, imputed]]
    known = np.array([name in static for name in names])
    stopped = pruned[history.feasible[pruned] != 0][-_STOPPED:] if known.any() else pruned[:0]
    for j, name in enumerate(names):
        if name in models and len(stopped):
            expected[stopped, j] = models[name].values(models[name].predict(make.x[stopped])[0])
    near = promising(objectives, feasible) if len(feasible) else complete[-30:]
    near = np.union1d(near, best_of_ranges(expected, np.r_[feasible, stopped], known))
    return Surrogates(
        names=names,
        signs=history.signs[order],
        static=frozenset(static),
        stopped=len(pruned) / (len(complete) + len(pruned)),
        front=candidates[nondominated(candidates, keep_equal=False)],
        observed=objectives[feasible],
        typical=np.median(objectives[complete], axis=0),
        local_starts=history.raw[near],
        models=models,
        late=late,
    )


def _kriging_believer(model: MetricModel, x: Array, rows: NDArray[np.int_]) -> Array:
    """Predicted values of running trials, on which the model is then conditioned (Kriging believer)."""
    if len(rows) == 0:
        return np.zeros(0)
    mean, _ = model.predict(x[rows])
    model.condition(x[rows], mean)
    return model.values(mean)
