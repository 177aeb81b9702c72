"""Extrapolation from a report of an unfinished training to its predicted final value (its finish).

First, the latest change of a curve is extrapolated by a momentum that is fitted to the finished trials: a
curve that still falls will fall further. The result is the level of the trial at that rung. Then, at each
rung, a linear regression of levels on finishes over all trials gives the predicted finish. The residual
variance gives its uncertainty.

Stopped trials are included, though their finishes are missing. A regression on the finished trials alone
would be fitted to those that did well early, and would predict too bad a finish for the others. The
finishes are missing at random given the reports. So the regression of finishes on levels is estimated from
the trials that went on, and the distribution of levels from all trials (Anderson 1957,
doi:10.1080/01621459.1957.10501379), from the last rung backwards.

Shapes: n trials, g rungs, d parameters. Targets are to be minimised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfice.search.history import History
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.transform import TailLog

_PRIOR_COUNT = 3.0  # weight of the prior of a regression, in finished trials
_PRIOR_VARIANCE = 0.3  # of residuals, per factor e of steps to come, as a share of the variance of finishes
_SLOPES = (0.25, 4.0)
_PRIOR_MOMENTUM = 0.5  # prior momentum, as a share of the remaining change of a curve that falls like 1/step
_MAX_MOMENTUM = 1.5
_DISSIMILAR_SD = 0.5  # standard deviation of a dissimilar training, as a share of the remaining change
_DISSIMILAR_FROM = 0.5  # distance in some parameter, as a share of its range, at which dissimilarity is 1


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
    """By rung: level = intercept + slope * finish, both on the transformed scale of finishes.

    A level is a report and ``momentum`` times the change since the rung before.
    """

    target: int  # index into `History.targets`
    transform: TailLog
    momentum: Array  # shape [g]
    intercept: Array  # shape [g]
    slope: Array  # shape [g]
    ahead: Array  # variance of the predicted finish around the true one, falling with g, shape [g]

    @classmethod
    def fitted(
        cls,
        history: History,
        target: int,
        finished: NDArray[np.int_],
        finishes: Array,
        unfinished: NDArray[np.int_],
    ) -> Extrapolation:
        """Fit the regressions to trials, with a prior worth `_PRIOR_COUNT` trials on a slope of one.

        Args:
            history: The trials.
            target: Index into `History.targets`.
            finished: Trials that finished, shape [f].
            finishes: Their final values, shape [f].
            unfinished: Trials that were stopped or are still running.
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
                # In cross-validation the reports are means over folds, which have no trend.
                fall = history.problem.folds is None
                harmonic = float(steps[g - 1] / (steps[g] - steps[g - 1])) if fall else 0.0
                momentum[g] = _momentum(level[: len(seen)], change[: len(seen)], seen, harmonic)
                level = _levels(level, change, momentum[g])
            prior = _PRIOR_VARIANCE * known.spread * to_come[g]
            slope[g], intercept[g], ahead[g] = known.regress(level, prior)
        ahead = np.maximum.accumulate(ahead[::-1])[::-1]
        return cls(target, transform, momentum, intercept, slope, ahead)

    def predict(
        self, history: History, rows: NDArray[np.int_], rung: int | NDArray[np.int_]
    ) -> tuple[Array, Array]:
        """Predicted finishes of trials, on the transformed scale.

        Returns:
            The finishes, NaN where there is no report, and the change from the report to there. Shapes [n].
        """
        report = self.transform.forward(signed_curve(history, rows, self.target, rung))
        before = signed_curve(history, rows, self.target, np.maximum(rung, 1) - 1)
        change = report - self.transform.forward(before)  # at the first rung, 0
        level = _levels(report, change, self.momentum[rung])
        predicted = (level - self.intercept[rung]) / self.slope[rung]
        return predicted, report - predicted


