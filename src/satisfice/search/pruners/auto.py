"""The pruner `auto`: stops trials that cannot reach the Pareto front or meet the constraints.

The pruner computes an optimistic bound on the final metrics of a running trial. It stops the trial if a
feasible finished trial dominates the bound, or if the bound violates a constraint on a metric known only
after training. While no finished trial meets that constraint, the bound must violate it by more than the
nearest miss does.

Metrics known before training enter the bound exactly. The others are predicted twice (see `curves`): from the
configuration with the reports, and from the reports alone. The lower end of the more optimistic interval is
the bound. The width of the intervals is learnt: the rule is replayed on the finished trials, each predicted
from an early report, and the narrowest width that loses at most 1 % of the hypervolume of their front is
used. If no width achieves that, no trial is stopped.

Before enough trials have finished, a trial is compared with the others at half its steps. It is stopped if
some trial, finished or running, was no worse by then in every objective and in those constraints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.curves.extrapolation import last_rung, signed_curve
from satisfice.search.curves.finish import MIN_FINISHED, CurveModels, FinishModel
from satisfice.search.history import History, rungs
from satisfice.search.protocol import Decision, SearchProblem
from satisfice.spec.constraint import Constraint
from satisfice.spec.dominance import nondominated
from satisfice.surrogate.encoding import Array

_OPTIMISM = (1.6, 2.0, 2.5, 3.0)  # widths to try, in standard deviations; the first safe one is used
_SAFE = 0.01  # share of the hypervolume that the replay on finished trials may lose
_EARLIEST = 0.1  # share of a full training; earlier reports predict too little
_LATEST = 0.65  # share of a full training; later, a finished trial is worth more than the steps saved
_HEAD_START = 2.0  # before models exist: how many times more steps than another trial
_STOPPED_PER_OTHER = 3  # before models exist: limit on stopped trials, since models need finished ones
_AUDIT = 50  # one trial in so many is never stopped, to check the rule
_ROUNDING = 1e-9  # share of a metric's size by which reports of one number may differ
_EVERY = 1.02  # models of many trials are refitted when their number has grown by this factor


class NoPruner:
    """Stops no trial."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Whether ``step`` is a rung or a fold. The sampler reads the reports of running trials there."""
        return self._problem.folds is not None or step in rungs(max_steps)

    def decide(self, history: History, number: int) -> Decision:
        """Never stop."""
        return Decision(stop=False)


@dataclass(frozen=True)
class _Prediction:
    """The fitted models and the interval width, kept until further trials end."""

    models: tuple[FinishModel | None, ...]  # one per target; None: known before training
    late: tuple[tuple[Constraint, int], ...]  # constraints on metrics known only after training
    optimism: float  # interval width in standard deviations; infinite: stop nothing


