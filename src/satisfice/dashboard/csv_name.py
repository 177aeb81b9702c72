"""The name of a study's CSV file stands in a header: a name that does not belong there is replaced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from satisfice.dashboard.storage import aliases

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class CsvName:
    """Has the dashboard write a CSV under ``study-ID`` where the study's own name would break the header.

    Args:
        inner: The dashboard, over a `StorageView`.
    """

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if not environ.get("PATH_INFO", "").startswith("/csv/"):
            return self._inner(environ, start_response)
        token = aliases.set({})
        try:
            return list(self._inner(environ, start_response))
        finally:
            aliases.reset(token)
