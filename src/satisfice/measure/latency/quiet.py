"""Exclusive use of the host while measuring: a readers-writer lock over all processes of one user.

Workers that train hold the lock shared; a worker that measures holds it exclusively. Three files
in one folder per user under the temporary folder::

    turn    locked exclusively by the one process that measures; it also names that process and its study
    train   locked shared by workers that train, exclusively by the one that measures
    wanted  mapped by every worker: a byte that is not 0 while somebody measures or waits to, and the time
            until which training on this host is known not to yield

At each batch's end a worker reads the byte, which costs less than a microsecond. The byte is only a hint: a
worker that sees it set tries the lock `turn`, which the kernel releases when its holder dies (`flock(2)`). So
a killed process blocks nobody, and the next worker clears the byte that it left set.

Training code that never calls `batch_end` does not yield. A measurement that has waited for it notes this in
`wanted`, and later measurements on this host wait only briefly for the next minute.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import stat
import struct
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from satisfice.errors import InputError

HAS_LOCKS = sys.platform != "win32"  # Windows has no flock: measurements there do not exclude training
if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

_POLL_S = 0.002
_IN_VAIN_S = 60.0  # how long waits stay short after training did not yield
_SHORT_WAIT_S = 0.25
_UNTIL = struct.Struct("d")  # in `wanted`, by the monotonic clock, which all processes of a host share
_UNTIL_AT, _WANTED_BYTES = 8, 16
_NOTE_BYTES = 400
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_open_files: weakref.WeakSet[_LockFile] = weakref.WeakSet()


@dataclass(frozen=True, kw_only=True)
class QuietReport:
    """Whether a measurement has exclusive use of the host."""

    turn: bool  # no other measurement runs at the same time
    quiet: bool  # and no worker of this user trains
    waited_s: float  # until exclusive use, or until the limit


class Quiet:
    """One worker's access to the lock. Not thread-safe: each thread creates its own.

    Args:
        folder: Where the lock files lie; default: one per user under the temporary folder.
        who: Name of the holder in messages of processes that wait for it, such as "study digits".
        max_yield_s: How long training waits at a batch's end for one measurement before it continues.
        on_wait: Called once for each wait with a message that gives the reason. Default: log it at INFO.

    Raises:
        InputError: The folder belongs to another user.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        who: str = "",
        max_yield_s: float = 30.0,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = default_folder() if folder is None else folder
        self.max_yield_s = max_yield_s
        self._name = f"{who} (process {os.getpid()})" if who else f"process {os.getpid()}"
        self._on_wait = on_wait or logger.info
        _own_folder(self.folder)
        self._turn = _LockFile(self.folder / "turn")
        self._train = _LockFile(self.folder / "train")
        self._wanted = _mapped(self.folder / "wanted")
        self._trains = False  # inside `training()`

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Hold the lock shared while training. Entering waits for a running measurement. Not reentrant."""
        self._trains = True
        self._let_measure()
        try:
            yield
        finally:
            self._trains = False
            self._train.release()

    def batch_end(self) -> None:
        """Release the shared lock if a measurement waits, and wait until it is done.

        Costs less than a microsecond while nobody waits. Does nothing outside `training()`.
        """
        if self._wanted[0] and self._trains:
            self._let_measure()

    @contextlib.contextmanager
    def measuring(self, max_wait_s: float = 5.0, *, max_turn_s: float = 60.0) -> Iterator[QuietReport]:
        """Hold the lock exclusively for a measurement.

        If this object holds the lock shared (inside `training()`), it is released for the duration.

        Args:
            max_wait_s: How long to wait for workers that train to reach the end of a batch, before measuring
                anyway. Shorter for a minute after such a wait failed on this host.
            max_turn_s: How long to wait for other measurements before measuring anyway.

        Yields:
            Whether the host is used exclusively.
        """
        begin = time.monotonic()
        turn = self._take_turn(begin + max_turn_s)
        try:
            self._train.release()
            if turn:
                self._wanted[0] = 1
            quiet = turn and self._stop_training(max_wait_s)
            yield QuietReport(turn=turn, quiet=quiet, waited_s=time.monotonic() - begin)
        finally:
            self._train.release()
            if turn:
                self._wanted[0] = 0
            self._turn.release()
            if self._trains:
                self._let_measure()

    def _stop_training(self, patience_s: float) -> bool:
        """Wait until no worker trains. Return whether that was achieved in time."""
        now = time.monotonic()
        (until,) = _UNTIL.unpack_from(self._wanted, _UNTIL_AT)
        in_vain = now < until <= now + _IN_VAIN_S  # beyond that, it is from before the host was started
        wait_s = min(patience_s, _SHORT_WAIT_S) if in_vain else patience_s
        if self._train.acquire(exclusive=True, until=now + wait_s):
            _UNTIL.pack_into(self._wanted, _UNTIL_AT, 0.0)
            return True
        if not in_vain:
            _UNTIL.pack_into(self._wanted, _UNTIL_AT, time.monotonic() + _IN_VAIN_S)
            self._on_wait(f"training did not yield within {wait_s:g} s; measuring at the same time")
        return False

    def _take_turn(self, until: float) -> bool:
        if not self._turn.acquire(exclusive=True):
            holder = self._turn.note()
            self._on_wait(f"waiting to measure: {holder} is measuring")
            if not self._turn.acquire(exclusive=True, until=until):
                self._on_wait(f"{holder} has been measuring for too long; measuring at the same time")
                return False
        self._turn.write_note(self._name)
        return True

    def _let_measure(self) -> None:
        """Release the shared lock until no process measures (at most `max_yield_s`), then take it again."""
        self._train.release()
        until = time.monotonic() + self.max_yield_s
        # Shared, so that several workers pass at once. The byte is cleared under the lock: no measurement has
        # begun.
        if self._turn.acquire(exclusive=False, until=until):
            self._wanted[0] = 0
            self._train.acquire(exclusive=False)
            self._turn.release()


class _LockFile:
    """A file locked with `flock(2)`: per open file, so that threads exclude each other as processes do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, _OPEN, 0o600)
        weakref.finalize(self, os.close, self._descriptor)
        _open_files.add(self)

    def acquire(self, *, exclusive: bool, until: float | None = None) -> bool:
        """Lock, trying until the monotonic time ``until`` (None: once). Whether it is locked now."""
        while True:
            try:
                self._flock(exclusive)
            except BlockingIOError:
                if until is None or time.monotonic() >= until:
                    return False
                time.sleep(_POLL_S)
            else:
                return True

    def release(self) -> None:
        """Unlock; nothing happens if it is not locked."""
        self._flock(None)

    def _flock(self, exclusive: bool | None) -> None:
        if sys.platform != "win32":
            kinds = {None: fcntl.LOCK_UN, False: fcntl.LOCK_SH, True: fcntl.LOCK_EX}
            fcntl.flock(self._descriptor, kinds[exclusive] | fcntl.LOCK_NB)

    def note(self) -> str:
        """The name that the last holder wrote."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, _NOTE_BYTES).decode(errors="replace") or "somebody"

    def write_note(self, text: str) -> None:
        """Write the name of the holder."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, text.encode()[:_NOTE_BYTES])

    def reopen(self) -> None:
        """Forget a lock inherited from the parent, without releasing it for the parent."""
        fresh = os.open(self._path, _OPEN, 0o600)
        os.dup2(fresh, self._descriptor, inheritable=False)
        os.close(fresh)


def default_folder() -> Path:
    """The folder of this user's lock files on this host."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"satisfice-quiet-{user}"


def _own_folder(folder: Path) -> None:
    """Create the folder with access for this user only. Refuse one that belongs to another user."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(folder)
    if hasattr(os, "getuid") and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid()):
        raise InputError(
            f"the folder for measuring in turn, {folder}, belongs to another user",
            hint="remove it, or set TMPDIR to a folder of your own",
        )


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, _OPEN, 0o600)
    try:
        if os.fstat(descriptor).st_size < _WANTED_BYTES:
            os.ftruncate(descriptor, _WANTED_BYTES)
        return mmap.mmap(descriptor, _WANTED_BYTES)
    finally:
        os.close(descriptor)


def _after_fork() -> None:
    # A forked child (a data loader's worker) shares its parent's open files and would keep a dead parent's
    # locks.
    for file in list(_open_files):
        file.reopen()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
