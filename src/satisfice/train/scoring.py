"""Scores of a family's models on the folds of its data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from satisfice.data import Fold, Splits
from satisfice.ship.model import ShippedModel, predict
from satisfice.spec.influences import Influences
from satisfice.spec.metric import METRICS
from satisfice.spec.standard_error import error_name
from satisfice.spec.study import StudySpec
from satisfice.train.answer_rule import AnswerRule
from satisfice.train.influence import influences, standard_errors
from satisfice.train.score import score_answers
from satisfice.train.threshold import LABEL_METRICS

if TYPE_CHECKING:
    from satisfice.data.reading.raw import Task
    from satisfice.spec.study import Levels


@dataclass(frozen=True, kw_only=True)
class ScoredRows:
    """What a model scores on rows that it did not learn from."""

    metrics: dict[str, float]  # each with its standard error, of accuracy as "accuracy.se"
    influences: Influences | None  # None where no metric is defined on the rows

    @classmethod
    def on_rows(
        cls,
        task: Task,
        y: NDArray[Any],
        codes: NDArray[Any] | None,
        outputs: NDArray[Any],
        levels: Levels,
        seed: int,
    ) -> ScoredRows:
        """Score answers.

        Args:
            task: Of the data.
            y: Shape (n,).
            codes: Answered classes (n,); None of a regression.
            outputs: Probabilities (n, k), or values (n,).
            levels: Of the metrics at a level.
            seed: Of a bootstrap, for standard errors without a formula.
        """
        metrics = score_answers(task, y, codes, outputs, levels)
        of_rows = influences(task, y, codes, outputs)
        errors = standard_errors(task, y, codes, outputs, levels, of_rows, seed)
        with_errors = {error_name(name): errors[name] for name in metrics if name in errors}
        return cls(
            metrics={**metrics, **with_errors}, influences=Influences.of_rows(of_rows) if of_rows else None
        )

    def ahead_of(self, task: Task, train: dict[str, float], rows: int) -> dict[str, float]:
        """The metrics, with how far behind those on the training split they stay.

        Args:
            task: Of the data.
            train: Metrics on the training split.
            rows: Of the training split.
        """
        main = main_metric(task)
        found = {**self.metrics, "generalization_gap": train[main] - self.metrics[main]}
        error = self.metrics.get(error_name(main))
        if error is not None:
            # Rows of both splits are drawn; of r2 only those that it was scored on count, as on
            # rows that were learnt from its error is small.
            p = min(max(train[main], 0.0), 1.0)
            learnt = math.sqrt(p * (1 - p) / rows) if task == "classification" else 0.0
            found[error_name("generalization_gap")] = math.hypot(error, learnt)
        return found


@dataclass(frozen=True)
class Scoring:
    """Scores on these data, by the rule that a configuration answers by."""

    splits: Splits
    rule: AnswerRule

    def of_model(self, core: Any, fold: Fold) -> dict[str, float]:
        """The metrics of a bare model for a fold."""
        return self.of_outputs(predict(core, fold.x, classify=self.splits.target is None), fold)

    def of_outputs(self, out: NDArray[Any], fold: Fold) -> dict[str, float]:
        """The metrics of a bare model's outputs: probabilities (n, k), or standardised values (n,)."""
        target = self.splits.target
        return self.rule.scores(fold.y, out if target is None else target.restore(out))

    def of_winner(self, core: Any) -> ScoredRows:
        """The metrics on the validation split, and how far behind those on the training split they stay."""
        scored = self._scored(self.splits.valid.y, self._answers(core, self.splits.valid))
        train = self.of_model(core, self.splits.train)
        metrics = scored.ahead_of(self.splits.task, train, len(self.splits.train.y))
        return replace(scored, metrics=metrics)

    def on_test(self, model: Any) -> dict[str, float]:
        """The metrics on the test split, with their standard errors.

        A model from a file prepares the rows itself, as it will where it is used.
        """
        if isinstance(model, ShippedModel):
            x = model.header.preprocessor.transform(self.splits.raw_test.items)  # type: ignore[arg-type]  # of the matching kind
            return self._scored(self.splits.test.y, model.outputs(x)).metrics
        return self._scored(self.splits.test.y, self._answers(model, self.splits.test)).metrics

    def _answers(self, core: Any, fold: Fold) -> NDArray[Any]:
        out = predict(core, fold.x, classify=self.splits.target is None)
        return out if self.splits.target is None else self.splits.target.restore(out)

    def _scored(self, y: NDArray[Any], outputs: NDArray[Any]) -> ScoredRows:
        """Of probabilities (n, k), or values (n,) in the target's unit."""
        rule = self.rule
        codes = rule.codes(y, outputs)
        return ScoredRows.on_rows(self.splits.task, y, codes, outputs, rule.levels, rule.spec.seed)


def main_metric(task: str) -> str:
    """The score that `generalization_gap` and `epochs_to_target` are about."""
    return "accuracy" if task == "classification" else "r2"


def monitored(spec: StudySpec, task: str, *, fitted: bool = False) -> tuple[str, float]:
    """The metric by which a training's best epoch is chosen, and the factor that makes it one to maximise.

    It is the study's first objective that is a predictive metric of the task, else `main_metric`.

    Args:
        spec: The study.
        task: Of its data.
        fitted: Whether the decision threshold is fitted at the end. Then a metric of answers says more about
            the threshold of that epoch than about the model, and average precision takes its place.
    """
    for objective in spec.objectives:
        metric = METRICS.get(objective.metric)
        if metric is not None and metric.task == task:
            if fitted and metric.name in LABEL_METRICS:
                return "average_precision", 1.0
            return metric.name, 1.0 if objective.direction == "maximize" else -1.0
    return ("average_precision" if fitted else main_metric(task)), 1.0
