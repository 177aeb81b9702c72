"""What the data themselves tell of a study: rows and classes by fold, copied columns, columns that leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.cross_validation import fold_of
from satisfice.data.features.table import fit_table
from satisfice.data.loading import Splits

_ALMOST_ALONE = 0.85  # of the way from a guess to perfect, that one column goes, from which it is suspected
_BEYOND_THE_REST = 0.1  # by which all other columns together stay behind it
_MOST_ROWS = 4000  # that are looked at
_LEAVES = 32


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A column that tells what another one tells."""

    column: str
    of: str


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A column that predicts the target almost alone. Shares of the way from a guess to perfect."""

    column: str
    alone: float  # by this column
    rest: float  # by all others together
    metric: str  # "accuracy" or "r2", in which it was looked at


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a study's health is judged by, beside its trials."""

    rows: Mapping[str, int]  # by fold: "train", "valid", "test"; with cross-validation there is no "valid"
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)  # classes without a row, by fold
    by_time: bool = False  # whether the folds follow each other in time
    shares: Mapping[str, float] = field(default_factory=dict)  # of folds that would hold every class
    copies: Sequence[Copy] = ()
    leaks: Sequence[Leak] = ()


def facts_of(splits: Splits, *, by_time: bool = False) -> DataFacts:
    """The facts of prepared data; columns of tables only.

    Leaks are looked for in the training rows and scored on the validation rows, by shallow trees; with
    cross-validation those of the first fold.

    Args:
        splits: The data.
        by_time: Whether they are split by time.
    """
    folds = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    apart = splits
    if splits.parts is not None:
        del folds["valid"]  # all that train validate, each in one fold
        apart = fold_of(splits, 0)
    missing = {}
    for name, fold in folds.items():
        absent = [str(c) for i, c in enumerate(splits.classes) if not (fold.y == i).any()]
        if absent:
            missing[name] = absent
    table = isinstance(splits.raw_train.items, pd.DataFrame)
    copies = _copies(splits.raw_train.items) if isinstance(splits.raw_train.items, pd.DataFrame) else []
    return DataFacts(
        rows={name: len(fold) for name, fold in folds.items()},
        missing=missing,
        by_time=by_time,
        shares=_shares(splits) if missing and splits.parts is None else {},
        copies=copies,
        leaks=_leaks(apart, {c.column for c in copies}) if table else [],
    )


def _shares(splits: Splits) -> dict[str, float]:
    """Shares of validation and test rows, as small as may be, with which every fold holds every class."""
    y = np.concatenate([splits.train.y, splits.valid.y, splits.test.y])
    n, k = len(y), splits.n_classes
    for twentieths in range(2, 10):
        share = twentieths / 20
        size = round(n * share)
        parts = (y[: n - 2 * size], y[n - 2 * size : n - size], y[n - size :])
        if all(len(np.unique(part)) == k for part in parts):
            return {"valid": share, "test": share}
    return {}


def _copies(items: pd.DataFrame) -> list[Copy]:
    """Columns that map one to one to an earlier column, or are it in another unit."""
    found: list[Copy] = []
    seen: dict[bytes, str] = {}
    for name in items.columns:
        column = items[name]
        if column.nunique() < 2:
            continue
        key = _pattern(column)
        if key in seen:
            found.append(Copy(column=str(name), of=seen[key]))
        else:
            seen[key] = str(name)
    return found


def _pattern(column: pd.Series[Any]) -> bytes:
    """Equal for columns that tell the same: the order of numbers to six digits, the grouping of texts."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        spread = np.nanstd(values)
        scaled = (values - np.nanmean(values)) / (spread if spread > 0 else 1.0)
        first = scaled[np.isfinite(scaled)][0]
        return bytes(np.round(scaled * (1 if first >= 0 else -1), 5).tobytes())
    codes, _ = pd.factorize(column)
    return bytes(np.asarray(codes, np.int64).tobytes())


def _leaks(splits: Splits, copies: set[str]) -> list[Leak]:
    train, valid = splits.raw_train, splits.raw_valid
    items, held = train.items, valid.items
    assert isinstance(items, pd.DataFrame)
    assert isinstance(held, pd.DataFrame)
    rows = slice(0, _MOST_ROWS)
    alone: dict[str, float] = {}
    for name in items.columns:
        x = _features(items[[name]], train.rules, [items[[name]], held[[name]]])
        if x is not None and str(name) not in copies:
            alone[str(name)] = _share(splits, x[0][rows], x[1], rows, _tree)
    suspects = {name: share for name, share in alone.items() if share >= _ALMOST_ALONE}
    if not suspects:
        return []
    others = [c for c in items.columns if str(c) not in suspects and str(c) not in copies]
    rest = 0.0
    if others:
        x = _features(items[others], train.rules, [items[others], held[others]])
        rest = 0.0 if x is None else _share(splits, x[0][rows], x[1], rows, _boosting)
    metric = "accuracy" if splits.n_classes else "r2"
    return [
        Leak(column=name, alone=share, rest=rest, metric=metric)
        for name, share in suspects.items()
        if share - rest >= _BEYOND_THE_REST
    ]


def _features(
    fitted: pd.DataFrame, rules: Mapping[str, Any], parts: Sequence[pd.DataFrame]
) -> list[NDArray[np.float32]] | None:
    """Features of some columns, missing cells told; None where a column gives none."""
    encoder = fit_table(fitted, {name: rule for name, rule in rules.items() if name in fitted.columns})
    if encoder.n_features == 0:
        return None
    out = []
    for part in parts:
        absent = part.isna().to_numpy(np.float32)
        out.append(np.concatenate([encoder.transform(part), absent], axis=1))
    return out


def _share(splits: Splits, train: NDArray[Any], valid: NDArray[Any], rows: slice, make: Any) -> float:
    """How far a model of these features goes from a guess to perfect, on the validation rows."""
    model = make(classify=splits.n_classes > 0)
    model.fit(train, splits.train.z[rows])
    said, z = model.predict(valid), splits.valid.z
    if not splits.n_classes:
        spread = float(np.var(z))
        return 0.0 if spread == 0 else 1.0 - float(np.mean((said - z) ** 2)) / spread
    usual = np.bincount(splits.train.z).argmax()
    guess = float(np.mean(z == usual))
    return 0.0 if guess == 1 else (float(np.mean(said == z)) - guess) / (1.0 - guess)


def _tree(*, classify: bool) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # slow to import

    kind = DecisionTreeClassifier if classify else DecisionTreeRegressor
    return kind(max_leaf_nodes=_LEAVES, min_samples_leaf=5, random_state=0)


def _boosting(*, classify: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    return kind(max_iter=50, max_leaf_nodes=8, random_state=0, early_stopping=False)