@dataclass
class _Finishes:
    """Known and predicted finishes of trials, from the last rung back to the current one."""

    mean: Array  # NaN where nothing is known yet, shape [n]
    variance: Array  # 0 for those that finished, shape [n]
    spread: float  # variance of the finishes

    @classmethod
    def of(cls, seen: Array, missing: int) -> _Finishes:
        mean = np.r_[seen, np.full(missing, np.nan)]
        return cls(mean, np.zeros(len(mean)), max(float(seen.var()), 1e-6))

    def regress(self, level: Array, prior: float) -> tuple[float, float, float]:
        """Regress a rung's levels on finishes, and predict the finishes of trials that end there.

        Args:
            level: NaN where a trial has none, shape [n].
            prior: Prior variance of the residuals.

        Returns:
            Slope and intercept of levels over finishes, and the variance of what levels predict.
        """
        finite = np.isfinite(level)
        known, missing = finite & np.isfinite(self.mean), finite & ~np.isfinite(self.mean)
        if not known.any():
            self.mean[missing], self.variance[missing] = level[missing], prior
            return 1.0, 0.0, prior
        if missing.any():
            self._impute(level, known, missing, prior)
        level, finish, unsure = level[finite], self.mean[finite], float(self.variance[finite].sum())
        e, f, prior_size = level - level.mean(), finish - finish.mean(), _PRIOR_COUNT * self.spread
        slope = (float(e @ f) + prior_size) / (float(f @ f) + unsure + prior_size)
        slope = float(np.clip(slope, *_SLOPES))
        off = (e - slope * f) / slope
        ahead = (float(off @ off) + unsure + _PRIOR_COUNT * prior) / (len(level) + _PRIOR_COUNT)
        return slope, float(level.mean() - slope * finish.mean()), ahead

    def _impute(
        self, level: Array, known: NDArray[np.bool_], missing: NDArray[np.bool_], prior: float
    ) -> None:
        """Predict missing finishes by a regression of the known finishes on levels."""
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


def dissimilarity_variance(change: Array, dissimilarity: Array) -> Array:
    """Further variance of the finishes of dissimilar trainings, which may be slow starters. Shape [n]."""
    return np.asarray((_DISSIMILAR_SD * dissimilarity * change) ** 2)


def _levels(report: Array, change: Array, momentum: float | Array) -> Array:
    """Levels: reports plus momentum times their change, where the change is known. Shape [n]."""
    return np.asarray(report + momentum * np.where(np.isfinite(change), change, 0.0))


def _momentum(report: Array, change: Array, finish: Array, harmonic: float) -> float:
    """Momentum of the latest change of a curve, by least squares: finish ~ report + change.

    Args:
        report: Reports at a rung, NaN where there is none, shape [n].
        change: Since the rung before, shape [n].
        finish: Shape [n].
        harmonic: Remaining change of a curve that falls like 1/step, per change.
    """
    finite = np.isfinite(report) & np.isfinite(change)
    prior = np.array([1.0, _PRIOR_MOMENTUM * harmonic])
    if not finite.any():
        return float(prior[1])
    x = np.column_stack([report[finite], change[finite]])
    x, y = x - x.mean(axis=0), finish[finite] - finish[finite].mean()
    counted = _PRIOR_COUNT * np.diag([1.0, max(float((x[:, 1] ** 2).mean()), 1e-6)])
    weight = np.linalg.solve(x.T @ x + counted, x.T @ y + counted @ prior)
    return float(np.clip(weight[1] / max(weight[0], _SLOPES[0]), 0.0, _MAX_MOMENTUM * harmonic))


def dissimilarity(scaled: Array, finished: Array, ordered: NDArray[np.bool_]) -> Array:
    """Dissimilarity: 0 for a repetition of a finished training, 1 for one far from all of them. Shape [q].

    Args:
        scaled: Scaled rows, shape [q, d].
        finished: Scaled rows, shape [f, d].
        ordered: Which parameters are numbers, shape [d].
    """
    out = np.ones(len(scaled))
    if len(finished) == 0 or scaled.shape[1] == 0:
        return out
    for i, row in enumerate(scaled):
        apart = np.where(ordered, np.abs(finished - row), _DISSIMILAR_FROM * (finished != row))
        out[i] = min(1.0, float(apart.max(axis=1).min()) / _DISSIMILAR_FROM)
    return out
