"""From a model's outputs to the metrics of its answers, by the study's decision threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import SpecError
from satisfice.spec.metric import LEVEL_KEYS
from satisfice.spec.study import Levels, StudySpec
from satisfice.train.hyperparameter import AUTO, THRESHOLD
from satisfice.train.score import score_answers
from satisfice.train.threshold import fit_threshold

if TYPE_CHECKING:
    from satisfice.data import Splits

EVEN = 0.5  # the threshold of who answers the more probable class


@dataclass(frozen=True, kw_only=True)
class AnswerRule:
    """How a configuration's models answer.

    Args:
        spec: The study, whose objectives and bounds a threshold is fitted to.
        splits: Its data.
        threshold: Probability from which the positive of two classes is answered, or "auto".
    """

    spec: StudySpec
    splits: Splits
    threshold: float | str = EVEN

    @property
    def fitted(self) -> bool:
        """Whether the threshold is fitted to the validation rows."""
        return self.threshold == AUTO

    @property
    def levels(self) -> Levels:
        """Of the metrics that have one."""
        measure = self.spec.measure
        return Levels(precision=measure.precision_level, recall=measure.recall_level)

    def fit(self, y: NDArray[Any], proba: NDArray[Any]) -> float:
        """The threshold that the study's objectives and bounds are best served by.

        Args:
            y: Codes of n validation rows, shape (n,).
            proba: Their probabilities, shape (n, 2).
        """
        positive = proba[:, 1].astype(np.float32)
        return fit_threshold(y, positive, self.spec.objectives, self.spec.constraints).value

    def at(self, threshold: float) -> AnswerRule:
        """The same with this threshold."""
        return replace(self, threshold=threshold)

    def scores(self, y: NDArray[Any], outputs: NDArray[Any]) -> dict[str, float]:
        """The metrics of a model that still trains; a fitted threshold is the best one for these rows.

        Args:
            y: Codes, or numbers for regression, shape (n,).
            outputs: Probabilities (n, k), or values (n,) in the target's unit.
        """
        return score_answers(self.splits.task, y, self.codes(y, outputs), outputs, self.levels)

    def codes(self, y: NDArray[Any], outputs: NDArray[Any]) -> NDArray[np.int64] | None:
        """The answered classes (n,), by a fitted threshold that is the best for these rows.

        Args:
            y: As for `scores`, like ``outputs``.
            outputs: Probabilities, or values, of which there is no class.
        """
        if self.splits.task == "regression":
            return None
        if self.threshold == EVEN or self.splits.n_classes != 2:
            return np.asarray(outputs.argmax(axis=1))
        threshold = self.fit(y, outputs) if self.fitted else float(self.threshold)
        return (outputs[:, 1].astype(np.float32) >= np.float32(threshold)).astype(np.int64)


def check_two_classes(spec: StudySpec, splits: Splits) -> None:
    """Refuse what only a classifier of two classes has.

    Raises:
        SpecError: The data has another number of classes; it tells every key that asks for two.
    """
    if splits.n_classes == 2:
        return
    told = f"{splits.n_classes} classes" if splits.n_classes else "numbers"
    file = str(spec.source) if spec.source is not None and spec.source.is_file() else None
    errors = [
        SpecError(f"is about two classes, and the data has {told}", key=key, file=file, hint="remove it")
        for key in _of_two(spec)
    ]
    if errors:
        raise SpecError.of(errors)


def _of_two(spec: StudySpec) -> Iterator[str]:
    assert spec.model is not None
    if spec.model.fixed.get(THRESHOLD, EVEN) != EVEN:
        yield f"model.{THRESHOLD}"
    if THRESHOLD in spec.space.by_name:
        yield f"space.{THRESHOLD}"
    yield from (f"objectives.{o.metric}" for o in spec.objectives if o.metric in LEVEL_KEYS)
    yield from (f"constraints.{c.metric}" for c in spec.constraints if c.metric in LEVEL_KEYS)
