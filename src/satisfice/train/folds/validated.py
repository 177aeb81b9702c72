"""The model of one fold on the rows that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from numpy.typing import NDArray

from satisfice.ship.model import predict
from satisfice.spec.standard_error import split
from satisfice.spec.task import Params
from satisfice.train.files.onnx_model import OnnxModel
from satisfice.train.files.shipped_file import Shippable, ShippedFile
from satisfice.train.scoring import ScoredRows
from satisfice.train.trainer import Trained

SPENT = ("train_seconds", "epochs_to_target")  # of all trainings the sum, and the mean over folds


@dataclass(frozen=True, kw_only=True, eq=False)
class Validated:
    """A fold's model on the rows that it has not seen."""

    metrics: Mapping[str, float]  # predictive ones, and how far those on its training rows are ahead
    spent: Mapping[str, float]  # what its training took: train_seconds, epochs_to_target
    length: int | None  # epochs or rounds at which it was best; None where the family has none
    outputs: NDArray[Any] | None = None  # (n, 2), where a threshold is to be fitted to them


class Scorable(Shippable, Protocol):
    """What scoring a fold's model needs of the family's task on that fold."""

    @property
    def file(self) -> ShippedFile:
        """The file that ships."""

    def scored_as_winner(self, params: Params, model: Any) -> ScoredRows:
        """The file's scores on the validation rows."""


def validate(task: Scorable, params: Params, trained: Trained) -> Validated:
    """Score the file of a fold's model on the rows that it has not seen.

    Args:
        task: The family on the data of the fold.
        params: The configuration.
        trained: On the fold's training rows.
    """
    with TemporaryDirectory(prefix="satisfice-") as folder:
        model = task.file.keep(task, params, trained.core, Path(folder)).model
    rule, outputs = task.answer_rule(params), None
    if rule.fitted and isinstance(model, OnnxModel):
        outputs = model.answers(task.feeds_of(params).valid, task.splits.classes)[1]
    elif rule.fitted:
        outputs = predict(model, task.splits_of(params).valid.x, classify=True)
    # The standard error of a mean over folds is that of the folds, not of the rows of each.
    metrics, _ = split(task.scored_as_winner(params, model).metrics)
    return Validated(
        metrics=metrics,
        spent={name: trained.metrics[name] for name in SPENT if name in trained.metrics},
        length=trained.length,
        outputs=outputs,
    )
