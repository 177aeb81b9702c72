"""Models of what training decides: objectives, and metrics that constraints bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.curves.extrapolation import last_rung
from satisfice.search.curves.finish import CurveModels
from satisfice.search.history import History
from satisfice.spec.constraint import Constraint
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.metric_model import MAX_POINTS, TRAINED, HyperparameterCache, MetricModel, spread_out

_NOISE_PRIOR = 0.01


@dataclass(frozen=True)
class TrainedModels:
    """Makes them, all from the same trials."""

    history: History
    x: Array  # scaled rows of all trials, shape [n, d]
    complete: NDArray[np.int_]  # trials that count as finished
    cache: HyperparameterCache
    curves: CurveModels | None  # None: nothing is predicted from reports
    roughness: float  # see `KernelParameters.rougher`

    def of_objective(self, objective: int, values: Array) -> MetricModel:
        """From finished trials, and (with ``curves``) from unfinished ones by what their reports predict.

        Args:
            objective: Index into `History.targets`.
            values: Of all trials, to minimise, those of ``complete`` finite, shape [n].
        """
        unfinished = self.history.rows(TrialState.PRUNED, TrialState.RUNNING)
        unfinished = unfinished[last_rung(self.history, unfinished) >= 0]
        failed = self.history.rows(TrialState.FAIL)
        failed = failed[-MAX_POINTS // 4 :]
        failed = failed[~np.isnan(self.history.raw[failed]).all(axis=1)]
        if len(unfinished) and self.curves is not None:
            model = self.curves.make(
                self.history, objective, self.complete, unfinished, failed, roughness=self.roughness
            )
            if model is not None:
                return model.metric
        seen = values[self.complete]
        rows = np.r_[self.complete, failed]
        y = np.r_[seen, np.full(len(failed), float(seen.max()))]
        extra = np.r_[np.zeros(len(seen)), np.full(len(failed), 0.5)]
        order = np.argsort(rows, kind="stable")
        return self._model(rows[order], y[order], extra[order], _informative(y[order]), self.complete, seen)

    def of_constraint(self, constraint: Constraint) -> tuple[MetricModel, float] | None:
        """Of what a constraint bounds, and the bound on its scale; None if nothing is known of it.

        Where trials report it, it is modelled as an objective is.
        """
        history = self.history
        target = history.target_of(constraint)
        reported = np.asarray(np.isfinite(history.curves[:, :, target]).any(axis=1))
        unfinished = history.rows(TrialState.PRUNED, TrialState.RUNNING)
        unfinished = unfinished[reported[unfinished]]
        if len(unfinished) and self.curves is not None:
            finishes = self.curves.make(history, target, self.complete, unfinished, roughness=self.roughness)
            if finishes is not None:
                return finishes.metric, history.targets[target].sign * constraint.bound
        values = history.metrics[:, history.metric_column[constraint.metric]]
        # The last report of a stopped trial is not its finish.
        rows = history.rows(TrialState.COMPLETE, TrialState.PRUNED)
        ended = (history.state[rows] == TrialState.COMPLETE) | ~reported[rows]
        rows = rows[np.isfinite(values[rows]) & ended]
        if len(rows) == 0:
            return None
        violation = np.array([constraint.violation(v) for v in values[rows]])
        keep = _informative(np.abs(violation))
        return self._model(rows, violation, np.zeros(len(rows)), keep, rows, violation), 0.0

    def ever_violated(self, constraint: Constraint, rows: NDArray[np.int_]) -> bool:
        """Whether one of these trials is known to violate a constraint."""
        values = self.history.metrics[rows, self.history.metric_column[constraint.metric]]
        return any(not constraint.satisfied(v) for v in values if np.isfinite(v))

    def _model(
        self,
        rows: NDArray[np.int_],
        y: Array,
        extra: Array,
        keep: NDArray[np.int_],
        fitted: NDArray[np.int_],
        values: Array,
    ) -> MetricModel:
        """Of observed values.

        Args:
            rows: Trials, shape [n].
            y: Theirs, shape [n].
            extra: Additional noise variance, shape [n].
            keep: Which of them a model is made of, indices into ``rows``.
            fitted: Trials that hyperparameters and transform are fitted on, shape [f].
            values: Theirs, shape [f].
        """
        layout = self.history.encoder.layout
        return MetricModel(
            self.x[rows[keep]],
            y[keep],
            extra[keep],
            layout,
            transform=TRAINED(values),
            hyperparameters=self.cache.get(
                self.x[fitted],
                values,
                layout,
                TRAINED,
                noise_prior=_NOISE_PRIOR,
                roughness=self.roughness,
            ),
        )


def _informative(y: Array) -> NDArray[np.int_]:
    """At most `MAX_POINTS` rows: the best, the latest, and a spread of the others."""
    if len(y) <= MAX_POINTS:
        return np.arange(len(y))
    third = MAX_POINTS // 3
    best = np.argsort(y, kind="stable")[:third]
    latest = np.arange(len(y) - third, len(y))
    return np.unique(np.r_[best, latest, spread_out(len(y), MAX_POINTS - 2 * third)])