class AutoPruner:
    """Stops a trial whose optimistic bound is dominated or infeasible (see the module's docstring)."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem
        self._curves = CurveModels()
        self._kept: tuple[bytes, _Prediction | None] = (b"", None)

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        """Whether ``step`` is a rung. Rungs grow geometrically and end before the last step."""
        return step in rungs(max_steps)

    def decide(self, history: History, number: int) -> Decision:
        """Whether trial ``number`` should stop (see `Pruner`)."""
        rung = int(last_rung(history, np.array([number]))[0])
        if rung < 0:
            return Decision(stop=False, reason="nothing reported yet")
        if self._problem.max_steps is not None:
            done = history.steps[number] / self._problem.max_steps
            if done < _EARLIEST:
                return Decision(stop=False, reason="too early to say")
            if done > _LATEST:
                return Decision(stop=False, reason="far enough to be worth finishing")
        if (number * 2654435761) % 2**32 < 2**32 // _AUDIT:
            return Decision(stop=False, reason="trained to the end to check the rule for stopping")
        prediction = self._prediction(history)
        if prediction is None:
            return self._at_the_start(history, number, rung)
        if math.isinf(prediction.optimism):
            return Decision(stop=False, reason="early reports did not predict the finish of earlier trials")
        missed = _missed(history, number, rung, prediction)
        if missed is not None:
            return Decision(stop=True, reason=missed)
        best_case = _optimistic_bound(history, number, rung, prediction)
        rows, finished = _feasible_finished(history)
        better = np.flatnonzero((finished <= best_case).all(axis=1))  # a NaN is behind nothing
        if len(better) == 0:
            return Decision(stop=False)
        step, name = int(history.steps[number]), history.objective_names
        said = ", ".join(f"{n} {h * s:.4g}" for n, h, s in zip(name, best_case, history.signs, strict=True))
        return Decision(
            stop=True,
            reason=f"dominated at step {step}: at best ({said}) it is behind trial {rows[better[0]]}",
        )

    def _at_the_start(self, history: History, number: int, rung: int) -> Decision:
        few = f"fewer than {MIN_FINISHED} trials have finished"
        unknown = self._problem.max_steps is None  # then no step is early or late
        step = int(history.steps[number])
        earlier = int(np.searchsorted(history.rungs, step / _HEAD_START, side="right")) - 1
        if unknown or earlier < 0:
            return Decision(stop=False, reason=few)
        rows = np.setdiff1d(history.rows(TrialState.COMPLETE, TrialState.RUNNING), [number])
        rows = rows[(history.feasible[rows] != 0) & (history.curve_step[rows, earlier] > 0)]
        if len(history.rows(TrialState.PRUNED)) >= _STOPPED_PER_OTHER * len(rows):
            return Decision(stop=False, reason=few)
        mine, theirs = [], []
        for j in range(len(history.targets)):
            known = history.target(j, np.array([number]))[0]
            trained = not np.isfinite(known)
            shown = signed_curve(history, np.array([number]), j, rung)[0] if trained else known
            if j >= len(history.objective_names) and not (trained and np.isfinite(shown)):
                continue  # of constraints, those whose metrics are reported count
            mine.append(shown)
            theirs.append(signed_curve(history, rows, j, earlier) if trained else history.target(j, rows))
        better = np.flatnonzero((np.column_stack(theirs) <= np.array(mine)).all(axis=1))
        if len(better) == 0:
            return Decision(stop=False, reason=few)
        then = history.rungs[earlier]
        return Decision(
            stop=True,
            reason=f"behind at step {step}: trial {rows[better[0]]} was no worse after {then}",
        )

    def _prediction(self, history: History) -> _Prediction | None:
        settled = history.rows(TrialState.COMPLETE, TrialState.PRUNED)
        settled = settled[: _scheduled(len(settled))]
        key = settled.tobytes() + history.state[settled].tobytes()
        if self._kept[0] != key:
            self._kept = key, self._predict(history, settled)
        return self._kept[1]

    def _predict(self, history: History, settled: NDArray[np.int_]) -> _Prediction | None:
        ended = history.state[settled] == int(TrialState.COMPLETE)
        models: list[FinishModel | None] = []
        for target in range(len(history.targets)):
            if is_static(history, target):
                models.append(None)
                continue
            model = self._curves.make(history, target, settled[ended], settled[~ended])
            if model is None and target < len(history.objective_names):
                return None
            models.append(model)
        bounded = [(c, history.target_of(c)) for c in self._problem.constraints]
        late = tuple((c, j) for c, j in bounded if models[j] is not None)
        untried = bool(late) and len(_feasible_finished(history)[0]) < 2
        safe = (o for o in _OPTIMISM[-1 if untried else 0 :] if _loss(history, models, late, o) <= _SAFE)
        return _Prediction(tuple(models), late, next(safe, math.inf))


def _scheduled(n: int) -> int:
    """``n`` up to 100, then ``n`` rounded down to a geometric schedule that is the same for all workers."""
    if n <= 100:
        return n
    return int(100 * _EVERY ** math.floor(math.log(n / 100) / math.log(_EVERY)))


def _optimistic_bound(history: History, number: int, rung: int, prediction: _Prediction) -> Array:
    """Optimistic bounds on the final objectives, to minimise. NaN where unknown. Shape [m]."""
    row = np.array([number])
    best_case = history.objectives(row)[0]
    for j, model in enumerate(prediction.models[: len(best_case)]):
        if model is not None:
            best_case[j] = model.optimistic_bound(history, number, rung, prediction.optimism)
        elif not np.isfinite(best_case[j]):
            best_case[j] = signed_curve(history, row, j, rung)[0]
    return np.asarray(best_case)


def _missed(history: History, number: int, rung: int, prediction: _Prediction) -> str | None:
    """Why the trial cannot meet some constraint, as a clause. None if it may still meet all of them."""
    finished = history.rows(TrialState.COMPLETE)
    for constraint, target in prediction.late:
        model = prediction.models[target]
        assert model is not None
        best_case = model.optimistic_bound(history, number, rung, prediction.optimism)
        sign = history.targets[target].sign
        behind = best_case - max(sign * constraint.bound, float(np.nanmin(history.target(target, finished))))
        if behind > 0:
            step = int(history.steps[number])
            return f"cannot meet {constraint.key} at step {step}: at best it reaches {best_case * sign:.4g}"
    return None


def _loss(
    history: History,
    models: list[FinishModel | None],
    late: tuple[tuple[Constraint, int], ...],
    optimism: float,
) -> float:
    """Share of the front's hypervolume that the rule loses when it is replayed on the finished trials."""
    rows, finished = _feasible_finished(history)
    if len(rows) < 2:
        return 0.0
    best_case = np.column_stack([history.target(j, rows) for j in range(len(models))])
    for j, model in enumerate(models):
        if model is not None and len(model.tested):
            mean, sd = model.predicted.T
            place = np.searchsorted(rows, model.tested)
            known = (place < len(rows)) & (rows[np.minimum(place, len(rows) - 1)] == model.tested)
            best_case[place[known], j] = model.optimistic(mean, sd * model.widening, optimism)[known]
    missed = np.zeros(len(rows), dtype=bool)
    for constraint, j in late:
        missed |= best_case[:, j] > history.targets[j].sign * constraint.bound
    best_case = best_case[:, : finished.shape[1]]
    front = np.flatnonzero(nondominated(finished, keep_equal=False))
    lost = [
        bool(missed[i] or (np.delete(finished, i, axis=0) <= best_case[i]).all(axis=1).any()) for i in front
    ]
    if not any(lost):
        return 0.0
    low, high = finished[front].min(axis=0), finished[front].max(axis=0)
    width = np.where(high > low, high - low, np.ptp(finished, axis=0))
    width = np.where(width > 0, width, 1.0)  # all have the same: any width will do
    places, reference = (finished - low) / width, (high - low) / width + 0.1
    volume = moocore.hypervolume(places, ref=reference)
    left = moocore.hypervolume(np.delete(places, front[lost], axis=0), ref=reference)
    return float(1.0 - left / volume)


def _feasible_finished(history: History) -> tuple[NDArray[np.int_], Array]:
    """Numbers and objectives (to minimise) of the finished trials not known to be infeasible."""
    rows = history.rows(TrialState.COMPLETE)
    rows = rows[history.feasible[rows] != 0]
    values = history.objectives(rows)
    finite = np.isfinite(values).all(axis=1)
    return rows[finite], values[finite]


def is_static(history: History, target: int) -> bool:
    """Whether the reports of a target all equal its final value, so that it does not depend on training."""
    rows = history.rows(TrialState.COMPLETE)[-50:]
    final = history.target(target, rows)
    curves = signed_curve(history, rows, target, slice(None))
    change = np.abs(curves - final[:, None])
    change = change[np.isfinite(change)]
    if len(change) == 0:
        return True
    return bool(change.max() <= _ROUNDING * float(np.abs(final[np.isfinite(final)]).max()))


__all__ = ["AutoPruner", "NoPruner", "is_static"]
