"""Permutation importance of a finished model by source column (Breiman 2001; Fisher et al. 2019).

The cells of one raw column are permuted over the rows, and the file that ships answers: what preparation
makes of a column moves together. A column that says what another one says as well looks unimportant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data import Fold, TableEncoder
from satisfice.data.features.variants import features_of
from satisfice.errors import InputError
from satisfice.ship.onnx.tables import input_names
from satisfice.spec.task import Params
from satisfice.train.families.linear import LinearModel
from satisfice.train.family_task import FamilyTask
from satisfice.train.files.onnx_model import OnnxModel
from satisfice.train.files.shipped_file import bare
from satisfice.train.score import score_answers
from satisfice.train.scoring import monitored
from satisfice.train.trees.ensemble import TreeEnsemble
from satisfice.train.trees.gains import gains

REPEATS = 10
_MOST_ROWS = 5000  # that are permuted, or passed through trees

# The metrics where the cells of a column (None: of none) come in this order of the rows.
Score = Callable[[str | None, NDArray[np.int64]], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Permuted:
    """The importance of one source column."""

    column: str
    losses: tuple[float, ...]  # by how much the metric got worse, one a repeat

    @property
    def mean(self) -> float:
        """Over the repeats."""
        return float(np.mean(self.losses))

    @property
    def deviation(self) -> float:
        """Standard deviation over the repeats; 0 of a single one."""
        return float(np.std(self.losses, ddof=1)) if len(self.losses) > 1 else 0.0


@dataclass(frozen=True, kw_only=True)
class ModelImportance:
    """Of one model."""

    metric: str
    value: float
    rows: int
    columns: Sequence[Permuted]  # the most important first
    gains: Mapping[str, float]  # of trees, by source column; else empty
    coefficients: Sequence[
        tuple[str, str, str | None, float]
    ]  # column, feature, class, value; of linear models


def importance_of(
    task: FamilyTask, params: Params, model: Any, *, repeats: int, seed: int
) -> ModelImportance:
    """What a model goes by, on at most 5,000 rows of the validation split.

    Args:
        task: A family bound to a study's data.
        params: The configuration.
        model: As `FamilyTask.load_model` gives it.
        repeats: Permutations of each column.
        seed: Of the rows and the permutations.

    Raises:
        InputError: The data are images, which have no columns.
    """
    encoder = task.preprocessor(params)
    if not isinstance(encoder, TableEncoder):
        raise InputError(
            "importance is told by the columns of a table, and this study learns from images",
            hint="the pixels of an image say nothing one by one",
        )
    metric, sign = monitored(task.spec, task.splits.task)
    rng = np.random.default_rng(seed)
    rows = _some(len(task.splits.valid), rng)
    if isinstance(model, OnnxModel):
        score = _of_file(task, params, model, encoder, rows)
    else:
        score = _of_core(task, params, bare(model), encoder, rows)
    value = score(None, rows)[metric]
    found = [
        Permuted(
            column=name,
            losses=tuple(
                sign * (value - score(name, rng.permutation(len(rows)))[metric]) for _ in range(repeats)
            ),
        )
        for name in encoder.source_columns
    ]
    core = bare(model)
    return ModelImportance(
        metric=metric,
        value=value,
        rows=len(rows),
        columns=sorted(found, key=lambda each: -each.mean),
        gains=_gains(task, params, core, encoder, rng) if isinstance(core, TreeEnsemble) else {},
        coefficients=_coefficients(task, core, encoder) if isinstance(core, LinearModel) else (),
    )


def _some(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(n) if n <= _MOST_ROWS else np.sort(rng.choice(n, _MOST_ROWS, replace=False))


def _of_file(
    task: FamilyTask, params: Params, model: OnnxModel, encoder: TableEncoder, rows: NDArray[np.int64]
) -> Score:
    """The file's scores where a column's cells come in another order."""
    feeds = {name: tensor[rows] for name, tensor in task.feeds.valid.items()}
    names, y = input_names(encoder.source_columns), task.splits.valid.y[rows]

    def score(column: str | None, order: NDArray[np.int64]) -> Mapping[str, float]:
        moved = {} if column is None else {names[column]: feeds[names[column]][order]}
        codes, outputs = model.answers(feeds | moved, task.splits.classes)
        return score_answers(task.splits.task, y, codes, outputs, task.answer_rule(params).levels)

    return score


def _of_core(
    task: FamilyTask, params: Params, core: Any, encoder: TableEncoder, rows: NDArray[np.int64]
) -> Score:
    """The bare model's scores: a column's features move together, as if the cells had moved."""
    fold = task.splits_of(params).valid
    x, y, z = fold.x[rows], fold.y[rows], fold.z[rows]

    def score(column: str | None, order: NDArray[np.int64]) -> Mapping[str, float]:
        moved = x.copy()
        if column is not None:
            places = features_of(encoder, [column])
            moved[:, places] = x[order][:, places]
        return task.scoring(params).of_model(core, Fold(x=moved, y=y, z=z))

    return score


def _gains(
    task: FamilyTask, params: Params, core: TreeEnsemble, encoder: TableEncoder, rng: np.random.Generator
) -> dict[str, float]:
    """On training rows."""
    x = task.splits_of(params).train.x
    by_feature = gains(core, x[_some(len(x), rng)])
    names = encoder.source_columns
    return {name: float(by_feature[features_of(encoder, [name])].sum()) for name in names}


def _coefficients(
    task: FamilyTask, core: LinearModel, encoder: TableEncoder
) -> list[tuple[str, str, str | None, float]]:
    labels = [str(label) for label in task.splits.classes] if len(core.weight) > 1 else [None]
    owners = [encoder.column_of(place) for place in range(encoder.n_features)]
    return [
        (owner, feature, label, float(value))
        for label, weights in zip(labels, core.weight, strict=True)
        for owner, feature, value in zip(owners, encoder.feature_names, weights, strict=True)
    ]
