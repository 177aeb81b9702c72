"""The schema of a database: Optuna's tables and ours, created once and kept current, whoever comes first.

Ours are described by Alembic revisions with a version table of their own, so that Optuna's and ours can be
created in either order and Optuna's are never touched. The scripts live in the checkout's ``alembic/`` and in
``satisfice/store/migrations`` of a wheel. Alembic is imported where something is to be migrated.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from satisfice.errors import StorageError
from satisfice.store.database.engine import Database
from satisfice.store.database.foreign import refuse_foreign
from satisfice.store.database.reachable import check_reachable
from satisfice.store.database.sqlite import BUSY_TIMEOUT_S
from satisfice.store.database.url import for_optuna, masked
from satisfice.store.optuna_rows import SCHEMA_VERSION
from satisfice.store.tables import VERSION_TABLE, metadata

if sys.platform != "win32":
    import fcntl

LOCK_WAIT_S = 300
_SLICE_S = 30
_POSTGRES_LIMITS = ["idle_in_transaction_session_timeout", "transaction_timeout", "statement_timeout"]
_LOCK_KEY = 0x5A71_5F1C  # of the advisory lock; any number that others are unlikely to use
_CREATION_TRIES = 5

_version = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))
_optuna_version = sa.table("version_info", sa.column("schema_version", sa.Integer))


def ensure_ready(db: Database) -> None:
    """Make the database usable: two cheap reads when it is current, else create or upgrade under a lock.

    Any number of processes may call this at once, also on an empty database.

    Raises:
        StorageError: It cannot be reached, or its tables are of a newer satisfice or an unsupported Optuna.
    """
    if _is_ready(db):
        return
    check_reachable(db)
    if _is_ready(db):  # it was away for a moment
        return
    with db.patience.in_words(), _alone(db):
        _refuse_newer(db)
        refuse_foreign(db)
        _create_optuna_tables(db)
        _upgrade(db, "head")


def upgrade(db: Database, revision: str = "head") -> None:
    """Bring our tables to a revision without losing a row; Optuna's tables are left as they are.

    Raises:
        StorageError: It cannot be reached, the revision is unknown, or the tables are of a newer satisfice.
    """
    check_reachable(db)
    with db.patience.in_words(), _alone(db):
        _upgrade(db, revision)


def downgrade(db: Database, revision: str) -> None:
    """Take our tables back to a revision; ``"base"`` drops them with what they hold. Optuna's stay.

    Raises:
        StorageError: It cannot be reached, the revision is unknown, or the tables are of a newer satisfice.
    """
    check_reachable(db)
    with db.patience.in_words(), _alone(db):
        _refuse_newer(db)
        _run(db, "downgrade", revision)


def current(db: Database) -> str | None:
    """The revision of our tables, None before they exist.

    Raises:
        StorageError: The database cannot be reached.
    """
    if db.dialect == "sqlite" and not db.in_memory and not Path(str(db.url.database)).exists():
        return None  # connecting would create the file
    check_reachable(db)
    with db.patience.in_words(), db.read() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        revision: str | None = connection.execute(sa.select(_version.c.version_num)).scalar()
        return revision


def head() -> str:
    """The newest revision that this satisfice knows, by the names of the scripts, which count up."""
    names = (path.name for path in (scripts() / "versions").glob("[0-9]*_*.py"))
    return max(name.partition("_")[0] for name in names)


def scripts() -> Path:
    """The folder of the migration scripts: inside the installed package, else in the checkout.

    Raises:
        StorageError: Neither is there: the installation is damaged.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "migrations", here.parents[3] / "alembic"):
        if (folder / "env.py").is_file():
            return folder
    raise StorageError("this installation lacks the migration scripts", hint="install satisfice again")


@cache
def _revisions() -> tuple[str, ...]:
    """All known revisions, newest first."""
    from alembic.script import ScriptDirectory

    return tuple(script.revision for script in ScriptDirectory(str(scripts())).walk_revisions())


def _is_ready(db: Database) -> bool:
    """Whether nothing is to be done; False also where it cannot be told cheaply."""
    try:
        with db.read() as connection:
            ours = connection.execute(sa.select(_version.c.version_num)).scalar()
            theirs = connection.execute(sa.select(_optuna_version.c.schema_version)).scalar()
    except sa.exc.DBAPIError:
        return False  # a table is missing or the server is away: the slow way finds out which
    if ours is None or theirs is None:
        return False
    _check_optuna(db, theirs)
    return bool(ours == head())


def _check_optuna(db: Database, schema: int) -> None:
    if schema != SCHEMA_VERSION:
        raise StorageError(
            f"{masked(db.url)} has Optuna's tables in schema {schema}, and satisfice needs {SCHEMA_VERSION}",
            hint="bring them up with `optuna storage upgrade` of Optuna 5"
            if schema < SCHEMA_VERSION
            else "upgrade satisfice and optuna",
        )


