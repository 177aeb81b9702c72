"""Small answers of our own: a sentence in plain text or JSON, or a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

Headers = Sequence[tuple[str, str]]


STUDY_PAGES = "/satisfice/studies/"  # before the name of a study: its page


def study_page(name: str) -> str:
    """The path of a study's page."""
    return STUDY_PAGES + quote(name, safe="")


def plain(start: StartResponse, status: str, sentence: str, further: Headers = ()) -> Iterable[bytes]:
    """Answer with a sentence."""
    return send(start, status, "text/plain; charset=utf-8", f"{sentence}\n".encode(), further)


def reason(start: StartResponse, status: str, sentence: str, further: Headers = ()) -> Iterable[bytes]:
    """Answer with a sentence in JSON, as optuna-dashboard's page shows it."""
    body = json.dumps({"reason": sentence}).encode()
    return send(start, status, "application/json", body, further)


def send(start: StartResponse, status: str, kind: str, body: bytes, further: Headers = ()) -> Iterable[bytes]:
    """Answer with a body of that content type."""
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *further])
    return [body]
