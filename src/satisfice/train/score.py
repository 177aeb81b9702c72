"""Predictive metrics.

Notation: n items, k classes. `proba` (n, k) sums to one in each row; `y` (n,) holds codes, or numbers for
regression. Of two classes, code 1 is the positive one and precision, recall, specificity, f1, roc_auc and
average_precision are about it; with more they are the mean over the classes, one against the rest.
Definitions are scikit-learn's (the tests compare); computed here because scikit-learn's checks cost more than
a small model's epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.features.scale import centre_and_spread, distance, exponent, is_constant, times

if TYPE_CHECKING:
    from satisfice.data.reading.raw import Task
    from satisfice.spec.study import Levels

Floats = NDArray[np.float64]


def score(
    task: Task, y: NDArray[Any], prediction: NDArray[Any], levels: Levels | None = None
) -> dict[str, float]:
    """All metrics of the task.

    Args:
        task: Of the data.
        y: Shape (n,).
        prediction: Classification: probabilities (n, k). Regression: values (n,).
        levels: Of the metrics at a level; they are left out where theirs is not given.
    """
    if task == "regression":
        return score_regression(y, prediction)
    return score_classification(y, prediction, levels)


def score_answers(
    task: Task,
    y: NDArray[Any],
    codes: NDArray[Any] | None,
    outputs: NDArray[Any],
    levels: Levels | None = None,
) -> dict[str, float]:
    """All metrics of the task where a decision of its own turns probabilities into answers.

    Confusions are of the answers; ranking and loss are of the probabilities.

    Args:
        task: Of the data.
        y: Shape (n,).
        codes: Classification: the codes (n,) of the answered classes. Regression: None.
        outputs: Classification: probabilities (n, k). Regression: values (n,).
        levels: As for `score`.
    """
    if task == "regression":
        return score_regression(y, outputs)
    assert codes is not None, "answers of a classification are codes"
    return {
        **_of_answers(y, codes, outputs.shape[1]),
        **_of_probabilities(y, outputs.astype(np.float64), levels),
    }


def score_classification(
    y: NDArray[Any], proba: NDArray[Any], levels: Levels | None = None
) -> dict[str, float]:
    """accuracy, balanced_accuracy, precision, recall, specificity, f1, roc_auc, average_precision, log_loss.

    The most probable class is answered. roc_auc and average_precision are NaN where all items are of one
    class. Of two classes also recall_at_precision and precision_at_recall, each where its level is given.
    """
    return score_answers("classification", y, proba.argmax(axis=1), proba, levels)


def _of_answers(y: NDArray[Any], codes: NDArray[Any], k: int) -> dict[str, float]:
    """The metrics of a confusion of k classes."""
    n = len(y)
    confusion = np.bincount(y * k + codes, minlength=k * k).reshape(k, k)  # [truth, answer]
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
    }


def _of_probabilities(y: NDArray[Any], proba: Floats, levels: Levels | None) -> dict[str, float]:
    """Ranking and loss."""
    k = proba.shape[1]
    ranked = [_Ranked.of(y == code, proba[:, code]) for code in ([1] if k == 2 else range(k))]
    # A class that none or all of the items have tells nothing.
    telling = [each for each in ranked if 0 < each.hits[-1] < each.answered[-1]]
    found = {
        "roc_auc": _mean(each.area() for each in telling),
        "average_precision": _mean(each.average_precision() for each in telling),
        "log_loss": cross_entropy(y, proba),
    }
    if k == 2 and levels is not None:
        if levels.precision is not None:
            found["recall_at_precision"] = ranked[0].recall_at(levels.precision)
        if levels.recall is not None:
            found["precision_at_recall"] = ranked[0].precision_at(levels.recall)
    return found


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What a threshold at each different value answers positive; the highest value comes first.

    The last threshold answers all n items so.
    """

    hits: NDArray[np.int64]  # positives among them
    answered: NDArray[np.int64]  # how many items, at least one

    @classmethod
    def of(cls, positive: NDArray[np.bool_], value: Floats) -> _Ranked:
        """Rank items by their values, both (n,)."""
        order = np.argsort(value)[::-1]
        value = value[order]
        ends = np.ones(len(value), dtype=np.bool_)  # whether an item is the last one of its value
        np.not_equal(value[1:], value[:-1], out=ends[:-1])
        last = np.flatnonzero(ends)
        return cls(positive[order].cumsum()[last], last + 1)

    def area(self) -> float:
        """The share of pairs of a positive and a negative in which the positive is ahead; a tie counts half.

        This is the area under the ROC curve (Hanley and McNeil 1982).
        """
        misses = self.answered - self.hits
        ahead = 2 * self.hits - _added(self.hits)  # twice the positives ahead of each value, a tie as half
        return float((_added(misses) * ahead).sum() / (2 * self.hits[-1] * misses[-1]))

    def average_precision(self) -> float:
        """The mean of the precisions, weighted by the recall that each threshold adds."""
        return float((_added(self.hits) * (self.hits / self.answered)).sum() / self.hits[-1])

    def recall_at(self, precision: float) -> float:
        """The highest recall of a threshold with at least that precision; 0 where none reaches it."""
        reached = self.hits[self.hits / self.answered >= precision]
        return float(reached[-1] / self.hits[-1]) if len(reached) else 0.0

    def precision_at(self, recall: float) -> float:
        """The highest precision of a threshold with at least that recall; 0 where none reaches it."""
        reached = self.hits / max(int(self.hits[-1]), 1) >= recall
        return float((self.hits / self.answered)[reached].max(initial=0.0))


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


def _added(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each adds to the one before: `np.diff` with a 0 in front, which takes longer on small folds."""
    added = counts.copy()
    added[1:] -= counts[:-1]
    return added


def _mean(values: Iterable[float]) -> float:
    """NaN of nothing."""
    known = list(values)
    return float(np.mean(known)) if known else float("nan")


def cross_entropy(y: NDArray[Any], proba: Floats) -> float:
    """Mean log loss in nats of codes (n,) by probabilities (n, k), which are kept off 0 and 1."""
    eps = np.finfo(np.float64).eps
    total = proba.sum(axis=1)
    chosen = proba[np.arange(len(y)), y] / total
    return float(-np.log(np.clip(chosen, eps, 1 - eps)).mean())
