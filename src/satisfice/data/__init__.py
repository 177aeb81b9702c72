"""Data: registered sets and a person's own files, split and prepared."""

from satisfice.data.catalog import DATASETS
from satisfice.data.features.image import ImageScaler
from satisfice.data.features.scale import TargetScale
from satisfice.data.features.table import TableEncoder
from satisfice.data.load import Fold, Preprocessor, Splits, dataset_of, fingerprint, load, reading_of
from satisfice.data.reading.columns import ColumnNote
from satisfice.data.reading.raw import Dataset, RawData

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
    "load",
    "reading_of",
]
