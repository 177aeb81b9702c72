"""Models of the final metrics of trainings, fitted to finished and unfinished ones.

A Gaussian process over the configurations is conditioned on final values, and on the final values that
reports predict (see `extrapolation` and `gaussian_process.Reports`). Stopped trials therefore contribute, and
the reports of a training sharpen the prediction of its own final value.

All results depend only on the content of the history, so all workers compute the same ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.curves.extrapolation import (
    Extrapolation,
    dissimilarity,
    dissimilarity_variance,
    last_rung,
    signed_curve,
)
from satisfice.search.history import History
from satisfice.surrogate import gaussian_process as gaussian
from satisfice.surrogate.encoding import Array
from satisfice.surrogate.fitting import fit
from satisfice.surrogate.metric_model import MAX_POINTS, MetricModel, fit_size, spread_out

MIN_FINISHED = 4
_NOISE_PRIOR = 0.01
_MAX_FIT = 110  # points that hyperparameters are fitted on
_MAX_TRIALS = 200  # of a model; the other points are earlier reports of those that finished
_EARLIER = 2  # earlier reports of each finished trial that a model sees
_UNSURE, _UNSURE_COUNT = 1.3, 4.0  # prior factor of intervals, and its weight in trials
_MAX_WIDENING = 4.0


@dataclass(frozen=True)
class _Points:
    trial: NDArray[np.int_]  # row of each point, shape [n]
    target: Array  # on the transform's scale, shape [n]
    extra: Array  # further variance, shape [n]
    ahead: Array  # shape [n]
    finished: int  # so many of them come first, and are finishes


@dataclass(frozen=True)
class FinishModel:
    """Model of one target (see `History.targets`) from finished and unfinished trials."""

    metric: MetricModel
    extrapolation: Extrapolation
    points: _Points
    seen: Array  # scaled rows of finished trials, shape [f, d]

    @cached_property
    def _left_out(self) -> tuple[NDArray[np.int_], Array]:
        """Finished points, each predicted from the others and the earliest report of its own."""
        points, tested, predicted = self.points, [], []
        for i in range(points.finished):
            own = np.flatnonzero(points.trial == points.trial[i])
            if len(own) < 2:
                continue
            earliest = own[np.argmax(points.ahead[own])]
            rest = own[(own != earliest) & (own != i)]
            tested.append(i)
            predicted.append(self.metric.without(np.r_[i, rest]))
        return np.array(tested, dtype=int), np.array(predicted, dtype=float).reshape(-1, 2)

    @property
    def tested(self) -> NDArray[np.int_]:
        """Finished trials that were left out in turn, shape [k]."""
        return self.points.trial[self._left_out[0]]

    @property
    def predicted(self) -> Array:
        """Their mean and standard deviation, given an early report of theirs, shape [k, 2]."""
        return self._left_out[1]

    @cached_property
    def widening(self) -> float:
        """Factor of standard deviations that calibrates intervals on the trials left out."""
        tested, predicted = self._left_out
        if len(tested) == 0:
            return _UNSURE
        off = np.abs(self.points.target[tested] - predicted[:, 0]) / predicted[:, 1]
        factor = float(np.quantile(off, 0.9)) / 1.645
        mean = (factor * len(tested) + _UNSURE * _UNSURE_COUNT) / (len(tested) + _UNSURE_COUNT)
        return float(np.clip(mean, 1.0, _MAX_WIDENING))

    def optimistic(self, mean: float | Array, sd: float | Array, optimism: float) -> Array:
        """The lower end of intervals, in the metric's own units, to minimise."""
        return self.extrapolation.transform.inverse(np.atleast_1d(mean - optimism * sd))

    def optimistic_bound(self, history: History, number: int, rung: int, optimism: float) -> float:
        """Optimistic bound of the finish of a trial that the model has not seen; NaN if it has not reported.

        Two predictions are made: one from the model with the reports, one from the reports alone. The more
        optimistic one is used, since a training that contradicts the model is the most informative. The bound
        is never worse than the latest report. It is in the metric's own units, to minimise.

        Args:
            history: The trials.
            number: Number of the trial.
            rung: Index into `History.rungs`.
            optimism: Standard deviations below the mean.
        """
        row, ahead = np.array([number]), float(self.extrapolation.ahead[rung])
        predicted, change = self.extrapolation.predict(history, row, rung)
        scaled = history.encoder.scaled(history.raw[row])
        far = dissimilarity(scaled, self.seen, history.encoder.layout.ordered)
        extra = float(dissimilarity_variance(change, far)[0])
        mean, sd = self.metric.finish(scaled, ahead, float(predicted[0]), extra)
        together = self.optimistic(mean, sd * self.widening, optimism)
        alone = self.optimistic(predicted, math.sqrt(ahead + extra) * self.widening, optimism)
        shown = signed_curve(history, row, self.extrapolation.target, rung)
        return float(np.min([together, alone, shown]))


