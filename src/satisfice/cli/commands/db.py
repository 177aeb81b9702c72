"""``satisfice db``: migrations of the storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from satisfice.cli import options
from satisfice.cli.output import print_json

if TYPE_CHECKING:
    from satisfice.store.database.engine import Database


@click.group(epilog="Example: satisfice db upgrade --storage postgresql://me@db/studies")
def db() -> None:
    """Create, upgrade or downgrade satisfice's tables; Optuna's are never touched."""


@db.command(epilog="Example: satisfice db upgrade")
@click.argument("revision", default="head")
@options.storage
def upgrade(revision: str, storage: str | None) -> None:
    """Bring the tables to a revision (default: the newest) without losing a row."""
    from satisfice.store import migrate

    with _database(storage) as database:
        if revision == "head":
            migrate.ensure_ready(database)  # Optuna's tables too, so that the storage is ready for use
        migrate.upgrade(database, revision)
        click.echo(f"the tables are at revision {migrate.current(database)}")


@db.command(epilog="Example: satisfice db current --json")
@options.storage
@options.as_json
def current(storage: str | None, as_json: bool) -> None:
    """The revision of the tables, and the newest one known."""
    from satisfice.store import migrate

    with _database(storage) as database:
        revision, newest = migrate.current(database), migrate.head()
    if as_json:
        print_json({"revision": revision, "head": newest, "is_current": revision == newest})
    elif revision is None:
        click.echo("there are no tables of satisfice yet; create them with: satisfice db upgrade")
    else:
        state = "the newest" if revision == newest else f"the newest is {newest}: satisfice db upgrade"
        click.echo(f"the tables are at revision {revision} ({state})")


@db.command(epilog="Example: satisfice db downgrade base --yes")
@click.argument("revision")
@options.storage
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(revision: str, storage: str | None, yes: bool) -> None:
    """Take the tables back to a revision; what only newer ones hold is lost, with "base" all of it."""
    from satisfice.store import migrate

    url = options.existing(storage)
    options.confirm(f"downgrade the tables to {revision}? What only newer revisions hold is lost", yes=yes)
    with _database(url) as database:
        migrate.downgrade(database, revision)
        found = migrate.current(database)
        click.echo(
            "satisfice's tables are removed" if found is None else f"the tables are at revision {found}"
        )


@contextmanager
def _database(url: str | None) -> Iterator[Database]:
    from satisfice.store.database.engine import Database
    from satisfice.store.database.url import resolve

    options.quiet()
    database = Database(resolve(url))
    try:
        yield database
    finally:
        database.close()
