"""The schema: models equal migrations; created once, whoever comes first; Optuna's tables never touched."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from satisfice.errors import StorageError
from satisfice.store import migrate
from satisfice.store.database import engine
from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
from satisfice.store.tables import PREFIX, VERSION_TABLE, metadata, workers


@contextmanager
def opened(url: str) -> Iterator[Database]:
    db = Database(resolve(url))
    try:
        yield db
    finally:
        db.close()


def tables(db: Database) -> set[str]:
    with db.read() as connection:
        return set(sa.inspect(connection).get_table_names())


def add_worker(db: Database) -> None:
    with db.write() as connection:
        connection.execute(
            workers.insert().values(
                uuid="w" * 32,
                study_uuid="s" * 32,
                host="h",
                hostname="box",
                pid=1,
                started_at=1.5,
                seen_at=2.5,
            )
        )


def stamp(db: Database, revision: str) -> None:
    with db.write() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))


def differences(db: Database) -> list[object]:
    """What autogenerate would still change in our tables."""

    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or bool(name and name.startswith(PREFIX) and name != VERSION_TABLE)

    with db.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours, "compare_type": True})
        return list(compare_metadata(context, metadata))


def test_the_migrations_give_the_tables_that_the_code_uses(storage_url: str) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        assert differences(db) == []
        assert {table.name for table in metadata.sorted_tables} <= tables(db)


def test_the_comparison_sees_a_difference(sqlite_url: str) -> None:
    with opened(sqlite_url) as db:
        migrate.ensure_ready(db)
        with db.write() as connection:
            connection.execute(sa.text(f"ALTER TABLE {workers.name} DROP COLUMN label"))
        assert len(differences(db)) == 1


def test_there_is_one_line_of_revisions() -> None:
    revisions = migrate._revisions()
    assert revisions[0] == migrate.head()
    assert len(set(revisions)) == len(revisions)


def test_up_down_up_leaves_optuna_alone(storage_url: str) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        optunas = {name for name in tables(db) if not name.startswith(PREFIX)}
        study = optuna.create_study(storage=db.optuna_storage(), study_name="kept")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)

        migrate.downgrade(db, "base")
        assert migrate.current(db) is None
        assert tables(db) == optunas | {VERSION_TABLE}
        migrate.upgrade(db)
        assert migrate.current(db) == migrate.head()
        assert differences(db) == []

        again = optuna.load_study(storage=db.optuna_storage(), study_name="kept")
        assert [trial.params for trial in again.trials] == [trial.params for trial in study.trials]
        with db.read() as connection:
            optunas_revision = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            ).scalar_one()
        assert optunas_revision.startswith("v")


def test_in_memory_one_connection_serves_both() -> None:
    with opened("sqlite://") as db:
        migrate.ensure_ready(db)
        add_worker(db)
        study = optuna.create_study(storage=db.optuna_storage())
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
        migrate.ensure_ready(db)
        assert migrate.current(db) == migrate.head()
        assert {"trials", workers.name} <= tables(db)
        migrate.downgrade(db, "base")
        assert workers.name not in tables(db)
        assert len(study.trials) == 1


def test_optuna_may_come_first(storage_url: str) -> None:
    with opened(storage_url) as db:
        study = optuna.create_study(storage=db.url.render_as_string(hide_password=False), study_name="theirs")
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
        migrate.ensure_ready(db)
        loaded = optuna.load_study(storage=db.optuna_storage(), study_name="theirs")
        assert len(loaded.trials) == 1
        study._storage._backend.engine.dispose()  # type: ignore[attr-defined]  # else the database cannot be dropped


def test_ours_may_come_first(storage_url: str) -> None:
    with opened(storage_url) as db:
        migrate.upgrade(db)
        assert "trials" not in tables(db)
        migrate.ensure_ready(db)
        assert "trials" in tables(db)


def test_a_current_database_costs_two_reads(storage_url: str) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        statements: list[str] = []
        sa.event.listen(
            db.engine,
            "before_cursor_execute",
            lambda _c, _cur, statement, *_rest: statements.append(statement),
        )
        migrate.ensure_ready(db)
        selects = [statement for statement in statements if statement != "BEGIN"]
        assert len(selects) == 2
        assert all(statement.startswith("SELECT") for statement in selects)


def test_rows_survive_when_everything_is_current(storage_url: str) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        add_worker(db)
        migrate.ensure_ready(db)
        migrate.upgrade(db)
        with db.read() as connection:
            assert connection.execute(sa.select(workers.c.seen_at)).scalars().all() == [2.5]


def test_a_newer_database_is_refused_and_left_as_it_is(storage_url: str) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        add_worker(db)
        stamp(db, "9999")
        refused = r"revision 9999, of a newer satisfice .*upgrade satisfice"
        with pytest.raises(StorageError, match=refused):
            migrate.ensure_ready(db)
        with pytest.raises(StorageError, match=refused):
            migrate.upgrade(db)
        with pytest.raises(StorageError, match=refused):
            migrate.downgrade(db, "base")
        assert migrate.current(db) == "9999"
        with db.read() as connection:
            assert connection.execute(sa.select(workers.c.pid)).scalars().all() == [1]


@pytest.mark.parametrize(
    ("schema", "advice"), [(11, "optuna storage upgrade"), (13, "upgrade satisfice and optuna")]
)
def test_another_schema_of_optuna_is_refused(sqlite_url: str, schema: int, advice: str) -> None:
    with opened(sqlite_url) as db:
        migrate.ensure_ready(db)
        with db.write() as connection:
            connection.execute(sa.text(f"UPDATE version_info SET schema_version = {schema}"))
        with pytest.raises(StorageError, match=f"schema {schema}, and satisfice needs 12.*{advice}"):
            migrate.ensure_ready(db)


def test_another_alembic_revision_of_optuna_is_refused(sqlite_url: str) -> None:
    with opened(sqlite_url) as db:
        optuna.storages.RDBStorage(sqlite_url)
        with db.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v99.0.0'"))
        with pytest.raises(StorageError, match="no longer compatible"):
            migrate.ensure_ready(db)
        assert workers.name not in tables(db)


def test_an_unknown_revision_is_an_input_error(sqlite_url: str) -> None:
    with opened(sqlite_url) as db, pytest.raises(StorageError, match=r"known revisions: .*0001"):
        migrate.upgrade(db, "nonsense")


def test_asking_for_the_revision_creates_no_file(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as db:
        assert migrate.current(db) is None
        assert migrate.current(db) != migrate.head()
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_database_is_one_sentence_without_the_password() -> None:
    url = "postgresql://someone:s3cret@127.0.0.1:1/nowhere"
    with opened(url) as db, pytest.raises(StorageError, match="cannot open the storage") as caught:
        migrate.ensure_ready(db)
    assert "s3cret" not in str(caught.value)


def test_a_first_migration_that_died_half_way_is_taken_up_again(storage_url: str) -> None:
    with opened(storage_url) as db:
        with db.write() as connection:  # as MySQL leaves it: some tables, no revision
            metadata.tables[workers.name].create(connection)
        migrate.ensure_ready(db)
        assert differences(db) == []


def test_rows_without_a_revision_are_never_dropped(sqlite_url: str) -> None:
    with opened(sqlite_url) as db:
        migrate.ensure_ready(db)
        add_worker(db)
        with db.write() as connection:
            connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
        with pytest.raises(StorageError, match="rows but no revision"):
            migrate.ensure_ready(db)
        with db.read() as connection:
            assert connection.execute(sa.select(workers.c.pid)).scalars().all() == [1]


STARTER = """
import sys, time
from satisfice.store import migrate
from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
db = Database(resolve(sys.argv[1]))
migrate.head()
print("ready", flush=True)
sys.stdin.readline()
migrate.ensure_ready(db)
storage = db.optuna_storage()
storage.get_all_studies()
assert migrate.current(db) == migrate.head()
db.close()
"""


@pytest.mark.slow
def test_six_processes_may_start_at_once_on_an_empty_database(storage_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", STARTER, storage_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    complaints = [process.communicate(timeout=240)[1] for process in processes]
    assert complaints == [""] * 6
    assert [process.returncode for process in processes] == [0] * 6
    with opened(storage_url) as db:
        assert differences(db) == []
        for table in ("version_info", "alembic_version", VERSION_TABLE):
            with db.read() as connection:
                assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 1


def test_the_names_of_the_scripts_tell_their_revisions() -> None:
    names = [path.name.partition("_")[0] for path in (migrate.scripts() / "versions").glob("[0-9]*_*.py")]
    assert sorted(names, reverse=True) == list(migrate._revisions())


HEAD = migrate.head()
NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = "HEAD"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("satisfice_workers", recreate=RECREATE) as batch:
        batch.add_column(sa.Column("gpu", sa.String(40), nullable=False, server_default="none"))
        batch.alter_column("hostname", existing_type=sa.String(200), type_=sa.String(250))


def downgrade() -> None:
    with op.batch_alter_table("satisfice_workers", recreate=RECREATE) as batch:
        batch.drop_column("gpu")
""".replace("HEAD", HEAD)
BROKEN_REVISION = (
    NEXT_REVISION.replace('"9998"', '"9999"').replace(f'"{HEAD}"', '"9998"').replace('"gpu"', '"seen_at"')
)


