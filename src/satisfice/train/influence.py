"""Standard errors of predictive metrics, and the influence of each row on them.

Notation as in `satisfice.train.score`: n items, k classes, `y` (n,), `codes` (n,) the answered classes,
`outputs` (n, k) probabilities, or (n,) values. The influence of row i is scaled so that a metric's standard
error is ``sqrt(sum(influence**2)) / n``: for a mean of row losses it is ``loss[i] - mean`` (delta method;
Hampel 1974). Of roc_auc these are the structural components of DeLong, DeLong and Clarke-Pearson (1988).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.features.scale import exponent, times
from satisfice.spec.metric import LEVEL_KEYS
from satisfice.train.score import score_answers

if TYPE_CHECKING:
    from satisfice.data.reading.raw import Task
    from satisfice.spec.study import Levels

Floats = NDArray[np.float64]

_SAMPLES = 200  # of the bootstrap
_DRAWN = 2_000_000  # rows in all samples together, about
_FEW = 4  # samples at least
_CONFUSION = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1")


def influences(
    task: Task, y: NDArray[Any], codes: NDArray[Any] | None, outputs: NDArray[Any]
) -> dict[str, Floats]:
    """Of every metric that has a formula, (n,) each; a metric that is not defined on these rows has none.

    Args:
        task: Of the data.
        y: Shape (n,).
        codes: Classification: the answered codes. Regression: None.
        outputs: Classification: probabilities (n, k). Regression: values (n,).
    """
    if task == "regression":
        return _of_values(y.astype(np.float64), outputs.astype(np.float64))
    assert codes is not None, "answers of a classification are codes"
    proba = outputs.astype(np.float64)
    return {**_of_answers(y, codes, proba.shape[1]), **_of_probabilities(y, proba)}


def standard_errors(
    task: Task,
    y: NDArray[Any],
    codes: NDArray[Any] | None,
    outputs: NDArray[Any],
    levels: Levels | None,
    of_rows: Mapping[str, Floats],
    seed: int,
) -> dict[str, float]:
    """Of every metric, by metric: from its influences, else by a bootstrap over the rows.

    Where no row differs from the others, as at an accuracy of 1, the formula says 0. Then it is that of two
    more rows of each outcome (Agresti and Coull 1998): few rows without a mistake do not promise that none
    comes.

    Args:
        task: Of the data.
        y: As for `influences`, like the next two.
        codes: Answers.
        outputs: Probabilities or values.
        levels: Of the metrics at a level, for which there is no formula.
        of_rows: What `influences` gave.
        seed: Of the bootstrap.
    """
    n = len(y)
    errors = {name: _norm(each) / n for name, each in of_rows.items()}
    floor = float(np.sqrt((n + 2) * 2.0) / (n + 4) ** 1.5)
    for name in (*_CONFUSION, "roc_auc", "average_precision"):
        if errors.get(name) == 0.0:
            errors[name] = floor
    if codes is not None and levels is not None and (levels.precision or levels.recall):
        errors |= _bootstrapped(y, codes, outputs, levels, seed)
    return {name: error for name, error in errors.items() if np.isfinite(error)}


def _norm(values: Floats) -> float:
    """The root of the sum of squares, in any unit."""
    largest = float(np.abs(values).max(initial=0.0))
    return largest * float(np.sqrt(((values / largest) ** 2).sum())) if largest else 0.0


def _bootstrapped(
    y: NDArray[Any], codes: NDArray[Any], outputs: NDArray[Any], levels: Levels, seed: int
) -> dict[str, float]:
    """Of the metrics at a level."""
    draw = np.random.default_rng([seed, len(y)])
    drawn: dict[str, list[float]] = {}
    for _ in range(max(_FEW, min(_SAMPLES, _DRAWN // len(y)))):
        s = draw.integers(0, len(y), len(y))
        found = score_answers("classification", y[s], codes[s], outputs[s], levels)
        for name in LEVEL_KEYS:
            if name in found:
                drawn.setdefault(name, []).append(found[name])
    return {name: float(np.std(values, ddof=1)) for name, values in drawn.items()}


def _of_answers(y: NDArray[Any], codes: NDArray[Any], k: int) -> dict[str, Floats]:
    """The metrics of a confusion; the classes are those that `satisfice.train.score` takes the mean over."""
    n = len(y)
    hit = (y == codes).astype(np.float64)
    truth = [(y == c).astype(np.float64) for c in range(k)]
    answer = [(codes == c).astype(np.float64) for c in range(k)]
    seen = [c for c in range(k) if truth[c].any()]
    used = [1] if k == 2 else [c for c in range(k) if truth[c].any() or answer[c].any()]

    def mean_of(classes: Iterable[int], parts: Any) -> Floats:
        return np.asarray(np.mean([_ratio(*parts(c)) for c in classes], axis=0))

    return {
        "accuracy": hit - hit.mean() if n else hit,
        "balanced_accuracy": mean_of(seen, lambda c: (hit * truth[c], truth[c])),
        "precision": mean_of(used, lambda c: (hit * answer[c], answer[c])),
        "recall": mean_of(used, lambda c: (hit * truth[c], truth[c])),
        "specificity": mean_of(used, lambda c: ((1 - truth[c]) * (1 - answer[c]), 1 - truth[c])),
        "f1": mean_of(used, lambda c: (2 * hit * truth[c], truth[c] + answer[c])),
    }


def _ratio(above: Floats, below: Floats) -> Floats:
    """Of ``sum(above) / sum(below)``; zero where that is 0 / 0, which `satisfice.train.score` takes for 0."""
    total = below.sum()
    if total == 0:
        return np.zeros(len(below))
    return np.asarray((above - above.sum() / total * below) * (len(below) / total))


def _of_probabilities(y: NDArray[Any], proba: Floats) -> dict[str, Floats]:
    n, k = proba.shape
    telling = [c for c in ([1] if k == 2 else range(k)) if 0 < (y == c).sum() < n]
    eps = np.finfo(np.float64).eps
    chosen = np.clip(proba[np.arange(n), y] / proba.sum(axis=1), eps, 1 - eps)
    loss = -np.log(chosen)
    found = {"log_loss": (loss - loss.mean()) * np.sqrt(n / max(n - 1, 1))}
    if telling:
        found["roc_auc"] = np.mean([_of_area(y == c, proba[:, c]) for c in telling], axis=0)
        found["average_precision"] = np.mean(
            [_of_average_precision(y == c, proba[:, c]) for c in telling], axis=0
        )
    return found


def _of_area(positive: NDArray[np.bool_], value: Floats) -> Floats:
    """The share of rows of the other side that each row is ordered right against (a tie counts half)."""
    ups, downs = np.sort(value[positive]), np.sort(value[~positive])

    def below(ranked: Floats, at: Floats) -> Floats:
        return np.asarray((ranked.searchsorted(at, "left") + ranked.searchsorted(at, "right")) / 2)

    n = len(value)
    out = np.empty(n)
    of_ups = below(downs, value[positive]) / len(downs)
    of_downs = 1 - below(ups, value[~positive]) / len(ups)
    area = of_ups.mean()
    for side, share in ((positive, of_ups), (~positive, of_downs)):
        m = len(share)
        out[side] = (share - area) * (n / m) * np.sqrt(m / max(m - 1, 1))
    return out


def _of_average_precision(positive: NDArray[np.bool_], value: Floats) -> Floats:
    """Of the mean over the positives of the precision at their value, by derivatives.

    A further positive brings its own precision, and raises that of every positive at or below its value by
    ``(1 - precision) / answered``; a further negative lowers it by ``precision / answered``.
    """
    n, order = len(value), np.argsort(-value, kind="stable")
    ranked, hit = value[order], positive[order].astype(np.float64)
    last = np.searchsorted(-ranked, -ranked, side="right") - 1  # the last row of the same value
    hits, answered = hit.cumsum()[last], last + 1.0
    precision, m = hits / answered, hit.sum()
    first = np.searchsorted(-ranked, -ranked, side="left")

    def at_or_below(each: Floats) -> Floats:
        added = np.concatenate([(hit * each)[::-1].cumsum()[::-1], [0.0]])
        return np.asarray(added[first])

    gain = at_or_below((1 - precision) / answered)
    loss = at_or_below(precision / answered)
    average = (hit * precision).sum() / m
    out = np.empty(n)
    out[order] = np.where(hit > 0, precision - average + gain, -loss) * (n / m)
    return out


def _of_values(y: Floats, prediction: Floats) -> dict[str, Floats]:
    """r2, mae and rmse; in a unit in which squares neither overflow nor vanish."""
    n = len(y)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        unit = exponent(np.concatenate([y, prediction]))
        error = np.abs(times(prediction, -unit) - times(y, -unit))
        at = exponent(error)
        error = times(error, -at)
        square, few = error**2, np.sqrt(n / max(n - 1, 1))
        root = np.sqrt(square.mean())
        found = {
            "mae": times((error - error.mean()) * few, unit + at),
            "rmse": times((square - square.mean()) / (2 * root) if root else square * 0.0, unit + at),
        }
        centred = times(times(y, -unit) - times(y, -unit).mean(), -at) ** 2
        spread = centred.mean()
        if spread > 0 and np.isfinite(spread):
            found["r2"] = -(square - square.mean() / spread * centred) / spread
    return {name: each for name, each in found.items() if np.isfinite(each).all()}
