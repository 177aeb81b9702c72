"""Looks at a request before optuna-dashboard does, which answers 500 where one sentence would help.

Its routes read numbers, names and bodies as they come: a study that is not there, ``after=x`` or a body that
is no object ends in an exception there.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from optuna.storages import BaseStorage

from satisfice.dashboard.answers import reason
from satisfice.dashboard.artefacts import as_download

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_OF_STUDY = re.compile(r"^/(?:api/studies|csv|artifacts|api/artifacts)/([^/]+)(?:/([^/]+))?(?:/([^/]+))?/*$")
_OF_TRIAL = re.compile(r"^/api/trials/([^/]+)(?:/|$)")
DETAIL = re.compile(r"^/api/studies/([^/]+)/*$")
_ARTEFACT = re.compile(r"^/(?:api/)?artifacts/")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GREATEST = 2**31 - 1  # of an id in any database
_MOST_PATH = 2000  # characters
_MOST_BYTES = 1 << 20  # of a body; notes and attributes are small
_MOST_ARTEFACT_BYTES = 128 << 20  # as the dashboard's own


class _Refused(Exception):
    """The request cannot be carried out."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Checked:
    """Refuses what cannot be carried out with a sentence and a status below 500.

    Args:
        inner: The dashboard.
        storage: Of the studies.
    """

    def __init__(self, inner: WSGIApplication, storage: BaseStorage) -> None:
        self._inner = inner
        self._storage = storage

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer or refuse one request."""
        path = environ.get("PATH_INFO", "")
        try:
            self._check(path, environ)
        except _Refused as refused:
            return reason(start_response, refused.status, str(refused))
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            told[:] = status, headers
            return lambda _: None

        body = self._inner(environ, start)  # type: ignore[arg-type]  # nobody writes by the old function
        status, headers = told
        if status.startswith("5") and self._answers():
            _close(body)
            return reason(start_response, *_in_words(path))
        if _ARTEFACT.match(path):
            headers = as_download(headers)
        start_response(status, headers)
        return body

    def _answers(self) -> bool:
        """Whether the database does: then the request is at fault, not the server."""
        try:
            self._storage.get_all_studies()
        except Exception:  # noqa: BLE001  # whatever a driver raises
            return False
        return True

    def _check(self, path: str, environ: WSGIEnvironment) -> None:
        if len(path) > _MOST_PATH or _CONTROL.search(path):
            raise _Refused("400 Bad Request", "the address is not one of this server")
        of_study, of_trial = _OF_STUDY.match(path), _OF_TRIAL.match(path)
        if of_study is not None:
            self._study(of_study[1])
            names_trial = of_study[3] is not None or path.startswith("/api/artifacts/")
            if names_trial and (of_study[2] or "").isdigit():
                self._trial(of_study[2])
        if of_trial is not None:
            self._trial(of_trial[1])
        if DETAIL.match(path) and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            after_of(environ)
        _check_body(path, environ)

    def _study(self, text: str) -> None:
        try:
            self._storage.get_study_name_from_id(_id(text, "study"))
        except KeyError as error:
            raise _Refused("404 Not Found", f"there is no study with the id {text}") from error

    def _trial(self, text: str) -> None:
        try:
            self._storage.get_trial(_id(text, "trial"))
        except KeyError as error:
            raise _Refused("404 Not Found", f"there is no trial with the id {text}") from error


def after_of(environ: WSGIEnvironment) -> int:
    """How many trials the page has already: the query's ``after``, 0 where it has none.

    Raises:
        _Refused: It is no whole number.
    """
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    text = query.get("after", ["0"])[-1]
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise _Refused("400 Bad Request", "after takes a whole number from 0, for instance after=10")
    return int(text)


def _id(text: str, kind: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _GREATEST:
        raise _Refused("404 Not Found", f"no id of a {kind}")
    return int(text)


def _check_body(path: str, environ: WSGIEnvironment) -> None:
    """Read the body of a write, which is a JSON object; a GET has none."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        environ["CONTENT_LENGTH"], environ["wsgi.input"] = "0", io.BytesIO()
        environ["CONTENT_TYPE"] = ""  # of a form that is none, the dashboard would read parameters
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise _Refused("411 Length Required", "a body is sent with its Content-Length")
    text = environ.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise _Refused("400 Bad Request", "Content-Length takes a whole number")
    if int(text) > (_MOST_ARTEFACT_BYTES if _ARTEFACT.match(path) else _MOST_BYTES):
        raise _Refused("413 Content Too Large", "the body is too large")
    body = environ["wsgi.input"].read(int(text))
    if body:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or "json" not in environ.get("CONTENT_TYPE", ""):
            raise _Refused(
                "400 Bad Request", "the body is a JSON object, with Content-Type: application/json"
            )
    elif environ["REQUEST_METHOD"] in ("POST", "PUT") and "/preference/" not in path:
        raise _Refused("400 Bad Request", "the body is a JSON object")
    environ["CONTENT_LENGTH"], environ["wsgi.input"] = str(len(body)), io.BytesIO(body)


def _in_words(path: str) -> tuple[str, str]:
    """Status and sentence in place of an error of the dashboard's."""
    if _ARTEFACT.match(path):
        return "404 Not Found", "there is no such artefact"
    if "/plot/" in path:
        return "400 Bad Request", "this plot cannot be drawn from these trials"
    return "400 Bad Request", "the request cannot be carried out"


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
