"""SQLite's connections: their settings, and how their transactions begin."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

BUSY_TIMEOUT_S = 60.0
_LOOK_AGAIN_S = (0.0005, 0.004)  # at the write lock


def why_not_opened(path: Path) -> tuple[str, str] | None:
    """What keeps SQLite from opening a file, and what to do about it; None where that cannot be seen."""
    if path.is_dir():
        return "it is a folder", f"name a file in it, for instance sqlite:///{path / 'satisfice.db'}"
    if not os.access(path.parent, os.W_OK):
        return (
            f"its folder {path.parent} cannot be written, and SQLite keeps files beside its own",
            "let this user write there, or copy the database to another folder",
        )
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return "this user may not read and write the file", "have its permissions changed"
    return None


def pragmas(connection: Any, _record: Any) -> None:
    """Set up a connection of ours."""
    connection.isolation_level = None  # transactions begin where we say
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
    cursor.close()


def optuna_pragmas(connection: Any, _record: Any) -> None:
    """Set up a connection of Optuna's, whose transactions begin where its driver says."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
    cursor.close()


def begin(connection: sa.Connection) -> None:
    """Begin as the drivers of other databases do: below what SQLAlchemy counts as statements."""
    options = connection.get_execution_options()
    if options.get("satisfice_single", False):
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        if options.get("satisfice_write", False):
            _lock(driver)
        else:
            driver.execute("BEGIN")
    except sqlite3.Error as error:
        raise sa.exc.OperationalError("BEGIN", None, error) from error


def _lock(driver: sqlite3.Connection) -> None:
    """Take the write lock. SQLite's own waiting looks only every tenth of a second once many want it."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
            else:
                return
            time.sleep(random.uniform(*_LOOK_AGAIN_S))  # noqa: S311  # jitter, no secret
    finally:
        driver.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
