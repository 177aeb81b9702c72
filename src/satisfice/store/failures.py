"""What a database's failure means: whether waiting helps, and what to say of it."""

from __future__ import annotations

import sqlite3

import sqlalchemy as sa

# PostgreSQL's words; psycopg gives no code when no connection could be made.
COMES_BACK = ("is starting up", "is shutting down", "in recovery mode", "not yet accepting connections")

# What is said where nothing listens, and where the other end goes away in the middle.
_REFUSES = (
    *("refused", "No such file or directory", "closed the connection", "Lost connection"),
    *("reset by peer", "timed out", "timeout expired"),
)

_AWAY_CODES = {
    # PostgreSQL: connection, shutdown, deadlock, too many, silent for too long
    "08", "57P01", "57P02", "57P03", "40001", "40P01", "53300", "25P03",
    # MySQL and MariaDB
    "2002", "2003", "2006", "2013", "2014", "1040", "1053", "1205", "1213", "1927", "4031",
}  # fmt: skip

_FULL = ("the disk of the database is full", "make room: nothing that finished is lost")
_READ_ONLY = (
    "the database is read-only",
    "let this user write it, and for SQLite its folder too",
)
_PERMANENT = {
    "disk is full": _FULL,
    "no space left": _FULL,
    "readonly database": _READ_ONLY,
    "read-only transaction": _READ_ONLY,
    "disk i/o error": ("the disk of the database does not answer", "nothing that finished is lost"),
}


def away(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may succeed later."""
    original = error.orig
    if error.connection_invalidated or isinstance(error, sa.exc.InterfaceError):
        return True
    if isinstance(original, sqlite3.OperationalError):
        return "locked" in str(original) or "busy" in str(original)
    code = str(
        getattr(original, "sqlstate", None) or (original.args[0] if original and original.args else "")
    )
    if any(code == c or (len(c) == 2 and code.startswith(c) and len(code) == 5) for c in _AWAY_CODES):
        return True
    # psycopg gives no code when no connection could be made at all.
    return isinstance(error, sa.exc.OperationalError) and getattr(original, "sqlstate", "set") is None


def refuses(error: sa.exc.DBAPIError) -> bool:
    """Whether no server answers at the address, which may change; no word of what it would say."""
    words = str(error.orig)
    return "FATAL" not in words and any(sign in words for sign in _REFUSES)


def permanent(error: sa.exc.DBAPIError) -> tuple[str, str] | None:
    """What is wrong, and what to do about it, where waiting would not help; else None."""
    text = str(error.orig).lower()
    return next((found for sign, found in _PERMANENT.items() if sign in text), None)


def short_reason(error: sa.exc.DBAPIError) -> str:
    """The driver's words without the statement; drivers name user and host, never the password."""
    words = str(error.orig).strip().splitlines()
    return words[0] if words else type(error.orig).__name__
