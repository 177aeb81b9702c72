"""The trainer seam: a family of models, and the task it makes of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from satisfice.data import Splits
from satisfice.ship.safetensors_file import Header
from satisfice.spec.metric import METRICS, Known
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Task
from satisfice.train.hyperparameter import Hyperparameters


class Trainer(Protocol):
    """A family of models. What it declares is read without torch, which comes in when something is built."""

    family: str
    doc: str  # one line
    hyperparameters: Hyperparameters  # all names that [space] and [model] may use
    measures: Mapping[str, Known]  # the metrics it can give, and when each is known
    tasks: frozenset[str]  # "classification", "regression"
    kinds: frozenset[str]  # of data: "table", "image"; "text" where columns of a table may be such

    def make_task(self, spec: StudySpec) -> Task:
        """The family bound to the study's data, which are loaded on first use."""

    def restore(self, header: Header, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The bare model that shipped: a callable from prepared items to outputs."""


# What some families have to count, and others not.
COUNTS = ("n_parameters", "flops", "nonzero_weights", "n_leaves", "max_depth")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A training's end."""

    core: Any  # the bare model; None where the trial was stopped
    metrics: Mapping[str, float]  # what the training tells: train_seconds, epochs_to_target, counts
    length: int | None = None  # epochs or rounds that the model has; None where the family has neither


def measures(
    *, size_known: Known, counts: Mapping[str, Known], on_accelerators: bool = False
) -> dict[str, Known]:
    """What a built-in family measures: all metrics that satisfice knows, but counts only those named.

    What an accelerator holds is known of those that train on one.

    Metrics at a level are measured only where the study gives the level: one that names them must.

    Args:
        size_known: When the size is exact: before training, or after fitting.
        on_accelerators: Whether it trains on one where there is one.
        counts: Of `COUNTS` those that the family has. Every family has ``n_features``.
    """
    out: dict[str, Known] = {}
    for name, metric in METRICS.items():
        if metric.quantity == "size":
            out[name] = size_known
        elif metric.quantity == "train_gpu_memory":
            if on_accelerators:
                out[name] = metric.known
        elif name in COUNTS:
            if name in counts:
                out[name] = counts[name]
        elif metric.known is Known.UNTRAINED:
            out[name] = metric.known if size_known is Known.BEFORE else Known.AFTER
        else:
            out[name] = metric.known
    return out


def class_weights(splits: Splits, how: str) -> dict[int, float] | None:
    """Weight of a row by its class code: all classes weigh the same if ``how`` is "balanced"."""
    if how == "none" or not splits.n_classes:
        return None
    counts = np.bincount(splits.train.y, minlength=splits.n_classes)
    return {code: len(splits.train) / (len(counts) * int(count)) for code, count in enumerate(counts)}
