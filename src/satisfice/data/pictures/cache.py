"""Pictures decoded once and brought to one size, in a file that all workers of a host map into memory.

Beside ``NAME.pixels``, the bytes of all images one after the other, stands ``NAME.json`` with their shape
and the files that could not be decoded; it is written last, and a cache without it counts for nothing. The
name is a digest of what the pictures hold and of how they are decoded, so other pictures make another cache.
Workers that start at once take turns; both files are moved into their place whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data.pictures.decode import CLEAR, pixels_of_size
from satisfice.data.pictures.digests import cache_folder, threads
from satisfice.data.pictures.progress import Telling
from satisfice.errors import CannotWrite, MissingExtra

_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_COUNTED = ("wide", "clear", "oblong")
FORMAT = 1  # of the files, and of how pictures are decoded and resized


@dataclass(frozen=True, kw_only=True, eq=False)
class Decoded:
    """The pictures of a study, those left out that cannot be decoded."""

    images: NDArray[np.uint8]  # (n, channels, size, size), read-only
    kept: NDArray[np.int64]  # which of the files they are, ascending, shape (n,)
    broken: tuple[tuple[int, str], ...]  # the others: their number, and why
    wide: int  # how many have 16 bits a channel
    clear: int  # how many have transparent parts, or could have
    oblong: int  # how many are not square


def decoded(
    root: Path, names: Sequence[str], digests: Sequence[str], size: int, *, skip_broken: bool = True
) -> Decoded:
    """All pictures as squares of one size: grey where all of them are grey, else in red, green and blue.

    Args:
        root: Folder that the names start from.
        names: Of the files.
        digests: SHA-256 of each.
        size: Height and width, in pixels.
        skip_broken: Whether pictures are of use where some are broken. False: they are then not kept.

    Raises:
        CannotWrite: The cache cannot be written.
        MissingExtra: Pillow is not installed.
    """
    told = json.dumps([FORMAT, size, list(digests)]).encode()
    place = cache_folder() / f"pictures-{hashlib.sha256(told).hexdigest()[:32]}.json"
    found = _opened(place)
    if found is None:
        with writing(place.parent, "decoded pictures"):
            place.parent.mkdir(parents=True, exist_ok=True)
            with turn(place):
                found = _opened(place)
                if found is None:
                    _make(place, root, names, size)
                    found = _opened(place)
                    if found is not None and found.broken and not (skip_broken and len(found.kept)):
                        _remove(place)  # nobody will use it: repaired pictures make another cache
        if found is None:
            raise CannotWrite(f"cannot write {place.parent}", hint=_HINT)
    return found


def _remove(place: Path) -> None:
    """A map that is open stays readable; where the system does not let it go, it stays."""
    for suffix in (".json", ".pixels", ".lock"):
        with contextlib.suppress(OSError):
            place.with_suffix(suffix).unlink()


_HINT = "make room, or name another folder by SATISFICE_CACHE"


@contextlib.contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """Turn an error of the system into one sentence: what cannot be kept in that folder, and why.

    Raises:
        CannotWrite: The folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise CannotWrite(f"{what} cannot be kept in {folder}: {why}", hint=_HINT) from None


@contextlib.contextmanager
def turn(place: Path) -> Iterator[None]:
    """One process at a time; the system lets go of the lock of one that died."""
    with place.with_suffix(".lock").open("w") as lock:
        try:
            import fcntl
        except ModuleNotFoundError:  # not on Windows: both decode, and one of them comes second
            yield
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _opened(place: Path) -> Decoded | None:
    """The cache of that name, if it is whole."""
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
        shape = tuple(content["shape"])
        pixels = place.with_suffix(".pixels")
        if pixels.stat().st_size != int(np.prod(shape)):
            return None
        images: Any = np.empty(shape, np.uint8)
        if shape[0]:  # nothing cannot be mapped
            images = np.memmap(pixels, dtype=np.uint8, mode="r", shape=shape)
    except (OSError, ValueError, KeyError):
        return None
    broken = tuple((int(at), str(why)) for at, why in content["broken"])
    lost = {at for at, _ in broken}
    kept = np.array([at for at in range(content["files"]) if at not in lost], np.int64)
    told = {name: int(content[name]) for name in _COUNTED}
    return Decoded(images=images, kept=kept, broken=broken, **told)


@dataclass(frozen=True)
class _Head:
    """What the first bytes of a picture's file say."""

    mode: str
    clear: bool
    oblong: bool


def _make(place: Path, root: Path, names: Sequence[str], size: int) -> None:
    with ThreadPoolExecutor(threads()) as pool:
        heads = list(_each(pool, "looking at pictures", lambda name: _head(root / name), names))
        broken = {at: found for at, found in enumerate(heads) if isinstance(found, str)}
        known = [found for found in heads if isinstance(found, _Head)]
        channels = 1 if all(head.mode in _GREY for head in known) else 3

        def decode(at: int) -> NDArray[np.uint8] | str:
            try:
                return pixels_of_size((root / names[at]).read_bytes(), channels, size, size)
            except (ValueError, OSError) as error:
                return _why(error)

        whole = [at for at in range(len(names)) if at not in broken]
        count = 0
        with _part(place.with_suffix(".pixels")) as file:
            for at, found in zip(whole, _each(pool, "decoding pictures", decode, whole), strict=True):
                if isinstance(found, str):
                    broken[at] = found
                else:
                    file.write(found.tobytes())
                    count += 1
    content = {
        "shape": [count, channels, size, size],
        "files": len(names),
        "broken": sorted(broken.items()),
        "wide": sum(head.mode.startswith("I") for head in known),
        "clear": sum(head.clear for head in known),
        "oblong": sum(head.oblong for head in known),
    }
    with _part(place) as file:
        file.write(json.dumps(content).encode())


def _each(pool: ThreadPoolExecutor, what: str, work: Any, items: Sequence[Any]) -> Iterator[Any]:
    """The results in order, some items ahead at most: they are large."""
    ahead = 4 * threads()
    with Telling(what, len(items)) as told:
        waiting = [pool.submit(work, item) for item in items[:ahead]]
        for at in range(len(items)):
            found = waiting.pop(0).result()
            if at + ahead < len(items):
                waiting.append(pool.submit(work, items[at + ahead]))
            told.one()
            yield found


def _head(path: Path) -> _Head | str:
    """What its first bytes say; or why it is no picture."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError:
        raise MissingExtra("Pillow", "images") from None
    try:
        with Image.open(path) as opened:
            wide, high = opened.size
            clear = opened.mode in CLEAR or "transparency" in opened.info
            return _Head(mode=opened.mode, clear=clear, oblong=wide != high)
    except UnidentifiedImageError:
        return "it is no picture of a known format"
    except (ValueError, OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        return _why(error)


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return " ".join(str(error).split())[:200]


@contextlib.contextmanager
def _part(place: Path) -> Iterator[Any]:
    """A file that is moved into its place once it is whole."""
    number, name = tempfile.mkstemp(dir=place.parent, prefix=".part-")
    try:
        with os.fdopen(number, "wb") as file:
            yield file
        os.replace(name, place)  # noqa: PTH105  # as one step
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
