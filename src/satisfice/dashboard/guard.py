"""What stands before the dashboard, which has no authentication and takes any Host header.

A page on the net could otherwise point its own name at 127.0.0.1 (DNS rebinding) and read or delete studies
through the reader's browser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from satisfice.addresses import may_call

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK: Collection[str] = ("localhost", "127.0.0.1", "::1")

_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
]


class Guard:
    """Refuses foreign host names, writes unless allowed, and writes that another site's page sends.

    Args:
        inner: The application behind.
        allow_writes: Let methods other than GET and HEAD pass.
        allowed_hosts: Names a request may carry in Host. Numeric addresses pass: they cannot be rebound.
    """

    def __init__(self, inner: WSGIApplication, *, allow_writes: bool, allowed_hosts: Collection[str]) -> None:
        self._inner = inner
        self._allow_writes = allow_writes
        self._hosts = {name.lower().rstrip(".") for name in allowed_hosts}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer or refuse one request."""
        host = environ.get("HTTP_HOST", "")
        if not may_call(host, self._hosts):
            return _refuse(start_response, "403 Forbidden", f"unknown host {host!r}")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            if not self._allow_writes:
                return _refuse(start_response, "405 Method Not Allowed", "the dashboard is read-only")
            origin = environ.get("HTTP_ORIGIN")
            if origin is not None and origin.lower().partition("://")[2] != host.lower():
                return _refuse(start_response, "403 Forbidden", "a page of another site may not write")

        environ.setdefault("HTTP_ACCEPT_ENCODING", "")  # a proxy may drop it, the dashboard's pages need it

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            return start_response(status, [*headers, *_HEADERS])

        return self._inner(environ, start)  # type: ignore[arg-type]  # exc_info is handled by the server's own start


def _refuse(start_response: StartResponse, status: str, reason: str) -> Iterable[bytes]:
    body = (reason + "\n").encode()
    allow = [("Allow", "GET, HEAD")] if status.startswith("405") else []
    plain = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, [*plain, *allow, *_HEADERS])
    return [body]
