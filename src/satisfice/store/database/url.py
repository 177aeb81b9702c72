"""Storage URLs: defaults, drivers, paths of SQLite files, and passwords that are never shown."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote

import sqlalchemy as sa

from satisfice.errors import MissingExtra, StorageError
from satisfice.store.database.secret import hidden, splits_at_an_at

DEFAULT_URL = "sqlite:///satisfice.db"
ENVIRONMENT_VARIABLE = "SATISFICE_STORAGE"
MEMORY = "sqlite://"

_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?://(?P<rest>.*)", re.DOTALL)
# Options of the driver, and of SQLite itself, as people write them behind a path. Any other ? is the path's.
_DRIVER_OPTION = re.compile(
    r"timeout=[\d.]+|detect_types=\d+|cached_statements=\d+|isolation_level=\w*"
    r"|check_same_thread=(?:true|false|[01])",
    re.IGNORECASE,
)
_SQLITE_OPTION = re.compile(
    r"mode=(?:ro|rwc?|memory)|cache=(?:shared|private)|(?:uri|immutable|nolock)=(?:true|false|[01])",
    re.IGNORECASE,
)
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


def named(url: str | None, *, default: str = DEFAULT_URL) -> str:
    """The URL to use, as it is written: the argument, else ``SATISFICE_STORAGE``, else ``default``.

    The one place that decides where studies are stored when nobody says so. Whoever opens a storage passes on
    what was given, None too.

    Raises:
        StorageError: It is empty. An unset shell variable must not lead to another database in silence.
    """
    text, where = url, "the storage"
    if text is None:
        text, where = os.environ.get(ENVIRONMENT_VARIABLE), ENVIRONMENT_VARIABLE
    if text is not None and not text.strip():
        hint = f"for instance {DEFAULT_URL}"
        raise StorageError(f"{where} is empty", hint=hint if url is not None else f"{hint}, or unset it")
    return default if text is None else text


def resolve(url: str | None, *, default: str = DEFAULT_URL) -> sa.URL:
    """The URL to use: the argument, else ``SATISFICE_STORAGE``, else ``default``.

    Args:
        url: As it was given; None where nobody said where.
        default: SQLite in the working directory; ``MEMORY`` for a study that a program makes.

    Raises:
        StorageError: It is empty, no database URL, or a kind of database that is not supported.
        MissingExtra: Its driver is not installed.
    """
    text = named(url, default=default)
    file = _SQLITE.fullmatch(text)
    return _sqlite_file(file["rest"]) if file is not None else _server(text)


def _server(text: str) -> sa.URL:
    if splits_at_an_at(text):
        raise StorageError(
            f"the password in the storage URL {hidden(text)} holds an @", hint="write %40 for each @ in it"
        )
    try:
        parsed = sa.make_url(text)
    except sa.exc.ArgumentError:
        is_path = ":" not in text and text.strip().endswith((".db", ".sqlite", ".sqlite3"))
        example = f"sqlite:///{text.strip()}" if is_path else f"{DEFAULT_URL} or postgresql://user@host/name"
        raise StorageError("the storage URL is not a database URL", hint=f"for instance {example}") from None
    except ValueError:  # not repeated: where the user name was forgotten, it is the password
        raise StorageError(
            "the storage URL has a port that is no number",
            hint="write scheme://user:password@host:port/name, with %3A for a colon in the user name",
        ) from None
    if parsed.drivername not in _DRIVERS:
        bare = parsed.get_backend_name()
        raise StorageError(
            f"the storage {parsed.drivername!r} is not supported",
            hint=f"leave the driver out: {bare}://..."
            if bare in (*_DRIVERS, "sqlite")
            else "use sqlite, postgresql, mysql or mariadb",
        )
    drivername, module, extra = _DRIVERS[parsed.drivername]
    if find_spec(module) is None:
        raise MissingExtra(module, extra)
    return parsed.set(drivername=drivername)


def _sqlite_file(rest: str) -> sa.URL:
    """The URL of a file, with an absolute path, or of a database in memory.

    Args:
        rest: What follows ``sqlite://``. Behind its first slash all of it is the path: also ?, # and %.

    Raises:
        StorageError: It names a host, options, or is SQLite's own kind of URI.
    """
    if rest and not rest.startswith("/"):
        path = hidden(f"sqlite://{rest}").removeprefix("sqlite://")
        raise StorageError(
            f"the storage sqlite://{path} names a host, which SQLite has none of",
            hint=f"three slashes before a relative path, four before an absolute one: sqlite:///{path}",
        )
    path = rest[1:]
    if path.startswith("file:"):
        raise StorageError("the storage is a URI of SQLite's own", hint="write sqlite:///path/to/file.db")
    plain, question, behind = path.partition("?")
    options = behind.split("&") if question else []
    if options and all(_DRIVER_OPTION.fullmatch(o) or _SQLITE_OPTION.fullmatch(o) for o in options):
        if any(_SQLITE_OPTION.fullmatch(o) for o in options):
            raise StorageError(
                f"the storage sqlite:///{path} has options of SQLite, which satisfice sets itself",
                hint=f"write sqlite:///{plain}",
            )
        path = plain
    else:
        options = []
    if "\0" in path:
        raise StorageError("the path of the storage holds a null character", hint="take it out")
    if path in ("", ":memory:"):
        return sa.make_url(MEMORY)
    query = dict(option.split("=", 1) for option in options)
    return sa.URL.create("sqlite", database=str(_as_meant(path).absolute()), query=query)


def _as_meant(path: str) -> Path:
    """The path as it is written; decoded where only that leads somewhere, since SQLAlchemy 2.1 decodes it."""
    written, decoded = Path(path), Path(unquote(path))
    if written.exists() or decoded == written:
        return written
    leads = decoded.exists() or (decoded.parent.is_dir() and not written.parent.is_dir())
    return decoded if leads else written


def address(url: sa.URL) -> str:
    """The URL as text, with its password: `resolve` reads it back, in a worker for instance."""
    file = _of_file(url)
    if file is None:
        return url.render_as_string(hide_password=False)
    options = "&".join(f"{name}={value}" for name, value in url.query.items())
    return f"{file}?{options}" if options else file


def for_optuna(url: sa.URL) -> str:
    """The URL as text for Optuna, which parses it as SQLAlchemy does and fills it in like a template."""
    text = address(url)
    if url.get_backend_name() == "sqlite" and not is_memory(url):
        encoded = quote(str(url.database))
        # Version 2.1 of SQLAlchemy decodes the path and 2.0 does not.
        options = text.removeprefix(f"sqlite:///{url.database}")
        readings = (text, f"sqlite:///{encoded}{options}")
        right = [each for each in readings if _parts(sa.make_url(each)) == _parts(url)]
        text = right[0] if right else f"sqlite:///file:{encoded}?uri=true"
    return text.replace("{", "{{").replace("}", "}}")


def _parts(url: sa.URL) -> tuple[str | None, object]:
    return url.database, url.query


def _of_file(url: sa.URL) -> str | None:
    """The URL of a SQLite file with its path as it is; SQLAlchemy would encode a part of it."""
    return None if url.get_backend_name() != "sqlite" or is_memory(url) else f"sqlite:///{url.database}"


def masked(url: sa.URL) -> str:
    """The URL with the password replaced by ``***``, without the query, which may hold secrets too."""
    return _of_file(url) or url.set(query={}).render_as_string(hide_password=True)


def is_memory(url: sa.URL) -> bool:
    """Whether the database lives in this process only."""
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
