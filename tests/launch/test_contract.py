"""What every launcher promises, over real workers on a real study."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import satisfice
from satisfice.errors import InputError
from satisfice.launch import Cause, Death, Job, Launcher, make_launcher

TOY = Path(__file__).parent / "toy"
TRIALS = 12
NAME = f"toy-{os.getpid()}"  # its workers are told from those of other test runs by it

Define = Callable[[float], tuple[satisfice.Study, str]]  # pause in each step -> study and its URL


@pytest.fixture(
    params=[
        "local",
        pytest.param("ray", marks=pytest.mark.slow),
        pytest.param("slurm", marks=pytest.mark.slow),
    ]
)
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Launcher:
    """Each launcher in turn; SLURM by submitit's local executor."""
    if request.param == "ray":
        request.getfixturevalue("ray_here")
        return make_launcher("ray")
    if request.param == "slurm":
        return make_launcher("slurm", cluster="local", minutes=5, logs=str(tmp_path / "jobs"))
    return make_launcher("local")


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """One Ray for all tests here: its start takes ten seconds."""
    import ray

    ray.init(include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False, num_cpus=4)
    yield
    ray.shutdown()


@pytest.fixture
def defined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Define:
    """Defines the toy study with some pause in each step; gives the study and its URL."""
    monkeypatch.setenv("SATISFICE_LEASE_SECONDS", "600")  # what is free sooner was freed on purpose

    def define(pause_s: float) -> tuple[satisfice.Study, str]:
        shutil.copy(TOY / "toy_task.py", tmp_path)
        text = (TOY / "toy.toml").read_text()
        text = text.replace('"toy"', f'"{NAME}"').replace("pause_s = 0.0", f"pause_s = {pause_s}")
        (tmp_path / "toy.toml").write_text(text)
        url = f"sqlite:///{tmp_path}/study.db"
        return satisfice.create_study(tmp_path / "toy.toml", storage=url), url

    return define


def workers_alive() -> list[psutil.Process]:
    """Worker processes of this machine that belong to the toy study."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if "satisfice.cli.main" in line and line[-1] == NAME and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def assert_all_left() -> None:
    """No worker is left, at most a moment after the launcher returned."""
    end = time.monotonic() + 60
    while workers_alive() and time.monotonic() < end:
        time.sleep(0.1)
    assert workers_alive() == []


def test_spends_the_exact_budget(launcher: Launcher, defined: Define) -> None:
    study, url = defined(0.02)
    seen: list[int] = []
    launcher.run(Job(study=NAME, storage=url, workers=2), on_tick=lambda: seen.append(len(workers_alive())))
    status = study.status()
    assert status["budget"]["used"] == TRIALS
    assert status["states"] == {"COMPLETE": TRIALS}
    assert max(seen) == 2
    assert_all_left()


@dataclass(frozen=True)
class Watched:
    """A launcher whose ticks and deaths a test sees beside the one that runs it."""

    launcher: Launcher
    on_tick: Callable[[], None]
    on_death: Callable[[Death], None]

    def run(
        self,
        job: Job,
        *,
        stop: threading.Event | None = None,
        on_tick: Callable[[], None] | None = None,
        on_death: Callable[[Death], None] | None = None,
    ) -> None:
        def both(death: Death) -> None:
            self.on_death(death)
            if on_death is not None:
                on_death(death)

        self.launcher.run(job, stop=stop, on_tick=self.on_tick, on_death=both)


def test_a_killed_worker_is_replaced_and_its_trial_done(launcher: Launcher, defined: Define) -> None:
    """The study frees the dead worker's trial at once: the lease itself would outlive this test."""
    study, _ = defined(0.1)
    deaths: list[Death] = []
    killed: list[int] = []

    def kill_one() -> None:
        if not killed and study.status()["states"].get("RUNNING", 0) >= 1:
            victim = workers_alive()[0]
            victim.kill()
            killed.append(victim.pid)

    study.optimize(workers=2, engine=Watched(launcher, kill_one, deaths.append))
    status = study.status()
    assert [death.ended.cause for death in deaths] == [Cause.KILLED]
    assert status["states"] == {"COMPLETE": TRIALS}
    assert_all_left()


def test_stop_gives_the_trials_back(launcher: Launcher, defined: Define) -> None:
    study, url = defined(0.5)
    stop = threading.Event()

    def stop_when_running() -> None:
        if study.status()["states"].get("RUNNING", 0) == 2:
            stop.set()

    launcher.run(Job(study=NAME, storage=url, workers=2), stop=stop, on_tick=stop_when_running)
    states = study.status()["states"]
    assert states.get("RUNNING", 0) == 0
    assert states.get("FAIL", 0) == 0
    assert_all_left()


def test_what_a_tick_raises_passes_and_leaves_no_worker(launcher: Launcher, defined: Define) -> None:
    _, url = defined(0.5)

    def interrupt() -> None:
        if workers_alive():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launcher.run(Job(study=NAME, storage=url, workers=2), on_tick=interrupt)
    assert_all_left()


def test_workers_that_refuse_their_input_say_why(launcher: Launcher, defined: Define) -> None:
    _, url = defined(0.0)
    with pytest.raises(InputError, match="toys") as raised:
        launcher.run(Job(study="toys", storage=url, workers=2))
    assert "log" in raised.value.hint
    assert_all_left()


def test_the_storage_url_is_in_no_command_line_or_file(
    launcher: Launcher, defined: Define, tmp_path: Path
) -> None:
    _, url = defined(0.02)
    job = Job(
        study=NAME, storage=f"{url}?timeout=77.125", workers=1
    )  # as a password would be: told from others
    lines: list[str] = []

    def read_command_lines() -> None:
        for process in [*workers_alive(), psutil.Process()]:
            lines.extend(process.cmdline())

    launcher.run(job, on_tick=read_command_lines)
    written = [path.read_bytes() for path in (tmp_path / "jobs").rglob("*") if path.is_file()]
    assert NAME in lines
    assert not any("77.125" in line for line in lines)
    assert not any(b"77.125" in content for content in written)
