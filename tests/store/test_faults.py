"""Full disks, damaged files and strangers' databases: one sentence each, and nothing finished is lost."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.cli.main import main
from satisfice.errors import CannotWrite, StorageError, StorageLost, StorageRefused
from satisfice.store.database import sqlite

SPEC: dict[str, Any] = {
    "name": "mine",
    "objectives": {"score": "maximize"},
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 12},
}


class Task:
    """Keeps a model of 100 kB."""

    def train(self, params, trial):
        trial.report(1, {"score": params["rate"]})
        trial.save_checkpoint(b"c" * 1000)
        trial.save_model({"weights": _tensor()})
        return {"score": params["rate"]}


def _tensor() -> Any:
    import torch

    return torch.zeros(25_000)


class Light:
    """Keeps nothing, but tells much."""

    def train(self, params, trial):
        return {"score": params["rate"], **{f"metric_{i:04d}": params["rate"] * i for i in range(400)}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte, where this user may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1000k", "tmpfs", str(place)]
    try:
        refused = subprocess.run(mount, capture_output=True, check=False).returncode
    except FileNotFoundError:
        refused = 1
    if refused:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    with contextlib.suppress(OSError), (place / "fill").open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)


def more_room(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=50m", str(place)], check=True)


def states(study: satisfice.Study) -> dict[str, int]:
    found: dict[str, int] = study.status()["states"]
    return found


def test_a_full_disk_of_artefacts_gives_the_trial_back_and_goes_on_when_there_is_room(
    small_disk: Path, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(small_disk / "artefacts"))
    study = satisfice.create_study(SPEC, storage=sqlite_url, task=Task())
    with pytest.raises(CannotWrite, match=r"cannot write .*: the disk is full \(make room: nothing that fin"):
        study.optimize()
    complete = states(study)["COMPLETE"]
    assert states(study) == {"COMPLETE": complete, "WAITING": 1}
    assert not list(small_disk.rglob(".part-*"))
    before = study.records()[:complete]
    fill(small_disk)
    for write in (
        lambda: study.save_model(0, small_disk / "winner.safetensors"),
        lambda: study.export(small_disk / "mine.zip"),
        lambda: study.report(small_disk / "report"),
    ):
        with pytest.raises(CannotWrite, match="the disk is full"):
            write()
    assert {path.name for path in small_disk.iterdir()} <= {"artefacts", "fill", "report"}
    assert not [path for path in small_disk.rglob("*") if path.name.startswith(".part-")]
    more_room(small_disk)
    study.optimize()
    assert states(study) == {"COMPLETE": 12}
    assert study.records()[:complete] == before
    assert study.save_model(0, small_disk / "winner.safetensors").stat().st_size > 100_000


def test_a_full_disk_of_the_database_is_called_that_and_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    monkeypatch.setenv("SATISFICE_LEASE_SECONDS", "5")  # a full disk takes no word that a trial is given back
    url = f"sqlite:///{small_disk}/study.db"
    many = SPEC | {"budget": {"trials": 60}}
    study = satisfice.create_study(many, storage=url, task=Light())
    with pytest.raises(CannotWrite, match="the disk of the database is full: sqlite:") as raised:
        study.optimize()
    assert not [word for word in ("INSERT", "UPDATE", "SELECT") if word in str(raised.value)]
    complete = states(study)["COMPLETE"]
    assert 0 < complete < 60
    before = study.records()[:complete]
    with pytest.raises(SystemExit) as ended:
        main(["best", "mine", "--json", "--storage", url])  # reading needs no room
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["state"] == "COMPLETE"
    more_room(small_disk)
    study.optimize()
    assert states(study)["COMPLETE"] == 60
    assert study.records()[:complete] == before


def test_a_database_that_may_not_grow_is_said_to_be_full(sqlite_url: str) -> None:
    study = satisfice.create_study(SPEC | {"budget": {"trials": 200}}, storage=sqlite_url, task=Light())
    db = study._opened.db
    db.engine.dispose()
    sa.event.listen(db.engine, "connect", _may_not_grow)
    with pytest.raises(CannotWrite, match="the disk of the database is full"):
        study.optimize()


def _may_not_grow(connection: Any, _record: Any) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")


def test_a_task_that_fills_the_disk_itself_does_not_fail_its_trials(sqlite_url: str) -> None:
    class Full:
        def train(self, params, trial):
            with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
                file.write(b"x")
            return {"score": 1.0}

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    study = satisfice.create_study(SPEC, storage=sqlite_url, task=Full())
    with pytest.raises(CannotWrite, match="the disk is full"):
        study.optimize()
    assert states(study) == {"WAITING": 1}


# -- files that are none of ours ----


def _plain(path: Path) -> None:
    path.write_text("no database, but long enough to be looked at as one")


def _truncated(path: Path) -> None:
    satisfice.create_study(SPEC, storage=f"sqlite:///{path}", task=Task())._opened.db.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 4])


def _of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trials (patient TEXT)")
    connection.close()


def _with_other_migrations(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_plain, "the file is no SQLite database"),
        (_truncated, "the database file is damaged"),
        (_of_another_program, "belongs to another program: its table 'trials' is none of Optuna's"),
        (_with_other_migrations, "belongs to another program: its table 'alembic_version'"),
        (_folder, "it is a folder"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_left_alone(
    make: Any, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "given.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StorageError, match=sentence):
        satisfice.create_study(SPEC, storage=f"sqlite:///{path}", task=Task())
    for arguments in (["status"], ["best", "mine"], ["db", "upgrade"]):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--storage", f"sqlite:///{path}"])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert sentence in said
        assert said.count("\n") == 1
    if make in (_plain, _truncated):
        assert path.read_bytes() == before
    assert not (path.is_dir() and list(path.iterdir()))


def test_a_locked_file_is_said_to_be_locked(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    monkeypatch.setenv("SATISFICE_PATIENCE_SECONDS", "0.5")
    study = satisfice.create_study(SPEC, storage=sqlite_url, task=Light())
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(
        StorageLost, match=r"another process has kept the database .* locked for more than 0.5 s"
    ):
        study.enqueue_trial({"rate": 0.5})
    assert states(study) == {}  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    study.enqueue_trial({"rate": 0.5})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(sqlite_url: str, tmp_path: Path) -> None:
    satisfice.create_study(SPEC, storage=sqlite_url, task=Light())._opened.db.close()
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="cannot be written, and SQLite keeps files beside its own"):
            satisfice.load_study("mine", storage=sqlite_url)
    finally:
        tmp_path.chmod(0o755)


# -- servers ----


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"username": "crowded"}, StorageRefused, r"too many connections .*\(start fewer workers, or raise"),
        ({"username": "nobody_here"}, StorageError, r'role "nobody_here" does not exist .*credentials'),
        ({"database": "no_such_database"}, StorageError, r'database "no_such_database" does not exist'),
        ({"host": "no-such-host.invalid", "query": {}}, StorageError, "no-such-host.invalid"),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, StorageRefused, "refused"),
    ],
)
def test_a_server_that_does_not_let_us_in_is_one_sentence_without_a_password(
    change: dict[str, Any], kind: type, sentence: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_PATIENCE_SECONDS", "0.1")
    server = sa.make_url(postgres_url)
    engine = sa.create_engine(server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS crowded")
        connection.exec_driver_sql("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    url = server.set(password="wh1sper-of", **change).render_as_string(hide_password=False)
    with pytest.raises(kind, match=sentence) as raised:
        satisfice.list_studies(url)
    said = str(raised.value)
    assert type(raised.value) is kind
    assert "wh1sper" not in said
    assert "SELECT" not in said
    assert "\n" not in said
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP ROLE crowded")
