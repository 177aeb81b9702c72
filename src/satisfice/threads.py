"""Threads of numerical libraries: how many the environment grants, and one alone where matrices are small."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_GRANTING = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_MOST = 2**31 - 1  # what a C int holds


def granted_threads(environment: Mapping[str, str] = os.environ) -> int | None:
    """The number of threads that the environment grants, read as OpenMP reads it.

    ``OMP_NUM_THREADS`` may list a number for each level of nesting ("4,2"): the first one counts. A variable
    that holds no positive number is ignored, as the libraries ignore it.

    Returns:
        At least 1; None where no variable says.
    """
    for name in _GRANTING:
        first = environment.get(name, "").split(",")[0].strip()
        if first.isascii() and first.isdecimal() and len(first) < 11 and 0 < int(first) <= _MOST:
            return int(first)
    return None


class _OneThread:
    """Holds BLAS to one thread while anybody is inside.

    A BLAS library has one number of threads for the whole process. So the first one in notes it, and the last
    one out puts it back, in whichever threads they are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: dict[str, tuple[Any, int]] = {}  # by file: the library, and its threads

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """One thread inside the block, of the libraries that are loaded when it is entered.

        Costs a few microseconds; some milliseconds where modules were imported since the last time.
        """
        self._enter()
        try:
            yield
        finally:
            self._leave()

    def _enter(self) -> None:
        with self._lock:
            for library in _libraries(len(sys.modules)):
                threads = library.get_num_threads()
                self._before.setdefault(library.filepath, (library, threads))
                if threads != 1:
                    _set(library, 1)
            self._inside += 1

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside:
                return
            for library, threads in self._before.values():
                _set(library, threads)
            self._before.clear()


one_blas_thread = _OneThread()


def _set(library: Any, threads: int) -> None:
    """Set a library's number of threads, from whichever thread.

    Newer versions of threadpoolctl leave that to the thread that was first to set one, and ignore all others.
    """
    release = getattr(library, "clear_controlling_thread", lambda *, force: None)
    release(force=True)
    library.set_num_threads(threads)
    release(force=True)


@functools.lru_cache(maxsize=1)
def _libraries(_modules: int) -> list[Any]:
    """The BLAS libraries that are loaded; looked for anew when modules were imported since."""
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
