"""What pictures hold, as digests. A file that has not changed since it was last read is not read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from satisfice.data.pictures.progress import Telling
from satisfice.errors import DataError

_BLOCK = 1 << 20
_LATEST: dict[Path, dict[str, list[str]]] = {}  # lists that are not kept yet, by the place for them


def cache_folder() -> Path:
    """Where decoded pictures are kept: ``SATISFICE_CACHE``, else ``satisfice`` in the user's cache folder."""
    named = os.environ.get("SATISFICE_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "satisfice"


def threads() -> int:
    """Threads that read and decode."""
    return max(1, min(os.cpu_count() or 1, 8))


def digests(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """SHA-256 of each file, in hexadecimal digits.

    Those of files whose size, time of change and number on the disk are as before come from a list in the
    cache; without a cache they are read. `keep_digests` writes the list.

    Raises:
        DataError: A file cannot be read.
    """
    place = _place(root)
    known = _stored(place) | _LATEST.get(place, {})
    states = {name: _state(root / name) for name in names}
    todo = [name for name in names if known.get(name, [None, None])[0] != states[name]]
    with Telling("reading pictures", len(todo)) as told, ThreadPoolExecutor(threads()) as pool:
        for name, digest in zip(todo, pool.map(lambda name: _digest(root / name), todo), strict=True):
            known[name] = [states[name], digest]
            told.one()
    if todo:
        _LATEST[place] = {name: known[name] for name in names}
    return tuple(known[name][1] for name in names)


def keep_digests(root: Path) -> None:
    """Write what `digests` has read below that folder into the cache, once the pictures are accepted."""
    found = _LATEST.pop(_place(root), None)
    if found is not None:
        _store(_place(root), found)


def _place(root: Path) -> Path:
    return cache_folder() / f"files-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:20]}.json"


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _stored(place: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    whole = isinstance(content, dict) and all(
        isinstance(pair, list) and len(pair) == 2 for pair in content.values()
    )
    return content if whole else {}


def _store(place: Path, content: dict[str, list[str]]) -> None:
    """As one step; a list that cannot be kept is made again the next time."""
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as part:
            try:
                json.dump(content, part)
                part.close()
                os.replace(part.name, place)  # noqa: PTH105  # as one step
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise
