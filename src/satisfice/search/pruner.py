"""Stopping trainings that cannot matter any more."""

from __future__ import annotations

import numpy as np
from optuna.trial import TrialState

from satisfice.search.curves import finished_curves, last_checkpoint
from satisfice.search.encode import Array
from satisfice.search.history import History, checkpoints
from satisfice.search.protocol import Decision, SearchProblem

_MIN_WORSE = 15  # finished trials that looked as bad or worse, before any of them is taken as a precedent


class NoPruner:
    """Lets every training finish."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Reports at the checkpoints are still wanted: the sampler learns from unfinished trials."""
        return step in checkpoints(max_steps)

    def decide(self, history: History, number: int) -> Decision:
        """Always goes on."""
        return Decision(stop=False)


class AutoPruner:
    """Stops a trial whose most optimistic finish is dominated by a feasible finished trial."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Geometric steps, all before the last one."""
        return step in checkpoints(max_steps)

    def decide(self, history: History, number: int) -> Decision:
        """Whether trial ``number`` should stop (see `Pruner`)."""
        g = int(last_checkpoint(history, np.array([number]))[0])
        if g < 0:
            return Decision(stop=False, reason="nothing reported yet")
        hope = self._hope(history, number, g)
        if not np.isfinite(hope).all():
            return Decision(stop=False, reason="too few finished trials to judge by")
        rows = history.rows(TrialState.COMPLETE)
        rows = rows[history.feasible[rows] != 0]
        finished = history.objectives()[rows]
        better = np.flatnonzero((finished <= hope).all(axis=1))
        if len(better) == 0:
            return Decision(stop=False)
        step = int(history.steps[number])
        return Decision(
            stop=True,
            reason=f"dominated at step {step}: even its best hope is no better than trial {rows[better[0]]}",
        )

    def _hope(self, history: History, number: int, g: int) -> Array:
        """The most optimistic finish, objectives to minimise, NaN where nothing can be said. Shape [m]."""
        hope = np.full(len(history.objective_names), np.nan)
        exact = history.objectives()[number]
        for j, sign in enumerate(history.signs):
            now = float(history.curves[number, g, j]) * sign
            early, final = finished_curves(history, j, g)
            static = np.isfinite(exact[j]) and (
                len(early) == 0 or np.allclose(early, final, rtol=1e-5, atol=0)
            )
            if static:
                hope[j] = exact[j]
                continue
            if not np.isfinite(now):
                continue
            worse = final[early >= now]
            if len(worse) >= _MIN_WORSE:
                hope[j] = np.sort(worse)[0]
        return hope
