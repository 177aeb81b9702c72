"""Data: registered sets and a person's own files, split and prepared.

Names are loaded on first use: the reader of cells below this package ships with models and needs no pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satisfice.data.catalog import DATASETS
    from satisfice.data.cross_validation import fold_of
    from satisfice.data.features.image import ImageScaler
    from satisfice.data.features.scale import TargetScale
    from satisfice.data.features.table import TableEncoder
    from satisfice.data.form import reading_of, same_data
    from satisfice.data.loading import Fold, Preprocessor, Splits, dataset_of, fingerprint, load
    from satisfice.data.reading.columns import ColumnNote
    from satisfice.data.reading.raw import Dataset, RawData

_HOMES = {
    "catalog": ("DATASETS",),
    "cross_validation": ("fold_of",),
    "form": ("reading_of", "same_data"),
    "features.image": ("ImageScaler",),
    "features.scale": ("TargetScale",),
    "features.table": ("TableEncoder",),
    "loading": ("Fold", "Preprocessor", "Splits", "dataset_of", "fingerprint", "load"),
    "reading.raw": ("Dataset", "RawData"),
    "reading.columns": ("ColumnNote",),
}
_HOME_OF = {name: f"satisfice.data.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "DATASETS",
    "ColumnNote",
    "Dataset",
    "Fold",
    "ImageScaler",
    "Preprocessor",
    "RawData",
    "Splits",
    "TableEncoder",
    "TargetScale",
    "dataset_of",
    "fingerprint",
    "fold_of",
    "load",
    "reading_of",
    "same_data",
]


def __getattr__(name: str) -> Any:
    """Load a name (PEP 562)."""
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'satisfice.data' has no attribute {name!r}", name=name)
