"""Which rows train, validate and test: fixed by the seed, or by time.

NumPy's PCG64 streams are the same on every platform and release, so a seed means the same rows everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.errors import DataError

Rows = NDArray[np.int64]

MINIMUM_ROWS = 10  # in all


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """Row numbers of each fold; no row is in two."""

    train: Rows
    valid: Rows
    test: Rows


def split(
    n: int,
    *,
    valid: float,
    test: float,
    seed: int,
    strata: NDArray[np.int64] | None,
    time: pd.Series | None = None,
    groups: Rows | None = None,
) -> Folds:
    """Split ``n`` rows.

    Args:
        n: Number of rows.
        valid: Share of the rows for validation.
        test: Share of the rows for the test.
        seed: Of the random order.
        strata: Class code of each row, shape (n,), whose shares every fold keeps; None for none.
        time: When given, the earliest rows train, later ones validate, the latest test; rows with equal time
            stay in the order of the source.
        groups: When given, rows of one group stay in one fold, shape (n,); not beside `time`.

    Raises:
        DataError: A fold or a class in it would be empty.
    """
    if valid + test >= 1:
        raise DataError(
            f"valid = {valid:g} and test = {test:g} leave no rows to train on",
            hint="their sum must be below 1",
        )
    if n < MINIMUM_ROWS:
        raise DataError(
            f"{n} rows are too few to split three ways", hint=f"at least {MINIMUM_ROWS} are needed"
        )
    if time is not None:
        order = np.argsort(time.to_numpy(), kind="stable").astype(np.int64)
        return _cut(order, valid, test)
    rng = np.random.default_rng([seed, 0x5917])
    if groups is not None:
        return _by_group(rng, groups, strata, (1 - valid - test, valid, test))
    if strata is None:
        return _cut(rng.permutation(n).astype(np.int64), valid, test)
    parts = [
        _cut(rng.permutation(np.flatnonzero(strata == code)).astype(np.int64), valid, test)
        for code in np.unique(strata)
    ]
    # The training rows are shuffled across classes, so that a trainer that reads them in order is not misled.
    return Folds(
        train=rng.permutation(np.concatenate([p.train for p in parts])),
        valid=np.sort(np.concatenate([p.valid for p in parts])),
        test=np.sort(np.concatenate([p.test for p in parts])),
    )


def _by_group(
    rng: np.random.Generator, groups: Rows, strata: NDArray[np.int64] | None, shares: tuple[float, ...]
) -> Folds:
    """Groups in random order, large ones first, each to the fold that lacks most of its classes' rows."""
    names, of = np.unique(groups, return_inverse=True)
    if len(names) < len(shares):
        raise DataError(
            f"the rows form {len(names)} groups of near-duplicates, too few to split three ways",
            hint='set near_duplicates = "warn" in [data]',
        )
    classes = np.zeros(len(groups), np.int64) if strata is None else strata
    held = np.zeros((len(names), int(classes.max()) + 1))
    np.add.at(held, (of, classes), 1)
    wanted = np.outer(shares, held.sum(axis=0))  # (folds, classes)
    lacking = wanted.copy()
    wanted = np.maximum(wanted, 1e-9)  # of a class without rows nothing is wanted
    home = np.zeros(len(names), np.int64)
    shuffled = rng.permutation(len(names))
    for group in shuffled[np.argsort(-held[shuffled].sum(axis=1), kind="stable")].tolist():
        fold = int(np.argmax((lacking / wanted) @ held[group]))
        home[group] = fold
        lacking[fold] -= held[group]
    rows = [np.flatnonzero(home[of] == fold).astype(np.int64) for fold in range(len(shares))]
    return Folds(train=rng.permutation(rows[0]), valid=rows[1], test=rows[2])


def draw(n: int, limit: int, seed: int, strata: NDArray[np.int64] | None) -> Rows:
    """``limit`` of ``n`` rows, ascending, every class in proportion and with at least three rows."""
    rng = np.random.default_rng([seed, 0x11317])
    if limit >= n:
        return np.arange(n, dtype=np.int64)
    if strata is None:
        return np.sort(rng.permutation(n)[:limit]).astype(np.int64)
    keep = []
    for code in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == code))
        keep.append(rows[: max(3, round(limit * len(rows) / n))])
    return np.sort(np.concatenate(keep)).astype(np.int64)


def _cut(order: Rows, valid: float, test: float) -> Folds:
    """The first rows train, the next validate, the last test; each fold gets at least one row."""
    n = len(order)
    if n < 3:
        raise DataError(f"{n} rows cannot be split three ways")
    n_test = min(max(round(n * test), 1), n - 2)
    n_valid = min(max(round(n * valid), 1), n - n_test - 1)
    n_train = n - n_valid - n_test
    return Folds(
        train=order[:n_train], valid=order[n_train : n_train + n_valid], test=order[n_train + n_valid :]
    )
