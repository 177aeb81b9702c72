"""Splits that keep groups of rows together, and the folds of a cross-validation.

The folds follow from the study's seed, so that every trial has the same ones. Without groups the test rows
are those of the plain split by the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from satisfice.data.split import Folds, Rows, test_rows
from satisfice.errors import DataError

_ORDER = 0x5917  # of the streams of `satisfice.data.split`
Codes = NDArray[np.int64]


def partition(n: int, *, folds: int, test: float, seed: int, strata: Codes | None) -> Folds:
    """Set test rows apart, and divide the others into folds.

    Args:
        n: Number of rows.
        folds: At least 2.
        test: Share of the rows for the test.
        seed: Of the random order.
        strata: Class code of each row, shape (n,): folds differ by one row of a class at most. None for none.

    Raises:
        DataError: There are too few rows.
    """
    rng = np.random.default_rng([seed, _ORDER])
    members = [np.arange(n)] if strata is None else [np.flatnonzero(strata == c) for c in np.unique(strata)]
    train, parts, tests, dealt = [], [], [], 0
    for rows in members:
        order = rng.permutation(rows if strata is not None else n).astype(np.int64)
        left = len(order) - test_rows(len(order), test) if len(order) >= 3 else 0
        if left < folds:
            raise DataError(f"{left} rows outside the test split cannot be divided into {folds} folds")
        train.append(order[:left])
        tests.append(order[left:])
        parts.append((dealt + np.arange(left)) % folds)  # goes on where the class before ended
        dealt += left
    return _shuffled(np.concatenate(train), np.concatenate(parts), np.concatenate(tests), rng)


def grouped_partition(groups: Codes, *, folds: int, test: float, seed: int, strata: Codes | None) -> Folds:
    """As `partition`, with every group in one fold or in the test split.

    Args:
        groups: Code of each row's group, shape (n,).
        folds: At least 2.
        test: Share of the rows for the test, about.
        seed: Of the random order.
        strata: Class code of each row, shape (n,), whose shares the folds keep as well as groups allow.

    Raises:
        DataError: There are too few groups.
    """
    rng = np.random.default_rng([seed, _ORDER])
    place = assign(groups, strata, [*[(1 - test) / folds] * folds, test], rng)
    rest = np.flatnonzero(place < folds)
    return _shuffled(rest, place[rest], np.flatnonzero(place == folds), rng)


def grouped_split(groups: Codes, *, valid: float, test: float, seed: int, strata: Codes | None) -> Folds:
    """As `satisfice.data.split.split`, with every group in one of the three.

    Raises:
        DataError: There are too few groups.
    """
    rng = np.random.default_rng([seed, _ORDER])
    place = assign(groups, strata, [1 - valid - test, valid, test], rng)
    train, valids, tests = (np.flatnonzero(place == p).astype(np.int64) for p in range(3))
    return Folds(train=rng.permutation(train), valid=valids, test=tests)


def assign(groups: Codes, strata: Codes | None, shares: Sequence[float], rng: np.random.Generator) -> Codes:
    """Put each group into a part, so that parts have their shares of the rows of each class.

    Groups are taken in random order, larger ones first; each goes where the sum of squared distances between
    the rows there are and those there should be, relative to the class, grows least.

    Args:
        groups: Code of each row's group, 0 to g - 1, shape (n,).
        strata: Class code of each row, shape (n,); None: all are of one class.
        shares: Of the parts; their sum is 1.
        rng: Of the order.

    Returns:
        The part of each row, shape (n,).

    Raises:
        DataError: There are fewer groups than parts, or a part got none.
    """
    g, n_parts = int(groups.max()) + 1, len(shares)
    codes = np.zeros(len(groups), np.int64) if strata is None else np.unique(strata, return_inverse=True)[1]
    counts = np.zeros((g, int(codes.max()) + 1))
    np.add.at(counts, (groups, codes), 1.0)
    wanted = np.outer(shares, counts.sum(axis=0))  # rows by part and class
    scale = np.outer(shares, counts.sum(axis=0) ** 2)
    order = rng.permutation(g)
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    there, place = np.zeros_like(wanted), np.zeros(g, np.int64)
    for group in order:
        more = counts[group]
        grows = (more * (2 * (there - wanted) + more) / scale).sum(axis=1)
        place[group] = int(grows.argmin())
        there[place[group]] += more
    empty = n_parts - len(np.unique(place))
    if empty:
        raise DataError(f"{g} groups cannot be divided so that each of {n_parts} splits and folds has one")
    return place[groups]


def joined(one: Codes, other: Codes) -> Codes:
    """Groups of the rows that stay together by either of two groupings, or by way of others.

    Args:
        one: Code of each row's group, shape (n,).
        other: The same by another grouping.

    Returns:
        Code of each row's group, 0 to g - 1, shape (n,).
    """
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    first, a = np.unique(one, return_inverse=True)
    second, b = np.unique(other, return_inverse=True)
    size = len(first) + len(second)
    edges = coo_array((np.ones(len(a), np.int8), (a, len(first) + b)), shape=(size, size))
    found: Codes = np.unique(connected_components(edges, directed=False)[1][a], return_inverse=True)[1]
    return found


def straddling(groups: Codes, folds: Folds) -> int | None:
    """The first group with rows on both sides of a split into three; None where there is none."""
    place = np.zeros(len(groups), np.int64)
    place[folds.valid], place[folds.test] = 1, 2
    low, high = np.full(int(groups.max()) + 1, 3), np.full(int(groups.max()) + 1, -1)
    np.minimum.at(low, groups, place)
    np.maximum.at(high, groups, place)
    found = np.flatnonzero(low < high)
    return int(found[0]) if len(found) else None


def _shuffled(train: Rows, parts: Codes, test: Rows, rng: np.random.Generator) -> Folds:
    """Training rows in random order, so that a trainer that reads them in order is not misled."""
    order = rng.permutation(len(train))
    rows = train[order].astype(np.int64)
    return Folds(
        train=rows, valid=rows, test=np.sort(test).astype(np.int64), parts=parts[order].astype(np.int64)
    )
