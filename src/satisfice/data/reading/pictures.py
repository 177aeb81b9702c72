"""A person's own pictures: a folder with one folder for each class, or a table with a column of paths."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfice.data.pictures.cache import Decoded, decoded
from satisfice.data.pictures.digests import digests, keep_digests
from satisfice.data.pictures.files import list_folder, list_paths
from satisfice.data.reading.columns import ColumnNote
from satisfice.data.reading.file import find_file, read_file
from satisfice.data.reading.raw import RawData
from satisfice.errors import DataError
from satisfice.registry import did_you_mean
from satisfice.spec.study import DataSpec

DEFAULT_SIZE = 64  # pixels of height and width, where a study names none
TARGET = "label"  # what the folders' names are called
_SHOWN = 3  # broken files in a sentence


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """Files, in order, with what is to be predicted."""

    key: str  # and the place, for errors
    root: Path
    names: Sequence[str]
    raw: RawData  # without images
    notes: tuple[ColumnNote, ...] = ()


def of_pictures(spec: DataSpec) -> bool:
    """Whether the data are files of pictures."""
    return spec.folder is not None or spec.images is not None


def read_pictures(
    spec: DataSpec, base_dir: Path, accept: Callable[[pd.Series[Any]], object] | None = None
) -> RawData:
    """All pictures, decoded and of one size, with their labels.

    Args:
        spec: The data.
        base_dir: Where relative paths start.
        accept: Looks at a folder's labels before anything is decoded, and raises where they will not do.

    Raises:
        DataError: The folder or table is not as it should be, or a picture cannot be decoded and the study
            does not skip such.
        CannotWrite: Decoded pictures cannot be kept.
        MissingExtra: Pillow is not installed.
    """
    source = _source(spec, base_dir)
    if accept is not None and spec.folder is not None:
        accept(source.raw.target)
    content = digests(source.root, source.names)
    size, skip = spec.size or DEFAULT_SIZE, spec.skip_broken
    found = decoded(source.root, source.names, content, size, skip_broken=skip)
    if found.broken and (not skip or not len(found.kept)):
        raise _broken(source, found)
    keep_digests(source.root)
    notes = (*source.notes, *_notes(source, found, content))
    return replace(source.raw.take(found.kept), items=found.images, notes=notes)


def digest_pictures(spec: DataSpec, base_dir: Path) -> bytes:
    """Of the files' names, labels and content, and of how they are read; equal on every machine.

    Raises:
        DataError: The folder or table is not as it should be.
    """
    source = _source(spec, base_dir)
    told = {
        "size": spec.size or DEFAULT_SIZE,
        "skip_broken": spec.skip_broken,
        "images": spec.images,
        "names": list(source.names),
        "content": digests(source.root, source.names),
        "labels": source.raw.target.tolist(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).digest()


def _source(spec: DataSpec, base_dir: Path) -> _Source:
    if spec.folder is not None:
        listed = list_folder(base_dir / spec.folder, "data.folder")
        notes = []
        if listed.others:
            reason = f"files that are no pictures by their names are left out: {len(listed.others)}"
            notes = [_note(reason, len(listed.others), listed.others)]
        return _Source(
            key=f"data.folder: {listed.root}",
            root=listed.root,
            names=listed.names,
            raw=_raw(pd.Series(listed.labels, name=TARGET, dtype=object)),
            notes=tuple(notes),
        )
    assert spec.images is not None
    table = find_file(spec, base_dir)
    read = read_file(spec, base_dir)
    assert isinstance(read.items, pd.DataFrame)
    if spec.images not in read.items:
        raise DataError(
            f"data.images: {table} has no column {spec.images!r}",
            hint=did_you_mean(spec.images, list(map(str, read.items.columns))),
        )
    names = list_paths(table, spec.images, read.items[spec.images].tolist())
    raw = replace(_raw(read.target), time=read.time, groups=read.groups)
    return _Source(key=f"data.images: {table}", root=table.parent, names=names, raw=raw)


def _raw(target: pd.Series[Any]) -> RawData:
    return RawData(items=np.empty((len(target), 0), np.uint8), target=target)


def _broken(source: _Source, found: Decoded) -> DataError:
    shown = [f"{source.names[at]} ({why})" for at, why in found.broken[:_SHOWN]]
    more = len(found.broken) - len(shown)
    told = ", ".join(shown) + (f" and {more} more" if more else "")
    hint = "repair or remove them, or set skip_broken = true in [data]"
    if not len(found.kept):
        hint = "none of all files is a picture that can be read"
    return DataError(
        f"{source.key}: {len(found.broken)} of {len(source.names)} pictures cannot be read: {told}", hint=hint
    )


def _notes(source: _Source, found: Decoded, content: Sequence[str]) -> list[ColumnNote]:
    """What became of pictures that were not simply taken as they are."""
    out = []
    of_all = f"of {len(source.names)} pictures"
    if found.broken:
        named = [source.names[at] for at, _ in found.broken]
        out.append(_note(f"{len(named)} {of_all} cannot be read and are left out", len(named), named))
    for count, what in (
        (found.wide, "have 16 bits a channel, of which 8 are kept"),
        (found.clear, "may have transparent parts, which are laid on white"),
        (found.oblong, "are not square and are brought to a square whole, without cutting"),
    ):
        if count:
            out.append(_note(f"{count} {of_all} {what}", count))
    return out + _copies(source, found, content)


def _copies(source: _Source, found: Decoded, content: Sequence[str]) -> list[ColumnNote]:
    """Files with the same bytes: a score flatters where a copy of what it tests was learnt."""
    same = defaultdict(list)
    for at in found.kept.tolist():
        same[content[at]].append(at)
    several = [group for group in same.values() if len(group) > 1]
    if not several:
        return []
    labels = source.raw.target.tolist()
    torn = [group for group in several if len({labels[at] for at in group}) > 1]
    count = sum(len(group) - 1 for group in several)
    reason = (
        f"{count} of {len(found.kept)} pictures are exact copies of others: scores flatter where copies are "
        "in two splits"
    )
    out = [_note(reason, count, [source.names[group[1]] for group in several], "remove the copies")]
    if torn:
        shown = [source.names[at] for at in torn[0][:2]]
        told = f"pictures that are there under several labels: {len(torn)}"
        out.append(_note(told, len(torn), shown, "keep each under one label"))
    return out


def _note(reason: str, count: int, shown: Sequence[str] = (), remedy: str = "") -> ColumnNote:
    return ColumnNote(
        column="", what="read", reason=reason, count=count, examples=tuple(shown[:_SHOWN]), remedy=remedy
    )
