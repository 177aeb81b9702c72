"""The observations that surrogates are fitted to.

Normally those are the finished trials. Before enough have finished, the latest step that enough trials have
reported stands for the finish: otherwise parallel workers would begin twice as many trainings as there are
workers before a model helps.

Shapes: n trials, m objectives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.curves.extrapolation import signed_curve
from satisfice.search.curves.finish import MIN_FINISHED
from satisfice.search.history import History
from satisfice.surrogate.encoding import Array


@dataclass(frozen=True)
class Observations:
    """Trials that count as finished, and their objectives."""

    rows: NDArray[np.int_]
    stopped: NDArray[np.int_]  # of the others
    running: NDArray[np.int_]  # of the others
    objectives: Array  # to minimise, those of ``rows`` finite, shape [n, m]
    at_the_end: bool  # of training, or at a step


def observations(history: History, static: set[str]) -> Observations | None:
    """The observations, or None while it is too little for a model.

    Args:
        history: The trials.
        static: Metrics known before training.
    """
    return _finished(history) or _at_the_latest_step(history, static)


def _finished(history: History) -> Observations | None:
    """What has finished, None while that is too little for a model."""
    objectives = history.objectives()
    complete, stopped = history.rows(TrialState.COMPLETE), history.rows(TrialState.PRUNED)
    complete = complete[np.isfinite(objectives[complete]).all(axis=1)]
    enough = _startup(len(history.encoder.free))
    if len(complete) < min(MIN_FINISHED, enough) or len(complete) + len(stopped) < enough:
        return None
    return Observations(complete, stopped, history.rows(TrialState.RUNNING), objectives, at_the_end=True)


def _at_the_latest_step(history: History, static: set[str]) -> Observations | None:
    """The latest step that enough trials have reported, as if it were the end; None if there is none."""
    trials = history.rows(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    enough = _startup(len(history.encoder.free))
    trained = [j for j, name in enumerate(history.objective_names) if name not in static]
    for rung in range(len(history.rungs) - 1, 0, -1):
        rows = trials[history.curve_step[trials, rung] > 0]
        if len(rows) < enough:
            continue
        objectives = history.objectives()
        objectives[:, trained] = np.nan
        for j in trained:
            objectives[rows, j] = signed_curve(history, rows, j, rung)
        rows = rows[np.isfinite(objectives[rows]).all(axis=1)]
        if len(rows) >= enough:
            stopped = np.setdiff1d(history.rows(TrialState.PRUNED), rows)
            running = np.setdiff1d(history.rows(TrialState.RUNNING), rows)
            return Observations(rows, stopped, running, objectives, at_the_end=False)
    return None


def _startup(n_free: int) -> int:
    """Trained trials before a model is trusted with proposals."""
    return int(np.clip(n_free, 5, 10))
