"""What a database's failure means: whether waiting helps, and what to say of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import sqlalchemy as sa

# PostgreSQL's words; psycopg gives no code when no connection could be made.
COMES_BACK = ("is starting up", "is shutting down", "in recovery mode", "not yet accepting connections")

# What is said where nothing listens, and where the other end goes away in the middle.
_REFUSES = (
    *("refused", "No such file or directory", "closed the connection", "Lost connection"),
    *("reset by peer", "timed out", "timeout expired"),
)

_CROWDED = ("too many clients", "too many connections", "remaining connection slots")

_AWAY_CODES = {
    # PostgreSQL: connection, shutdown, deadlock, too many, silent for too long
    "08", "57P01", "57P02", "57P03", "40001", "40P01", "53300", "25P03",
    # MySQL and MariaDB
    "2002", "2003", "2006", "2013", "2014", "1040", "1053", "1205", "1213", "1927", "4031",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lasting:
    """A failure that waiting does not end."""

    said: str
    hint: str
    full: bool = False  # the input is right: there is no room for more


_FULL = Lasting("the disk of the database is full", "make room: nothing that finished is lost", full=True)
_QUOTA = Lasting(
    "the disk quota of the database is used up",
    "make room, or have the quota raised: nothing that finished is lost",
    full=True,
)
_READ_ONLY = Lasting("the database is read-only", "let this user write it, and for SQLite its folder too")
_DAMAGED = Lasting(
    "the database file is damaged",
    "restore a backup, or save what can be read: sqlite3 FILE .recover | sqlite3 NEW",
)
_FOREIGN = Lasting("the file is no SQLite database", "name another file")
_NO_TABLES = Lasting(
    "the database lacks tables or columns of satisfice",
    "restore it from a backup, or name an empty database",
)
_DENIED = Lasting("this database user lacks a permission", "grant it all rights on this database")
# Words in lower case, and codes of PostgreSQL and MySQL.
_PERMANENT = {
    "disk is full": _FULL,
    "disk full": _FULL,
    "no space left": _FULL,
    "error 28 from storage": _FULL,
    "errcode: 28": _FULL,
    "quota exceeded": _QUOTA,
    "readonly database": _READ_ONLY,
    "read-only transaction": _READ_ONLY,
    "--read-only option": _READ_ONLY,
    "disk i/o error": Lasting("the disk of the database does not answer", "nothing that finished is lost"),
    "malformed": _DAMAGED,
    "not a database": _FOREIGN,
    "no such table": _NO_TABLES,
    "no such column": _NO_TABLES,
}
_PERMANENT_CODES = {
    **dict.fromkeys(("53100", "1021", "1114"), _FULL),
    **dict.fromkeys(("25006", "1290", "1792"), _READ_ONLY),
    **dict.fromkeys(("42P01", "42703", "1146", "1054"), _NO_TABLES),
    **dict.fromkeys(("42501", "1142", "1143"), _DENIED),
    **dict.fromkeys(("XX001", "XX002"), Lasting("the database is damaged", "restore it from a backup")),
}


def away(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed later."""
    original = error.orig
    if error.connection_invalidated or isinstance(error, sa.exc.InterfaceError):
        return True
    if isinstance(original, sqlite3.OperationalError):
        return "locked" in str(original) or "busy" in str(original)
    code = _code(original)
    if any(code == c or (len(c) == 2 and code.startswith(c) and len(code) == 5) for c in _AWAY_CODES):
        return True
    # psycopg gives no code when no connection could be made at all.
    return isinstance(error, sa.exc.OperationalError) and getattr(original, "sqlstate", "set") is None


def refuses(error: sa.exc.DBAPIError) -> bool:
    """Whether no server answers at the address, which may change; no word of what it would say."""
    words = str(error.orig)
    return is_crowded(error) or ("FATAL" not in words and any(sign in words for sign in _REFUSES))


def is_crowded(error: sa.exc.DBAPIError) -> bool:
    """Whether the server has no connection left."""
    words = str(error.orig).lower()
    return any(sign in words for sign in _CROWDED)


def permanent(error: sa.exc.DBAPIError) -> Lasting | None:
    """What is wrong, and what to do about it, where waiting would not help; else None."""
    text = str(error.orig).lower()
    by_words = next((found for sign, found in _PERMANENT.items() if sign in text), None)
    return by_words or _PERMANENT_CODES.get(_code(error.orig))


def is_locked(error: sa.exc.DBAPIError) -> bool:
    """Whether another process holds a SQLite file."""
    return isinstance(error.orig, sqlite3.OperationalError) and "locked" in str(error.orig)


def _code(original: BaseException | None) -> str:
    """The server's code: five letters of PostgreSQL, a number of MySQL; empty where there is none."""
    args = original.args if original is not None else ()
    return str(getattr(original, "sqlstate", None) or (args[0] if args else ""))


def short_reason(error: sa.exc.DBAPIError) -> str:
    """The driver's words without the statement; drivers name user and host, never the password."""
    args = error.orig.args if error.orig is not None else ()
    # MySQL's driver gives a number and a sentence.
    said = args[1] if len(args) == 2 and isinstance(args[0], int) else error.orig
    words = str(said).strip().splitlines()
    return words[0] if words else type(error.orig).__name__
