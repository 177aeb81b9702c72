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
    """Row numbers of each fold; no row is in two, but with cross-validation all of `train` validate too."""

    train: Rows
    valid: Rows
    test: Rows
    parts: Rows | None = None  # cross-validation: the number of the fold that each of `train` validates in


def split(
    n: int,
    *,
    valid: float,
    test: float,
    seed: int,
    strata: NDArray[np.int64] | None,
    time: pd.Series | None = None,
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


def test_rows(n: int, test: float) -> int:
    """How many of ``n`` rows, at least 3, test: the last ones of their random order."""
    return min(max(round(n * test), 1), n - 2)


def _cut(order: Rows, valid: float, test: float) -> Folds:
    """The first rows train, the next validate, the last test; each fold gets at least one row."""
    n = len(order)
    if n < 3:
        raise DataError(f"{n} rows cannot be split three ways")
    n_test = test_rows(n, test)
    n_valid = min(max(round(n * valid), 1), n - n_test - 1)
    n_train = n - n_valid - n_test
    return Folds(
        train=order[:n_train], valid=order[n_train : n_train + n_valid], test=order[n_train + n_valid :]
    )
