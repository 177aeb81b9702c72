"""Reads and writes that are repeated by themselves while the database is away."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cached_property, wraps
from typing import Concatenate, Literal, ParamSpec, Self, TypeVar

from satisfice.store.database.engine import Database

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound="Repeats")

_RunBy = Literal["retrying", "promptly", "once"]


def repeated(function: Callable[Concatenate[Database, P], T]) -> Callable[Concatenate[Database, P], T]:
    """Repeat a function that is one transaction while the database is away: see `Patience.retrying`."""

    @wraps(function)
    def call(db: Database, /, *args: P.args, **given: P.kwargs) -> T:
        return db.retrying(lambda: function(db, *args, **given))

    return call


class Repeats:
    """An object whose methods marked by `transaction` are repeated while its database is away.

    Args:
        db: The database.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self._run_by: _RunBy = "retrying"

    @cached_property
    def promptly(self) -> Self:
        """The same for whoever must not wait long: `StorageLost` comes within seconds."""
        return self._run("promptly")

    @cached_property
    def once(self) -> Self:
        """The same without repeating: an error of the connection is raised as SQLAlchemy raises it."""
        return self._run("once")

    def _run(self, by: _RunBy) -> Self:
        other = copy(self)
        other._run_by = by  # noqa: SLF001  # its own copy
        return other

    def run(self, action: Callable[[], T]) -> T:
        """Run one transaction as patiently as this object does."""
        if self._run_by == "promptly":
            return self.db.promptly(action)
        return self.db.once(action) if self._run_by == "once" else self.db.retrying(action)


def transaction(method: Callable[Concatenate[R, P], T]) -> Callable[Concatenate[R, P], T]:
    """Mark a method that is one transaction, or one loop of them, and safe to repeat."""

    @wraps(method)
    def call(self: R, /, *args: P.args, **given: P.kwargs) -> T:
        return self.run(lambda: method(self, *args, **given))

    return call
