"""Small answers of our own: a sentence in plain text or JSON, or a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse

Headers = Sequence[tuple[str, str]]


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
