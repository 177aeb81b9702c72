"""`--json` is alone on standard output, and what a task changes in its process stays with the task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TASK = """
import atexit
import ctypes
import logging
import os
import signal
import subprocess
import sys
import warnings

import numpy as np

print("at import")
logging.basicConfig(stream=sys.stdout, level=logging.INFO)
atexit.register(lambda: (print("at exit", flush=True), os.write(1, b"descriptor 1 at exit")))


class Hostile:
    def __init__(self):
        print("made")

    def profile(self, params):
        print("profiled")
        return {"size_mb": 0.1}

    def train(self, params, trial):
        print("printed")
        logging.info("logged")
        os.write(1, b"descriptor 1")
        libc = ctypes.CDLL(None)
        libc.puts(b"by C")
        libc.fflush(None)
        subprocess.run(["echo", "by a child"], check=True)
        sys.__stdout__.write("by the first stream")
        os.chdir("away")  # relative: it works in every trial, since each begins where the first began
        for name in ("STORAGE", "ARTEFACTS", "LEASE_SECONDS"):
            os.environ["SATISFICE_" + name] = "nonsense"
        np.seterr(all="raise")
        warnings.simplefilter("error")
        os.umask(0o777)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if params["how"] == "closed":
            sys.stdout.close()
            sys.stderr.close()
        elif params["how"] == "none":
            sys.stdout = sys.stderr = None
        return {"score": params["rate"]}
"""
STUDY = """
name = "hostile"
[task]
entry = "hostile_task:Hostile"
[objectives]
score = "maximize"
[constraints]
size_mb = "<= 1"
[space]
rate = { low = 0.0, high = 1.0 }
how = ["open", "closed", "none"]
[budget]
trials = 6
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hostile_task.py").write_text(TASK)
    (tmp_path / "hostile.toml").write_text(STUDY)
    (tmp_path / "away").mkdir()
    return tmp_path


def call(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "satisfice.cli.main", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


def test_the_answer_is_alone_and_files_are_where_the_command_was_given(folder: Path) -> None:
    done = call(folder, "run", "hostile.toml", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["status"]["states"] == {"COMPLETE": 6}
    assert result["report"] == "reports/hostile/index.html"
    assert (folder / "reports" / "hostile" / "index.html").is_file()
    assert (folder / "satisfice.db").is_file()
    assert list((folder / "away").iterdir()) == []
    for words in ("at import", "made", "profiled", "printed", "logged", "by C", "by a child", "at exit"):
        assert words in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check hostile.toml --samples 5", "define hostile.toml", "status"])
def test_other_commands_that_import_the_task_answer_alone(folder: Path, command: str) -> None:
    assert call(folder, "define", "hostile.toml").returncode == 0
    done = call(folder, *command.split(), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


@pytest.mark.slow
def test_for_people_too_the_answer_survives_closed_streams(folder: Path) -> None:
    done = call(folder, "run", "hostile.toml")
    assert done.returncode == 0, done.stderr
    assert "report: reports/hostile/index.html" in done.stdout


@pytest.mark.slow
def test_two_workers_end_every_trial(folder: Path) -> None:
    done = call(folder, "run", "hostile.toml", "--workers", "2", "--json")
    assert json.loads(done.stdout)["status"]["states"] == {"COMPLETE": 6}


def test_without_a_standard_output_a_command_still_works(folder: Path) -> None:
    script = f"exec {sys.executable} -m satisfice.cli.main define hostile.toml --json >&-"
    done = subprocess.run(["sh", "-c", script], cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "satisfice.db").read_bytes().startswith(b"SQLite format 3")
