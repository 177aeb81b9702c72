"""Columns of text: tokens as documented, counts as counted by hand, terms in one order on all machines."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from satisfice.data.text.corpus import Corpus, TextSetting
from satisfice.data.text.counts import TermCounts, count_terms, token_ids
from satisfice.data.text.features import TextFeatures
from satisfice.data.text.ranking import ranked
from satisfice.data.text.tokens import JOINT, tokens_of, tokens_of_term


def _tokens(texts: list[str], unit: str) -> list[list[str]]:
    """In the order of the texts."""
    return [row for _, row in sorted(tokens_of(texts, unit))]


def _counted(rows: list[list[str]], unit: str, ngrams: int, learn: Any = None) -> TermCounts:
    return count_terms(token_ids(enumerate(rows), len(rows)), unit, ngrams, learn)


def _settled(character: str) -> bool:
    """Whether releases of Unicode agree about a character: runtimes know different ones."""
    return unicodedata.ucd_3_2_0.category(character) == unicodedata.category(character) != "Cn"


CHARACTERS = st.characters(codec="utf-8").filter(_settled)
TEXTS = st.text(CHARACTERS | st.sampled_from("aAzZ09$!?%@# \n\t\0éÄıİ́\u00a0\u200b\u200d😀"), max_size=40)
MANNERS = (
    "Straße STRASSE İstanbul Iıi", "cafe\u0301 caf\u00e9", "a\u00a0b\u200bc\u2028d\ufeffe", "😀👨\u200d👩 ok",
    "line\nbreak\r\nand\ttab", "nul\0inside", "   ", "", "x" * 50_000, "日本語テスト", "$100!!! free?",
)  # fmt: skip


def by_hand(text: str, unit: str) -> list[str]:
    """The tokens as the documentation says."""
    small = "".join(c.lower() if "A" <= c <= "Z" else c for c in text)
    if unit == "characters":
        return list(small)
    found, word = [], ""
    for c in small:
        if unicodedata.category(c)[0] in "LMN":
            word += c
            continue
        found += [word] * bool(word) + [c] * (c in "$!?%@#")
        word = ""
    return found + [word] * bool(word)


@pytest.mark.parametrize("unit", ["words", "characters"])
@pytest.mark.parametrize("text", MANNERS, ids=lambda text: repr(text[:12]))
def test_tokens_are_those_of_the_documentation(text: str, unit: str) -> None:
    assert _tokens([text], unit) == [by_hand(text, unit)]


@settings(max_examples=200)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(["words", "characters"]))
@example(["", "a b"], "words")
def test_tokens_do_not_depend_on_the_texts_beside(texts: list[str], unit: str) -> None:
    assert _tokens(texts, unit) == [by_hand(text, unit) for text in texts]


def _counts(tokens: list[str], ngrams: int, unit: str) -> Counter[str]:
    return Counter(
        JOINT[unit].join(tokens[at : at + n])
        for n in range(1, ngrams + 1)
        for at in range(len(tokens) - n + 1)
    )


@settings(max_examples=100)
@given(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=8), min_size=1, max_size=6),
    st.integers(1, 4),
    st.sampled_from(["words", "characters"]),
)
def test_n_grams_are_counted_as_by_hand(rows: list[list[str]], ngrams: int, unit: str) -> None:
    found = _counted(rows, unit, ngrams)
    assert len(set(found.terms)) == len(found.terms)
    for row, counts in zip(rows, found.matrix.toarray().tolist(), strict=True):
        wanted = _counts(row, ngrams, unit)
        assert {t: c for t, c in zip(found.terms, counts, strict=True) if c} == wanted
    for term in found.terms:
        assert JOINT[unit].join(tokens_of_term(term, unit)) == term


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=8), min_size=2, max_size=6), st.integers(1, 3))
def test_a_vocabulary_is_learnt_from_terms_of_two_training_rows(rows: list[list[str]], ngrams: int) -> None:
    learn = np.arange(len(rows) - 1)
    held = Counter(term for row in rows[:-1] for term in _counts(row, ngrams, "words"))
    found = _counted(rows, "words", ngrams, learn)
    assert set(found.terms) == {term for term, times in held.items() if times >= 2}
    for at, row in enumerate(rows):
        wanted = _counts(row, ngrams, "words")
        assert found.of(found.terms)[at].tolist() == [wanted[term] for term in found.terms]


TELLING = [
    "free money now",
    "free cash",
    "win money",
    "cash prize now",
    "a plan",
    "the plan",
    "a meeting",
    "plan now",
]
SPAM = np.array([1, 1, 1, 1, 0, 0, 0, 0])


def _corpus(texts: Any = TELLING, target: Any = SPAM, *, classify: bool = True) -> Corpus:
    beside = ["free plan", "new words only"]
    columns = {"body": [*texts, *beside], "subject": [*("ab"[int(y > 0)] for y in target), "c", ""]}
    return Corpus(columns, (len(texts), 1, 1), target, classify=classify)


@pytest.mark.parametrize("by", ["l1", "chi2", "frequency", "hashing"])
@pytest.mark.parametrize("target", [SPAM, np.array([0, 1, 2, 0, 1, 2, 0, 1])], ids=["two", "three"])
def test_values_are_those_of_the_features_alone(by: str, target: Any) -> None:
    corpus = _corpus(target=target)
    setting = TextSetting(vocabulary=6, vocabulary_by=by, ngrams=2)
    features, values = corpus.fitted(setting), corpus.values(setting)
    again = TextFeatures.restore(features.describe(), features.arrays())
    texts = {"body": [*TELLING, "free plan", "new words only"]}
    texts["subject"] = [*("ab"[int(y > 0)] for y in target), "c", ""]
    np.testing.assert_array_equal(np.concatenate(values), again.transform(texts))
    assert len(features.names) == features.width == values[0].shape[1] <= 6
    lengths = np.linalg.norm(np.concatenate(values), axis=1)
    assert np.all(np.isclose(lengths, 10) | (lengths == 0))


def test_terms_come_from_training_rows_only() -> None:
    features = _corpus().fitted(TextSetting(vocabulary=1000, vocabulary_by="frequency"))
    assert features.terms == (("a", "cash", "free", "money", "now", "plan"), ("a", "b"))


@pytest.mark.parametrize("classify", [True, False])
@pytest.mark.parametrize("by", ["l1", "chi2"])
def test_terms_that_tell_most_come_first(by: str, classify: bool) -> None:
    y = np.repeat([0, 1], 30)
    rows = [["telling"] * int(code) + ["common", f"noise{i % 4}"] for i, code in enumerate(y.tolist())]
    counts = _counted(rows, "words", 1)
    target = y if classify else y.astype(float)
    order = ranked(by, counts.matrix, list(counts.terms), target, classify=classify)
    assert counts.terms[order[0]] == "telling"
    assert sorted(order.tolist()) == list(range(len(counts.terms)))


@given(st.permutations(["b", "a", "c", "d"]))
def test_equal_terms_go_by_their_spelling(terms: list[str]) -> None:
    counts = _counted([terms, terms, []], "words", 1)
    for by in ("frequency", "chi2"):
        order = ranked(by, counts.matrix, list(counts.terms), np.array([0, 1, 1]), classify=True)
        assert [counts.terms[at] for at in order] == ["a", "b", "c", "d"]


def test_a_larger_vocabulary_holds_the_smaller_one() -> None:
    corpus = _corpus()
    small, large = (
        {
            (column, term)
            for column, terms in enumerate(corpus.fitted(TextSetting(vocabulary=n)).terms)
            for term in terms
        }
        for n in (3, 6)
    )
    assert small < large
