"""Which rows of a study's data train, validate and test, with what cannot be divided so told in its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.partition import Codes, grouped_partition, grouped_split, joined, partition, straddling
from satisfice.data.reading.raw import RawData
from satisfice.data.split import Folds, Rows, split, test_rows
from satisfice.data.target import Target
from satisfice.errors import DataError
from satisfice.spec.study import DataSpec


def divide(
    raw: RawData,
    values: NDArray[Any],
    target: Target,
    spec: DataSpec,
    seed: int,
    where: str,
    alike: Codes | None = None,
) -> Folds:
    """Divide the rows as `[data]` asks.

    Args:
        raw: n rows, perhaps a part of those that were read.
        values: Their targets as numbers, shape (n,).
        target: All of the target.
        spec: Shares, folds, groups.
        seed: Of the study.
        where: Names the data in error messages.
        alike: The group of near-duplicates of each row, shape (n,); None where none were looked for.

    Raises:
        DataError: A split or fold would be empty or lack a class, or a group would be in two splits.
    """
    strata = values if target.task == "classification" else None
    codes: Codes | None = None
    if raw.groups is not None:
        found, labels = pd.factorize(raw.groups, sort=True)
        codes = np.asarray(found, np.int64)
    if spec.near_duplicates == "group" and alike is not None:
        codes = np.unique(alike, return_inverse=True)[1] if codes is None else joined(codes, alike)
    if spec.folds is not None:
        folds = _cross_validation(raw, codes, strata, target, spec, seed, where)
    elif codes is not None and raw.time is None:
        folds = _told(
            where,
            spec,
            lambda: grouped_split(codes, valid=spec.valid, test=spec.test, seed=seed, strata=strata),
        )
    else:
        folds = split(len(raw), valid=spec.valid, test=spec.test, seed=seed, strata=strata, time=raw.time)
        torn = None if codes is None else straddling(codes, folds)
        if torn is not None:
            raise DataError(
                f"{where}: the group {str(labels[torn])!r} of {spec.groups!r} would be in two splits, since "
                f"{spec.time!r} decides where they end",
                hint="leave out data.groups or data.time",
            )
    _check_classes(values, folds, target, where, grouped=codes is not None)
    return folds


def _cross_validation(
    raw: RawData,
    groups: Codes | None,
    strata: Codes | None,
    target: Target,
    spec: DataSpec,
    seed: int,
    where: str,
) -> Folds:
    assert spec.folds is not None
    if raw.time is not None:
        raise DataError(
            f"data.folds: {where} is split by time, which folds do not go with", hint="remove data.folds"
        )
    if groups is not None:
        k, test = spec.folds, spec.test
        return _told(
            where,
            spec,
            lambda: grouped_partition(groups, folds=k, test=test, seed=seed, strata=strata),
        )
    _check_members(strata, len(raw), target, spec, where)
    return partition(len(raw), folds=spec.folds, test=spec.test, seed=seed, strata=strata)


def _told(where: str, spec: DataSpec, make: Callable[[], Folds]) -> Folds:
    try:
        return make()
    except DataError as error:
        key, hint = "data.groups", "name a column with more different values, or ask for fewer folds"
        if spec.groups is None:
            key, hint = "data.near_duplicates", 'set near_duplicates = "warn"'
            hint += ", or ask for fewer folds" if spec.folds is not None else ""
        raise DataError(f"{where}: {key}: {error.message}", hint=hint) from None


def _check_members(strata: Codes | None, n: int, target: Target, spec: DataSpec, where: str) -> None:
    """Every fold validates on each class, and a number on two rows at least."""
    assert spec.folds is not None
    if strata is None:
        left = n - test_rows(n, spec.test)
        if left < 2 * spec.folds:
            raise DataError(
                f"data.folds: {where} has {left} rows outside the test split, too few for {spec.folds} folds",
                hint=f"at most {max(left // 2, 2)} folds",
            )
        return
    counts = np.bincount(strata, minlength=len(target.classes))
    rarest = int(counts.argmin())
    members = int(counts[rarest])
    left = members - test_rows(members, spec.test) if members >= 3 else 0
    if left < spec.folds:
        rows = "1 row" if left == 1 else f"{left} rows"
        most = f"write folds = {left}, or " if left >= 2 else ""
        raise DataError(
            f"data.folds: {where} has {rows} of the class {target.classes[rarest]!r} outside the test split, "
            f"fewer than {spec.folds} folds",
            hint=f"{most}drop or merge the class",
        )


def _check_classes(codes: NDArray[Any], folds: Folds, target: Target, where: str, *, grouped: bool) -> None:
    """A split by time or groups may leave classes out: training needs all, scoring at least two."""
    n_classes = len(target.classes)
    if n_classes == 0:
        return
    hint = "choose other shares" + (" or fewer folds" if folds.parts is not None else "")
    hint += ", or do not split by " + ("groups" if grouped else "time")
    for name, rows, least in _parts(folds, n_classes):
        found = len(np.unique(codes[rows]))
        if found < least:
            raise DataError(f"{where}: the {name} has {found} of {n_classes} classes", hint=hint)


def _parts(folds: Folds, n_classes: int) -> Iterator[tuple[str, Rows, int]]:
    """What is trained and scored on, by name, with the least number of classes."""
    if folds.parts is None:
        yield "training fold", folds.train, n_classes
        yield "validation fold", folds.valid, 2
    else:
        for k in range(int(folds.parts.max()) + 1):
            yield f"training part of fold {k + 1}", folds.train[folds.parts != k], n_classes
            yield f"validation part of fold {k + 1}", folds.train[folds.parts == k], 2
    yield "test fold", folds.test, 2
