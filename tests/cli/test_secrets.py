"""A password in the storage URL is in no output, log, file or stored row, whatever goes wrong in a run."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.slow

SECRET = "wh1sper%40of-the-test"  # with a character that URLs escape
WRITTEN = ("wh1sper%40of-the-test", "wh1sper@of-the-test")

TASK = """
import time

class Moody:
    def profile(self, params):
        return {"size_mb": params["width"] / 10}

    def train(self, params, trial):
        time.sleep(0.4)
        trial.report(1, {"accuracy": params["width"] / 20})
        if trial.number == 2:
            raise RuntimeError("one trial fails, and its traceback is stored")
        return {"accuracy": params["width"] / 20}
"""

STUDY = """
name = "moody"
[task]
entry = "moody_task:Moody"
[objectives]
accuracy = "maximize"
[constraints]
size_mb = "<= 1.0"
[space]
width = { low = 1, high = 20 }
[budget]
trials = 16
epochs = 1
"""


class Person:
    """Who calls commands in a folder with the URL in the environment, and keeps all that they print."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        (self.folder / "moody_task.py").write_text(TASK)
        (self.folder / "moody.toml").write_text(STUDY)
        (folder / "tmp").mkdir()
        self.environment = os.environ | {
            "SATISFICE_STORAGE": url,
            "SATISFICE_ARTEFACTS": str(folder / "artefacts"),
            "TMPDIR": str(folder / "tmp"),  # worker logs and tracebacks go there
        }
        self.printed: list[str] = []

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "satisfice.cli.main", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self, process: subprocess.Popen[str], code: int) -> None:
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, err
        self.printed += [out, err]

    def call(self, *arguments: str, code: int = 0, **environment: str) -> None:
        self.wait(self.start(*arguments, **environment), code)


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    """What every file below a folder holds, those in archives included, by name."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        yield str(path), path.read_bytes().decode(errors="replace")
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path}:{name}", archive.read(name).decode(errors="replace")


def rows(url: sa.URL) -> Iterator[str]:
    """Every stored row, of Optuna's tables and of ours."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        assert {"studies", "trials", "satisfice_studies", "satisfice_slots", "satisfice_workers"} <= {*names}
        for name in names:
            for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')):
                yield f"{name}: {row}"


def kill_a_worker(run: subprocess.Popen[str]) -> None:
    """So that logs of workers are kept."""
    deadline = time.monotonic() + 200
    while not (workers := psutil.Process(run.pid).children()):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    workers[0].send_signal(signal.SIGSEGV)


@pytest.mark.timeout(900)
def test_a_password_is_nowhere_in_a_whole_run(tmp_path: Path, postgres_url: str) -> None:
    """PostgreSQL trusts us here, so any password opens it."""
    url = sa.make_url(postgres_url).set(password=WRITTEN[1])
    full = url.render_as_string(hide_password=False)
    assert SECRET in full
    person = Person(tmp_path, full)
    run = person.start("run", "moody.toml", "--workers", "2")
    kill_a_worker(run)
    person.wait(run, 0)
    for arguments in (
        ["worker", "moody"],
        ["status", "moody"],
        ["status", "--json"],
        ["best", "moody"],
        ["pareto", "moody", "--json"],
        ["report", "moody", "--output", "again"],
        ["export", "moody", "--output", "moody.zip"],
        ["replay", "moody", "0"],
        ["db", "current"],
        ["doctor"],
    ):
        person.call(*arguments)
    # What goes wrong, with its traceback shown.
    for arguments, other in (
        (["status", "moody"], url.set(host="no-such-host.invalid", query={})),
        (["run", "moody.toml", "--workers", "2"], url.set(host="127.0.0.1", port=1, query={})),
        (["worker", "moody"], url.set(database="no_such_database")),
        (["best", "moody"], url.set(drivername="oracle")),
    ):
        text = other.render_as_string(hide_password=False)
        person.call(*arguments, "--storage", text, code=2, SATISFICE_DEBUG="1")

    found = dict(contents(tmp_path))
    stored = list(rows(url))
    assert any("one trial fails" in row for row in stored)  # the traceback
    assert any(name.endswith(".log") for name in found)  # of the worker that was killed
    assert any(name.startswith(str(tmp_path / "work" / "moody.zip:")) for name in found)
    assert any("Traceback" in text for text in person.printed)
    for secret in WRITTEN:
        assert not [text[:300] for text in person.printed if secret in text]
        assert not [name for name, text in found.items() if secret in text]
        assert not [row[:300] for row in stored if secret in row]


def test_a_wrong_password_is_not_repeated(tmp_path: Path, mariadb_url: str) -> None:
    """MariaDB says "Access denied" to it, in words that name the user."""
    url = sa.make_url(mariadb_url).set(password=WRITTEN[1]).render_as_string(hide_password=False)
    person = Person(tmp_path, url)
    for arguments in (["run", "moody.toml"], ["worker", "moody"], ["status"], ["db", "upgrade"]):
        person.call(*arguments, code=2, SATISFICE_DEBUG="1")
    assert all("cannot open the storage" in text for text in person.printed if text)
    texts = person.printed + [text for _, text in contents(tmp_path)]
    assert not [text[:300] for text in texts if any(secret in text for secret in WRITTEN)]
