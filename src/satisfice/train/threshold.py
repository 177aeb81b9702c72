"""The decision threshold of a classifier of two classes, fitted to a study's objectives and bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.spec.constraint import Constraint
from satisfice.spec.study import Objective

# The metrics that a threshold decides; the others are of the probabilities or of no answers at all.
LABEL_METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")

_USUAL = 0.5  # the threshold of whoever answers the more probable class

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A decision threshold, and what it gives on the items that it was fitted to."""

    value: float  # exactly a float32 from 0 to 1; class 1 is answered from this probability on
    metrics: Mapping[str, float]  # LABEL_METRICS


def fit_threshold(
    y: NDArray[Any],
    positive: NDArray[np.float32],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
) -> Fitted:
    """The best threshold among those that meet the bounds on `LABEL_METRICS`; other bounds do not count.

    Best is by the first objective that is one of `LABEL_METRICS`, without one by f1; of equals the threshold
    nearest to 0.5, of two as near the lower. Where no threshold meets the bounds, the choice is among those
    with the smallest sum of violations. It takes O(n log n) time.

    Args:
        y: Codes 0 and 1, shape (n,), n at least 1.
        positive: The probability of class 1 as the shipped file gives it, shape (n,).
        objectives: Of the study.
        constraints: Of the study.
    """
    order = np.argsort(positive)
    ranked, truth = positive[order], np.asarray(y)[order] == 1
    thresholds = _candidates(ranked)
    metrics = _label_metrics(truth, np.searchsorted(ranked, thresholds, side="left"))
    missed = np.zeros(len(thresholds))
    for c in constraints:
        if c.metric in metrics:
            missed += np.maximum(c.violation_each(metrics[c.metric]), 0.0)
    by = next((o for o in objectives if o.metric in metrics), Objective(metric="f1", direction="maximize"))
    cost = by.sign * metrics[by.metric]
    left = np.flatnonzero(missed == missed.min())
    left = left[cost[left] == cost[left].min()]
    chosen = left[np.abs(thresholds[left].astype(np.float64) - _USUAL).argmin()]
    return Fitted(
        value=float(thresholds[chosen]),
        metrics={name: float(values[chosen]) for name, values in metrics.items()},
    )


def _candidates(ranked: NDArray[np.float32]) -> NDArray[np.float32]:
    """One threshold below all probabilities, which ascend, and one between each two that differ; ascending.

    It lies in the middle, or at the upper one where no float32 is between.
    """
    below, above = ranked[:-1], ranked[1:]
    differ = below < above
    below, above = below[differ], above[differ]
    middle = ((below.astype(np.float64) + above) / 2).astype(np.float32)
    cuts = np.where(middle > below, middle, above)
    # Rounding may leave a probability just above 1, where no threshold can be.
    return np.concatenate([np.zeros(1, np.float32), cuts[(cuts > 0) & (cuts <= 1)]])


def _label_metrics(truth: NDArray[np.bool_], negative: NDArray[np.intp]) -> dict[str, Floats]:
    """The metrics as `satisfice.train.score` defines them, shape (c,).

    Args:
        truth: Whether an item is of class 1, in ascending order of its probability; shape (n,).
        negative: How many items, the first ones, are answered 0, for each of c thresholds.
    """
    n, positives = len(truth), int(truth.sum())
    misses = np.concatenate([[0], np.cumsum(truth)])[negative]  # of class 1 and answered 0
    hits = positives - misses
    predicted = n - negative
    rejected = negative - misses  # of class 0 and answered 0
    recall, specificity = _share(hits, positives), _share(rejected, n - positives)
    seen = [each for each, support in ((specificity, n - positives), (recall, positives)) if support]
    return {
        "accuracy": (hits + rejected) / n,
        "balanced_accuracy": np.add.reduce(seen) / len(seen),
        "precision": _share(hits, predicted),
        "recall": recall,
        "specificity": specificity,
        "f1": _share(2 * hits, positives + predicted),
    }


def _share(part: NDArray[np.intp], whole: NDArray[np.intp] | int) -> Floats:
    """``part / whole``, and 0 where ``whole`` is 0."""
    return np.asarray(part / np.maximum(whole, 1))
