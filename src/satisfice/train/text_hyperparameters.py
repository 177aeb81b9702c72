"""How columns of text become features, as hyperparameters of the families that learn from text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from satisfice.data.text.corpus import HASHING, TextSetting
from satisfice.data.text.tokens import UNITS
from satisfice.train.hyperparameter import Hyperparameter, Hyperparameters

_PLAIN = TextSetting()

TEXT: Hyperparameters = {
    "tokens": Hyperparameter(
        kind="categorical",
        default=_PLAIN.tokens,
        choices=UNITS,
        doc="What texts are cut into; as the others below, of columns of text only.",
        architecture=True,
    ),
    "ngrams": Hyperparameter(
        kind="int",
        default=_PLAIN.ngrams,
        low=1,
        high=6,
        doc="Tokens in the longest n-gram; shorter ones are counted too.",
        architecture=True,
    ),
    "vocabulary": Hyperparameter(
        kind="int",
        default=_PLAIN.vocabulary,
        low=1,
        high=16_384,
        doc="Features of all columns of text together: n-grams at most, or of `hashing` buckets.",
        architecture=True,
    ),
    "vocabulary_by": Hyperparameter(
        kind="categorical",
        default=_PLAIN.vocabulary_by,
        choices=("l1", "chi2", "frequency", HASHING),
        doc="What chooses the n-grams, on training rows: a sparse linear model, chi-squared, or how many "
        "rows hold them; or all are hashed, and the file holds no words.",
        architecture=True,
    ),
    "idf": Hyperparameter(
        kind="categorical",
        default=_PLAIN.idf,
        choices=(True, False),
        doc="Whether rare n-grams weigh more (inverse document frequency); it costs one byte each.",
        architecture=True,
    ),
}


def setting_of(values: Mapping[str, Any]) -> TextSetting:
    """The setting among a family's values; what the family does not have is the default."""
    known = {field.name for field in fields(TextSetting)} & TEXT.keys() & values.keys()
    return TextSetting(**{name: TEXT[name].typed(values[name]) for name in known})
