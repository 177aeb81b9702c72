"""Texts to features, as they were learnt from the training fold.

Notation: n rows, k features. c counts a term in all texts of a row that come from its column; q is 1, or
rises with the share of training rows that lack the term. A row's features are

    v = q log(1 + c),   x = 10 v / |v|

so that a row with any known term has the length 10, however long its texts are. (Sublinear counts, inverse
document frequencies and cosine normalisation: Salton and Buckley 1988, doi:10.1016/0306-4573(88)90021-0.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.text.counts import TermCounts, count_terms, token_ids
from satisfice.data.text.tokens import tokens_of

Floats = NDArray[np.float32]

LENGTH = 10.0  # of a row with any known term: numbers beside texts have unit variance each
LEAST_LENGTH = 1e-6  # what divides a row without one
_IDF_STEP = 16  # whole numbers hold inverse document frequencies in steps of 1/16: one byte each


@dataclass(frozen=True, kw_only=True, eq=False)
class TextFeatures:
    """What columns of text become."""

    columns: tuple[str, ...]  # source columns, in the order of the table
    unit: str = "words"  # what is counted: n-grams of "words" or of "characters"
    ngrams: int = 1  # tokens in the longest n-gram
    # Of each column the terms that are features, in order; empty where terms are hashed.
    terms: tuple[tuple[str, ...], ...] = ()
    buckets: int = 0  # number of features where terms are hashed; the same ones for all columns
    # (k,), uint8: inverse document frequencies in sixteenths; None: q is 1.
    idf: NDArray[np.uint8] | None = None

    @property
    def width(self) -> int:
        """K."""
        return self.buckets or sum(len(terms) for terms in self.terms)

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that give at least one feature."""
        if self.buckets:
            return self.columns
        return tuple(column for column, terms in zip(self.columns, self.terms, strict=True) if terms)

    @property
    def names(self) -> list[str]:
        """Of the k features, in their order."""
        if self.buckets:
            return [f"bucket {at}" for at in range(self.buckets)]
        return [
            f"{column}: {term!r}"
            for column, terms in zip(self.columns, self.terms, strict=True)
            for term in terms
        ]

    def column_of(self, feature: int) -> str:
        """The source column of a feature, given its place; of a bucket all of them."""
        if self.buckets:
            return ", ".join(self.columns)
        owners = [c for c, terms in zip(self.columns, self.terms, strict=True) for _ in terms]
        return owners[feature]

    def transform(self, texts: Mapping[str, Sequence[str]]) -> Floats:
        """Features of n rows, float32 (n, k), from the cells of each column, "" where nothing is."""
        counts = [
            count_terms(
                token_ids(tokens_of(texts[column], self.unit), len(texts[column])), self.unit, self.ngrams
            )
            for column in self.columns
        ]
        return self.weighted(self.counted(counts))

    def counted(self, counts: Sequence[TermCounts]) -> Floats:
        """Counts c, float32 (n, k), from those of each column."""
        if self.buckets:
            found = [each.in_buckets(self.buckets, seed) for seed, each in enumerate(counts)]
            return np.asarray(sum(found[1:], found[0]))
        parts = [each.of(terms) for each, terms in zip(counts, self.terms, strict=True)]
        out: Floats = np.concatenate(parts, axis=1)
        return out

    def weighted(self, counts: Floats) -> Floats:
        """Features x of counts c."""
        v: Floats = np.log(counts + np.float32(1))
        if self.idf is not None:
            v *= self.idf.astype(np.float32)
        norm = np.sqrt((v * v).sum(axis=1, keepdims=True)) * np.float32(1 / LENGTH)
        v /= np.maximum(norm, np.float32(LEAST_LENGTH))
        return v

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers it has learnt."""
        return {} if self.idf is None else {"idf": self.idf}

    def describe(self) -> dict[str, Any]:
        """All else it has learnt, JSON-able."""
        found: dict[str, Any] = {"columns": list(self.columns), "unit": self.unit, "ngrams": self.ngrams}
        if self.buckets:
            return found | {"buckets": self.buckets}
        return found | {"terms": [list(terms) for terms in self.terms]}

    @classmethod
    def restore(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TextFeatures:
        """The features that `describe` and `arrays` told of."""
        return cls(
            columns=tuple(description["columns"]),
            unit=description["unit"],
            ngrams=description["ngrams"],
            terms=tuple(tuple(terms) for terms in description.get("terms", ())),
            buckets=description.get("buckets", 0),
            idf=arrays.get("idf"),
        )


def idf_of(held: NDArray[Any], n: int) -> NDArray[np.uint8]:
    """Inverse document frequencies in sixteenths: ``log((1 + n) / (1 + held)) + 1``.

    Args:
        held: Training rows that hold each term, (k,); of a bucket the sum over its terms, at most n.
        n: Training rows.
    """
    exact = np.log((1 + n) / (1 + held)) + 1
    return np.asarray(np.clip(np.rint(exact * _IDF_STEP), 1, 255), np.uint8)
