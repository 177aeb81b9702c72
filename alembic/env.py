"""Alembic's entry: migrates satisfice's tables and never looks at Optuna's, which live in the same database.

`satisfice.store.migrate` hands over an open connection in ``config.attributes``; the alembic command line has
none and takes the database of ``SATISFICE_STORAGE``.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context

from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
from satisfice.store.tables import PREFIX, VERSION_TABLE, metadata


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Whether autogenerate may look at a table of the database: otherwise it would drop Optuna's."""
    return kind != "table" or (name is not None and name.startswith(PREFIX) and name != VERSION_TABLE)


def migrate(connection: sa.Connection) -> None:
    """Run the revisions that were asked for, one transaction each."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        # Batch mode copies a table and drops the old one: with foreign keys on, rows that cascade go too.
        # Straight to the driver, because SQLite ignores this inside a transaction.
        connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_name=include_name,
        render_as_batch=sqlite,
        transaction_per_migration=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    database = Database(resolve(None))
    with database.engine.connect().execution_options(satisfice_write=True) as opened:
        migrate(opened)
    database.close()
