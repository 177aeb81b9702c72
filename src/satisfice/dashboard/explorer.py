"""The report's page of each study, at ``/satisfice/studies/NAME``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from satisfice.dashboard.answers import STUDY_PAGES, Headers, plain, send
from satisfice.dashboard.insight import Source, context_of
from satisfice.report.page import page_bytes

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from satisfice.dashboard.storage import StorageView
    from satisfice.report.context import StudyView
    from satisfice.results.report_context import ReportContext

_REFRESH_S = 10.0  # while trials finish, a page is made again at most this often
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS: Headers = [("Content-Security-Policy", _POLICY), ("Cache-Control", "no-cache")]


@dataclass(frozen=True)
class _Made:
    page: bytes
    of: object  # what it was made from: trials that had finished, and what was chosen
    at: float  # monotonic seconds


class Explorer:
    """Answers for the pages of studies; everything else goes on.

    Args:
        inner: The application behind.
        view: The storage as the dashboard shows it, for studies that satisfice did not make.
        source: Reads a study from satisfice's own tables; None for one that satisfice did not make.
    """

    def __init__(self, inner: WSGIApplication, view: StorageView, source: Source | None) -> None:
        self._inner = inner
        self._view = view
        self._source = source or (lambda _: None)
        self._made: dict[str, _Made] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if not path.startswith(STUDY_PAGES):
            return self._inner(environ, start_response)
        # WSGI hands on the bytes of a path as Latin-1.
        name = path.removeprefix(STUDY_PAGES).encode("latin-1", "replace").decode("utf-8", "replace")
        page = self._page(name)
        if page is None:
            return plain(start_response, "404 Not Found", "there is no such study")
        return send(start_response, "200 OK", "text/html; charset=utf-8", page, _HEADERS)

    def _page(self, name: str) -> bytes | None:
        found = self._read(name)
        if found is None:
            return None
        view, context = found
        of = (
            sum(r.state.is_finished() for r in view.records),
            len(view.records),
            view.chosen,
            view.constraints,
        )
        with self._lock:
            made = self._made.get(name)
        if made is None or (made.of != of and time.monotonic() - made.at > _REFRESH_S):
            made = _Made(page_bytes(name, view, context), of, time.monotonic())
            with self._lock:
                self._made[name] = made
        return made.page

    def _read(self, name: str) -> tuple[StudyView, ReportContext] | None:
        try:
            study_id = self._view.get_study_id_from_name(name)
            return self._source(name) or context_of(name, self._view.study_view(study_id))
        except KeyError:
            return None
