"""How long a database that is away is waited for, and what is said where waiting does not help."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy as sa
from optuna.exceptions import StorageInternalError

from satisfice.errors import CannotWrite, StorageError, StorageLost
from satisfice.store.database import sqlite
from satisfice.store.database.deadline import DeadlineCalls
from satisfice.store.database.failures import away, is_locked, permanent
from satisfice.store.database.url import masked

T = TypeVar("T")

DEFAULT_PATIENCE_S = 600.0
_BRIEFLY_S = 1.0  # patience of `promptly`: enough for a broken connection or a deadlock
_ANSWER_S = 5.0  # a server that takes longer is taken for one that is away


class Patience:
    """Repeats transactions on one database while it is away.

    Calls may be nested: the outermost one decides how long to wait, and repeats the whole.

    Args:
        url: Of the database, for what is said about it.
        patience_s: How long `retrying` waits.
    """

    def __init__(self, url: sa.URL, patience_s: float = DEFAULT_PATIENCE_S) -> None:
        self._url = url
        self.patience_s = patience_s
        self._deadline_calls = DeadlineCalls()
        self._within = threading.local()  # `once`: set where this thread is within an outer call

    def once(self, action: Callable[[], T]) -> T:
        """Run ``action`` without repeating it or what it calls: another try comes by itself, or none must."""
        if getattr(self._within, "call", False):
            return action()
        self._within.call = True
        try:
            return action()
        finally:
            self._within.call = False

    def retrying(self, action: Callable[[], T], *, patience_s: float | None = None) -> T:
        """Run ``action`` again while the database is away, with backoff, up to the patience.

        ``action`` must be one transaction, safe to repeat.

        Args:
            action: What to run.
            patience_s: None: the patience of this database.

        Raises:
            StorageLost: The patience ran out.
            CannotWrite: The disk of the database is full: waiting would not help.
            StorageError: The database is read-only or damaged: waiting would not help.
        """
        if getattr(self._within, "call", False):
            return action()
        patience = self.patience_s if patience_s is None else patience_s
        started = time.monotonic()
        pause = 0.1
        while True:
            try:
                return self.once(action)
            except (sa.exc.DBAPIError, StorageInternalError) as raised:
                error = raised.__cause__ if isinstance(raised, StorageInternalError) else raised
                if not isinstance(error, sa.exc.DBAPIError):
                    raise
                lasting = self._lasting(error)
                if lasting is not None:
                    raise lasting from None
                if not away(error):
                    raise
                if time.monotonic() - started >= patience:
                    raise self.lost(error, patience) from None
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret
                pause = min(pause * 2, 5.0)

    def _lasting(self, error: sa.exc.DBAPIError) -> CannotWrite | StorageError | None:
        """The error to raise where waiting would not help."""
        found = permanent(error)
        if found is None:
            return None
        kind = CannotWrite if found.full else StorageError
        return kind(f"{found.said}: {masked(self._url)}", hint=found.hint)

    def lost(self, error: sa.exc.DBAPIError, patience_s: float) -> StorageLost:
        """The error to raise where the patience ran out."""
        if is_locked(error):
            return StorageLost(
                f"another process has kept the database {masked(self._url)} locked for more than "
                f"{patience_s:g} s",
                hint="end that process, or its open transaction",
            )
        return StorageLost(
            f"the database {masked(self._url)} was away for more than {patience_s:g} s",
            hint="start the worker again when it is back",
        )

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Statements that are not repeated: what waiting does not mend is said in one sentence.

        Raises:
            CannotWrite: The disk of the database is full.
            StorageError: The database is read-only, damaged, locked, or none of satisfice.
        """
        try:
            yield
        except (sa.exc.DBAPIError, StorageInternalError) as raised:
            error = raised.__cause__ if isinstance(raised, StorageInternalError) else raised
            if not isinstance(error, sa.exc.DBAPIError):
                raise
            lasting = self._lasting(error)
            if lasting is not None:
                raise lasting from None
            if is_locked(error):
                raise self.lost(error, sqlite.BUSY_TIMEOUT_S) from None
            raise

    def promptly(self, action: Callable[[], T]) -> T:
        """Run ``action`` where nothing may wait long for a database that is away: training must go on.

        On a server it runs in another thread: behind a cut network no answer may come for minutes. It
        may still be done then, unheard.

        Raises:
            StorageLost: There is no answer now.
            StorageError: See `retrying`.
        """
        if self._url.get_backend_name() == "sqlite":  # a file answers
            return self.retrying(action, patience_s=_BRIEFLY_S)
        try:
            return self._deadline_calls.call(
                lambda: self.retrying(action, patience_s=_BRIEFLY_S), within_s=_ANSWER_S
            )
        except TimeoutError:
            raise StorageLost(f"the database {masked(self._url)} does not answer") from None

    def close(self) -> None:
        """End the threads that `promptly` waited for."""
        self._deadline_calls.close()
