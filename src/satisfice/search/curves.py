"""What an unfinished training's reports say about its end, learnt from the trainings that finished.

At each checkpoint a Gaussian process predicts the final value from the configuration and the value reported
there. What it is not sure of it says: a configuration unlike those that finished, or an early value unlike
theirs, gets a wide interval. The width is checked by leaving out each finished training in turn.

Everything depends on the history's content alone; n below is at most `_MAX_FINISHED`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search import gaussian
from satisfice.search.encode import Array
from satisfice.search.history import History
from satisfice.search.models import fit_size, spread_out
from satisfice.search.transform import TailLog

MIN_FINISHED = 15
_MAX_FINISHED = 90  # finished trials that a model is made of: some of the best, the latest, and a spread
_NOISE_PRIOR = 0.02
_SURPRISE = 0.6  # least standard deviation, as a share of the change that is expected until the end


@dataclass(frozen=True)
class CurveModel:
    """Predicts final values (to minimise) at one checkpoint."""

    rows: NDArray[np.int_]  # trials it is made of, shape [n]
    transform: TailLog
    slope: float
    intercept: float
    spread: float  # standard deviation of what the line leaves, on the transform's scale
    process: gaussian.GaussianProcess
    inflation: float  # by how much intervals must be widened to hold for those left out
    skill: float  # share of the error of a prediction without the reports that they take away

    def predict(self, unit: Array, early: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the final value on the transform's scale, each of shape [q]."""
        e = self.transform.forward(early)
        mean, sd = self.process.predict(np.column_stack([unit, e]))
        noise = self.process.noise
        mean = self.intercept + self.slope * e + self.spread * mean
        return mean, self._at_least(self.spread * self.inflation * np.sqrt(sd**2 + noise), mean - e)

    def left_out(self, early: Array) -> tuple[Array, Array]:
        """The same for the trials it is made of, each predicted from the others. Shape [n]."""
        mean, sd = self.process.leave_one_out()
        e = self.transform.forward(early)
        mean = self.intercept + self.slope * e + self.spread * mean
        return mean, self._at_least(self.spread * self.inflation * sd, mean - e)

    @staticmethod
    def _at_least(sd: Array, change: Array) -> Array:
        """Trainings unlike those that finished surprise in proportion to what is still to come."""
        return np.maximum(sd, _SURPRISE * np.abs(change))


class CurveModels:
    """Curve models of a history, made when asked for and kept while the finished trials stay the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[bytes, CurveModel | None]] = {}
        self._fits: dict[tuple[int, int, bytes], gaussian.Hyperparameters] = {}

    def get(self, history: History, objective: int, checkpoint: int) -> CurveModel | None:
        """The model of one objective at one checkpoint, or None while too few have finished."""
        rows = history.rows(TrialState.COMPLETE)
        values = history.objectives(rows)[:, objective]
        early = signed_curve(history, rows, objective, checkpoint)
        told = np.isfinite(values) & np.isfinite(early)
        rows, values, early = rows[told], values[told], early[told]
        if len(rows) < MIN_FINISHED:
            return None
        key = rows.tobytes()
        kept = self._kept.get((objective, checkpoint))
        if kept is None or kept[0] != key:
            kept = (key, self._make(history, rows, values, early, (objective, checkpoint)))
            self._kept[objective, checkpoint] = kept
        return kept[1]

    def _make(
        self, history: History, rows: NDArray[np.int_], values: Array, early: Array, where: tuple[int, int]
    ) -> CurveModel:
        ordered = np.r_[history.encoder.ordered[history.encoder.free], True]
        first = spread_out(fit_size(len(rows)), _MAX_FINISHED)
        x, z, *_ = _residuals(history, rows[first], values[first], early[first])
        hyperparameters = self._fit_once((*where, rows[first].tobytes()), ordered, x, z)
        keep = _chosen(values)
        x, z, transform, slope, intercept, spread = _residuals(history, rows[keep], values[keep], early[keep])
        process = gaussian.GaussianProcess(x, z, np.zeros(len(z)), ordered, hyperparameters)
        mean, sd = process.leave_one_out()
        surprise = np.abs(z - mean) / sd
        inflation = float(np.clip(np.quantile(surprise, 0.9) / 1.645, 1.0, 4.0))
        without = self._error_without_reports(history, rows, values, keep, where[0])
        skill = 1.0 - _middle_square(spread * (z - mean)) / max(without, 1e-12)
        return CurveModel(rows[keep], transform, slope, intercept, spread, process, inflation, skill)

    def _error_without_reports(
        self, history: History, rows: NDArray[np.int_], values: Array, keep: NDArray[np.int_], objective: int
    ) -> float:
        """Error of finished trials predicted from the other ones' configurations alone."""
        ordered = history.encoder.ordered[history.encoder.free]
        first = spread_out(fit_size(len(rows)), _MAX_FINISHED)
        h = self._fit_once(
            (objective, -1, rows[first].tobytes()), ordered, *_alone(history, rows[first], values[first])
        )
        x, z, scale = *_alone(history, rows[keep], values[keep]), _scale(values[keep])
        process = gaussian.GaussianProcess(x, z, np.zeros(len(z)), ordered, h)
        return _middle_square(scale * (z - process.leave_one_out()[0]))

    def _fit_once(
        self, key: tuple[int, int, bytes], ordered: NDArray[np.bool_], x: Array, z: Array
    ) -> gaussian.Hyperparameters:
        if key not in self._fits:
            if len(self._fits) > 64:
                self._fits.clear()
            self._fits[key] = gaussian.fit(x, z, np.zeros(len(z)), ordered, noise_prior=_NOISE_PRIOR)
        return self._fits[key]