def _create_optuna_tables(db: Database) -> None:
    """Let Optuna create its tables, and check that they are of the version we know."""
    for tries_left in reversed(range(_CREATION_TRIES)):
        try:
            _open_optuna(db)
            break
        except sa.exc.DBAPIError:
            # A plain Optuna process, which knows no lock, creates the same tables at this moment.
            if tries_left == 0:
                raise
            time.sleep(0.2)
        except RuntimeError as error:  # how Optuna refuses tables of another version
            raise StorageError(f"{masked(db.url)}: {error}") from None
    with db.read() as connection:
        schema = connection.execute(sa.select(_optuna_version.c.schema_version)).scalar_one()
    _check_optuna(db, schema)


def _open_optuna(db: Database) -> None:
    arguments: dict[str, Any] = {"poolclass": sa.NullPool}
    if db.in_memory:
        # Both engines share the one connection that holds the database.
        with db.engine.connect() as connection:
            shared = connection.connection.driver_connection
        arguments = {"poolclass": sa.StaticPool, "creator": lambda: shared}
    elif db.dialect == "sqlite":
        arguments["connect_args"] = {"timeout": BUSY_TIMEOUT_S}
    from optuna.storages import RDBStorage

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental engine arguments of Optuna
        storage = RDBStorage(for_optuna(db.url), engine_kwargs=arguments)
    storage.remove_session()
    if not db.in_memory:
        storage.engine.dispose()


def _upgrade(db: Database, revision: str) -> None:
    if _refuse_newer(db) is None:
        _drop_unfinished(db)
    _run(db, "upgrade", revision)


def _refuse_newer(db: Database) -> str | None:
    """The current revision, if it is one we know."""
    revision = current(db)
    if revision is not None and revision not in _revisions():
        raise StorageError(
            f"the tables in {masked(db.url)} have revision {revision}, of a newer satisfice",
            hint="upgrade satisfice: pip install --upgrade satisfice",
        )
    return revision


def _drop_unfinished(db: Database) -> None:
    """Remove empty tables of a first migration that died half-way: MySQL commits each CREATE TABLE."""
    with db.write() as connection:
        present = sa.inspect(connection).get_table_names()
        ours = [table for table in metadata.sorted_tables if table.name in present]
        for table in ours:
            if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one():
                raise StorageError(
                    f"{masked(db.url)} has satisfice's tables with rows but no revision",
                    hint=f"the table {VERSION_TABLE} was lost: restore the database from a backup",
                )
        for table in ours:
            table.drop(connection)


def _run(db: Database, command: str, revision: str) -> None:
    """Run one Alembic command on a connection of ours."""
    import alembic.command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    try:
        with db.engine.connect().execution_options(satisfice_write=True) as connection:
            config.attributes["connection"] = connection
            getattr(alembic.command, command)(config, revision)
    except CommandError as error:
        raise StorageError(
            f"cannot migrate to {revision!r}: {error}", hint=f"known revisions: {', '.join(_revisions())}"
        ) from None


@contextmanager
def _alone(db: Database) -> Iterator[None]:
    """Hold the one right to change this database's schema, among all processes on all machines."""
    if db.in_memory or (db.dialect == "sqlite" and sys.platform == "win32"):
        yield  # Windows has no flock: processes that start at once on an empty file are not kept apart there
    elif db.dialect == "sqlite":
        with _file_lock(Path(str(db.url.database))):
            yield
    else:
        with db.engine.connect() as connection:
            connection.detach()  # closed for good at the end, and the lock with it
            _server_lock(db, connection)
            yield


@contextmanager
def _file_lock(database: Path) -> Iterator[None]:
    """Lock the folder, not the database: closing a second handle of a file drops SQLite's own locks on it."""
    descriptor = os.open(database.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _server_lock(db: Database, connection: sa.Connection) -> None:
    """Take the server's advisory lock; the server frees it when the connection ends, however it ends.

    While others work, this connection says nothing: the server is asked not to end it for that.
    """
    if db.dialect == "postgresql":
        unlimited = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = ANY(:names)"
        connection.execute(sa.text(unlimited), {"names": _POSTGRES_LIMITS})
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
        try:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            taken = True
        except sa.exc.OperationalError:
            taken = False
    else:
        connection.execute(sa.text("SET SESSION wait_timeout = 86400"))
        taken = _named_lock(connection)
        connection.commit()  # of the lock nothing is lost by that, and a transaction may have its own limit
    if not taken:
        raise StorageError(
            f"another process has been migrating {masked(db.url)} for more than {LOCK_WAIT_S} s",
            hint="wait for it, or end it",
        )


def _named_lock(connection: sa.Connection) -> bool:
    """MySQL's lock, waited for in slices: our own driver takes a longer silence for a broken connection."""
    # Its name is the whole server's, not one database's, and at most 64 characters long.
    lock = sa.text("SELECT GET_LOCK(CONCAT('satisfice_', MD5(DATABASE())), :wait)")
    deadline = time.monotonic() + LOCK_WAIT_S
    while (left := deadline - time.monotonic()) > 0:
        if connection.execute(lock, {"wait": min(_SLICE_S, left)}).scalar() == 1:
            return True
    return False
