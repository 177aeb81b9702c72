"""Two studies on one host: the second waits its turn to measure, says for which, and goes on after it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import satisfice

pytestmark = pytest.mark.slow

TASK = """
import time
from pathlib import Path

class Held:
    def __init__(self, folder, held):
        self.folder, self.held = Path(folder), held

    def architecture(self, params):
        return {"width": params["width"], "held": self.held}

    def predictor(self, params, model=None):
        return self.call

    def call(self):
        (self.folder / "measuring").touch()
        while self.held and not (self.folder / "go").exists():
            time.sleep(0.01)
        return sum(range(1000))

    def train(self, params, trial):
        return {"accuracy": 0.5}
"""


def start(folder: Path, name: str, *, held: bool) -> subprocess.Popen[bytes]:
    (folder / "held_task.py").write_text(TASK)
    (folder / f"{name}.toml").write_text(
        f"""
name = "{name}"
[task]
entry = "held_task:Held"
folder = "{folder}"
held = {str(held).lower()}
[objectives]
accuracy = "maximize"
[constraints]
latency_ms = "<= 10000"
[space]
width = {{ low = 1, high = 1000 }}
[budget]
trials = 2
[search]
sampler = "random"
"""
    )
    command = [sys.executable, "-m", "satisfice.cli.main", "run", f"{name}.toml"]
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [*command, "--storage", f"sqlite:///{folder}/{name}.db", "--report", str(folder / name)],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
        )


def wait_for(what: str, folder: Path, name: str) -> None:
    deadline = time.monotonic() + 600
    while what not in (folder / f"{name}.log").read_text():
        assert time.monotonic() < deadline, (folder / f"{name}.log").read_text()
        time.sleep(0.02)


@pytest.fixture
def first(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A study that is in the middle of a measurement, and stays there until "go" exists."""
    process = start(tmp_path, "first", held=True)
    deadline = time.monotonic() + 600
    while not (tmp_path / "measuring").exists():
        assert process.poll() is None, (tmp_path / "first.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("killed", [False, True])
def test_a_second_study_on_the_host_waits_its_turn_and_says_so(
    tmp_path: Path, first: subprocess.Popen[bytes], killed: bool
) -> None:
    second = start(tmp_path, "second", held=False)
    wait_for(f"waiting to measure: study first (process {first.pid}) is measuring", tmp_path, "second")
    assert second.poll() is None
    if killed:
        first.send_signal(signal.SIGKILL)  # in the middle of its measurement
    else:
        (tmp_path / "go").touch()
    second.wait(timeout=600)
    words = (tmp_path / "second.log").read_text()
    assert second.returncode == 0, words
    assert "measuring for too long" not in words
    study = satisfice.load_study("second", storage=f"sqlite:///{tmp_path}/second.db")
    assert [r.feasible for r in study.records()] == [True, True]
    if not killed:
        first.wait(timeout=600)
        assert first.returncode == 0, (tmp_path / "first.log").read_text()
