"""The models that search has of a study's metrics, for who only looks at it: a report's surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from satisfice.search.curves.finish import CurveModels
from satisfice.search.curves.trained_metrics import TrainedModels
from satisfice.search.history import History
from satisfice.search.protocol import SearchProblem
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.surrogate.metric_model import HyperparameterCache, MetricModel
from satisfice.surrogate.transform import fenced
from satisfice.threads import one_blas_thread

_LATEST = 3000  # trials that are looked at; a model is made of a few hundred of them


class MetricModels:
    """Models of metrics that training decides, each as `auto` makes that of an objective.

    Stopped trials count by what their reports predict of their finish. One outlier does not bend a model: see
    `fenced`.

    Args:
        space: The study's.
        objectives: The study's.
        constraints: The study's.
        records: Its trials, with ``reports``.
    """

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        records: Sequence[TrialRecord],
    ) -> None:
        self._space = space
        self._objectives = objectives
        self._constraints = constraints
        self._records = sorted(records, key=lambda r: r.number)[-_LATEST:]

    @cached_property
    def _history(self) -> History:
        goals = {o.metric: o for o in self._objectives}
        for c in self._constraints:
            known = METRICS.get(c.metric)
            direction = "minimize" if known is None else known.direction
            goals.setdefault(c.metric, Objective(metric=c.metric, direction=direction))
        complete = [r for r in self._records if r.state == TrialState.COMPLETE]
        longest = max((r.steps for r in complete), default=0)
        history = History(
            SearchProblem(
                space=self._space,
                objectives=tuple(goals.values()),
                constraints=tuple(self._constraints),
                max_steps=longest or None,
            )
        )
        history.update(self._fenced())
        return history

    def _fenced(self) -> list[TrialRecord]:
        """The records, values of trained metrics that are far out moved to `fenced`'s fences."""
        names = {*(o.metric for o in self._objectives), *(c.metric for c in self._constraints)}
        columns = {}
        for name in names:
            final = [
                r.metrics.get(name, np.nan) if r.state == TrialState.COMPLETE else np.nan
                for r in self._records
            ]
            columns[name] = fenced(np.array(final, dtype=float))
        out = []
        for i, record in enumerate(self._records):
            moved = {n: float(v[i]) for n, v in columns.items() if np.isfinite(v[i])}
            if (record.reason or "").startswith("diverged"):
                # What a training reports once its loss has exploded predicts nothing of its neighbours.
                out.append(replace(record, reports={}, metrics={}))
                continue
            out.append(replace(record, metrics={**record.metrics, **moved}) if moved else record)
        return out

    def __call__(self, metric: str) -> tuple[MetricModel, float] | None:
        """The model of a metric that the study names, and the metric's sign on its scale.

        None where too few trials are complete.
        """
        history = self._history
        target = history.objective_names.index(metric)
        values = history.objectives()[:, target]
        complete = history.rows(TrialState.COMPLETE)
        complete = complete[np.isfinite(values[complete])]
        if len(complete) < 2 or len(history.encoder.free) == 0:
            return None
        make = TrainedModels(
            history,
            history.encoder.scaled(history.raw),
            complete,
            HyperparameterCache(),
            CurveModels(),
            1.0,
        )
        with one_blas_thread():
            return make.of_objective(target, values), float(history.signs[target])
