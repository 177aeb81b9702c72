"""The texts of a study's folds, counted once for all trials; and the features of one setting."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.text.counts import TermCounts, TokenIds, count_terms, token_ids
from satisfice.data.text.features import Floats, TextFeatures, idf_of
from satisfice.data.text.ranking import Order, ranked
from satisfice.data.text.tokens import tokens_of, tokens_of_term

HASHING = "hashing"
_MOST_CACHED = 4  # countings, which hold every n-gram of the data
_MOST_FITTED = 256


@dataclass(frozen=True, kw_only=True)
class TextSetting:
    """How texts become features: equal settings give equal features."""

    tokens: str = "words"  # what is counted: "words" or "characters"
    ngrams: int = 1  # tokens in the longest n-gram
    vocabulary: int = 1000  # features at most; of hashing exactly
    vocabulary_by: str = "l1"  # what chooses the terms: "chi2", "frequency", "l1"; or "hashing"
    idf: bool = True  # whether rare terms weigh more


_Key = tuple[str, int, bool]  # what a counting depends on


def _key(setting: TextSetting) -> _Key:
    return setting.tokens, setting.ngrams, setting.vocabulary_by == HASHING


class Corpus:
    """Texts of the training, validation and test rows, in that order.

    A setting's terms are chosen on the training rows, before any model is trained: the size of a file is
    exact then. Countings and rankings are kept, and shared by all settings that differ in nothing else.

    Args:
        texts: The cells of each column of text.
        lengths: Rows of the training, validation and test fold.
        target: What models learn, of the training rows: codes of classes, or numbers.
        classify: Whether they are codes.
    """

    def __init__(
        self,
        texts: Mapping[str, Sequence[str]],
        lengths: tuple[int, int, int],
        target: NDArray[Any],
        *,
        classify: bool,
    ) -> None:
        self._texts = texts
        self._ends = np.cumsum(lengths)
        self._target, self._classify = target, classify
        self._counts: OrderedDict[_Key, list[TermCounts]] = OrderedDict()
        self._held: dict[_Key, list[NDArray[np.int64]]] = {}  # of each term the training rows that hold it
        self._orders: dict[tuple[str, int, str], Order] = {}
        self._fitted: OrderedDict[TextSetting, TextFeatures] = OrderedDict()
        self._tokens: tuple[str, list[TokenIds]] = ("", [])
        self._rows: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None  # None: all
        self._lock = RLock()

    def __deepcopy__(self, memo: Any) -> Corpus:
        """Itself: nothing changes it but what it remembers."""
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._texts)

    def fitted(self, setting: TextSetting) -> TextFeatures:
        """What the columns become by a setting; quick once its n-grams are counted and ranked."""
        with self._lock:
            if setting not in self._fitted:
                self._fitted[setting] = self._fit(setting)
                while len(self._fitted) > _MOST_FITTED:
                    self._fitted.popitem(last=False)
            return self._fitted[setting]

    def values(self, setting: TextSetting) -> tuple[Floats, Floats, Floats]:
        """The features of the three folds, float32 (rows, k)."""
        with self._lock:
            fitted = self.fitted(setting)
            found = fitted.weighted(fitted.counted(self._counted(setting)))
        train, valid, test = np.split(found, self._ends[:2])
        if self._rows is not None:
            train, valid = train[self._rows[0]], valid[self._rows[1]]
        return train, valid, test

    def of_rows(self, train: NDArray[np.int64], valid: NDArray[np.int64]) -> Corpus:
        """The same features in some of the training and validation rows."""
        few = copy.copy(self)
        few._rows = train, valid  # noqa: SLF001  # of its own class
        return few

    def _fit(self, setting: TextSetting) -> TextFeatures:
        counts, n = self._counted(setting), int(self._ends[0])
        found = TextFeatures(columns=self.columns, unit=setting.tokens, ngrams=setting.ngrams)
        held = self._held[_key(setting)]
        if setting.vocabulary_by == HASHING:
            # As if no two terms of a bucket shared a row: rows are not counted anew for each width.
            of = sum(
                np.bincount(each.buckets(setting.vocabulary, seed), own, setting.vocabulary)
                for seed, (each, own) in enumerate(zip(counts, held, strict=True))
            )
            idf = idf_of(np.minimum(of, n), n) if setting.idf else None
            return replace(found, buckets=setting.vocabulary, idf=idf)
        terms = self._terms(setting, counts)
        if not setting.idf:
            return replace(found, terms=terms)
        chosen = [
            rows[np.array([each.places[term] for term in own], np.int64)]
            for rows, each, own in zip(held, counts, terms, strict=True)
        ]
        return replace(found, terms=terms, idf=idf_of(np.concatenate(chosen), n))

    def _counted(self, setting: TextSetting) -> list[TermCounts]:
        key = _key(setting)
        if key not in self._counts:
            if self._tokens[0] != setting.tokens:
                self._tokens = (
                    setting.tokens,
                    [
                        token_ids(tokens_of(texts, setting.tokens), len(texts))
                        for texts in self._texts.values()
                    ],
                )
            learn = None if setting.vocabulary_by == HASHING else np.arange(self._ends[0])
            self._counts[key] = [
                count_terms(tokens, setting.tokens, setting.ngrams, learn) for tokens in self._tokens[1]
            ]
            train = [each.matrix[: self._ends[0]] for each in self._counts[key]]
            self._held[key] = [np.bincount(part.indices, minlength=part.shape[1]) for part in train]
            while len(self._counts) > _MOST_CACHED:
                self._held.pop(self._counts.popitem(last=False)[0])
        self._counts.move_to_end(key)
        return self._counts[key]

    def _terms(self, setting: TextSetting, counts: list[TermCounts]) -> tuple[tuple[str, ...], ...]:
        """The chosen terms of each column, shorter ones first."""
        owners = np.repeat(np.arange(len(counts)), [len(each.terms) for each in counts])
        spelled = [term for each in counts for term in each.terms]
        key = (setting.tokens, setting.ngrams, setting.vocabulary_by)
        if key not in self._orders:
            self._orders[key] = self._order(setting.vocabulary_by, counts, spelled, owners)
        chosen = self._orders[key][: setting.vocabulary]
        return tuple(
            tuple(
                sorted(
                    (spelled[at] for at in chosen[owners[chosen] == column].tolist()),
                    key=lambda term: (len(tokens_of_term(term, setting.tokens)), term),
                )
            )
            for column in range(len(counts))
        )

    def _order(
        self, by: str, counts: list[TermCounts], spelled: list[str], owners: NDArray[np.int64]
    ) -> Order:
        from scipy.sparse import hstack  # slow to import

        train = hstack([each.matrix[: self._ends[0]] for each in counts], format="csr")
        told = [f"{owner} {term}" for owner, term in zip(owners.tolist(), spelled, strict=True)]
        if not told:
            return np.zeros(0, np.int64)
        return ranked(by, train, told, self._target, classify=self._classify)
