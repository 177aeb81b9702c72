"""Rows whose texts nearly repeat each other: mailings, forwarded mail, templates.

Two texts are alike by the share of common shingles, runs of four words (Broder 1997,
doi:10.1109/SEQUEN.1997.666900). Signatures of the least hashes estimate that share; rows that agree in a
whole band of their signature are compared (locality-sensitive hashing: Indyk and Motwani 1998,
doi:10.1145/276698.276876). So the time grows with the rows, not with their pairs.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.reading.columns import ColumnNote
from satisfice.data.reading.pandas_columns import texts_of
from satisfice.data.reading.raw import RawData
from satisfice.data.split import Folds
from satisfice.errors import DataError

ALIKE = 0.6  # share of common shingles, as estimated, from which two rows are near-duplicates
_SHINGLE = 4  # words; a shorter text is one shingle
_BANDS, _ROWS = 24, 4  # of a signature
_WORD = re.compile(r"\w+")
_MOST_WORDS = 2000  # of a row that are looked at


def groups_of(raw: RawData, mode: str | None, where: str) -> NDArray[np.int64] | None:
    """The groups of near-duplicates by the columns of text together; None where none are looked for.

    Raises:
        DataError: Rows should be grouped, and there is no column of text or the split goes by time.
    """
    if mode == "group" and not raw.texts:
        raise DataError(
            f"data.near_duplicates: {where} has no column of text to compare rows by",
            hint="name columns in data.text, or remove near_duplicates",
        )
    if mode == "group" and raw.time is not None:
        raise DataError(
            f"data.near_duplicates: {where} is split by time, which groups of rows would cross",
            hint='set near_duplicates = "warn"',
        )
    if not raw.texts or mode == "ignore":
        return None
    assert isinstance(raw.items, pd.DataFrame)
    columns = [texts_of(raw.items[name]) for name in raw.texts]
    return near_duplicate_groups(["\n".join(cells) for cells in zip(*columns, strict=True)])


def repeated(groups: NDArray[np.int64] | None, folds: Folds) -> list[ColumnNote]:
    """The note on validation and test rows that nearly repeat training rows; none where there are none."""
    if groups is None:
        return []
    known = np.unique(groups[folds.train])
    counts = [int(np.isin(groups[rows], known).sum()) for rows in (folds.valid, folds.test)]
    if folds.parts is not None:
        counts[0] = _in_several(groups[folds.train], folds.parts)
    if not any(counts):
        return []
    return [
        ColumnNote(
            column="",
            what="read",
            reason=f"{counts[0]} of {len(folds.valid)} validation rows and {counts[1]} of {len(folds.test)} "
            "test rows nearly repeat training rows by their text: scores flatter",
            count=sum(counts),
            remedy='near_duplicates = "group" in [data] keeps such rows in one split',
        )
    ]


def _in_several(groups: NDArray[np.int64], parts: NDArray[np.int64]) -> int:
    """How many rows have others of their group in another fold of a cross-validation."""
    _, of = np.unique(groups, return_inverse=True)
    pairs = np.unique(np.stack([of, parts], axis=1), axis=0)
    folds_of_group = np.bincount(pairs[:, 0], minlength=int(of.max()) + 1)
    return int((folds_of_group[of] > 1).sum())


def near_duplicate_groups(texts: Sequence[str]) -> NDArray[np.int64]:
    """The group of each row, named by its first row; a row like no other is a group of its own.

    Groups are transitive: two of its rows may be alike only by way of others.
    """
    found = np.arange(len(texts))
    signatures, empty = _signatures(texts)
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * _ROWS : (band + 1) * _ROWS])
        keys = part.view([("", part.dtype)] * _ROWS).ravel()
        _, first, of = np.unique(keys, return_index=True, return_inverse=True)
        for row in np.flatnonzero(first[of] != np.arange(len(texts))).tolist():
            other = int(first[of[row]])
            a, b = _root(found, row), _root(found, other)
            if a != b and not empty[row] and (signatures[row] == signatures[other]).mean() >= ALIKE:
                found[max(a, b)] = min(a, b)
    return np.array([_root(found, row) for row in range(len(texts))], np.int64)


def _root(found: NDArray[np.int64], row: int) -> int:
    while found[row] != row:
        found[row] = found[found[row]]
        row = int(found[row])
    return row


def _signatures(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Least hashes (n, bands x rows), and which rows have no word."""
    n_hashes = _BANDS * _ROWS
    # Multiply-shift hashing (Dietzfelbinger et al. 1997): odd factors, the upper half of the product.
    factor = np.random.default_rng(0x5117).integers(0, 2**63, n_hashes, dtype=np.uint64) * np.uint64(2) + 1
    out = np.zeros((len(texts), n_hashes), np.uint64)
    empty = np.zeros(len(texts), bool)
    for row, text in enumerate(texts):
        words = _WORD.findall(text.lower())[:_MOST_WORDS]
        empty[row] = not words
        n = max(len(words) - _SHINGLE + 1, 1)
        shingles = {zlib.crc32(" ".join(words[at : at + _SHINGLE]).encode()) for at in range(n)}
        hashes = np.fromiter(shingles, np.uint64, len(shingles))
        out[row] = ((hashes[:, None] + np.uint64(1)) * factor >> np.uint64(32)).min(axis=0)
    return out, empty
