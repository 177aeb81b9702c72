"""Rows of a table to numbers, learnt on the training fold only.

Notation: n rows, d output features. What a column becomes:

- a number: missing values filled with the median, a logarithm of it if it is far from symmetric, then zero
  mean and unit variance (or another scale: `satisfice.data.features.variants`); a 0/1 feature tells where it
  was missing, if it ever was
- a category: one 0/1 feature for each value that is frequent enough, and one that gathers the rare ones,
  which is also where values go that training never saw; missing is a value of its own
- a moment in time: its number of days, and where they vary its month, weekday and hour
- a column of text: what `satisfice.data.text.features` says; these features follow all others
- names that are nearly unique in every row, or a column with one value: nothing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.features.scale import distance, standardise
from satisfice.data.features.shape import STANDARD, Shape, fit_shape, signed_log
from satisfice.data.reading.cells import Cells, Rule
from satisfice.data.reading.pandas_columns import (
    as_series,
    is_moment,
    is_settled,
    is_text,
    lost_texts,
    read_cells,
    texts_of,
)
from satisfice.data.text.features import TextFeatures

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MISSING_CATEGORY = "\0missing"  # no value of a CSV file is written so
_MOST_CATEGORIES = 40
_RARE_SHARE = 0.01
_RARE_ROWS = 5
_MOMENT_PARTS = ("month", "day_of_week", "hour")


@dataclass(frozen=True, kw_only=True)
class Column:
    """How one numeric or categorical input is read. A moment is several numeric ones with a `part`."""

    name: str  # of the source column
    part: str = ""  # of a moment: "days", "month", "day_of_week" or "hour"
    categories: tuple[str, ...] | None = None  # frequent values; None for a number
    rare: bool = False  # whether a feature gathers all other values
    missing: bool = False  # of a number: whether a feature tells where it was missing
    skewed: bool = (
        False  # of a number: whether its logarithm is taken, as `satisfice.data.features.shape` says
    )
    log: bool = False  # of a number, in files of format 1: whether log(1+x) is taken

    @property
    def width(self) -> int:
        """Number of features it becomes."""
        return 1 + self.missing if self.categories is None else len(self.categories) + self.rare


@dataclass(frozen=True, kw_only=True, eq=False)
class TableEncoder:
    """A fitted encoder.

    It computes in float64, and what comes out is float32. Its numbers were float32 in files of format 1.
    """

    columns: tuple[Column, ...]
    missing: Floats  # of each numeric column, in their order: the feature that stands for a missing value
    mean: Doubles
    scale: Doubles  # 0 of one that is constant where it is known
    start: Doubles  # of each skewed column, in their order
    unit: Doubles
    ignored: tuple[str, ...] = field(default=())  # source columns that became nothing
    rules: Mapping[str, Rule] = field(default_factory=dict)  # by column; empty: pandas' rules (first reading)
    scaling: str = STANDARD  # what `mean` and `scale` are
    texts: TextFeatures | None = None  # where there are columns of text

    kind = "table"

    def without_texts(self) -> TableEncoder:
        """The same, for models that do not ask for the columns of text."""
        names = () if self.texts is None else self.texts.columns
        rules = {name: rule for name, rule in self.rules.items() if name not in names}
        return replace(self, texts=None, rules=rules)

    @property
    def n_features(self) -> int:
        """D."""
        return self._n_without_texts + (0 if self.texts is None else self.texts.width)

    @property
    def _n_without_texts(self) -> int:
        return sum(column.width for column in self.columns)

    @property
    def sources(self) -> tuple[str, ...]:
        """The same, and the columns of text that give no feature."""
        texts = () if self.texts is None else self.texts.columns
        return tuple(dict.fromkeys([*(column.name for column in self.columns), *texts]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one prepared item: (d,)."""
        return (self.n_features,)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns that it asks for."""
        texts = () if self.texts is None else self.texts.used
        return tuple(dict.fromkeys([*(column.name for column in self.columns), *texts]))

    @property
    def feature_names(self) -> list[str]:
        """Of the d features, in their order."""
        names: list[str] = []
        for c in self.columns:
            label = f"{c.name}.{c.part}" if c.part else c.name
            if c.categories is None:
                names += [label, f"{label} is missing"][: c.width]
            else:
                names += [f"{label}={'missing' if v == MISSING_CATEGORY else v}" for v in c.categories]
                names += [f"{label}=other"] * c.rare
        return names if self.texts is None else [*names, *self.texts.names]

    def column_of(self, feature: int) -> str:
        """The source column of a feature, given its place."""
        owners = [column.name for column in self.columns for _ in range(column.width)]
        if feature >= len(owners) and self.texts is not None:
            return self.texts.column_of(feature - len(owners))
        return owners[feature]

    def read(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Cells]]:
        """The columns that it needs, each cell a number, moment or category; and what could not be read."""
        names = self.sources
        if not self.rules:
            return frame, self._unread_by_pandas(frame)
        # Numbers that are such already are left alone: prediction of one row must be quick.
        rest = [name for name in names if not is_settled(self.rules[name], frame[name])]
        if not rest:
            return frame, {}
        found = {name: read_cells(self.rules[name], frame[name]) for name in rest}
        read = {name: as_series(self.rules[name], cells, frame.index) for name, cells in found.items()}
        kept = {name: frame[name] for name in names if name not in read}
        return pd.DataFrame(kept | read, index=frame.index), found

    def rule_of(self, name: str) -> Rule:
        """How a column is read; of the first reading, what comes nearest."""
        if self.rules:
            return self.rules[name]
        return Rule(kind="moment" if any(c.part for c in self.columns if c.name == name) else "number")

    def _unread_by_pandas(self, frame: pd.DataFrame) -> dict[str, Cells]:
        """Texts among numbers and moments that pandas takes for missing (first reading)."""
        numeric = [c for c in self.columns if c.categories is None and c.part in ("", "days")]
        return {
            column.name: lost_texts(frame[column.name], read_number(frame[column.name], column.part))
            for column in numeric
            if is_text(frame[column.name])
        }

    def transform(self, frame: pd.DataFrame) -> Floats:
        """Rows to features, shape (n, d)."""
        frame, _ = self.read(frame)
        out = np.zeros((len(frame), self.n_features), dtype=np.float32)
        at = number = skewed = 0
        for column in self.columns:
            if column.categories is None:
                self._put_number(out, at, column, (number, skewed), frame)
                number += 1
                skewed += column.skewed
            else:
                _put_categories(out, at, column, frame)
            at += column.width
        if self.texts is not None and self.texts.width:
            out[:, at:] = self.texts.transform({name: texts_of(frame[name]) for name in self.texts.columns})
        return out

    def _put_number(
        self, out: Floats, at: int, column: Column, place: tuple[int, int], frame: pd.DataFrame
    ) -> None:
        i, j = place
        values = read_number(frame[column.name], column.part)
        missing = ~np.isfinite(values)
        if column.log:
            values = _log_of_format_1(values)
        if column.skewed:
            values = signed_log(distance(values, self.start[j], self.unit[j]))
        out[:, at] = np.where(missing, self.missing[i], standardise(values, self.mean[i], self.scale[i]))
        if column.missing:
            out[:, at + 1] = missing

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The numbers it has learnt, for the file that ships."""
        arrays: dict[str, NDArray[Any]] = {"missing": self.missing, "mean": self.mean, "scale": self.scale}
        arrays |= {} if self.texts is None else self.texts.arrays()
        return arrays | ({"start": self.start, "unit": self.unit} if len(self.start) else {})

    def describe(self) -> dict[str, Any]:
        """All else it has learnt, JSON-able."""
        found: dict[str, Any] = {
            "kind": self.kind,
            "columns": [_shorten(column) for column in self.columns],
            **({} if self.texts is None else {"texts": self.texts.describe()}),
        }
        rules = {name: rule.describe() for name, rule in self.rules.items()}
        scaling = {} if self.scaling == STANDARD else {"scaling": self.scaling}
        return found | scaling | ({"rules": rules} if rules else {})

    @classmethod
    def restore(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TableEncoder:
        """The encoder that `describe` and `arrays` told of."""
        columns = tuple(
            Column(**{**c, "categories": None if c.get("categories") is None else tuple(c["categories"])})
            for c in description["columns"]
        )
        rules = {name: Rule.restore(rule) for name, rule in description.get("rules", {}).items()}
        mean, scale = arrays["mean"].astype(np.float64), arrays["scale"].astype(np.float64)
        return cls(
            columns=columns,
            missing=arrays["missing"] if "missing" in arrays else _fill_of_format_1(columns, arrays),
            mean=mean,
            scale=scale,
            start=arrays.get("start", np.zeros(0)),
            unit=arrays.get("unit", np.zeros(0)),
            rules=rules,
            scaling=description.get("scaling", STANDARD),
            texts=TextFeatures.restore(description["texts"], arrays) if "texts" in description else None,
        )


def fit_table(frame: pd.DataFrame, rules: Mapping[str, Rule] | None = None) -> TableEncoder:
    """Learn the encoder from the training fold; of columns of text no feature yet.

    Args:
        frame: The rows; where there are rules, read by them.
        rules: By column.
    """
    rules = dict(rules or {})
    columns: list[Column] = []
    shapes: list[Shape] = []
    ignored: list[str] = []
    texts = tuple(name for name in map(str, frame.columns) if name in rules and rules[name].kind == "text")
    for name in frame.columns:
        if name in texts:
            continue
        series = frame[name]
        rule = rules.get(str(name))
        if rule.kind == "moment" if rule is not None else is_moment(series):
            found = [_fit_number(series, part) for part in ("days", *_MOMENT_PARTS)]
        elif pd.api.types.is_numeric_dtype(series):
            found = [_fit_number(series, "")]
        else:
            category = _fit_category(series)
            found = []
            if category is not None:
                columns.append(category)
                if rule is not None:
                    rules[str(name)] = replace(rule, values=_spellings(series, category))
                continue
        kept = [fit for fit in found if fit is not None]
        columns += [column for column, _ in kept]
        shapes += [shape for _, shape in kept]
        if not kept:
            ignored.append(str(name))
    skewed = [shape for shape in shapes if shape.skewed]
    used = {name: rules[name] for name in (*(c.name for c in columns), *texts) if name in rules}
    return TableEncoder(
        columns=tuple(columns),
        missing=np.array([shape.missing for shape in shapes], dtype=np.float32),
        mean=np.array([shape.mean for shape in shapes]),
        scale=np.array([shape.scale for shape in shapes]),
        start=np.array([shape.start for shape in skewed]),
        unit=np.array([shape.unit for shape in skewed]),
        ignored=tuple(ignored),
        rules=used,
        texts=TextFeatures(columns=texts, terms=((),) * len(texts)) if texts else None,
    )


def _spellings(series: pd.Series[Any], category: Column) -> tuple[str, ...]:
    """The frequent values; of two, the one that no feature stands for as well."""
    values = [v for v in category.categories or () if v != MISSING_CATEGORY]
    if category.rare:
        return tuple(values)
    return tuple(dict.fromkeys([*values, *(str(v) for v in series.dropna().unique())]))


def _log_of_format_1(values: Doubles) -> Doubles:
    return np.asarray(np.log1p(np.maximum(values, 0.0)))


def _fill_of_format_1(columns: Sequence[Column], arrays: Mapping[str, NDArray[Any]]) -> Floats:
    """Format 1 holds what missing values are replaced by in the column's own unit."""
    log = np.array([column.log for column in columns if column.categories is None], dtype=bool)
    fill, mean, scale = (arrays[name].astype(np.float64) for name in ("fill", "mean", "scale"))
    return np.asarray((np.where(log, _log_of_format_1(fill), fill) - mean) / scale, dtype=np.float32)


def read_number(series: pd.Series[Any], part: str = "") -> NDArray[np.float64]:
    """A numeric column, or one part of a moment, as float64 with NaN where it is missing; shape (n,).

    Parts of a moment are "seconds" and "days" since 1970 in UTC, "month", "day_of_week" and "hour".
    """
    if not part:
        return pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    moments = pd.to_datetime(
        series, errors="coerce", utc=True, format="ISO8601" if series.dtype.kind != "M" else None
    )
    if part in ("days", "seconds"):
        ns = moments.dt.as_unit("ns").astype("int64").to_numpy(dtype=np.float64)
        return np.where(moments.isna(), np.nan, ns / (86_400e9 if part == "days" else 1e9))
    values = getattr(moments.dt, part)
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _fit_number(series: pd.Series[Any], part: str) -> tuple[Column, Shape] | None:
    values = read_number(series, part)
    shape = fit_shape(values)
    missing = not bool(np.isfinite(values).all())
    if shape is None or (shape.scale == 0 and not missing):
        return None
    return Column(name=str(series.name), part=part, missing=missing, skewed=shape.skewed), shape


def _fit_category(series: pd.Series[Any]) -> Column | None:
    values = as_texts(series)
    counts = values.value_counts()
    counts = counts.iloc[np.lexsort((counts.index.to_numpy(dtype=object).astype(str), -counts.to_numpy()))]
    if len(counts) < 2 or len(counts) > max(50, 0.5 * len(values)):
        return None
    enough = max(_RARE_ROWS if len(counts) > 2 else 1, _RARE_SHARE * len(values) if len(counts) > 10 else 1)
    frequent = [str(value) for value, count in counts.items() if count >= enough][:_MOST_CATEGORIES]
    if not frequent:
        return None
    rare = len(frequent) < len(counts)
    if len(frequent) == 2 and not rare:
        frequent = frequent[1:]  # the other value is then all zeros
    return Column(name=str(series.name), categories=tuple(frequent), rare=rare)


def as_texts(series: pd.Series[Any], missing: str = MISSING_CATEGORY) -> pd.Series[str]:
    """A column of categories as texts; ``missing`` where nothing is."""
    return series.astype(object).where(series.notna(), missing).astype(str).str.strip(" ")


def _put_categories(out: Floats, at: int, column: Column, frame: pd.DataFrame) -> None:
    categories: Sequence[str] = column.categories or ()
    codes = pd.Index(list(categories)).get_indexer(pd.Index(as_texts(frame[column.name]).tolist()))
    known = codes >= 0
    out[np.flatnonzero(known), at + codes[known]] = 1.0
    if column.rare:
        out[~known, at + len(categories)] = 1.0


def _shorten(column: Column) -> dict[str, Any]:
    """Only what differs from the defaults: it ships."""
    out: dict[str, Any] = {"name": column.name}
    for key in ("part", "rare", "missing", "skewed", "log"):
        if getattr(column, key):
            out[key] = getattr(column, key)
    if column.categories is not None:
        out["categories"] = list(column.categories)
    return out
