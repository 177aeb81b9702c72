"""What an unfinished training's reports say about its end, learnt from the trainings that finished.

At each checkpoint the final value is regressed on the value reported there, over finished trials.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from satisfice.search.encode import Array
from satisfice.search.history import History

MIN_FINISHED = 5
_MAX_FINISHED = 400  # finished trials that are read: the latest ones


def last_checkpoint(history: History, rows: NDArray[np.int_]) -> NDArray[np.int_]:
    """Index of the latest checkpoint that each trial has reported by, -1 for none. Shape [n]."""
    seen = history._curve_step[rows] > 0  # noqa: SLF001  # same package
    g = seen.shape[1]
    if g == 0:
        return np.full(len(rows), -1)
    return np.where(seen.any(axis=1), g - 1 - np.argmax(seen[:, ::-1], axis=1), -1)


def finished_curves(history: History, objective: int, checkpoint: int) -> tuple[Array, Array]:
    """Values at a checkpoint and at the end (to minimise) of the finished trials that reported there."""
    rows = history.rows(TrialState.COMPLETE)[-_MAX_FINISHED:]
    sign = history.signs[objective]
    early = history.curves[rows, checkpoint, objective].astype(float) * sign
    final = history.objectives()[rows, objective]
    told = np.isfinite(early) & np.isfinite(final)
    return early[told], final[told]


def expected_final(history: History, rows: NDArray[np.int_], objective: int) -> tuple[Array, Array]:
    """Expected final value (to minimise) of unfinished trials and its standard deviation, NaN where unknown.

    Args:
        history: The trials.
        rows: Trial numbers, shape [n].
        objective: Index of the objective.

    Returns:
        Two arrays of shape [n].
    """
    mean, sd = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    last = last_checkpoint(history, rows)
    sign = history.signs[objective]
    for g in np.unique(last[last >= 0]):
        early, final = finished_curves(history, objective, int(g))
        if len(early) < MIN_FINISHED:
            continue
        here = last == g
        now = history.curves[rows[here], g, objective].astype(float) * sign
        slope, intercept = _robust_line(early, final)
        residual = final - (intercept + slope * early)
        mean[here] = intercept + slope * np.clip(now, early.min(), early.max())
        sd[here] = 1.4826 * float(np.median(np.abs(residual))) + 0.1 * float(residual.std()) + 1e-12
    return mean, sd


def _robust_line(x: Array, y: Array) -> tuple[float, float]:
    """Slope (0 to 1.5) and intercept of a line through the better two thirds of x."""
    keep = x <= np.quantile(x, 0.67)
    if keep.sum() < MIN_FINISHED:
        keep = np.ones(len(x), dtype=bool)
    a, b = x[keep], y[keep]
    variance = float(a.var())
    slope = (
        float(np.clip(((a - a.mean()) * (b - b.mean())).mean() / variance, 0.0, 1.5)) if variance > 0 else 0.0
    )
    return slope, float(np.median(b - slope * a))
