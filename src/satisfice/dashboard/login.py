"""The login page: a token is typed once, and a cookie stands for it from then on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from satisfice.dashboard.answers import plain, send
from satisfice.dashboard.sessions import Sessions
from satisfice.dashboard.tokens import Tokens

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LOGIN, LOGOUT = "/satisfice/login", "/satisfice/logout"
PAGE_HEADERS = [
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    ),
]

_MOST_BYTES = 4096  # of a form with one token
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
main { max-width: 24rem; margin: 15vh auto 0; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { margin-top: .5rem; padding: .5rem }
</style>
</head>
<body>
<main>
<h1>Sign in</h1>
SAID
<form method="post" action="/satisfice/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
</form>
</main>
</body>
</html>
"""


def login_page(said: str = "") -> bytes:
    """The page, in UTF-8.

    Args:
        said: A sentence above the form; it is put into the page as it is.
    """
    return _PAGE.replace("SAID", f'<p role="alert">{said}</p>' if said else "").encode()


class Login:
    """Answers the addresses of signing in and out.

    Args:
        tokens: What is asked for.
        sessions: Where a visitor who knows one is remembered.
    """

    def __init__(self, tokens: Tokens, sessions: Sessions) -> None:
        self._tokens = tokens
        self._sessions = sessions

    def answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes] | None:
        """Answer a request for one of these addresses; None for any other."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if path not in (LOGIN, LOGOUT) or not self._tokens.any:
            return None
        if method == "POST":
            return self._sign_in(environ, start) if path == LOGIN else self._sign_out(environ, start)
        if path == LOGIN and method in ("GET", "HEAD"):
            return send(start, "200 OK", "text/html; charset=utf-8", login_page(), PAGE_HEADERS)
        return plain(start, "405 Method Not Allowed", "not here", [("Allow", "POST")])

    def _sign_in(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        rights = self._tokens.rights(_typed(environ))
        if not rights.read:
            page = login_page("That token is not known here.")
            return send(start, "401 Unauthorized", "text/html; charset=utf-8", page, PAGE_HEADERS)
        cookie = self._sessions.begin(may_write=rights.write)
        return _go(start, "/", cookie)

    def _sign_out(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        return _go(start, LOGIN, self._sessions.end(environ.get("HTTP_COOKIE", "")))


def _go(start: StartResponse, path: str, cookie: str) -> Iterable[bytes]:
    further = [("Location", path), ("Set-Cookie", cookie), ("Cache-Control", "no-store")]
    return plain(start, "303 See Other", "see there", further)


def _typed(environ: WSGIEnvironment) -> str | None:
    """The token in the form; None where there is none."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > _MOST_BYTES:
        return None
    try:
        form = parse_qs(environ["wsgi.input"].read(int(length)).decode("ascii"), max_num_fields=8)
    except ValueError:  # no form
        return None
    typed = form.get("token")
    return typed[0] if typed else None
