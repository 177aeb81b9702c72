"""Storage URLs: defaults, drivers, and passwords that are never shown."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from satisfice.errors import MissingExtra, StorageError

DEFAULT_URL = "sqlite:///satisfice.db"
ENVIRONMENT_VARIABLE = "SATISFICE_STORAGE"
MEMORY = "sqlite://"

_SQLITE = ("sqlite", "sqlite+pysqlite")
# Bare names get the driver that our extras install.
_DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgres": ("postgresql+psycopg", "psycopg", "postgres"),
    "postgresql+psycopg": ("postgresql+psycopg", "psycopg", "postgres"),
    "mysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mariadb": ("mysql+pymysql", "pymysql", "mysql"),
    "mysql+pymysql": ("mysql+pymysql", "pymysql", "mysql"),
    "mariadb+pymysql": ("mysql+pymysql", "pymysql", "mysql"),
}


def resolve(url: str | None) -> sa.URL:
    """The URL to use: the argument, else ``SATISFICE_STORAGE``, else SQLite in the working directory.

    Raises:
        StorageError: It is no database URL, or a kind of database that is not supported.
        MissingExtra: Its driver is not installed.
    """
    text = url or os.environ.get(ENVIRONMENT_VARIABLE) or DEFAULT_URL
    try:
        parsed = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise StorageError(
            "the storage URL is not a database URL",
            hint=f"for instance {DEFAULT_URL} or postgresql://user@host/name",
        ) from None
    if parsed.drivername in _SQLITE:
        return _sqlite_file(parsed)
    if parsed.drivername not in _DRIVERS:
        bare = parsed.get_backend_name()
        known = bare in _DRIVERS or bare in _SQLITE
        raise StorageError(
            f"the storage {parsed.drivername!r} is not supported",
            hint=f"leave the driver out: {bare}://..."
            if known
            else "use sqlite, postgresql, mysql or mariadb",
        )
    drivername, module, extra = _DRIVERS[parsed.drivername]
    if find_spec(module) is None:
        raise MissingExtra(module, extra)
    return parsed.set(drivername=drivername)


def _sqlite_file(url: sa.URL) -> sa.URL:
    """The URL with an absolute path, or of a database in memory.

    Raises:
        StorageError: It names a host, or is SQLite's own kind of URI.
    """
    if url.host is not None:
        path = "/".join(part for part in (url.host, url.database) if part)
        raise StorageError(
            f"the storage sqlite://{path} names a host, which SQLite has none of",
            hint=f"three slashes before a relative path, four before an absolute one: sqlite:///{path}",
        )
    if is_memory(url):
        return sa.make_url(MEMORY)
    if str(url.database).startswith("file:"):
        raise StorageError("the storage is a URI of SQLite's own", hint="write sqlite:///path/to/file.db")
    return url.set(database=str(Path(str(url.database)).absolute()))


def masked(url: sa.URL | str) -> str:
    """The URL with the password replaced by ``***``, without the query, which may hold secrets too."""
    parsed = sa.make_url(url)
    return parsed.set(query={}).render_as_string(hide_password=True)


def is_memory(url: sa.URL) -> bool:
    """Whether the database lives in this process only."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
