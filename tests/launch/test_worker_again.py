"""A worker that runs again: in the same process, or elsewhere under the identity that a launcher gave it."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import satisfice

TOY = Path(__file__).parent / "toy"


@pytest.fixture
def study(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> satisfice.Study:
    """The toy study with three trials, and leases that outlive the test."""
    monkeypatch.setenv("SATISFICE_LEASE_SECONDS", "600")
    shutil.copy(TOY / "toy_task.py", tmp_path)
    (tmp_path / "toy.toml").write_text((TOY / "toy.toml").read_text().replace("trials = 12", "trials = 3"))
    return satisfice.create_study(tmp_path / "toy.toml", storage=sqlite_url)


def test_one_object_works_again_after_a_stop(study: satisfice.Study) -> None:
    stop = threading.Event()
    stop.set()
    assert study.run_worker(stop=stop) == "it was asked to stop"
    study.optimize(timeout_s=0.0)
    study.optimize()
    study.optimize()
    assert study.status()["states"] == {"COMPLETE": 3}


def test_what_its_earlier_life_held_is_free(
    study: satisfice.Study, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a cluster loses a node and runs the worker again on another one."""
    monkeypatch.setenv("SATISFICE_WORKER_ID", "0123456789abcdef0123456789abcdef")
    code = (
        "import os, sys, satisfice\n"
        "study = satisfice.load_study('toy', sys.argv[1])\n"
        "def die(trial, state): study.ask(); os._exit(9)\n"
        "study.run_worker(callbacks=[die])\n"
    )
    dead = subprocess.run([sys.executable, "-c", code, sqlite_url], env=os.environ.copy(), check=False)
    assert dead.returncode == 9
    assert study.status()["states"] == {"COMPLETE": 1, "RUNNING": 1}
    satisfice.load_study("toy", sqlite_url).run_worker()
    assert study.status()["states"] == {"COMPLETE": 3}
