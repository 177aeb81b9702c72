"""From a report of an unfinished training to the finish that it predicts.

First the report's latest change is carried on, as far as that helped with the trainings that finished: a
curve that still falls has more to come. Then, at each rung, a line through all trainings says how such
levels go with finishes; the variance around it says how far that may be wrong.

Trainings that were stopped count, though their finishes are missing. A line through the others alone is one
through those that did well early, and predicts too bad a finish of those that did not. What is missing is so
by what was reported, so that the regression of finishes on levels may be read off those that went on, and the
spread of levels off all (Anderson 1957, doi:10.1080/01621459.1957.10501379), from the last rung
backwards.

Shapes: n trials, g rungs, d parameters. Targets are to be minimised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfice.search.history import History
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.transform import TailLog

_PRIOR_COUNT = 3.0  # finished trials that prior knowledge of a line counts for
_PRIOR_VARIANCE = 0.3  # around a line, per factor e of steps to come, as a share of the variance of finishes
_SLOPES = (0.25, 4.0)
_CARRIED = 0.5  # prior share of what a curve that falls like 1/step has still to come
_MOST_CARRIED = 1.5
_SURPRISE = (
    0.5  # standard deviation where a training is unlike the finished ones, as a share of what is to come
)
_UNLIKE = 0.5  # distance in some parameter, as a share of its range, from which on a training is unlike


def last_rung(history: History, rows: NDArray[np.int_]) -> NDArray[np.int_]:
    """Index of the latest rung that each trial has reported by, -1 for none. Shape [n]."""
    seen = history.curve_step[rows] > 0
    count = seen.shape[1]
    if count == 0:
        return np.full(len(rows), -1)
    return np.where(seen.any(axis=1), count - 1 - np.argmax(seen[:, ::-1], axis=1), -1)


def signed_curve(
    history: History, rows: NDArray[np.int_], target: int, rung: int | slice | NDArray[np.int_]
) -> Array:
    """Reports at rungs, to minimise, NaN where there is none. Shape of both indices, broadcast."""
    return np.asarray(history.curves[rows, rung, target].astype(float) * history.targets[target].sign)


@dataclass(frozen=True)
class Extrapolation:
    """By rung: level = intercept + slope * finish, both on the scale of a transform of finishes.

    A level is a report and ``momentum`` times the change since the rung before.
    """

    target: int  # index into `History.targets`
    transform: TailLog
    momentum: Array  # shape [g]
    intercept: Array  # shape [g]
    slope: Array  # shape [g]
    ahead: Array  # variance of the predicted finish around the true one, falling with g, shape [g]

    @classmethod
    def through(
        cls,
        history: History,
        target: int,
        finished: NDArray[np.int_],
        finishes: Array,
        unfinished: NDArray[np.int_],
    ) -> Extrapolation:
        """Through trials, with prior knowledge: as if `_PRIOR_COUNT` more lay on a slope of one.

        Args:
            history: The trials.
            target: Index into `History.targets`.
            finished: Trials that finished, shape [f].
            finishes: Theirs, shape [f].
            unfinished: Trials that were stopped, or still train.
        """
        transform = TailLog(finishes)
        steps = np.array(history.rungs, dtype=float)
        last = float(history.problem.max_steps or np.median(history.steps[finished]))
        to_come = np.log(np.maximum(last / steps, 1.0 + 1e-9))
        seen = transform.forward(finishes)
        known = _Finishes.of(seen, len(unfinished))
        rows = np.r_[finished, unfinished]
        intercept, slope, ahead = np.zeros(len(steps)), np.ones(len(steps)), np.zeros(len(steps))
        momentum = np.zeros(len(steps))
        reports = transform.forward(signed_curve(history, rows[:, None], target, np.arange(len(steps))))
        for g in reversed(range(len(steps))):
            level = reports[:, g]
            if g > 0:
                change = level - reports[:, g - 1]
                harmonic = steps[g - 1] / (steps[g] - steps[g - 1])
                momentum[g] = _momentum(level[: len(seen)], change[: len(seen)], seen, harmonic)
                level = _carried_on(level, change, momentum[g])
            prior = _PRIOR_VARIANCE * known.spread * to_come[g]
            slope[g], intercept[g], ahead[g] = known.take_in(level, prior)
        ahead = np.maximum.accumulate(ahead[::-1])[::-1]
        return cls(target, transform, momentum, intercept, slope, ahead)

    def predict(
        self, history: History, rows: NDArray[np.int_], rung: int | NDArray[np.int_]
    ) -> tuple[Array, Array]:
        """Finishes on the transform's scale that trials' reports stand for, and how far off they are.

        Returns:
            The finishes, NaN where there is no report, and the change from the report to there. Shapes [n].
        """
        report = self.transform.forward(signed_curve(history, rows, self.target, rung))
        before = signed_curve(history, rows, self.target, np.maximum(rung, 1) - 1)
        change = report - self.transform.forward(before)  # at the first rung, 0
        level = _carried_on(report, change, self.momentum[rung])
        predicted = (level - self.intercept[rung]) / self.slope[rung]
        return predicted, report - predicted


@dataclass
class _Finishes:
    """What is known of the finishes of trials, from the last rung back to the one looked at."""

    mean: Array  # NaN where nothing is known yet, shape [n]
    variance: Array  # 0 for those that finished, shape [n]
    spread: float  # variance of the finishes

    @classmethod
    def of(cls, seen: Array, missing: int) -> _Finishes:
        mean = np.r_[seen, np.full(missing, np.nan)]
        return cls(mean, np.zeros(len(mean)), max(float(seen.var()), 1e-6))

    def take_in(self, level: Array, prior: float) -> tuple[float, float, float]:
        """A line through a rung's levels, and from it what finishes to expect of trials that end there.

        Args:
            level: NaN where a trial has none, shape [n].
            prior: Variance around the line, before trials tell.

        Returns:
            Slope and intercept of levels over finishes, and the variance of what levels predict.
        """
        told = np.isfinite(level)
        known, missing = told & np.isfinite(self.mean), told & ~np.isfinite(self.mean)
        if not known.any():
            self.mean[missing], self.variance[missing] = level[missing], prior
            return 1.0, 0.0, prior
        if missing.any():
            self._expect(level, known, missing, prior)
        level, finish, unsure = level[told], self.mean[told], float(self.variance[told].sum())
        e, f, prior_size = level - level.mean(), finish - finish.mean(), _PRIOR_COUNT * self.spread
        slope = (float(e @ f) + prior_size) / (float(f @ f) + unsure + prior_size)
        slope = float(np.clip(slope, *_SLOPES))
        off = (e - slope * f) / slope
        ahead = (float(off @ off) + unsure + _PRIOR_COUNT * prior) / (len(level) + _PRIOR_COUNT)
        return slope, float(level.mean() - slope * finish.mean()), ahead

    def _expect(
        self, level: Array, known: NDArray[np.bool_], missing: NDArray[np.bool_], prior: float
    ) -> None:
        """Regression of the finishes that are known on levels, for those that are missing."""
        centre, finish = level[known].mean(), self.mean[known].mean()
        x, y = level[known] - centre, self.mean[known] - finish
        # The prior trials again: their levels are their finishes and as much noise as `prior`.
        both = float(x @ y) + _PRIOR_COUNT * self.spread
        slope = both / (float(x @ x) + _PRIOR_COUNT * (self.spread + prior))
        rest = y - slope * x
        left = _PRIOR_COUNT * self.spread * prior / (self.spread + prior)
        left += float(rest @ rest) + float(self.variance[known].sum())
        self.mean[missing] = finish + slope * (level[missing] - centre)
        self.variance[missing] = left / (len(x) + _PRIOR_COUNT)


def surprise(change: Array, unlike: Array) -> Array:
    """Further variance of predicted finishes: slow starters are not known from fast ones. Shape [n]."""
    return np.asarray((_SURPRISE * unlike * change) ** 2)


def _carried_on(report: Array, change: Array, momentum: float | Array) -> Array:
    """Levels: reports, and what is carried on of their changes where these are known. Shape [n]."""
    return np.asarray(report + momentum * np.where(np.isfinite(change), change, 0.0))


def _momentum(report: Array, change: Array, finish: Array, harmonic: float) -> float:
    """How far the latest change of a curve carries on: by least squares, finish ~ report + change.

    Args:
        report: Reports at a rung, NaN where there is none, shape [n].
        change: Since the rung before, shape [n].
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
