"""Predictive metrics.

Notation: n items, k classes. `proba` (n, k) sums to one in each row; `y` (n,) holds codes, or numbers for
regression. Of two classes, code 1 is the positive one and precision, recall, specificity, f1 and roc_auc are
about it; with more they are the mean over the classes, one against the rest. Definitions are scikit-learn's
(the tests compare); computed here because scikit-learn's checks cost more than a small model's epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.features.scale import centre_and_spread, distance, exponent, is_constant, times

if TYPE_CHECKING:
    from satisfice.data.reading.raw import Task

Floats = NDArray[np.float64]


def score(task: Task, y: NDArray[Any], prediction: NDArray[Any]) -> dict[str, float]:
    """All metrics of the task.

    Args:
        task: Of the data.
        y: Shape (n,).
        prediction: Classification: probabilities (n, k). Regression: values (n,).
    """
    if task == "regression":
        return score_regression(y, prediction)
    return score_classification(y, prediction)


def score_classification(y: NDArray[Any], proba: NDArray[Any]) -> dict[str, float]:
    """accuracy, balanced_accuracy, precision, recall, specificity, f1, roc_auc and log_loss."""
    proba = proba.astype(np.float64)
    n, k = proba.shape
    confusion = np.bincount(y * k + proba.argmax(axis=1), minlength=k * k).reshape(
        k, k
    )  # [truth, prediction]
    hits = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = _divide(hits, support)
    precision = _divide(hits, predicted)
    f1 = _divide(2 * hits, support + predicted)
    specificity = _divide(n - support - predicted + hits, n - support)
    seen = support > 0
    used = np.array([1]) if k == 2 else np.flatnonzero(seen | (predicted > 0))
    return {
        "accuracy": float(hits.sum() / n),
        "balanced_accuracy": float(recall[seen].mean()),
        "precision": float(precision[used].mean()),
        "recall": float(recall[used].mean()),
        "specificity": float(specificity[used].mean()),
        "f1": float(f1[used].mean()),
        "roc_auc": _mean_auc(y, proba),
        "log_loss": _log_loss(y, proba),
    }


def score_regression(y: NDArray[Any], prediction: NDArray[Any]) -> dict[str, float]:
    """r2, mae and rmse, in float64 and without overflow in any unit.

    Where all of `y` is the same, no share of its variance can be explained: r2 is then 1 if every prediction
    is that number, else 0, as in scikit-learn.
    """
    y, prediction = y.astype(np.float64), prediction.astype(np.float64)
    with np.errstate(over="ignore"):
        unit = exponent(np.concatenate([y, prediction]))
        error = np.abs(times(prediction, -unit) - times(y, -unit))
        at = exponent(error)
        error = times(error, -at)  # within 0 and 1: squares neither overflow nor vanish
        back = unit + at
        return {
            "r2": _r2(y, prediction),
            "mae": float(times(error.mean(), back)),
            "rmse": float(times(np.sqrt((error**2).mean()), back)),
        }


def _r2(y: Floats, prediction: Floats) -> float:
    centre, spread = centre_and_spread(y)
    if spread == 0:
        return float(is_constant(np.concatenate([y, prediction])))
    truth = distance(y, centre, spread)
    error = distance(prediction, centre, spread) - truth
    return float(1.0 - (error**2).mean() / (truth**2).mean())


def _divide(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """Elementwise ``a / b``, and 0 where ``b`` is 0."""
    return np.asarray(np.divide(a, b, out=np.zeros(len(a)), where=b > 0))


def _log_loss(y: NDArray[Any], proba: Floats) -> float:
    eps = np.finfo(np.float64).eps
    total = proba.sum(axis=1)
    chosen = proba[np.arange(len(y)), y] / total
    return float(-np.log(np.clip(chosen, eps, 1 - eps)).mean())


def _mean_auc(y: NDArray[Any], proba: Floats) -> float:
    """Area under the ROC curve; NaN where no class tells anything (all of one class)."""
    k = proba.shape[1]
    areas = [_auc(y == code, proba[:, code]) for code in ([1] if k == 2 else range(k))]
    known = [area for area in areas if not np.isnan(area)]
    return float(np.mean(known)) if known else float("nan")


def _auc(positive: NDArray[np.bool_], value: Floats) -> float:
    """The share of pairs of a positive and a negative in which the positive is ahead; a tie counts half.

    This is the area under the ROC curve (Hanley and McNeil 1982).
    """
    ahead, behind = value[positive], np.sort(value[~positive])
    if not len(ahead) or not len(behind):
        return float("nan")
    below = np.searchsorted(behind, ahead, side="left").sum()
    not_above = np.searchsorted(behind, ahead, side="right").sum()
    return float((below + not_above) / (2 * len(ahead) * len(behind)))
