"""A person's own CSV or Parquet file."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from satisfice.data.reading.columns import ColumnNote
from satisfice.data.reading.delimited import damaged, read_texts
from satisfice.data.reading.learn import learn
from satisfice.data.reading.pandas_columns import is_moment, read_column
from satisfice.data.reading.raw import RawData
from satisfice.errors import DataError, MissingExtra
from satisfice.registry import did_you_mean
from satisfice.spec.study import FIRST_READING, DataSpec

_ZONE = r"\d(?:[Zz]|[+-]\d{2}:?\d{2})$"  # after a time of day
_SEPARATORS = (",", ";", "\t", "|")
_NO_GROUP = ("", "nan", "na", "n/a", "null", "none", "?")


def find_file(spec: DataSpec, base_dir: Path) -> Path:
    """Where ``data.file`` lies.

    Raises:
        DataError: There is no such file.
    """
    path = base_dir / (spec.file or "")
    if path.is_dir():
        raise DataError(f"data.file: {path} is a folder", hint="name a CSV or Parquet file in it")
    if not path.is_file():
        raise DataError(f"data.file: {path} does not exist", hint="the path is relative to the study file")
    return path


def read_file(spec: DataSpec, base_dir: Path) -> RawData:
    """Read the file, and set the target and the columns of times and groups apart.

    Raises:
        DataError: The file or one of the named columns is missing or empty, or the file cannot be read.
    """
    path = find_file(spec, base_dir)
    frame, notes = _read_frame(path, spec.reading)
    if frame.empty:
        raise DataError(f"data.file: {path} holds no rows", hint="write each row below the columns' names")
    frame.columns = [str(name) for name in frame.columns]
    _refuse_twice(frame.columns, path)
    if spec.target is None:
        raise DataError("data.target is missing", hint=f"name the column of {path} to predict")
    target, when = _named(spec.target, frame, "target", path), None
    if spec.time is not None:
        when = _named(spec.time, frame, "time", path)
    together = None if spec.groups is None else _named(spec.groups, frame, "groups", path)
    dropped = {_named(name, frame, "drop", path) for name in spec.drop}
    time = None if when is None else _moments(_typed(frame[when], path, spec.reading), path)
    groups = None if together is None else _groups(frame[together], path)
    apart = {name for name in (target, when, together) if name is not None}
    items = frame.drop(columns=sorted(apart | dropped))
    if items.shape[1] == 0:
        raise DataError(f"data.file: {path} has no column left to learn from")
    kept = tuple(note for note in notes if note.column in {"", *items.columns})
    return RawData(items=items, target=frame[target], time=time, groups=groups, notes=kept)


def _named(name: str, frame: pd.DataFrame, key: str, path: Path) -> str:
    """The column of that name; blanks around names do not count."""
    if name in frame.columns:
        return name
    if name.strip() in frame.columns:
        return name.strip()
    names = list(map(str, frame.columns))
    hint = did_you_mean(name, names)
    if len(names) == 1:
        hint = f"its first line names one column, {names[0]!r}: separate columns by a comma, semicolon or tab"
    elif sum(_is_number(each) for each in names) >= 0.5 * len(names):
        hint = "its first line, which names the columns, holds numbers: add a line with names"
    raise DataError(f"data.{key}: {path} has no column {name!r}", hint=hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _typed(series: pd.Series[Any], path: Path, reading: int) -> pd.Series[Any]:
    """The time column as numbers or moments, if its texts are such; else as it is."""
    if reading == FIRST_READING or series.dtype != object or is_moment(series):
        return series
    learnt = learn(str(series.name), series.tolist())
    if learnt.why:
        raise DataError(f"data.time: column {series.name!r} of {path} {learnt.why}", hint=learnt.remedy)
    plain = learnt.rule.kind != "category" and not learnt.rule.missing
    return read_column(learnt.rule, series) if plain else series


def _read_frame(path: Path, reading: int) -> tuple[pd.DataFrame, list[ColumnNote]]:
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PAR1":
                file.seek(-4, 2)
                if file.read(4) != b"PAR1":
                    raise damaged(path)
                return pd.read_parquet(path), []
        return (_read_csv(path), []) if reading == FIRST_READING else read_texts(path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"data.file: {path} is not text in UTF-8",
            hint="save it as UTF-8, for instance: iconv -f LATIN1 -t UTF-8 old.csv > new.csv",
        ) from error
    except ImportError as error:
        raise MissingExtra("pyarrow", "parquet") from error
    except pd.errors.EmptyDataError as error:
        hint = "write the names of the columns in its first line, and the rows below"
        raise DataError(f"data.file: {path} is empty", hint=hint) from error
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        # pandas' and pyarrow's parse errors are ValueErrors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = ""
        if reason.startswith("Error tokenizing data. C error: Expected"):
            hint = "a separator at the end of rows, or inside a value without quotes, makes too many values"
        raise DataError(f"data.file: {path} cannot be read: {reason}", hint=hint) from error


def _read_csv(path: Path) -> pd.DataFrame:
    """As studies of the first reading were made: pandas infers what each column is."""
    form: dict[str, Any] = {"sep": _separator(path), "skipinitialspace": True}
    # pandas would call the second "x" of a header "x.1": the target could be among what is learnt from. And
    # where rows are longer than the header, it would take their first values for labels: two rows say so.
    head = pd.read_csv(path, header=None, nrows=2, dtype=str, **form)
    _refuse_twice(head.iloc[0].dropna(), path)
    frame: pd.DataFrame = pd.read_csv(path, na_values=["?"], **form)
    return frame


def _refuse_twice(names: Iterable[Any], path: Path) -> None:
    """Raises a `DataError` where two columns have one name."""
    seen = Counter(names)
    for name, times in seen.items():
        if times > 1:
            raise DataError(
                f"data.file: {path} has {times} columns named {name!r}",
                hint="the first line names the columns; rename or remove one",
            )


def _separator(path: Path) -> str:
    """The separator that the first line uses most; compressed files are taken to use commas."""
    if path.suffix.lower() in (".gz", ".zip", ".bz2", ".xz", ".zst"):
        return ","
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    return max(_SEPARATORS, key=first.count)


def _groups(series: pd.Series[Any], path: Path) -> pd.Series[Any]:
    """The column of groups as texts, blanks around them left out."""
    texts = series.astype(str).str.strip()
    missing = int((series.isna() | texts.str.lower().isin(_NO_GROUP)).sum())
    if missing:
        rows = "1 row has" if missing == 1 else f"{missing} rows have"
        raise DataError(
            f"data.groups: {rows} no value in the column {series.name!r} of {path}",
            hint="give every row a group, a value of its own where it belongs to none",
        )
    return texts


def _moments(series: pd.Series[Any], path: Path) -> pd.Series[Any]:
    if series.isna().any():
        raise DataError(
            f"data.time: {int(series.isna().sum())} rows of {path} have no value in {series.name!r}"
        )
    if pd.api.types.is_numeric_dtype(series):
        return series
    where = f"data.time: column {series.name!r} of {path}"
    if not is_moment(series):
        raise DataError(f"{where} holds neither times nor numbers", hint="use ISO 8601")
    if series.dtype.kind != "M":
        zoned = series.astype(str).str.contains(_ZONE)
        if zoned.any() and not zoned.all():
            raise DataError(
                f"{where} has a time zone in {int(zoned.sum())} of {len(series)} rows",
                hint="give all of them one, or none",
            )
    moments = pd.to_datetime(
        series, errors="coerce", utc=True, format="ISO8601" if series.dtype.kind != "M" else None
    )
    if moments.isna().any():
        first = series[moments.isna()].iloc[0]
        raise DataError(f"{where} holds {str(first)!r}, which is no time", hint="use ISO 8601")
    return moments
