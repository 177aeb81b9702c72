"""The registered data sets. None of them is downloaded at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from satisfice.registry import Registry

if TYPE_CHECKING:
    from satisfice.data.reading.raw import Dataset

DATASETS: Registry[Dataset] = Registry(
    "data set",
    "satisfice.datasets",
    {
        "digits": "satisfice.data.sets.bundled:DIGITS",
        "breast_cancer": "satisfice.data.sets.bundled:BREAST_CANCER",
        "wine": "satisfice.data.sets.bundled:WINE",
        "diabetes": "satisfice.data.sets.bundled:DIABETES",
        "titanic": "satisfice.data.sets.bundled:TITANIC",
        "mnist_5k": "satisfice.data.sets.external:MNIST_5K",
        "fashion_mnist": "satisfice.data.sets.external:FASHION_MNIST",
        "adult": "satisfice.data.sets.external:ADULT",
        "diamonds": "satisfice.data.sets.external:DIAMONDS",
        "flights": "satisfice.data.sets.external:FLIGHTS",
        "spambase": "satisfice.data.sets.external:SPAMBASE",
        "spam_mail": "satisfice.data.sets.mails:SPAM_MAIL",
    },
)
