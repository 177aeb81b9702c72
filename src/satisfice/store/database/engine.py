"""One database: engines, transactions, its clock, and patience while it is away."""

from __future__ import annotations

import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.storages import RDBStorage

from satisfice.store.database import sqlite
from satisfice.store.database.patience import DEFAULT_PATIENCE_S, Patience
from satisfice.store.database.servers import lets_go
from satisfice.store.database.url import for_optuna, is_memory

T = TypeVar("T")

_IDLE_S = 60.0  # of a transaction: none of ours waits within for anything but the database
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
        self.patience = Patience(url, patience_s)
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

    def retrying(self, action: Callable[[], T]) -> T:
        """Wait where the database is away: see `Patience.retrying`."""
        return self.patience.retrying(action)

    def promptly(self, action: Callable[[], T]) -> T:
        """Do not wait long: see `Patience.promptly`."""
        return self.patience.promptly(action)

    def once(self, action: Callable[[], T]) -> T:
        """Do not repeat it: see `Patience.once`."""
        return self.patience.once(action)

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """Close it if what is within fails: nobody else holds it then."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give all connections back."""
        self.patience.close()
        if self._optuna is not None:
            self._optuna.engine.dispose()
        self.engine.dispose()
        if self._memory is not None:
            self._memory.close()
