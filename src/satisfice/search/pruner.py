"""Stopping trainings that cannot matter any more.

A trial is stopped when even its optimistic finish is dominated by a feasible finished trial. Objectives known
before training are taken as they are; the others are extrapolated from the reports (see `curves`),
optimistic meaning the lower end of the interval. Every rule is tried on the trials that finished before it
may stop anything: a checkpoint at which it would have lost a member of the front decides nothing. Where
learning curves say little, the intervals are wide or the trial fails, and nothing is stopped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.curves import CurveModel, CurveModels, last_checkpoint, signed_curve
from satisfice.search.encode import Array
from satisfice.search.history import History, checkpoints
from satisfice.search.improvement import nondominated
from satisfice.search.protocol import Decision, SearchProblem

_OPTIMISM = 2.0  # standard deviations below the expected finish
_LATEST = (
    1 / 3
)  # of a full training: later, its exact end is worth more to the model than what stopping saves
_MIN_SKILL = 0.5  # what reports must add to what the configuration alone foretells, else they are no evidence
_AUDIT = 50  # one in so many trials is never stopped, to see what stopping would have lost


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
    """See the module."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem
        self._models = CurveModels()
        self._trusted: dict[int, tuple[bytes, bool]] = {}

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Geometric steps, all before the last one."""
        return step in checkpoints(max_steps)

    def decide(self, history: History, number: int) -> Decision:
        """Whether trial ``number`` should stop (see `Pruner`)."""
        g = int(last_checkpoint(history, np.array([number]))[0])
        if g < 0:
            return Decision(stop=False, reason="nothing reported yet")
        if self._problem.max_steps is not None and history.steps[number] > _LATEST * self._problem.max_steps:
            return Decision(stop=False, reason="far enough to be worth finishing")
        if (number * 2654435761) % 2**32 < 2**32 // _AUDIT:
            return Decision(stop=False, reason="trained to the end to check the rule for stopping")
        hope = self._hope(history, number, g)
        if hope is None:
            return Decision(
                stop=False, reason="reports at this step do not foretell the finish, as far as is known"
            )
        rows, finished = _feasible_finished(history)
        better = np.flatnonzero((finished <= hope).all(axis=1))
        if len(better) == 0:
            return Decision(stop=False)
        if not self._trustworthy(history, g):
            return Decision(stop=False, reason="early reports did not foretell the finish of earlier trials")
        step, name = int(history.steps[number]), history.objective_names
        said = ", ".join(f"{n} {h * s:.4g}" for n, h, s in zip(name, hope, history.signs, strict=True))
        return Decision(
            stop=True,
            reason=f"dominated at step {step}: its best hope ({said}) is behind trial {rows[better[0]]}",
        )

    def _hope(self, history: History, number: int, g: int) -> Array | None:
        """The optimistic finish, objectives to minimise, or None where nothing can be said. Shape [m]."""
        hope = np.empty(len(history.objective_names))
        exact = history.objectives(np.array([number]))[0]
        unit = history.encoder.unit(history.raw[number][None])
        for j in range(len(hope)):
            now = signed_curve(history, np.array([number]), j, g)
            if is_static(history, j):
                hope[j] = exact[j] if np.isfinite(exact[j]) else now[0]
                continue
            model = self._models.get(history, j, g)
            if model is None or not np.isfinite(now[0]) or model.skill < _MIN_SKILL:
                return None
            mean, sd = model.predict(unit, now)
            hope[j] = model.transform.inverse(mean - _OPTIMISM * sd)[0]
        return hope if np.isfinite(hope).all() else None

    def _trustworthy(self, history: History, g: int) -> bool:
        """Whether the rule, tried at this checkpoint on the finished trials, loses none of their front."""
        key = history.rows(TrialState.COMPLETE).tobytes()
        kept = self._trusted.get(g)
        if kept is None or kept[0] != key:
            kept = (key, self._try_on_finished(history, g))
            self._trusted[g] = kept
        return kept[1]

    def _try_on_finished(self, history: History, g: int) -> bool:
        rows, finished = _feasible_finished(history)
        hope = finished.copy()
        for j in range(finished.shape[1]):
            if is_static(history, j):
                continue
            model = self._models.get(history, j, g)
            assert model is not None  # there was one for the trial that is judged
            mean, sd = model.left_out(signed_curve(history, model.rows, j, g))
            optimistic = model.transform.inverse(mean - _OPTIMISM * sd)
            place = np.searchsorted(rows, model.rows)
            known = (place < len(rows)) & (rows[np.minimum(place, len(rows) - 1)] == model.rows)
            hope[place[known], j] = optimistic[known]
        front = np.flatnonzero(nondominated(finished))
        for i in front:
            others = finished[front[front != i]]
            if len(others) and (others <= hope[i]).all(axis=1).any():
                return False
        return True


def _feasible_finished(history: History) -> tuple[NDArray[np.int_], Array]:
    """Numbers and objectives (to minimise) of the trials that a trial may be compared with."""
    rows = history.rows(TrialState.COMPLETE)
    rows = rows[history.feasible[rows] != 0]
    values = history.objectives(rows)
    told = np.isfinite(values).all(axis=1)
    return rows[told], values[told]


def is_static(history: History, objective: int) -> bool:
    """Whether an objective does not change while a trial trains, as far as the reports show."""
    rows = history.rows(TrialState.COMPLETE)[-50:]
    final = history.objectives(rows)[:, objective]
    curves = history.curves[rows, :, objective].astype(float) * history.signs[objective]
    change = np.abs(curves - final[:, None])
    change = change[np.isfinite(change)]
    if len(change) == 0:
        return True
    return bool(change.max() <= 1e-5 * max(float(np.abs(final[np.isfinite(final)]).max()), 1e-300))


__all__ = ["AutoPruner", "CurveModel", "NoPruner", "is_static"]
