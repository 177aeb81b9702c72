"""One database: engines, transactions, its clock, and patience while it is away."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from satisfice.errors import CannotWrite, StorageError, StorageLost, StorageRefused
from satisfice.store.database import sqlite
from satisfice.store.database.deadline import DeadlineCalls
from satisfice.store.database.failures import (
    COMES_BACK,
    away,
    is_crowded,
    is_locked,
    permanent,
    refuses,
    short_reason,
)
from satisfice.store.database.servers import lets_go
from satisfice.store.database.url import for_optuna, is_memory, masked

T = TypeVar("T")

DEFAULT_PATIENCE_S = 600.0
_IDLE_S = 60.0  # of a transaction: none of ours waits within for anything but the database
_BRIEFLY_S = 1.0  # patience of `promptly`: enough for a broken connection or a deadlock
_ANSWER_S = 5.0  # a server that takes longer is taken for one that is away
# A connection whose other end is silent is given up after a minute or so; a lock is waited for longer.
_CONNECTING: dict[str, dict[str, Any]] = {
    "postgresql": {
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    },
    "mysql": {
        "read_timeout": 90,
        "write_timeout": 90,
        "init_command": "SET time_zone = '+00:00'",  # its clock is local, with an hour twice in autumn
    },
}


class Database:
    """A connection pool to one database.

    Args:
        url: A resolved URL.
        patience_s: How long `retrying` waits for a database that is away.
        pool_size: Connections kept; a worker needs two (itself and the thread that renews its lease).
        idle_s: How long a transaction may fall silent before the server gives it up, in seconds.
    """

    def __init__(
        self,
        url: sa.URL,
        *,
        patience_s: float = DEFAULT_PATIENCE_S,
        pool_size: int = 2,
        idle_s: float = _IDLE_S,
    ) -> None:
        self.url = url
        self.patience_s = patience_s
        self.in_memory = is_memory(url)
        self.dialect = url.get_backend_name()
        self._memory: sqlite3.Connection | None = None
        self._pool_size = pool_size
        # One connection serves everyone in memory: its transactions must not interleave.
        self._memory_lock = threading.RLock()
        if self.in_memory:
            self._memory = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.engine = sa.create_engine(url, **self._engine_arguments())
        if self.dialect == "sqlite":
            sa.event.listen(self.engine, "connect", sqlite.pragmas)
            sa.event.listen(self.engine, "begin", sqlite.begin)
        else:
            sa.event.listen(self.engine, "connect", lets_go(self.dialect, idle_s))
        # Several statements of one read must agree on what is committed. SQLite's WAL gives that anyway.
        server = self.dialect != "sqlite"
        self._reading = (
            self.engine.execution_options(isolation_level="REPEATABLE READ") if server else self.engine
        )
        # One statement is a snapshot by itself. Asking MySQL for autocommit would cost more than it saves.
        postgres = self.dialect == "postgresql"
        self._looking = (
            self.engine.execution_options(isolation_level="AUTOCOMMIT")
            if postgres
            else self.engine.execution_options(satisfice_single=True)
        )
        self._optuna: RDBStorage | None = None
        self._deadline_calls = DeadlineCalls()
        self._now = self._clock()

    def _engine_arguments(self) -> dict[str, Any]:
        if self._memory is not None:
            memory = self._memory
            return {"creator": lambda: memory, "poolclass": sa.StaticPool}
        if self.dialect == "sqlite":
            return {"connect_args": {"timeout": sqlite.BUSY_TIMEOUT_S}}
        # READ COMMITTED on MySQL too: a claim must see what others committed while it waited for the row.
        return {
            "pool_pre_ping": False,
            "pool_size": self._pool_size,
            "max_overflow": 4,
            "pool_recycle": 1800,
            "isolation_level": "READ COMMITTED",
            "connect_args": {"connect_timeout": 10, **_CONNECTING.get(self.dialect, {})},
        }

    def optuna_storage(self) -> RDBStorage:
        """Optuna's storage over the same database. Its tables must exist."""
        if self._optuna is None:
            arguments = self._engine_arguments()
            arguments.pop("isolation_level", None)
            url = for_optuna(self.url)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # experimental engine arguments of Optuna
                self._optuna = RDBStorage(url, engine_kwargs=arguments, skip_table_creation=True)
            if self.dialect == "sqlite" and not self.in_memory:
                sa.event.listen(self._optuna.engine, "connect", sqlite.optuna_pragmas)
                self._optuna.engine.dispose()
        return self._optuna

    def by_optuna(self, action: Callable[[RDBStorage], T]) -> T:
        """Do something with Optuna's storage, waiting where the database is away: see `retrying`.

        In memory there is one connection: no thread of ours is within a transaction meanwhile.
        """

        def guarded() -> T:
            with self._memory_guard():
                return action(self.optuna_storage())

        return self.retrying(guarded)

    def now(self) -> sa.ColumnElement[float]:
        """The database's clock, in seconds since 1970, as an SQL expression."""
        return self._now

    def _clock(self) -> sa.ColumnElement[float]:
        text = {
            "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
            "postgresql": "extract(epoch from clock_timestamp())::float8",
            # NOW() stands still while a statement waits for a lock.
            "mysql": "UNIX_TIMESTAMP(SYSDATE(6)) + 0.0",
            "mariadb": "UNIX_TIMESTAMP(SYSDATE(6)) + 0.0",
        }[self.dialect]
        return sa.literal_column(text, sa.Double)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One write transaction. On SQLite it takes the write lock at its start: it never fails half-way."""
        with (
            self._memory_guard(),
            self.engine.connect().execution_options(satisfice_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One snapshot to read from; never waits for writers on SQLite."""
        with self._memory_guard(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def look(self) -> Iterator[sa.Connection]:
        """A connection for one reading statement, which needs no transaction around it."""
        with self._memory_guard(), self._looking.connect() as connection:
            yield connection

    @property
    def writes_at_once(self) -> bool:
        """Whether one statement can lock the study's row, check a lease and write: see `at_once`."""
        return self.dialect == "postgresql"

    @contextmanager
    def at_once(self) -> Iterator[sa.Connection]:
        """A connection for one statement that is a whole write transaction.

        What it locks is not held while answers travel and this process waits for a processor.
        """
        with self._looking.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _memory_guard(self) -> Iterator[None]:
        if not self.in_memory:
            yield
            return
        with self._memory_lock:
            yield

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
        patience = self.patience_s if patience_s is None else patience_s
        started = time.monotonic()
        pause = 0.1
        while True:
            try:
                return action()
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
                    raise self._lost(error, patience) from None
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  # jitter, no secret
                pause = min(pause * 2, 5.0)

    def _lasting(self, error: sa.exc.DBAPIError) -> CannotWrite | StorageError | None:
        """The error to raise where waiting would not help."""
        found = permanent(error)
        if found is None:
            return None
        kind = CannotWrite if found.full else StorageError
        return kind(f"{found.said}: {masked(self.url)}", hint=found.hint)

    def _lost(self, error: sa.exc.DBAPIError, patience_s: float) -> StorageLost:
        if is_locked(error):
            return StorageLost(
                f"another process has kept the database {masked(self.url)} locked for more than "
                f"{patience_s:g} s",
                hint="end that process, or its open transaction",
            )
        return StorageLost(
            f"the database {masked(self.url)} was away for more than {patience_s:g} s",
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
                raise self._lost(error, sqlite.BUSY_TIMEOUT_S) from None
            raise

    def promptly(self, action: Callable[[], T]) -> T:
        """Run ``action`` where nothing may wait long for a database that is away: training must go on.

        On a server it runs in another thread: behind a cut network no answer may come for minutes. It
        may still be done then, unheard.

        Raises:
            StorageLost: There is no answer now.
            StorageError: See `retrying`.
        """
        if self.dialect == "sqlite":  # a file answers
            return self.retrying(action, patience_s=_BRIEFLY_S)
        try:
            return self._deadline_calls.call(
                lambda: self.retrying(action, patience_s=_BRIEFLY_S), within_s=_ANSWER_S
            )
        except TimeoutError:
            raise StorageLost(f"the database {masked(self.url)} does not answer") from None

    def check_reachable(self) -> None:
        """Connect once. A server that says that it is about to answer is waited for.

        Raises:
            StorageRefused: No server answers there.
            StorageLost: Another process keeps the file locked.
            CannotWrite: Its disk is full.
            StorageError: It cannot be opened for another reason. The password is never part of a sentence.
        """
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                with self.read() as connection:
                    connection.execute(sa.text("SELECT 1"))
            except sa.exc.DBAPIError as error:
                if time.monotonic() < deadline and any(words in str(error.orig) for words in COMES_BACK):
                    time.sleep(1.0)
                    continue
                lasting = permanent(error)
                if lasting is not None:
                    said = f"cannot open the storage {masked(self.url)}: {lasting.said}"
                    raise (CannotWrite if lasting.full else StorageError)(said, hint=lasting.hint) from None
                if is_locked(error):
                    raise self._lost(error, sqlite.BUSY_TIMEOUT_S) from None
                said = f"cannot open the storage {masked(self.url)}: "
                if self.dialect == "sqlite":
                    hint = "check that it is a file of SQLite, or a new one in a folder that can be written"
                    seen = sqlite.why_not_opened(Path(str(self.url.database)))
                    reason, hint = seen or (short_reason(error), hint)
                    raise StorageError(said + reason, hint=hint) from None
                said += short_reason(error)
                hint = "check that the server runs, and the URL's host, name and credentials"
                if is_crowded(error):
                    hint = "start fewer workers, or raise the server's max_connections"
                raise (StorageRefused if refuses(error) else StorageError)(said, hint=hint) from None
            else:
                return

    def close(self) -> None:
        """Give all connections back."""
        self._deadline_calls.close()
        if self._optuna is not None:
            self._optuna.engine.dispose()
        self.engine.dispose()
        if self._memory is not None:
            self._memory.close()