def _scale(values: Array) -> float:
    return float(TailLog(values).forward(values).std()) or 1.0


def _alone(history: History, rows: NDArray[np.int_], values: Array) -> tuple[Array, Array]:
    """Inputs and standardised targets of a process that does not see the reports."""
    f = TailLog(values).forward(values)
    return history.encoder.unit(history.raw[rows]), (f - f.mean()) / (float(f.std()) or 1.0)


def _middle_square(errors: Array) -> float:
    """Mean square of the smaller nine tenths."""
    return float(np.mean(np.sort(errors**2)[: max(1, int(0.9 * len(errors)))]))


def signed_curve(history: History, rows: NDArray[np.int_], objective: int, checkpoint: int) -> Array:
    """Reports at a checkpoint, to minimise, NaN where there is none. Shape [n]."""
    return np.asarray(history.curves[rows, checkpoint, objective].astype(float) * history.signs[objective])


def _residuals(
    history: History, rows: NDArray[np.int_], values: Array, early: Array
) -> tuple[Array, Array, TailLog, float, float, float]:
    """Inputs and standardised targets of the process, and the line that was taken off."""
    transform = TailLog(values)
    e, f = transform.forward(early), transform.forward(values)
    variance = float(e.var())
    slope = float(((e - e.mean()) * (f - f.mean())).mean() / variance) if variance > 0 else 0.0
    slope = min(max(slope, 0.0), 1.5)
    intercept = float((f - slope * e).mean())
    residual = f - intercept - slope * e
    spread = float(residual.std()) or 1e-9
    x = np.column_stack([history.encoder.unit(history.raw[rows]), e])
    return x, residual / spread, transform, slope, intercept, spread


def _chosen(values: Array) -> NDArray[np.int_]:
    third = _MAX_FINISHED // 3
    if len(values) <= _MAX_FINISHED:
        return np.arange(len(values))
    best = np.argsort(values, kind="stable")[:third]
    return np.unique(np.r_[best, np.arange(len(values) - third, len(values)), spread_out(len(values), third)])


def last_checkpoint(history: History, rows: NDArray[np.int_]) -> NDArray[np.int_]:
    """Index of the latest checkpoint that each trial has reported by, -1 for none. Shape [n]."""
    seen = history.curve_step[rows] > 0
    count = seen.shape[1]
    if count == 0:
        return np.full(len(rows), -1)
    return np.where(seen.any(axis=1), count - 1 - np.argmax(seen[:, ::-1], axis=1), -1)


def expected_final(
    history: History, models: CurveModels, rows: NDArray[np.int_], objective: int
) -> tuple[Array, Array]:
    """Expected final value (to minimise) of unfinished trials and its standard deviation, NaN where unknown.

    The standard deviation is in the units of the metric, at the mean. Both have shape [n].
    """
    mean, sd = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    last = last_checkpoint(history, rows)
    for g in np.unique(last[last >= 0]):
        model = models.get(history, objective, int(g))
        if model is None:
            continue
        here = np.flatnonzero(last == g)
        early = signed_curve(history, rows[here], objective, int(g))
        here = here[np.isfinite(early)]
        unit = history.encoder.unit(history.raw[rows[here]])
        z, spread = model.predict(unit, early[np.isfinite(early)])
        mean[here] = model.transform.inverse(z)
        sd[here] = spread * model.transform.slope(z)
    return mean, sd
