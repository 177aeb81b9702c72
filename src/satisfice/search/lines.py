"""From a report of an unfinished training to the finish that it foretells.

First the report's latest change is carried on, as far as that helped with the trainings that finished: a
curve that still falls has more to come. Then, at each checkpoint, a line through them says how such levels go
with finishes; the variance around it says how far that may be wrong.

Shapes: n trials, g checkpoints, d parameters. Objectives are to be minimised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfice.search.encode import Array
from satisfice.search.history import History
from satisfice.search.transform import TailLog

_PRIOR_COUNT = 3.0  # finished trials that prior knowledge of lines counts for
_PRIOR_VARIANCE = 0.3  # around a line, per factor e of steps to come, as a share of the variance of finishes
_SLOPES = (0.25, 4.0)
_CARRIED = 0.5  # prior share of what a curve that falls like 1/step has still to come
_MOST_CARRIED = 1.5
_SURPRISE = (
    0.5  # standard deviation where a training is unlike the finished ones, as a share of what is to come
)
_UNLIKE = 0.5  # distance in some parameter, as a share of its range, from which on a training is unlike


def last_checkpoint(history: History, rows: NDArray[np.int_]) -> NDArray[np.int_]:
    """Index of the latest checkpoint that each trial has reported by, -1 for none. Shape [n]."""
    seen = history.curve_step[rows] > 0
    count = seen.shape[1]
    if count == 0:
        return np.full(len(rows), -1)
    return np.where(seen.any(axis=1), count - 1 - np.argmax(seen[:, ::-1], axis=1), -1)


def signed_curve(
    history: History, rows: NDArray[np.int_], objective: int, checkpoint: int | NDArray[np.int_]
) -> Array:
    """Reports at a checkpoint, to minimise, NaN where there is none. Shape [n]."""
    return np.asarray(history.curves[rows, checkpoint, objective].astype(float) * history.signs[objective])


@dataclass(frozen=True)
class Lines:
    """By checkpoint: level = intercept + slope * finish, both on the scale of a transform of finishes.

    A level is a report and ``momentum`` times the change since the checkpoint before.
    """

    objective: int
    transform: TailLog
    momentum: Array  # shape [g]
    intercept: Array  # shape [g]
    slope: Array  # shape [g]
    ahead: Array  # variance of the foretold finish around the true one, falling with g, shape [g]

    @classmethod
    def through(cls, history: History, objective: int, rows: NDArray[np.int_], finishes: Array) -> Lines:
        """Through finished trials, with prior knowledge: as if `_PRIOR_COUNT` more lay on a slope of one."""
        transform = TailLog(finishes)
        steps = np.array(history.checkpoints, dtype=float)
        last = float(history.problem.max_steps or np.median(history.steps[rows]))
        to_come = np.log(np.maximum(last / steps, 1.0 + 1e-9))
        f_all = transform.forward(finishes)
        spread = max(float(f_all.var()), 1e-6)
        intercept, slope, ahead = np.zeros(len(steps)), np.ones(len(steps)), np.zeros(len(steps))
        momentum = np.zeros(len(steps))
        for g in range(len(steps)):
            early = transform.forward(signed_curve(history, rows, objective, g))
            if g > 0:
                change = early - transform.forward(signed_curve(history, rows, objective, g - 1))
                momentum[g] = _momentum(early, change, f_all, steps[g - 1] / (steps[g] - steps[g - 1]))
                early = early + momentum[g] * np.where(np.isfinite(change), change, 0.0)
            told = np.isfinite(early)
            count, prior = int(told.sum()), _PRIOR_VARIANCE * spread * to_come[g]
            if count == 0:
                ahead[g] = prior
                continue
            e, f = early[told] - early[told].mean(), f_all[told] - f_all[told].mean()
            both, alone = float(e @ f) + _PRIOR_COUNT * spread, float(f @ f) + _PRIOR_COUNT * spread
            slope[g] = np.clip(both / alone, *_SLOPES)
            intercept[g] = early[told].mean() - slope[g] * f_all[told].mean()
            off = (e - slope[g] * f) / slope[g]
            ahead[g] = (float(off @ off) + _PRIOR_COUNT * prior) / (count + _PRIOR_COUNT)
        ahead = np.maximum.accumulate(ahead[::-1])[::-1]
        return cls(objective, transform, momentum, intercept, slope, ahead)

    def foretell(
        self, history: History, rows: NDArray[np.int_], checkpoint: int | NDArray[np.int_]
    ) -> tuple[Array, Array]:
        """Finishes on the transform's scale that trials' reports stand for, and how far off they are.

        Returns:
            The finishes, NaN where there is no report, and the change from the report to there. Shapes [n].
        """
        report = self.transform.forward(signed_curve(history, rows, self.objective, checkpoint))
        before = signed_curve(history, rows, self.objective, np.maximum(checkpoint, 1) - 1)
        change = report - self.transform.forward(before)  # at the first checkpoint, 0
        level = report + self.momentum[checkpoint] * np.where(np.isfinite(change), change, 0.0)
        foretold = (level - self.intercept[checkpoint]) / self.slope[checkpoint]
        return foretold, report - foretold


def surprise(change: Array, unlike: Array) -> Array:
    """Further variance of foretold finishes: slow starters are not known from fast ones. Shape [n]."""
    return np.asarray((_SURPRISE * unlike * change) ** 2)


def _momentum(report: Array, change: Array, finish: Array, harmonic: float) -> float:
    """How far the latest change of a curve carries on: by least squares, finish ~ report + change.

    Args:
        report: Reports at a checkpoint, NaN where there is none, shape [n].
        change: Since the checkpoint before, shape [n].
        finish: Shape [n].
        harmonic: What a curve that falls like 1/step has still to come, per change.
    """
    told = np.isfinite(report) & np.isfinite(change)
    prior = np.array([1.0, _CARRIED * harmonic])
    if not told.any():
        return float(prior[1])
    x = np.column_stack([report[told], change[told]])
    x, y = x - x.mean(axis=0), finish[told] - finish[told].mean()
    counted = _PRIOR_COUNT * np.diag([1.0, max(float((x[:, 1] ** 2).mean()), 1e-6)])
    weight = np.linalg.solve(x.T @ x + counted, x.T @ y + counted @ prior)
    return float(np.clip(weight[1] / max(weight[0], _SLOPES[0]), 0.0, _MOST_CARRIED * harmonic))


def unlike(unit: Array, finished: Array, ordered: NDArray[np.bool_]) -> Array:
    """0 for a repetition of a finished training, 1 for one that is unlike all of them. Shape [q].

    Args:
        unit: Unit rows, shape [q, d].
        finished: Unit rows, shape [f, d].
        ordered: Which parameters are numbers, shape [d].
    """
    out = np.ones(len(unit))
    if len(finished) == 0 or unit.shape[1] == 0:
        return out
    for i, row in enumerate(unit):
        apart = np.where(ordered, np.abs(finished - row), _UNLIKE * (finished != row))
        out[i] = min(1.0, float(apart.max(axis=1).min()) / _UNLIKE)
    return out
