"""Passwords in storage URLs: found however they are written, and hidden. Imports nothing heavy."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

# As SQLAlchemy reads a URL: a user name may hold an @, a password may not.
_SERVER = re.compile(
    r"(?P<scheme>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?P<rest>.*)", re.DOTALL
)
_SECRET_KEY = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)


def is_sqlite(url: str) -> bool:
    """Whether the URL names a file: all that follows is a path, and no password is in it."""
    scheme, _, rest = url.partition("://")
    return scheme.partition("+")[0] == "sqlite" and rest[:1] in ("", "/")


def passwords(url: str) -> set[str]:
    """Every spelling of every password in a URL: as written, decoded, and encoded.

    A password that holds an @ reaches up to the last @.
    """
    found = _SERVER.match(url)
    if found is None or is_sqlite(url):
        return set()
    user, colon, to_the_last = url.partition("://")[2].rpartition("@")[0].partition(":")
    written = {found["password"] or "", to_the_last if colon and "/" not in user else ""}
    pairs = parse_qsl(found["rest"].partition("?")[2])
    written |= {value for key, value in pairs if _SECRET_KEY.search(key)}
    return {
        spelling
        for secret in written
        for spelling in (secret, unquote(secret), quote(unquote(secret), safe=""))
        if spelling
    }


def hidden(url: str) -> str:
    """The URL without its query, and with ``***`` for all between the user name and the last @."""
    if is_sqlite(url):
        return url
    scheme, _, rest = url.partition("://")
    userinfo, at, address = rest.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}{at}{address.partition('?')[0]}"


def splits_at_an_at(url: str) -> bool:
    """Whether an unescaped @ in the password would make a part of it the host, the database or an option."""
    found = _SERVER.match(url)
    if found is None or is_sqlite(url) or found["password"] is None:
        return False
    address, _, query = found["rest"].partition("?")
    return "@" in address or any("@" in part and "=" not in part for part in query.split("&"))
