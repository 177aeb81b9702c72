"""Files that are written whole or not at all, and what is said where the system refuses."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from satisfice.errors import CannotWrite

_HINTS = {
    errno.ENOSPC: "make room: nothing that finished is lost",
    errno.EDQUOT: "make room, or have the quota raised: nothing that finished is lost",
    errno.EROFS: "name a place on another file system",
    errno.EACCES: "let this user write there, or name another place",
    errno.EPERM: "let this user write there, or name another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name another place",
}
_WORDS = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


def refused(error: OSError, place: Path) -> CannotWrite | None:
    """What to say where the system does not let us write; None for an error of another kind."""
    if error.errno not in _HINTS:
        return None
    said = _WORDS.get(error.errno) or os.strerror(error.errno).lower()
    return CannotWrite(f"cannot write {place}: {said}", hint=_HINTS[error.errno])


def disk_full(error: Exception) -> CannotWrite | None:
    """What to say where training code met a full disk; libraries hide its number in their own errors."""
    number = getattr(error, "errno", None)
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a stranger's __str__ may raise anything
        text = ""
    for code in _WORDS:
        if number == code or f"(os error {code})" in text or os.strerror(code) in text:
            place = getattr(error, "filename", None) or "a file of the training"
            return CannotWrite(f"cannot write {place}: {_WORDS[code]}", hint=_HINTS[code])
    return None


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say in one sentence where the system does not let us write.

    Raises:
        CannotWrite: The disk is full or read-only, a quota is used up, or this user may not write there.
    """
    try:
        yield
    except OSError as error:
        said = refused(error, place)
        if said is None:
            raise
        raise said from None


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to, which takes its place at the end; nothing is left of what fails.

    Raises:
        CannotWrite: See `writing`.
    """
    with writing(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        os.close(handle)
        part = Path(name)
        try:
            part.chmod(0o666 & ~_mask())
            yield part
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
