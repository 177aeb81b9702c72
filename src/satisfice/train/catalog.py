"""The registered families of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from satisfice.errors import SpecError
from satisfice.registry import Registry
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Task

if TYPE_CHECKING:
    from satisfice.train.trainer import Trainer

TRAINERS: Registry[Trainer] = Registry(
    "model family",
    "satisfice.trainers",
    {
        "mlp": "satisfice.train.families.mlp:MLP",
        "cnn": "satisfice.train.families.cnn:CNN",
        "linear": "satisfice.train.families.linear:LINEAR",
        "forest": "satisfice.train.families.forest:FOREST",
        "boosting": "satisfice.train.families.boosting:BOOSTING",
    },
)


def make_task(spec: StudySpec) -> Task:
    """The task of a study that names `[data]` and `[model]`.

    Raises:
        SpecError: The study brings its own task.
        InputError: The family is not registered, or cannot learn from such data.
    """
    if spec.model is None or spec.data is None:
        file = None if spec.source is None else str(spec.source)
        raise SpecError("the study names no data and model", file=file, hint="add [data] and [model]")
    return TRAINERS.get(spec.model.family).make_task(spec)
