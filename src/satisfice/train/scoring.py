"""Scores of a family's models on the folds of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from satisfice.data import Fold, Splits
from satisfice.ship.model import ShippedModel, predict
from satisfice.spec.metric import METRICS
from satisfice.spec.study import StudySpec
from satisfice.train.answer_rule import AnswerRule
from satisfice.train.threshold import LABEL_METRICS


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

    def of_winner(self, core: Any) -> dict[str, float]:
        """The metrics on the validation split, and how far behind those on the training split they stay."""
        metrics = self.of_model(core, self.splits.valid)
        main = main_metric(self.splits.task)
        gap = self.of_model(core, self.splits.train)[main] - metrics[main]
        return {**metrics, "generalization_gap": gap}

    def on_test(self, model: Any) -> dict[str, float]:
        """The metrics on the test split.

        A model from a file prepares the rows itself, as it will where it is used.
        """
        if isinstance(model, ShippedModel):
            x = model.header.preprocessor.transform(self.splits.raw_test.items)  # type: ignore[arg-type]  # of the matching kind
            return self.rule.scores(self.splits.test.y, model.outputs(x))
        return self.of_model(model, self.splits.test)


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
