"""Pruning of cross-validated trials between folds.

All trials use the same folds, so two configurations are compared fold by fold: the difficulty of a fold
cancels in the differences. A trial is stopped when its mean difference d to a better one
over the m folds so far is more than ``z`` standard errors of what the mean over all K folds will be:

    mean(d) > z * sqrt(s^2 (1/m - 1/K))

The variance s^2 is pooled: the median of the variances, over folds, of the differences of earlier trials to
the same better one. It takes at least three of them. From the second fold on, it is shrunk with the trial's
own variance, and counts as 4 degrees of freedom there.

With several objectives a trial is stopped when one finished feasible trial is better in every objective by
this rule; in an objective known before training (such as the size) it is enough to be no worse. An
objective without reports prevents stopping.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.history import History
from satisfice.search.protocol import Decision, SearchProblem
from satisfice.spec.dominance import nondominated
from satisfice.surrogate.encoding import Array

Z = 2.5
_FEWEST = 3  # earlier variances
_POOLED_FREEDOM = 4.0  # degrees of freedom that the pooled variance counts as
_MOST = 200  # of the earlier trials, only so many latest ones are used


def clearly_worse(differences: Array, folds: int, pooled: float, z: float = Z) -> bool:
    """Whether a configuration is clearly worse than another on the folds trained so far.

    Args:
        differences: Of metrics to minimise, its own minus the other's, shape (m,), 1 <= m < ``folds``.
        folds: K, the number of folds.
        pooled: Variance of such differences over folds, from earlier configurations.
        z: How many standard errors the mean difference must exceed.

    Returns:
        True if the mean difference exceeds ``z`` standard errors.
    """
    m = len(differences)
    mean = float(differences.mean())
    own = float(((differences - mean) ** 2).sum())
    variance = (_POOLED_FREEDOM * pooled + own) / (_POOLED_FREEDOM + m - 1)
    return mean > z * math.sqrt(variance * (1 / m - 1 / folds))


def pooled_variance(earlier: Array, other: Array) -> float | None:
    """The median variance over folds of the differences to one configuration.

    Configurations with zero variance are left out. The result is None if fewer than three remain.

    Args:
        earlier: Values of n configurations, NaN on folds that were not trained. Shape (n, K).
        other: Values of the configuration they are compared with, shape (K,).
    """
    apart = earlier - other
    seen = np.isfinite(apart)
    count = seen.sum(axis=1)
    apart, count = apart[count >= 2], count[count >= 2]
    if len(apart) == 0:
        return None
    centred = apart - np.nanmean(apart, axis=1, keepdims=True)
    variances = np.nansum(centred**2, axis=1) / (count - 1)
    variances = variances[variances > 0]
    return float(np.median(variances)) if len(variances) >= _FEWEST else None


class FoldPruner:
    """Stops a trial that is clearly worse than a finished one on its folds so far (see the module)."""

    def __init__(self, problem: SearchProblem) -> None:
        assert problem.folds is not None
        self._folds = problem.folds

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Whether ``step`` is a fold other than the last."""
        return 1 <= step < self._folds

    def decide(self, history: History, number: int) -> Decision:
        """Whether trial ``number`` should stop (see `Pruner`)."""
        m = int(history.steps[number])
        if not 1 <= m < self._folds:
            return Decision(stop=False, reason="no fold to judge by")
        mine = history.fold_values[number, :m]
        earlier = history.rows(TrialState.COMPLETE, TrialState.PRUNED)
        earlier = earlier[earlier != number][-_MOST:]
        for other in self._others(history):
            if other != number and self._behind(history, number, mine, int(other), earlier):
                return Decision(stop=True, reason=self._said(history, mine, int(other), m))
        return Decision(stop=False)

    def _others(self, history: History) -> NDArray[np.int_]:
        """The Pareto front of the finished trials, sorted by the first objective."""
        rows = history.rows(TrialState.COMPLETE)
        rows = rows[history.feasible[rows] != 0]
        values = history.objectives(rows)
        finite = np.isfinite(values).all(axis=1)
        rows, values = rows[finite], values[finite]
        if len(rows) == 0:
            return np.zeros(0, dtype=int)
        front = np.flatnonzero(nondominated(values, keep_equal=False))
        return np.asarray(rows[front[np.argsort(values[front, 0], kind="stable")]])

    def _behind(
        self, history: History, number: int, mine: Array, other: int, earlier: NDArray[np.int_]
    ) -> bool:
        theirs, trained = history.fold_values[other], 0
        for j in range(len(history.objective_names)):
            known = float(history.target(j, np.array([number]))[0])
            if math.isfinite(known):
                if known < float(history.target(j, np.array([other]))[0]):
                    return False
                continue
            differences = mine[:, j] - theirs[: len(mine), j]
            if not np.isfinite(differences).all():
                return False
            pooled = pooled_variance(history.fold_values[earlier[earlier != other], :, j], theirs[:, j])
            if pooled is None or not clearly_worse(differences, self._folds, pooled):
                return False
            trained += 1
        return trained > 0

    def _said(self, history: History, mine: Array, other: int, m: int) -> str:
        apart = np.abs((mine - history.fold_values[other, :m]).mean(axis=0))
        names = history.objective_names
        told = ", ".join(f"{n} by {apart[j]:.4g}" for j, n in enumerate(names) if np.isfinite(apart[j]))
        folds = "1 fold" if m == 1 else f"{m} folds"
        return f"clearly worse on {folds} of {self._folds}: behind trial {other} in {told} on average"
