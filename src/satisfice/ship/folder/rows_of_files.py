"""Files of rows in batches: CSV, NumPy arrays, pictures. Ships with models."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from satisfice.data.pictures.decode import SUFFIXES
from satisfice.errors import InputError
from satisfice.ship.folder.description import Description, ImageInput
from satisfice.ship.folder.pictures import picture
from satisfice.ship.folder.pipeline import Feeds, Pipeline, Told

_SEPARATORS = ",;\t|"
_LONGEST_CELL = 1 << 24  # characters


def columns_of_csv(path: Path, wanted: Sequence[str], size: int) -> Iterator[dict[str, list[str]]]:
    """The wanted columns of a CSV file with a header, ``size`` rows at a time, more in the last batch.

    The separator is the one of ``, ; tab |`` by which the header has most of the wanted names. A file packed
    by gzip is unpacked on the way. Rows that end early miss their last values.

    Raises:
        InputError: A column is absent or there twice, a row is longer than the header, or the file is no text
            in UTF-8.
    """
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with _opened(path) as file:
            yield from _batches(file, path, wanted, size)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8: {error}", hint="save it as CSV UTF-8") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


def _opened(path: Path) -> TextIO:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _batches(file: TextIO, path: Path, wanted: Sequence[str], size: int) -> Iterator[dict[str, list[str]]]:
    first = file.readline()
    if first.strip().strip('"').lower().startswith("sep="):  # Excel's own first line
        first = file.readline()
    separator = max(_SEPARATORS, key=lambda mark: len({*_fields(first, mark)} & {*wanted}))
    names = _fields(first, separator)
    places = {}
    for name in wanted:
        if names.count(name) != 1:
            what = "lacks column" if name not in names else "has several columns named"
            raise InputError(f"{path} {what} {name!r}", hint="its first line must name every column once")
        places[name] = names.index(name)
    rows: list[list[str]] = []
    for row in csv.reader(file, delimiter=separator, skipinitialspace=True):
        if not row:
            continue
        if len(row) > len(names):
            raise InputError(f"{path} has a row of {len(row)} values; its first line has {len(names)} names")
        rows.append(row)
        # Whether a column is refused goes by the share of its cells that cannot be read: the last batch is no
        # handful of rows.
        if len(rows) == 2 * size:
            yield _columns(rows[:size], places)
            rows = rows[size:]
    if rows:
        yield _columns(rows, places)


def _fields(line: str, separator: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]


def _columns(rows: Sequence[Sequence[str]], places: Mapping[str, int]) -> dict[str, list[str]]:
    return {name: [row[at] if at < len(row) else "" for row in rows] for name, at in places.items()}


def feeds_of_file(path: Path, pipeline: Pipeline, size: int = 1024) -> Iterator[tuple[Feeds, Told]]:
    """The file's rows as inputs of the model, ``size`` at a time.

    A table is a CSV file with a header; images are an ``.npy`` file (n, channels, height, width), or one
    picture.

    Raises:
        InputError: The file is none of these, or does not fit the model.
    """
    described: Description = pipeline.described
    if not isinstance(described.input, ImageInput):
        if path.suffix.lower() in (".npy", *SUFFIXES):
            raise InputError(f"{path}: the model takes rows of a table", hint="give a CSV file with a header")
        for columns in columns_of_csv(path, described.names, size):
            yield pipeline.feeds_of_columns(columns)
        return
    try:
        if path.suffix.lower() in SUFFIXES:
            images: Any = picture(path.read_bytes(), described.input, str(path))[None]
        else:
            images = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise InputError(f"{path} is not an .npy file of numbers", hint="write it by numpy.save") from None
    if images.shape == described.input.shape:
        images = images[None]
    if images.ndim == 0:
        raise InputError(f"{path} holds one number, not images")
    for at in range(0, len(images), size):
        yield pipeline.feeds_of_images(np.asarray(images[at : at + size])), Told()
