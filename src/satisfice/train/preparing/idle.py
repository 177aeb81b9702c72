"""Searches that would spend trials on what decides nothing, or on columns that are not there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from optuna.distributions import CategoricalDistribution

from satisfice.data import Splits, TableEncoder
from satisfice.errors import SpecError
from satisfice.spec.study import StudySpec
from satisfice.train.hyperparameter import IMAGE_SIZE, SELECT

_AUGMENT = "augment"  # and keys that begin so


def check_searched(spec: StudySpec, splits: Splits) -> None:
    """Refuse a search of what only images have, and of more columns than a table has.

    A value that `[model]` fixes does no harm.

    Raises:
        SpecError: It tells every such key.
    """
    if splits.kind != "table":
        return
    of_images = [n for n in spec.space.by_name if n == IMAGE_SIZE or n.startswith(_AUGMENT)]
    refuse_search(spec, of_images, "is about images, and the data are a table")
    encoder, k = splits.preprocessor, spec.space.by_name.get(SELECT)
    if k is None or not isinstance(encoder, TableEncoder):
        return
    distribution: Any = k.distribution
    by_choice = isinstance(distribution, CategoricalDistribution)
    most, n = max(distribution.choices) if by_choice else distribution.high, len(encoder.source_columns)
    if most > n:
        problem = f"goes up to {most}, and there are {n} columns that a model can learn from"
        refuse_search(spec, [SELECT], problem, f"let it end at {n}")


def refuse_search(spec: StudySpec, names: Collection[str], problem: str, hint: str = "remove it") -> None:
    """Refuse a space with these parameters; nothing where there are none.

    Raises:
        SpecError: It tells all of them.
    """
    file = str(spec.source) if spec.source is not None and spec.source.is_file() else None
    errors = [SpecError(problem, key=f"space.{name}", file=file, hint=hint) for name in names]
    if errors:
        raise SpecError.of(errors)
