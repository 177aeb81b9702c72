"""`satisfice run` with two workers, killed half-way with all its processes and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import satisfice

pytestmark = pytest.mark.slow

TRIALS = 14

TASK = """
import time

class Sized:
    def __init__(self, log, pause_s):
        self.log, self.pause_s = log, pause_s

    def profile(self, params):
        return {"size_mb": params["width"] / 10}

    def train(self, params, trial):
        with open(self.log, "a") as log:
            log.write(f"{trial.number} {params['width']}\\n")
        for step in (1, 2, 3):
            time.sleep(self.pause_s)
            trial.report(step, {"accuracy": 1 - (params["rate"] - 0.3) ** 2 - 0.5 / (params["width"] + step)})
        return {}
"""


@pytest.fixture
def define(tmp_path: Path) -> Callable[[float], Path]:
    """Writes the study with some pause in each step."""

    def write(pause_s: float) -> Path:
        (tmp_path / "sized_task.py").write_text(TASK)
        file = tmp_path / "sized.toml"
        file.write_text(
            f"""
name = "sized"
seed = 2
[task]
entry = "sized_task:Sized"
log = "{tmp_path}/trained.log"
pause_s = {pause_s}
[objectives]
accuracy = "maximize"
size_mb = "minimize"
[constraints]
size_mb = "<= 0.8"
[space]
rate = {{ low = 0.0, high = 1.0 }}
width = {{ low = 1, high = 20 }}
[budget]
trials = {TRIALS}
epochs = 3
"""
        )
        return file

    return write


def start(file: Path, url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "satisfice.cli.main", "run", str(file), "--workers", "2", "--json"]
    return subprocess.Popen(
        [*command, "--storage", url, "--report", str(file.parent / "report")],
        cwd=file.parent,
        env=os.environ
        | {
            "SATISFICE_LEASE_SECONDS": "3",
            "SATISFICE_ARTEFACTS": str(file.parent / "artefacts"),
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, words = process.communicate(timeout=200)
    assert process.returncode == 0, words[-3000:]
    answer: dict[str, Any] = json.loads(output)
    return answer


def assert_exact(answer: dict[str, Any], url: str, folder: Path) -> None:
    study = satisfice.load_study("sized", storage=url)
    try:
        records, trials = study.records(), study.optuna_study.trials
        front = study.pareto_front()
    finally:
        study._opened.db.close()
    assert sum(answer["status"]["states"].values()) == TRIALS
    assert [t.number for t in trials] == list(range(TRIALS))
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}
    # Nothing beyond its size budget trained a step: neither what is stored, nor what the task saw.
    assert all(r.metrics["size_mb"] <= 0.8 for r in records)
    begun = [line.split() for line in (folder / "trained.log").read_text().splitlines()]
    assert {int(number) for number, _ in begun} == set(range(TRIALS))
    assert all(int(width) <= 8 for _, width in begun)
    assert answer["status"]["turned_away"] > 0

    complete = [r for r in records if r.state.name == "COMPLETE"]
    points = {r.number: (-r.metrics["accuracy"], r.metrics["size_mb"]) for r in complete}
    undominated = {
        n
        for n, p in points.items()
        if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points.values())
    }
    assert {r.number for r in front} == {t["number"] for t in answer["pareto"]} == undominated
    assert answer["best"]["number"] == min(points, key=lambda n: points[n])


def test_killed_with_all_its_processes_and_started_again(
    define: Callable[[float], Path], sqlite_url: str
) -> None:
    file = define(0.15)
    process = start(file, sqlite_url)
    log = file.parent / "trained.log"
    deadline = time.monotonic() + 120
    while not log.exists() or len(log.read_text().splitlines()) < TRIALS // 2:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kill_all(process)
    study = satisfice.load_study("sized", storage=sqlite_url)
    left = Counter(r.state.name for r in study.records())
    study._opened.db.close()
    assert left["RUNNING"]  # it was in the middle of something
    assert left["COMPLETE"] < TRIALS

    answer = finish(start(file, sqlite_url))
    assert_exact(answer, sqlite_url, file.parent)
    again = finish(start(file, sqlite_url))  # spent: only reports
    assert again["pareto"] == answer["pareto"]
    assert again["status"]["states"] == answer["status"]["states"]


def kill_all(process: subprocess.Popen[str]) -> None:
    """SIGKILL to the command and every process it started, none of which can say goodbye."""
    import psutil

    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)]
    for member in family:
        member.suspend()  # so that nobody starts another while the others are killed
    for member in family:
        member.send_signal(signal.SIGKILL)
    process.communicate()
    psutil.wait_procs(family, timeout=10)


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_two_workers_on_a_server(
    define: Callable[[float], Path], kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    file = define(0.0)
    assert_exact(finish(start(file, url)), url, file.parent)
