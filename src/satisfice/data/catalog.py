"""The registered data sets. None of them is downloaded at run time."""

from __future__ import annotations

from satisfice.data.raw import Dataset
from satisfice.registry import Registry

DATASETS: Registry[Dataset] = Registry(
    "data set",
    "satisfice.datasets",
    {
        "digits": "satisfice.data.bundled:DIGITS",
        "breast_cancer": "satisfice.data.bundled:BREAST_CANCER",
        "wine": "satisfice.data.bundled:WINE",
        "diabetes": "satisfice.data.bundled:DIABETES",
        "titanic": "satisfice.data.bundled:TITANIC",
        "mnist_5k": "satisfice.data.external:MNIST_5K",
        "fashion_mnist": "satisfice.data.external:FASHION_MNIST",
        "adult": "satisfice.data.external:ADULT",
        "diamonds": "satisfice.data.external:DIAMONDS",
        "flights": "satisfice.data.external:FLIGHTS",
        "spambase": "satisfice.data.external:SPAMBASE",
    },
)