class CurveModels:
    """Makes models of final values. Hyperparameters are reused until the history has grown enough."""

    def __init__(self) -> None:
        self._fits: dict[bytes, gaussian.KernelParameters] = {}

    def make(
        self,
        history: History,
        target: int,
        complete: NDArray[np.int_],
        unfinished: NDArray[np.int_],
        failed: NDArray[np.int_] | None = None,
        *,
        roughness: float = 1.0,
    ) -> FinishModel | None:
        """The model of one target, or None while fewer than `MIN_FINISHED` have finished.

        Args:
            history: The trials.
            target: Index into `History.targets`.
            complete: Trials that finished, ascending.
            unfinished: Trials whose reports are used, ascending.
            failed: Trials that count as bad as the worst finished one, uncertainly.
            roughness: See `gaussian.KernelParameters.rougher`.
        """
        finishes = history.target(target, complete)
        complete, finishes = complete[np.isfinite(finishes)], finishes[np.isfinite(finishes)]
        if len(complete) < MIN_FINISHED:
            return None
        failed = np.zeros(0, dtype=int) if failed is None else failed
        extrapolation = Extrapolation.fitted(history, target, complete, finishes, unfinished)
        points = _points(history, extrapolation, complete, finishes, unfinished)
        worst = float(extrapolation.transform.forward(finishes).max())
        rows = np.r_[points.trial, failed]
        metric = MetricModel(
            history.encoder.scaled(history.raw[rows]),
            np.r_[points.target, np.full(len(failed), worst)],
            np.r_[points.extra, np.full(len(failed), 0.5)],
            history.encoder.layout,
            transform=extrapolation.transform,
            hyperparameters=self._hyperparameters(history, target, complete, unfinished).rougher(roughness),
            reports=gaussian.Reports(np.r_[points.ahead, np.zeros(len(failed))], rows),
        )
        return FinishModel(
            metric,
            extrapolation,
            points,
            seen=history.encoder.scaled(history.raw[points.trial[: points.finished]]),
        )

    def _hyperparameters(
        self,
        history: History,
        target: int,
        complete: NDArray[np.int_],
        unfinished: NDArray[np.int_],
    ) -> gaussian.KernelParameters:
        """Hyperparameters fitted on the first trials, so that all workers compute the same ones."""
        settled = unfinished[history.state[unfinished] == int(TrialState.PRUNED)]
        total = len(complete) + len(settled)
        share = fit_size(total) / total
        first = complete[: max(MIN_FINISHED, int(share * len(complete)))]
        first = first[spread_out(len(first), _MAX_FIT // 3)]
        others = settled[: int(share * len(settled))]
        others = others[spread_out(len(others), _MAX_FIT // 3)]
        key = bytes([target]) + first.tobytes() + b"|" + others.tobytes()
        if key not in self._fits:
            if len(self._fits) > 64:
                self._fits.clear()
            finishes = history.target(target, first)
            extrapolation = Extrapolation.fitted(history, target, first, finishes, others)
            points = _points(history, extrapolation, first, finishes, others)
            self._fits[key] = fit(
                history.encoder.scaled(history.raw[points.trial]),
                points.target,
                points.extra,
                history.encoder.layout,
                noise_prior=_NOISE_PRIOR,
                reports=gaussian.Reports(points.ahead, points.trial),
            )
        return self._fits[key]


def _points(
    history: History,
    extrapolation: Extrapolation,
    complete: NDArray[np.int_],
    finishes: Array,
    unfinished: NDArray[np.int_],
) -> _Points:
    """Finishes, the latest reports of unfinished trials, and earlier reports of finished ones."""
    last = last_rung(history, unfinished)
    unfinished, last = unfinished[last >= 0], last[last >= 0]
    predicted, change = extrapolation.predict(history, unfinished, last)
    finite = np.isfinite(predicted)
    unfinished, last, predicted, change = unfinished[finite], last[finite], predicted[finite], change[finite]
    finished = extrapolation.transform.forward(finishes)
    kept = _kept(np.r_[complete, unfinished], np.r_[finished, predicted])
    of_finished, of_unfinished = kept[: len(complete)], kept[len(complete) :]
    complete, finished = complete[of_finished], finished[of_finished]
    unfinished, last = unfinished[of_unfinished], last[of_unfinished]
    predicted, change = predicted[of_unfinished], change[of_unfinished]
    encoder = history.encoder
    far = dissimilarity(
        encoder.scaled(history.raw[unfinished]),
        encoder.scaled(history.raw[complete]),
        encoder.layout.ordered,
    )
    rows, rung = _earlier(complete, len(history.rungs), MAX_POINTS - len(complete) - len(unfinished))
    earlier, _ = extrapolation.predict(history, rows, rung)
    finite = np.isfinite(earlier)
    rows, rung, earlier = rows[finite], rung[finite], earlier[finite]
    return _Points(
        trial=np.r_[complete, unfinished, rows],
        target=np.r_[finished, predicted, earlier],
        extra=np.r_[np.zeros(len(complete)), dissimilarity_variance(change, far), np.zeros(len(rows))],
        ahead=np.r_[np.zeros(len(complete)), extrapolation.ahead[last], extrapolation.ahead[rung]],
        finished=len(complete),
    )


def _kept(rows: NDArray[np.int_], targets: Array) -> NDArray[np.bool_]:
    """At most `_MAX_TRIALS`: the best, the latest, and a spread of the others. Shape [n]."""
    keep = np.ones(len(rows), dtype=bool)
    if len(rows) <= _MAX_TRIALS:
        return keep
    third = _MAX_TRIALS // 3
    by_number = np.argsort(rows, kind="stable")
    chosen = np.r_[
        np.argsort(targets, kind="stable")[:third],
        by_number[-third:],
        by_number[spread_out(len(rows), third)],
    ]
    keep[:] = False
    keep[chosen] = True
    return keep


def _earlier(
    complete: NDArray[np.int_], n_rungs: int, room: int
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Trials and rungs, taking turns, of the latest finished trials that there is room for."""
    if n_rungs == 0:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    latest = complete[::-1][: max(room, 0)]
    rows = np.concatenate([latest, latest[: max(0, room - len(latest))]])
    turn = np.r_[np.zeros(len(latest), dtype=int), np.ones(len(rows) - len(latest), dtype=int)]
    return rows, (_EARLIER * rows + turn * (n_rungs // 2 + 1)) % n_rungs
