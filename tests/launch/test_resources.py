"""Division of cores and accelerators, and what a worker's command line and environment hold."""

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from satisfice.errors import InputError
from satisfice.launch import LAUNCHERS, Job, make_launcher, resources
from satisfice.launch.resources import (
    accelerator_environment,
    accelerators,
    cores,
    out_of_memory_kills,
    shared_accelerators,
    threads_per_worker,
)
from satisfice.launch.worker_process import worker_command, worker_environment

SECRET = "p4ssw0rd-of-the-test"
JOB = Job(study="digits", storage=f"postgresql://me:{SECRET}@host/db", workers=3, label="edge box")


@pytest.mark.parametrize(
    ("workers", "available", "expected"), [(1, 8, 8), (3, 8, 2), (8, 8, 1), (16, 8, 1), (2, 1, 1)]
)
def test_threads_together_never_exceed_the_cores_unless_each_has_one(
    workers: Any, available: int, expected: int
) -> None:
    assert threads_per_worker(workers, available) == expected


def test_cores_are_at_least_one_and_not_more_than_there_are() -> None:
    import os

    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_accelerators_are_dealt_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-abc")
    devices = accelerators()
    dealt = [accelerator_environment(seat, devices)["CUDA_VISIBLE_DEVICES"] for seat in range(3)]
    assert dealt == ["2", "GPU-abc", "2"]


def test_accelerators_are_not_dealt_out_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    for named, shared in (("cuda:1", []), ("cuda", ["0", "1"]), ("", ["0", "1"])):
        monkeypatch.setenv("SATISFICE_DEVICE", named)
        assert shared_accelerators() == shared


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_accelerators_stay_hidden(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert accelerator_environment(0, accelerators()) == {}


def test_the_storage_url_is_in_no_command_line_and_no_shared_environment() -> None:
    command = worker_command(JOB, threads=2)
    environment = worker_environment(JOB, "w1", threads=2)
    assert not any(SECRET in part for part in [*command, *environment.values()])
    assert command[-1] == "digits"
    assert command[command.index("--label") + 1] == "edge box"


def test_a_study_named_like_an_option_is_still_a_study() -> None:
    command = worker_command(Job(study="--help", storage="", workers=1), threads=1)
    assert command[-2:] == ["--", "--help"]


def test_a_worker_can_import_what_its_starter_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    folders = worker_environment(JOB, "w1", threads=1)["PYTHONPATH"].split(":")
    assert str(tmp_path) in folders
    assert not any(folder.startswith(sys.prefix + "/lib") for folder in folders)


def test_threads_reach_the_numeric_libraries() -> None:
    environment = worker_environment(JOB, "w1", threads=3)
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "3"


def test_out_of_memory_kills_are_those_of_the_own_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "Path", lambda path: tmp_path / path.lstrip("/"))
    assert out_of_memory_kills() == 0  # no control groups here
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("1:name=systemd:/\n0::/jobs/a\n")
    own = tmp_path / "sys/fs/cgroup/jobs/a"
    own.mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.events").write_text("oom 9\noom_kill 7\n")
    assert out_of_memory_kills() == 7  # a container sees its group as the root
    (own / "memory.events").write_text("oom 3\noom_kill 2\n")
    assert out_of_memory_kills() == 2


def test_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown engine 'rai'.*did you mean 'ray'"):
        make_launcher("rai")


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"takes no option 'adress'"):
        make_launcher("local", adress="x")


def test_every_registered_launcher_is_built_without_options() -> None:
    for name in ("local", "ray", "slurm"):
        assert name in LAUNCHERS.names()
        assert callable(make_launcher(name).run)


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("ray", {"cpus": 0.0}),
        ("ray", {"cpus": math.inf}),
        ("ray", {"gpus": math.nan}),
        ("ray", {"gpus": 1.5}),
        ("slurm", {"cpus": 0}),
        ("slurm", {"cpus": math.inf}),
        ("slurm", {"gpus": math.nan}),
        ("slurm", {"gpus": 0.5}),
        ("slurm", {"cluster": "x"}),
    ],
)
def test_impossible_options_are_refused(engine: str, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        make_launcher(engine, **options)
