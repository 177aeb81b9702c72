"""Whether a database can be opened, and in one sentence why not."""

from __future__ import annotations

import time
from pathlib import Path

import sqlalchemy as sa

from satisfice.errors import CannotWrite, StorageError, StorageRefused
from satisfice.store.database import sqlite
from satisfice.store.database.engine import Database
from satisfice.store.database.failures import (
    COMES_BACK,
    is_crowded,
    is_locked,
    permanent,
    refuses,
    short_reason,
)
from satisfice.store.database.url import masked


def check_reachable(db: Database) -> None:
    """Connect once. A server that says that it is about to answer is waited for.

    Raises:
        StorageRefused: No server answers there.
        StorageLost: Another process keeps the file locked.
        CannotWrite: Its disk is full.
        StorageError: It cannot be opened for another reason. The password is never part of a sentence.
    """
    deadline = time.monotonic() + db.patience.patience_s
    while True:
        try:
            with db.read() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.DBAPIError as error:
            if time.monotonic() < deadline and any(words in str(error.orig) for words in COMES_BACK):
                time.sleep(1.0)
                continue
            lasting = permanent(error)
            if lasting is not None:
                said = f"cannot open the storage {masked(db.url)}: {lasting.said}"
                raise (CannotWrite if lasting.full else StorageError)(said, hint=lasting.hint) from None
            if is_locked(error):
                raise db.patience.lost(error, sqlite.BUSY_TIMEOUT_S) from None
            said = f"cannot open the storage {masked(db.url)}: "
            if db.dialect == "sqlite":
                hint = "check that it is a file of SQLite, or a new one in a folder that can be written"
                seen = sqlite.why_not_opened(Path(str(db.url.database)))
                reason, hint = seen or (short_reason(error), hint)
                raise StorageError(said + reason, hint=hint) from None
            said += short_reason(error)
            hint = "check that the server runs, and the URL's host, name and credentials"
            if is_crowded(error):
                hint = "start fewer workers, or raise the server's max_connections"
            raise (StorageRefused if refuses(error) else StorageError)(said, hint=hint) from None
        else:
            return
