"""Columns of pandas by rules: from any dtype to what the encoder takes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.reading.cells import TEXTS, Cells, Rule, read


def is_text(series: pd.Series[Any]) -> bool:
    """Whether a column holds texts, or values of several types."""
    return not (
        pd.api.types.is_numeric_dtype(series)
        or pd.api.types.is_datetime64_any_dtype(series)
        or isinstance(series.dtype, pd.CategoricalDtype)
    )


def is_moment(series: pd.Series[Any]) -> bool:
    """Whether the column holds moments in time, as such or written in ISO 8601."""
    if pd.api.types.is_datetime64_any_dtype(series):
        return True
    if pd.api.types.is_numeric_dtype(series):
        return False
    sample = series.dropna().head(50).astype(str)
    return len(sample) > 0 and bool(
        sample.str.fullmatch(r"\d{4}-\d{2}-\d{2}([T ][\d:.]+([Zz]|[+-]\d{2}:?\d{2})?)?").all()
    )


def is_settled(rule: Rule, series: pd.Series[Any]) -> bool:
    """Whether a column holds finite or missing numbers already, as the encoder takes them."""
    if rule.kind != "number" or not isinstance(series.dtype, np.dtype) or series.dtype.kind not in "iufb":
        return False
    return series.dtype.kind != "f" or not bool(np.isinf(series.to_numpy()).any())


def read_cells(rule: Rule, series: pd.Series[Any]) -> Cells:
    """A column of a table by its rule."""
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(series.dtype, pd.CategoricalDtype) or not isinstance(series.dtype, np.dtype):
        numeric = pd.api.types.is_numeric_dtype(series.dtype)
        values = (
            series.to_numpy(dtype=np.float64, na_value=np.nan) if numeric else series.to_numpy(dtype=object)
        )
        return read(rule, values)
    return read(rule, series.to_numpy())


def as_series(rule: Rule, cells: Cells, index: pd.Index) -> pd.Series[Any]:
    """What was read, as the encoder takes it: float64, moments in UTC, or texts."""
    if rule.kind != "moment":
        return pd.Series(cells.values, index=index, dtype=object if rule.kind in TEXTS else np.float64)
    lost = np.isnan(cells.values)
    moments = (np.where(lost, 0.0, cells.values) * 1e6).round().astype("datetime64[us]")
    return pd.Series(np.where(lost, np.datetime64("NaT"), moments), index=index)


def texts_of(series: pd.Series[Any]) -> list[str]:
    """The cells of a column of text; "" where nothing is."""
    return [cell if type(cell) is str else "" for cell in series.tolist()]


def read_column(rule: Rule, series: pd.Series[Any]) -> pd.Series[Any]:
    """A column of a table by its rule, as the encoder takes it."""
    out = as_series(rule, read_cells(rule, series), series.index)
    out.name = series.name
    return out


def lost_texts(series: pd.Series[Any], values: NDArray[np.float64]) -> Cells:
    """The texts of a column of which pandas made no value."""
    lost = series.notna().to_numpy() & np.isnan(values)
    texts = Counter(str(value).strip() for value in series[lost])
    return Cells(values=values, unread=Counter({text: n for text, n in texts.items() if text}))
