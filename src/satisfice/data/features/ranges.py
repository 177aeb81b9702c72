"""The least and the largest value of each column that training saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from satisfice.data.features.image import ImageScaler
from satisfice.data.features.table import TableEncoder, read_number
from satisfice.data.reading.raw import RawData


def ranges(train: RawData, preprocessor: TableEncoder | ImageScaler) -> Mapping[str, tuple[float, float]]:
    """By source column that became a feature; categories and images have none.

    Numbers are in the column's own unit, moments in seconds since 1970 in UTC.
    """
    if isinstance(preprocessor, ImageScaler):
        return {}
    rows, _ = preprocessor.read(train.items)  # type: ignore[arg-type]  # of the matching kind
    found: dict[str, tuple[float, float]] = {}
    for column in preprocessor.columns:
        if column.categories is None and column.name not in found:
            values = read_number(rows[column.name], "seconds" if column.part else "")
            known = values[np.isfinite(values)]
            if len(known):
                found[column.name] = (float(known.min()), float(known.max()))
    return found
