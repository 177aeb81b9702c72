"""A fitted table encoder with its numbers on another scale, or with some of its source columns alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from satisfice.data.features.shape import STANDARD, Shape, rescaled
from satisfice.data.features.table import TableEncoder, read_number


def rescale(encoder: TableEncoder, train: pd.DataFrame, scaling: str) -> TableEncoder:
    """The encoder with its numbers scaled as `satisfice.data.features.shape.rescaled` says.

    Args:
        encoder: Fitted to the training fold, with ``standard`` scaling.
        train: The training fold, as it was read.
        scaling: "standard", "robust" or "none".
    """
    if scaling == STANDARD:
        return encoder
    frame, _ = encoder.read(train)
    columns, shapes, skewed = [], list[Shape](), 0
    for column in encoder.columns:
        if column.categories is not None:
            columns.append(column)
            continue
        place = len(shapes)
        start, unit = (
            (float(encoder.start[skewed]), float(encoder.unit[skewed])) if column.skewed else (0.0, 1.0)
        )
        skewed += column.skewed
        shape = Shape(
            missing=float(encoder.missing[place]),
            mean=float(encoder.mean[place]),
            scale=float(encoder.scale[place]),
            skewed=column.skewed,
            start=start,
            unit=unit,
        )
        shapes.append(rescaled(shape, read_number(frame[column.name], column.part), scaling))
        columns.append(replace(column, skewed=shapes[-1].skewed))
    left = [shape for shape in shapes if shape.skewed]
    return replace(
        encoder,
        columns=tuple(columns),
        missing=np.array([shape.missing for shape in shapes], dtype=np.float32),
        mean=np.array([shape.mean for shape in shapes]),
        scale=np.array([shape.scale for shape in shapes]),
        start=np.array([shape.start for shape in left]),
        unit=np.array([shape.unit for shape in left]),
        scaling=scaling,
    )


def restrict(encoder: TableEncoder, names: Collection[str]) -> TableEncoder:
    """The encoder of these source columns alone; it asks for no others."""
    numeric = [column for column in encoder.columns if column.categories is None]
    kept = np.array([column.name in names for column in numeric], dtype=bool)
    skewed = np.array([column.name in names for column in numeric if column.skewed], dtype=bool)
    return replace(
        encoder,
        columns=tuple(column for column in encoder.columns if column.name in names),
        missing=encoder.missing[kept],
        mean=encoder.mean[kept],
        scale=encoder.scale[kept],
        start=encoder.start[skewed],
        unit=encoder.unit[skewed],
        rules={name: rule for name, rule in encoder.rules.items() if name in names or rule.kind == "text"},
    )


def features_of(encoder: TableEncoder, names: Collection[str]) -> list[int]:
    """Places of the features that come of these source columns."""
    owners = [column.name for column in encoder.columns for _ in range(column.width)]
    return [place for place, name in enumerate(owners) if name in names]
