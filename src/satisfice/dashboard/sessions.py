"""Visitors who signed in on the login page: what their cookie stands for, and for how long."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

COOKIE = "satisfice_session"
LASTS_S = 12 * 3600  # a day at work
_MOST = 1000  # sessions kept; the oldest goes first


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """One visitor in one browser."""

    until: float  # monotonic seconds
    may_write: bool


class Sessions:
    """Sessions by the digest of their cookie: who reads this memory finds no cookie in it.

    They end with the process.

    Args:
        clock: In seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[bytes, SignedIn] = {}
        self._lock = threading.Lock()

    def begin(self, *, may_write: bool) -> str:
        """The header ``Set-Cookie`` of a new session."""
        secret = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            self._open = {key: s for key, s in self._open.items() if s.until > now}
            while len(self._open) >= _MOST:
                del self._open[next(iter(self._open))]
            self._open[_key(secret)] = SignedIn(until=now + LASTS_S, may_write=may_write)
        return f"{COOKIE}={secret}; HttpOnly; SameSite=Strict; Path=/; Max-Age={LASTS_S}"

    def of(self, cookies: str) -> SignedIn | None:
        """The session that a request's ``Cookie`` header names, while it lasts."""
        secret = _secret(cookies)
        if secret is None:
            return None
        with self._lock:
            found = self._open.get(_key(secret))
        return found if found is not None and found.until > self._clock() else None

    def end(self, cookies: str) -> str:
        """End the session of a request; the header ``Set-Cookie`` that removes the cookie."""
        secret = _secret(cookies)
        if secret is not None:
            with self._lock:
                self._open.pop(_key(secret), None)
        return f"{COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _secret(cookies: str) -> str | None:
    try:
        morsel = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value
