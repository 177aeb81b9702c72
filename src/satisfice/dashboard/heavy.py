"""Few heavy requests at once: plots and importances of all trials take seconds of a processor."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from satisfice.dashboard.answers import reason

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_HEAVY = re.compile(r"^/(?:api/studies/[^/]+/(?:plot/|param_importances)|csv/|satisfice/studies/)")
_AT_ONCE = 2
_PATIENCE_S = 10.0  # a page asks for several plots at once: they take turns


class Heavy:
    """Lets few heavy requests through at once; who waits too long is told to come again (429).

    Args:
        inner: The application behind.
        at_once: How many are let through.
        patience_s: How long one waits for its turn, in seconds.
    """

    def __init__(
        self, inner: WSGIApplication, *, at_once: int = _AT_ONCE, patience_s: float = _PATIENCE_S
    ) -> None:
        self._inner = inner
        self._turns = threading.BoundedSemaphore(at_once)
        self._queue = threading.BoundedSemaphore(8 * at_once)  # those that wait hold a thread each
        self._patience_s = patience_s

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or say that it comes at a bad time."""
        if not _HEAVY.match(environ.get("PATH_INFO", "")):
            return self._inner(environ, start_response)
        if not self._queue.acquire(blocking=False):
            return _later(start_response)
        try:
            if not self._turns.acquire(timeout=self._patience_s):
                return _later(start_response)
            try:
                return list(self._inner(environ, start_response))
            finally:
                self._turns.release()
        finally:
            self._queue.release()


def _later(start: StartResponse) -> Iterable[bytes]:
    sentence = "too many plots are being drawn; ask again in a moment"
    return reason(start, "429 Too Many Requests", sentence, [("Retry-After", "5")])
