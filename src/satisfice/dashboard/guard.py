"""What stands before the dashboard, which has no authentication and takes any Host header.

A page on the net could otherwise point its own name at 127.0.0.1 (DNS rebinding) and read or delete studies
through the reader's browser.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from satisfice.addresses import may_call
from satisfice.dashboard.answers import Headers, plain, send
from satisfice.dashboard.login import PAGE_HEADERS, Login, login_page
from satisfice.dashboard.sessions import Sessions
from satisfice.dashboard.tokens import Rights, Tokens
from satisfice.tokens import sent_in

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK: Collection[str] = ("localhost", "127.0.0.1", "::1")

_READING = ("GET", "HEAD")
_FROM_HERE = ("same-origin", "none")  # of Sec-Fetch-Site: our own pages, or what a person typed
_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


class Guard:
    """Asks for a token; refuses foreign host names, other sites' pages, and writes unless they are allowed.

    Args:
        inner: The application behind.
        allow_writes: Let methods other than GET and HEAD pass.
        allowed_hosts: Names a request may carry in Host. Numeric addresses pass: they cannot be rebound.
        tokens: What visitors must know.
    """

    def __init__(
        self,
        inner: WSGIApplication,
        *,
        allow_writes: bool,
        allowed_hosts: Collection[str],
        tokens: Tokens | None = None,
    ) -> None:
        self._inner = inner
        self._allow_writes = allow_writes
        self._hosts = {name.lower().rstrip(".") for name in allowed_hosts}
        self._tokens = tokens or Tokens()
        self._sessions = Sessions()
        self._login = Login(self._tokens, self._sessions)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer or refuse one request."""

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> object:
            return start_response(status, [*headers, *_HEADERS])

        return self._answer(environ, start)  # type: ignore[arg-type]  # exc_info is handled by the server's own start

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        rights = self._rights(environ)
        stranger = self._stranger(environ)
        if stranger is None:
            signed = self._login.answer(environ, start)
            if signed is not None:
                return signed
        if not rights.read:
            return _ask(environ, start)
        if stranger is not None:
            return plain(start, "403 Forbidden", stranger)
        if environ["REQUEST_METHOD"] not in _READING:
            if not self._allow_writes:
                allow = [("Allow", ", ".join(_READING))]
                return plain(start, "405 Method Not Allowed", "the dashboard is read-only", allow)
            if not rights.write:
                return plain(start, "403 Forbidden", "the token for writing is needed")
        environ.setdefault("HTTP_ACCEPT_ENCODING", "")  # a proxy may drop it, the dashboard's pages need it
        return self._inner(environ, start)

    def _rights(self, environ: WSGIEnvironment) -> Rights:
        """What the request may do, by a token it sends or a cookie that stands for one, never by its URL."""
        sent = self._tokens.rights(sent_in(environ.get("HTTP_AUTHORIZATION", "")))
        session = self._sessions.of(environ.get("HTTP_COOKIE", ""))
        if session is None:
            return sent
        return Rights(read=True, write=sent.write or session.may_write)

    def _stranger(self, environ: WSGIEnvironment) -> str | None:
        """Why the request does not come from whom it should; None where it does."""
        host = environ.get("HTTP_HOST", "")
        if not may_call(host, self._hosts):
            return f"unknown host {host!r}"
        reading = environ["REQUEST_METHOD"] in _READING
        origin = environ.get("HTTP_ORIGIN")
        site = environ.get("HTTP_SEC_FETCH_SITE")
        foreign = origin is not None and origin.lower() not in (
            f"http://{host.lower()}",
            f"https://{host.lower()}",  # behind a proxy
        )
        if foreign or not (site is None or site in _FROM_HERE or (reading and _is_link(environ))):
            return f"a page of another site may not {'read' if reading else 'write'}"
        return None


def _is_link(environ: WSGIEnvironment) -> bool:
    """Whether a link was followed to the dashboard's page, which holds nothing of a study yet."""
    path = environ.get("PATH_INFO", "")
    shell = path in ("", "/") or path == "/dashboard" or path.startswith("/dashboard/")
    modes = environ.get("HTTP_SEC_FETCH_MODE"), environ.get("HTTP_SEC_FETCH_DEST")
    return shell and modes == ("navigate", "document")


def _ask(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Ask for the token, a person by a form; nothing else is told."""
    asked: Headers = [("WWW-Authenticate", "Bearer")]
    if "text/html" in environ.get("HTTP_ACCEPT", "") and environ["REQUEST_METHOD"] in _READING:
        # Without Basic here: the browser's own window would stand before the form.
        further = [*asked, *PAGE_HEADERS]
        return send(start, "401 Unauthorized", "text/html; charset=utf-8", login_page(), further)
    further = [*asked, ("WWW-Authenticate", 'Basic realm="satisfice"'), ("Cache-Control", "no-store")]
    return plain(start, "401 Unauthorized", "a token is needed: Authorization: Bearer TOKEN", further)
