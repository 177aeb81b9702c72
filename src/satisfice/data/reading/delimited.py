"""A file of separated values as texts: compression, encoding, separator, header."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from satisfice.data.reading.columns import ColumnNote
from satisfice.errors import DataError

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 1 << 16  # bytes from which the separator is found
_SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?\r?\n?', re.IGNORECASE)  # Excel's own first line
_NUMBER = re.compile(r"[+-]?[\d.,' ]*\d%?")
_ELSE = (  # how files begin that are no text, and what to do
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "save the sheet as CSV UTF-8"),
    (b"%PDF", "a PDF document", "export the table as CSV"),
    (b"SQLite format 3", "a SQLite database", "export the table as CSV"),
    (b"\x89HDF", "an HDF5 file", "export the table as CSV or Parquet"),
    (b"ARROW1", "an Arrow file", "save it as Parquet"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it, or compress it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"<!DOCTYPE", "an HTML page", "download the file itself"),
    (b"<html", "an HTML page", "download the file itself"),
    (b"<table", "an HTML table", "export the table as CSV"),
    (b"<?xml", "an XML document", "export the table as CSV"),
)


def content_of(path: Path) -> bytes:
    """The text of a file, unpacked if need be; what it is, is told by its content, not by its name.

    Raises:
        DataError: It is damaged, or no text in UTF-8.
        OSError: It cannot be read.
    """
    packed = path.read_bytes()
    try:
        content = _unpacked(packed, path)
    except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise damaged(path) from error
    except (OSError, ValueError) as error:  # of bz2: its data are wrong, or end early
        raise damaged(path) from error
    for start, what, remedy in _ELSE:
        if content.lstrip()[: len(start)].lower() == start.lower():
            raise DataError(f"data.file: {path} is {what}, not CSV", hint=remedy)
    if re.match(rb"\s*(\{\s*\"|\[\s*[\[{\"\d])", content[:200]) is not None and b'"' in content[:4096]:
        raise DataError(f"data.file: {path} is JSON, not CSV", hint="write the rows as CSV or Parquet")
    if content[257:262] == b"ustar":
        raise DataError(
            f"data.file: {path} is a tar archive", hint="unpack it first, and name the file in it"
        )
    _refuse_encoding(content, path)
    return content


def damaged(path: Path) -> DataError:
    """The error for a file that was cut off, or changed on its way."""
    return DataError(
        f"data.file: {path} is damaged or incomplete",
        hint="copy or download it again",
    )


def _unpacked(packed: bytes, path: Path) -> bytes:
    if packed[:2] == b"\x1f\x8b":
        return gzip.decompress(packed)
    if packed[:3] == b"BZh" and packed[4:10] == b"\x31\x41\x59\x26\x53\x59":
        return bz2.decompress(packed)
    if packed[:6] == b"\xfd7zXZ\x00":
        return lzma.decompress(packed)
    if packed[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        return packed
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
        if any(name in ("[Content_Types].xml", "mimetype", "content.xml") for name in names):
            raise DataError(
                f"data.file: {path} is a spreadsheet (Excel or OpenDocument), not CSV",
                hint="save the sheet as CSV UTF-8 or as Parquet",
            )
        if len(names) != 1:
            raise DataError(
                f"data.file: {path} is an archive of {len(names)} files",
                hint="pack the one file alone, or name it unpacked",
            )
        return archive.read(names[0])


def _refuse_encoding(content: bytes, path: Path) -> None:
    """Raises a `DataError` for text in UTF-16 or UTF-32, and for what is no text."""
    start = content[:4096]
    marks = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"))
    wide = next((name for mark, name in (*marks, (b"\xfe\xff", "UTF-16")) if start.startswith(mark)), "")
    if not wide and b"\0" in start:
        zeros = max(start[0::2].count(0), start[1::2].count(0))
        wide = "UTF-16" if zeros > 0.4 * len(start) / 2 else ""
        if not wide:
            raise DataError(
                f"data.file: {path} holds binary data, not text", hint="name a CSV or Parquet file"
            )
    if wide:
        raise DataError(
            f"data.file: {path} is not text in UTF-8",
            hint=f"save it as UTF-8, it is {wide}: iconv -f {wide} -t UTF-8 old.csv > new.csv",
        )


def read_texts(path: Path) -> tuple[pd.DataFrame, list[ColumnNote]]:
    """The table of texts, its columns named by the first line, without blanks around names.

    Raises:
        DataError: The file is damaged or of another kind.
        ValueError: pandas' own, for text that is no table.
    """
    content = content_of(path)
    sample = content[:_SAMPLE].decode("utf-8-sig", errors="replace")
    stated = _SEP_LINE.fullmatch(sample.split("\n", 1)[0])
    separator = stated[1] if stated is not None else _separator(sample, whole=len(content) <= _SAMPLE)
    form: dict[str, Any] = {
        "sep": separator,
        "skipinitialspace": True,
        "dtype": object,
        "keep_default_na": False,
        "encoding": "utf-8",
        "skiprows": 1 if stated is not None else 0,
    }
    # pandas would call the second "x" of a header "x.1", and where rows are longer than the header it would
    # take their first values for labels: the first two rows are read on their own, which refuses both.
    head = pd.read_csv(io.BytesIO(content), header=None, nrows=2, **form)
    frame: pd.DataFrame = pd.read_csv(io.BytesIO(content), **form)
    given = [str(name).strip() for name in head.iloc[0]]
    frame.columns = pd.Index([g or str(n) for g, n in zip(given, frame.columns, strict=True)])
    return frame, [*_unnamed(frame, given), *_short_rows(frame, content, form)]


def _unnamed(frame: pd.DataFrame, given: list[str]) -> list[ColumnNote]:
    reason = "has no name in the first line: it is used under this one"
    return [
        ColumnNote(
            column=str(name), what="read", reason=reason, remedy="drop it where it only counts the rows"
        )
        for name, said in zip(frame.columns, given, strict=True)
        if not said and (frame[name] != "").any()
    ]


def _short_rows(frame: pd.DataFrame, content: bytes, form: dict[str, Any]) -> list[ColumnNote]:
    """Rows that end early, which pandas fills: they are looked for where the last column has gaps."""
    last = frame.iloc[:, -1]
    if (last != "").all() or (last == "").all():
        return []
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=form["sep"], skipinitialspace=True)
    short = [row for row in lines if row and len(row) < frame.shape[1]][form["skiprows"] :]
    if not short:
        return []
    rows = "1 row has" if len(short) == 1 else f"{len(short)} rows have"
    return [
        ColumnNote(
            column="",
            what="coerced",
            reason=f"{rows} fewer values than the first line has names: the rest is missing",
            count=len(short),
            examples=(form["sep"].join(short[-1])[:60],),
            remedy="see whether the file is complete",
        )
    ]


def _separator(sample: str, *, whole: bool) -> str:
    """The separator by which the first records have equally many fields; those in quotes do not count."""
    best = (0.0, 0, 0.0, ",")
    for separator in _SEPARATORS:
        try:
            rows = list(csv.reader(io.StringIO(sample), delimiter=separator, skipinitialspace=True))
        except csv.Error:
            continue
        rows = [row for row in (rows if whole else rows[:-1]) if row][:500]
        width = len(rows[0]) if rows else 0
        if width < 2:
            continue
        alike = sum(len(row) == width for row in rows) / len(rows)
        cells = [cell for row in rows[1:] for cell in row]
        numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in cells) / max(len(cells), 1)
        if (alike, width, numbers) > best[:3]:
            best = (alike, width, numbers, separator)
    return best[3]
