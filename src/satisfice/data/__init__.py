"""Data: registered sets and a person's own files, split and prepared."""

from satisfice.data.catalog import DATASETS
from satisfice.data.columns import ColumnNote
from satisfice.data.image import ImageScaler
from satisfice.data.load import Fold, Preprocessor, Splits, dataset_of, fingerprint, load, reading_of
from satisfice.data.raw import Dataset, RawData
from satisfice.data.scale import TargetScale
from satisfice.data.table import TableEncoder

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
