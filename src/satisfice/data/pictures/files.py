"""Which pictures a study has: those below a folder with one folder a class, or those that a table names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from satisfice.data.pictures.decode import SUFFIXES
from satisfice.errors import DataError

_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_SHOWN = 3  # names in a sentence


@dataclass(frozen=True, kw_only=True)
class Listed:
    """The pictures of a folder."""

    root: Path
    names: tuple[str, ...]  # relative to the root, with "/", in the order of the alphabet
    labels: tuple[str, ...]  # names of the folders that they lie in
    others: tuple[str, ...] = ()  # files in these folders that are no pictures by their names


def list_folder(root: Path, key: str) -> Listed:
    """The pictures below a folder: each folder in it is a class, however deep a picture lies below that.

    Hidden files and folders are passed over.

    Args:
        root: The folder.
        key: Names it in errors, such as ``data.folder``.

    Raises:
        DataError: It is absent or no folder, holds fewer than two folders, or one without a picture.
    """
    where = f"{key}: {root}"
    if not root.exists():
        raise DataError(f"{where} does not exist", hint="the path is relative to the study file")
    if not root.is_dir():
        raise DataError(f"{where} is no folder", hint='a table is named by file = "..."')
    try:
        classes = sorted(each.name for each in root.iterdir() if each.is_dir() and _seen(each.name))
        loose = [each.name for each in root.iterdir() if each.is_file() and _is_picture(each.name)]
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror}") from None
    if not classes:
        found = f"{len(loose)} pictures, but no folders" if loose else "no folders of pictures"
        raise DataError(f"{where} holds {found}", hint="give each class a folder of its own in it")
    if loose:
        raise DataError(
            f"{where} holds pictures beside its folders, such as {loose[0]}", hint="move each into its class"
        )
    if len(classes) > 1 and set(map(str.lower, classes)) <= _SPLITS:
        raise DataError(
            f"{where} holds the folders {', '.join(classes)}, which look like parts of a split, not classes",
            hint="give one folder with all pictures by class; valid and test say how they are split",
        )
    names: list[str] = []
    labels: list[str] = []
    others: list[str] = []
    for label in classes:
        found_here = sorted(_below(root / label, label))
        mine = [name for name in found_here if _is_picture(name)]
        if not mine:
            raise DataError(f"{where}: the folder {label} holds no picture", hint="fill or remove it")
        names += mine
        labels += [label] * len(mine)
        others += [name for name in found_here if not _is_picture(name)]
    if len(classes) == 1:
        raise DataError(
            f"{where} holds the single class {classes[0]!r}", hint="at least two classes are needed"
        )
    return Listed(root=root, names=tuple(names), labels=tuple(labels), others=tuple(others))


def list_paths(table: Path, column: str, cells: Sequence[object]) -> tuple[str, ...]:
    """The paths in a column, relative to the table's folder.

    Raises:
        DataError: A cell is empty, or names no file.
    """
    where = f"data.images: column {column!r} of {table}"
    # NaN, which stands for an empty cell, differs from itself.
    names = ["" if cell is None or cell != cell else str(cell).strip() for cell in cells]
    empty = names.count("")
    if empty:
        rows = "1 row" if empty == 1 else f"{empty} rows"
        raise DataError(f"{where} names no picture in {rows}", hint="remove what has no picture")
    lacking = [name for name in dict.fromkeys(names) if not (table.parent / name).is_file()]
    if lacking:
        shown = ", ".join(lacking[:_SHOWN])
        count = "a file that does" if len(lacking) == 1 else f"{len(lacking)} files that do"
        raise DataError(
            f"{where} names {count} not exist, such as {shown}",
            hint="paths are relative to the folder of the table",
        )
    return tuple(names)


def _below(folder: Path, label: str) -> Iterator[str]:
    for place, inside, files in os.walk(folder):
        inside[:] = sorted(filter(_seen, inside))
        base = Path(label) / Path(place).relative_to(folder)
        yield from ((base / name).as_posix() for name in files if _seen(name))


def _seen(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in ("thumbs.db", "__macosx")


def _is_picture(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)
