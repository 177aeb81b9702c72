"""How often each n-gram occurs in each text.

Notation: n texts, t different n-grams (terms). A term is written out with blanks between its words, or with
nothing between its characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.text.tokens import JOINT

Floats = NDArray[np.float32]
_MOST_TERMS = 50_000  # of one column that are candidates for a vocabulary: the most frequent


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenIds:
    """The tokens of n texts as numbers."""

    names: tuple[str, ...]  # what each number stands for
    ids: NDArray[np.int64]  # of all texts behind each other
    lengths: NDArray[np.int64]  # tokens of each text, (n,)


def token_ids(rows: Iterable[tuple[int, Sequence[str]]], n: int) -> TokenIds:
    """Number the tokens of n texts, which come with their places and in any order."""
    names: dict[str, int] = {}
    found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * n
    for at, row in rows:
        numbers = (names.setdefault(token, len(names)) for token in row)
        found[at] = np.fromiter(numbers, np.int64, len(row))
    lengths = np.array([len(row) for row in found], np.int64)
    ids = np.concatenate(found) if found else np.zeros(0, np.int64)
    return TokenIds(names=tuple(names), ids=ids, lengths=lengths)


@dataclass(frozen=True, kw_only=True, eq=False)
class TermCounts:
    """Counts of one column."""

    terms: tuple[str, ...]  # (t,)
    matrix: Any  # scipy.sparse CSR, float32 (n, t)
    _hashes: tuple[int, NDArray[np.int64]] | None = None  # of the terms, with the seed; made when asked for

    @cached_property
    def places(self) -> dict[str, int]:
        """Column of the matrix by term."""
        return {term: place for place, term in enumerate(self.terms)}

    def of(self, terms: Sequence[str]) -> Floats:
        """Counts of these terms, float32 (n, len(terms)); zeros for a term that never occurs."""
        out = np.zeros((self.matrix.shape[0], len(terms)), np.float32)
        known = [(at, self.places[term]) for at, term in enumerate(terms) if term in self.places]
        if known:
            out[:, [at for at, _ in known]] = self.matrix[:, [place for _, place in known]].toarray()
        return out

    def in_buckets(self, buckets: int, seed: int) -> Floats:
        """Counts of all terms by the bucket that each is hashed to, float32 (n, buckets)."""
        from scipy.sparse import csr_matrix  # slow to import

        t = len(self.terms)
        places = (self.buckets(buckets, seed), np.arange(t + 1))
        to: Any = csr_matrix((np.ones(t, np.float32), *places), shape=(t, buckets))
        return np.asarray((self.matrix @ to).toarray(), dtype=np.float32)

    def buckets(self, buckets: int, seed: int) -> NDArray[np.int64]:
        """The bucket that each term is hashed to, (t,).

        The hash is MurmurHash3 (32 bits, Appleby 2011), as the runtime's operator of that name computes it.
        """
        return self._hashed(seed) % buckets

    def _hashed(self, seed: int) -> NDArray[np.int64]:
        if self._hashes is None or self._hashes[0] != seed:
            from sklearn.utils import murmurhash3_32  # slow to import

            found = (murmurhash3_32(term.encode(), seed, positive=True) for term in self.terms)
            object.__setattr__(self, "_hashes", (seed, np.fromiter(found, np.int64, len(self.terms))))
        assert self._hashes is not None
        return self._hashes[1]


def count_terms(
    tokens: TokenIds, unit: str, ngrams: int, learn: NDArray[np.int64] | None = None
) -> TermCounts:
    """Count the n-grams of 1 to ``ngrams`` tokens.

    Args:
        tokens: Of n texts.
        unit: What they are: "words" or "characters".
        ngrams: Length of the longest n-gram.
        learn: Rows of the training fold: then only n-grams that occur in at least two of them are counted,
            and of these the most frequent. None: all.
    """
    from scipy.sparse import coo_matrix, csr_matrix, hstack  # slow to import

    n_texts, single = len(tokens.lengths), tokens.ids
    row_of = np.repeat(np.arange(n_texts), tokens.lengths)
    terms: list[str] = []
    blocks: list[Any] = [csr_matrix(np.zeros((n_texts, 0), np.float32))]
    gram, words = (
        single,
        list(tokens.names),
    )  # the n-gram that starts at each token, -1 for none; what each is
    for n in range(1, ngrams + 1):
        if n > 1:
            gram, words = _longer(gram, words, single, tokens.names, row_of, n, JOINT[unit])
        here = np.flatnonzero(gram >= 0)
        shape = (n_texts, len(words))
        counted = coo_matrix(
            (np.ones(len(here), np.float32), (row_of[here], gram[here])), shape=shape
        ).tocsr()
        if learn is not None and len(words):
            often = np.bincount(counted[learn].indices, minlength=len(words))
            kept = np.flatnonzero(often >= 2)
            renamed = np.full(len(words) + 1, -1, np.int64)  # the last one for -1
            renamed[kept] = np.arange(len(kept))
            gram, words, counted = renamed[gram], [words[at] for at in kept.tolist()], counted[:, kept]
        terms += words
        blocks.append(counted)
    matrix = hstack(blocks, format="csr", dtype=np.float32)
    if learn is not None and len(terms) > _MOST_TERMS:
        often = np.bincount(matrix[learn].indices, minlength=len(terms))
        kept = np.sort(np.lexsort((np.array(terms, dtype=object), -often))[:_MOST_TERMS])
        terms, matrix = [terms[at] for at in kept.tolist()], matrix[:, kept]
    return TermCounts(terms=tuple(terms), matrix=matrix)


def _longer(
    gram: NDArray[np.int64],
    words: Sequence[str],
    single: NDArray[np.int64],
    names: Sequence[str],
    row_of: NDArray[np.int64],
    n: int,
    joint: str,
) -> tuple[NDArray[np.int64], list[str]]:
    """The n-grams, from those of n - 1 tokens and the token that follows each in the same text."""
    longer = np.full(len(gram), -1, np.int64)
    whole = np.flatnonzero(gram[: max(len(gram) - n + 1, 0)] >= 0)
    whole = whole[row_of[whole] == row_of[whole + n - 1]]
    pairs = gram[whole] * max(len(names), 1) + single[whole + n - 1]
    different, longer[whole] = np.unique(pairs, return_inverse=True)
    first, last = np.divmod(different, max(len(names), 1))
    return longer, [
        f"{words[a]}{joint}{names[b]}" for a, b in zip(first.tolist(), last.tolist(), strict=True)
    ]
