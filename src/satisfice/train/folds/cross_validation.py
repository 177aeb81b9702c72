"""Cross-validation of one configuration.

One model is trained for each fold and scored on the rows that it has not seen. Then, unless the trial was
stopped, one is trained on the rows of all folds, for the median of the epochs or rounds at which the folds'
models were best, and with a decision threshold that is fitted to the answers of all folds together. That is
the model that ships: size and latency are judged by its file. The scores are the means over the folds.

The standard error of a mean over K folds is the standard deviation of the K values, divided by the square
root of K. Folds share training rows, so that it tends to be too small; there is no unbiased one (Bengio and
Grandvalet 2004, JMLR 5:1089-1105).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from satisfice.spec.standard_error import error_name
from satisfice.spec.task import Params, TrainingTrial
from satisfice.spec.trial import report_of
from satisfice.train.folds.fold_trial import FoldTrial
from satisfice.train.folds.validated import Scorable, Validated, validate
from satisfice.train.trainer import Trained


class Foldable(Scorable, Protocol):
    """What cross-validation needs of a family bound to a study's data."""

    def on_fold(self, fold: int) -> Foldable:
        """The same task on the data of one fold, from 0 on."""

    def learn(self, params: Params, trial: TrainingTrial, length: int | None = None) -> Trained:
        """Train; exactly so many epochs or rounds where ``length`` is given."""

    def hand_over(
        self, params: Params, core: Any, trial: TrainingTrial, threshold: float | None = None
    ) -> tuple[Any, dict[str, float]]:
        """Hand the file that ships to the trial; the file's model, and what is known of the file."""


class CrossValidation:
    """One trial.

    Args:
        task: On the rows of all folds.
        params: The configuration.
        trial: That is trained; its steps are the folds.
        folds: How many.
    """

    def __init__(self, task: Foldable, params: Params, trial: TrainingTrial, folds: int) -> None:
        self._task = task
        self._params = params
        self._trial = trial
        self._folds = folds
        self._done: list[Validated] = []
        self._under_way: tuple[int, Any] = (0, None)  # a training and its state

    def run(self) -> dict[str, float]:
        """The trial's metrics; none where it was stopped: a mean over some of the folds is no result.

        Raises:
            Diverged: A training did.
        """
        self._resume()
        for fold in range(len(self._done), self._folds):
            part = self._task.on_fold(fold)
            trained = part.learn(self._params, self._part(fold))
            self._done.append(validate(part, self._params, trained))
            self._trial.report(fold + 1, report_of([each.metrics for each in self._done]))
            self._save(fold + 1, None)  # with the report, where the database was away
            if fold + 1 < self._folds and self._trial.should_prune():
                return {}
        return self._refit()

    def _refit(self) -> dict[str, float]:
        scores, threshold = self._scores()
        trained = self._task.learn(self._params, self._part(self._folds), self._length())
        _, known = self._task.hand_over(self._params, trained.core, self._trial, threshold)
        return {**trained.metrics, **known, **summary(scores), **self._spent(trained)}

    def _spent(self, last: Trained) -> dict[str, float]:
        folds = [each.spent for each in self._done]
        found = {name: float(np.mean([each[name] for each in folds])) for name in folds[0]}
        if "train_seconds" in found:
            found["train_seconds"] = math.fsum(each["train_seconds"] for each in [*folds, last.metrics])
        return found

    def _scores(self) -> tuple[list[Mapping[str, float]], float | None]:
        """Each fold's metrics, and the threshold where one is fitted: to the answers of all folds."""
        rule = self._task.answer_rule(self._params)
        if not rule.fitted:
            return [each.metrics for each in self._done], None
        outputs = [each.outputs for each in self._done if each.outputs is not None]
        truths = [self._task.on_fold(fold).splits.valid.y for fold in range(self._folds)]
        threshold = rule.fit(np.concatenate(truths), np.concatenate(outputs))
        decided = rule.at(threshold)
        scores: list[Mapping[str, float]] = [
            {**each.metrics, **decided.scores(y, out)}
            for each, y, out in zip(self._done, truths, outputs, strict=True)
        ]
        return scores, threshold

    def _length(self) -> int | None:
        lengths = [each.length for each in self._done if each.length is not None]
        return max(round(float(np.median(lengths))), 1) if lengths else None

    def _part(self, index: int) -> FoldTrial:
        at, state = self._under_way
        return FoldTrial(
            self._trial,
            index,
            self._folds + 1,
            state if at == index else None,
            lambda state: self._save(index, state),
        )

    # -- checkpoints ----------------------------------------------------------------------------------------

    def _save(self, training: int, state: Any) -> None:
        """Keep the folds that are done, and the state of the training under way."""
        self._trial.save_checkpoint(
            {"folds": [_packed(each) for each in self._done], "training": training, "state": state}
        )

    def _resume(self) -> None:
        saved = self._trial.load_checkpoint()
        if saved is not None:
            self._done = [_unpacked(each) for each in saved["folds"]]
            self._under_way = saved["training"], saved["state"]


def summary(folds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over the folds, and beside it its standard error over them."""
    found = {}
    for name in folds[0]:
        values = np.array([each[name] for each in folds])
        found[name] = float(values.mean())
        found[error_name(name)] = float(values.std(ddof=1) / math.sqrt(len(values)))
    return found


def _packed(each: Validated) -> dict[str, Any]:
    """As JSON, which knows no NaN."""
    return {
        "metrics": {name: repr(value) for name, value in each.metrics.items()},
        "spent": {name: repr(value) for name, value in each.spent.items()},
        "length": each.length,
        "outputs": None if each.outputs is None else each.outputs.astype(np.float64).tolist(),
    }


def _unpacked(content: Mapping[str, Any]) -> Validated:
    outputs = content["outputs"]
    return Validated(
        metrics={name: float(value) for name, value in content["metrics"].items()},
        spent={name: float(value) for name, value in content["spent"].items()},
        length=content["length"],
        outputs=None if outputs is None else np.array(outputs),
    )