@pytest.fixture
def future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The migration scripts of a later satisfice: ours, and whatever a test adds."""
    folder = tmp_path / "future"
    shutil.copytree(migrate.scripts(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "scripts", lambda: folder)
    migrate._revisions.cache_clear()
    yield folder / "versions"
    migrate._revisions.cache_clear()


def test_an_older_database_is_upgraded_without_loss(storage_url: str, future: Path) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        add_worker(db)
        # Through a copy of the table where SQLite needs it.
        text = NEXT_REVISION.replace("RECREATE", '"always"' if db.dialect == "sqlite" else '"auto"')
        (future / "9998_gpu.py").write_text(text)
        migrate._revisions.cache_clear()

        migrate.ensure_ready(db)
        assert migrate.current(db) == "9998"
        query = sa.text("SELECT hostname, seen_at, gpu FROM satisfice_workers")
        with db.read() as connection:
            assert connection.execute(query).all() == [("box", 2.5, "none")]
        migrate.downgrade(db, HEAD)
        with db.read() as connection:
            assert connection.execute(sa.select(workers.c.hostname)).scalars().all() == ["box"]


def test_a_migration_that_fails_leaves_the_last_good_revision(storage_url: str, future: Path) -> None:
    with opened(storage_url) as db:
        migrate.ensure_ready(db)
        add_worker(db)
        (future / "9998_gpu.py").write_text(NEXT_REVISION.replace("RECREATE", '"auto"'))
        (future / "9999_broken.py").write_text(BROKEN_REVISION.replace("RECREATE", '"never"'))
        migrate._revisions.cache_clear()
        with pytest.raises(sa.exc.DBAPIError):
            migrate.ensure_ready(db)
        assert migrate.current(db) == "9998"
        with db.read() as connection:
            assert connection.execute(sa.text("SELECT gpu FROM satisfice_workers")).scalars().all() == [
                "none"
            ]


def test_whoever_migrates_keeps_its_right_however_long_it_takes(postgres_url: str) -> None:
    db = Database(resolve(postgres_url), idle_s=1)
    name = db.url.database
    for limit in ("idle_in_transaction_session_timeout", "statement_timeout"):
        with db.write() as connection:
            connection.execute(sa.text(f"ALTER DATABASE {name} SET {limit} = '1s'"))
    db.engine.dispose()
    with migrate._alone(db):
        time.sleep(2.5)
        with db.write() as connection:
            others = sa.text("SELECT pg_try_advisory_xact_lock(:key)")
            assert connection.execute(others, {"key": migrate._LOCK_KEY}).scalar() is False
    db.close()


def test_a_long_wait_for_who_migrates_is_no_broken_connection(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine._CONNECTING["mysql"], "read_timeout", 2)
    monkeypatch.setattr(migrate, "_SLICE_S", 1)
    with opened(mariadb_url) as db, ThreadPoolExecutor() as threads:
        with migrate._alone(db):
            waiting = threads.submit(migrate.upgrade, db)
            time.sleep(4)
            assert not waiting.done()
        waiting.result(timeout=60)
        assert migrate.current(db) == migrate.head()
