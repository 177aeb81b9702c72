"""The supervising loop, over real processes of a stand-in worker."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from satisfice.errors import InputError, WorkersFailed
from satisfice.launch.job import Cause, Death, Ended, Job, classify
from satisfice.launch.local import LocalProcess
from satisfice.launch.supervise import supervise
from satisfice.launch.worker_process import with_parent

JOB = Job(study="s", storage="sqlite:///unused.db", workers=2)


class Seats:
    """Starts ``python -c script`` in each seat, with the seat and the try as arguments."""

    def __init__(self, folder: Path, script: str) -> None:
        self.folder = folder
        self.script = script
        self.started: list[int] = []
        self.processes: list[LocalProcess] = []

    def __call__(self, seat: int, worker: str) -> LocalProcess:
        attempt = self.started.count(seat)
        self.started.append(seat)
        command = [sys.executable, "-c", self.script, str(seat), str(attempt)]
        log = self.folder / f"{seat}.log"
        self.processes.append(LocalProcess(command, with_parent({"SATISFICE_WORKER_ID": worker}), log))
        return self.processes[-1]


def test_returns_when_every_worker_has_finished(tmp_path: Path) -> None:
    seats = Seats(tmp_path, "print('done')")
    supervise(seats, JOB)
    assert sorted(seats.started) == [0, 1]


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGKILL, Cause.KILLED), (signal.SIGSEGV, Cause.CRASHED), (signal.SIGTERM, Cause.PREEMPTED)],
)
def test_a_dead_worker_is_replaced_and_its_cause_told(
    tmp_path: Path, number: signal.Signals, cause: Cause
) -> None:
    script = (
        "import os, sys\n"
        f"if sys.argv[1:] == ['0', '0']: os.kill(os.getpid(), {int(number)})\n"
    )  # fmt: skip
    seats = Seats(tmp_path, script)
    deaths: list[Death] = []
    supervise(seats, JOB, on_death=deaths.append)
    assert sorted(seats.started) == [0, 0, 1]
    assert [(d.seat, d.ended.cause) for d in deaths] == [(0, cause)]
    assert deaths[0].ended.code == -number
    assert deaths[0].restarts_in_s is not None


def test_a_worker_that_refuses_its_input_stops_all(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "if sys.argv[1] == '0': print('satisfice: no study is named s', file=sys.stderr); sys.exit(2)\n"
        "time.sleep(600)\n"
    )
    seats = Seats(tmp_path, script)
    with pytest.raises(InputError, match="no study is named s") as raised:
        supervise(seats, JOB)
    assert str(tmp_path / "0.log") in str(raised.value)
    assert all(not psutil.pid_exists(p.pid) for p in seats.processes)


def test_a_replacement_that_finds_no_database_is_replaced_in_turn(tmp_path: Path) -> None:
    """What the first worker of a seat could open was no wrong input."""
    script = (
        "import os, sys\n"
        "if sys.argv[2] == '0': os.kill(os.getpid(), 9)\n"
        "if sys.argv[2] == '1': print('cannot open the storage', file=sys.stderr); sys.exit(2)\n"
    )
    seats = Seats(tmp_path, script)
    deaths: list[Death] = []
    supervise(seats, Job(study="s", storage="", workers=1), on_death=deaths.append)
    assert seats.started == [0, 0, 0]
    assert [d.ended.cause for d in deaths] == [Cause.KILLED, Cause.WRONG_INPUT]


def test_gives_a_seat_up_when_its_workers_go_on_failing(tmp_path: Path) -> None:
    seats = Seats(tmp_path, "import sys; print('it hurts', file=sys.stderr); sys.exit(70)")
    deaths: list[Death] = []
    with pytest.raises(WorkersFailed, match="it hurts"):
        supervise(seats, Job(study="s", storage="", workers=1), on_death=deaths.append)
    assert len(deaths) == 3
    assert [d.restarts_in_s is None for d in deaths] == [False, False, True]


def test_one_failed_worker_does_not_fail_those_that_finish(tmp_path: Path) -> None:
    seats = Seats(tmp_path, "import sys; sys.exit(int(sys.argv[1]))")
    deaths: list[Death] = []
    supervise(seats, JOB, on_death=deaths.append)
    assert [d.ended.cause for d in deaths] == [Cause.FAILED]


def test_stop_ends_the_workers(tmp_path: Path) -> None:
    seats = Seats(tmp_path, "import time; time.sleep(600)")
    stop = threading.Event()
    supervise(seats, JOB, stop=stop, on_tick=stop.set)
    assert [ended(p).cause for p in seats.processes] == [Cause.PREEMPTED] * 2


def test_a_worker_that_will_not_leave_is_killed(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(600)\n"
    )
    seats = Seats(tmp_path, script)
    stop = threading.Event()

    def stop_when_deaf() -> None:
        logs = [tmp_path / "0.log", tmp_path / "1.log"]
        if all(log.exists() and "deaf" in log.read_text() for log in logs):
            stop.set()

    supervise(seats, JOB, stop=stop, on_tick=stop_when_deaf, grace_s=0.5)
    assert [ended(p).code for p in seats.processes] == [-signal.SIGKILL] * 2


def test_what_a_tick_raises_ends_the_workers_and_passes(tmp_path: Path) -> None:
    seats = Seats(tmp_path, "import time; time.sleep(600)")

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        supervise(seats, JOB, on_tick=interrupt)
    assert [ended(p).cause for p in seats.processes] == [Cause.PREEMPTED] * 2


def test_the_time_limit_ends_the_workers(tmp_path: Path) -> None:
    seats = Seats(tmp_path, "import time; time.sleep(600)")
    supervise(seats, Job(study="s", storage="", workers=1, timeout_s=0.5))
    assert ended(seats.processes[0]).cause is Cause.PREEMPTED


def test_a_worker_leaves_when_its_parent_is_killed(tmp_path: Path) -> None:
    """The launcher dies by SIGKILL: no handler runs, and still no worker is left behind."""
    worker = (
        "import sys, threading\n"
        "from satisfice.launch.worker_process import StopSignals\n"
        "stop = threading.Event()\n"
        "signals = StopSignals(stop)\n"
        "signals.install()\n"
        "print('ready', flush=True)\n"
        "stop.wait(600)\n"
        "print('left:', signals.received, flush=True)\n"
    )
    log = tmp_path / "worker.log"
    parent = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from satisfice.launch.local import LocalProcess\n"
        "from satisfice.launch.worker_process import with_parent\n"
        f"LocalProcess([sys.executable, '-c', {worker!r}], with_parent({{}}), Path({str(log)!r}))\n"
        "time.sleep(600)\n"
    )
    process = psutil.Popen([sys.executable, "-c", parent])
    wait_for(lambda: log.exists() and "ready" in log.read_text())
    (child,) = process.children()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert "left: the end of its parent process" in log.read_text()


def test_a_worker_deaf_to_its_event_ends_by_force(tmp_path: Path) -> None:
    script = (
        "import threading, time\n"
        "from satisfice.launch.worker_process import StopSignals\n"
        "late = lambda: print('too late', flush=True)\n"
        "StopSignals(threading.Event(), grace_s=0.3, on_deadline=late).install()\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 600\n"
        "while time.monotonic() < end: time.sleep(0.1)\n"
    )
    log = tmp_path / "worker.log"
    process = LocalProcess([sys.executable, "-c", script], with_parent({}), log)
    wait_for(lambda: "ready" in log.read_text())
    process.terminate()
    wait_for(lambda: process.poll() is not None)
    last = ended(process)
    assert (last.cause, last.words) == (Cause.PREEMPTED, "too late")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (0, Cause.FINISHED),
        (1, Cause.FAILED),
        (2, Cause.WRONG_INPUT),
        (70, Cause.UNEXPECTED),
        (143, Cause.PREEMPTED),
        (-15, Cause.PREEMPTED),
        (137, Cause.KILLED),
        (-9, Cause.KILLED),
        (-11, Cause.CRASHED),
        (134, Cause.CRASHED),
        (-7, Cause.CRASHED),
    ],
)
def test_exit_codes(code: int, cause: Cause) -> None:
    assert classify(code) is cause


def test_only_crashes_and_lack_of_memory_blame_the_trial() -> None:
    assert {c for c in Cause if c.blames_trial} == {Cause.CRASHED, Cause.OUT_OF_MEMORY}
    assert classify(-9, out_of_memory=True) is Cause.OUT_OF_MEMORY


def wait_for(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def ended(process: LocalProcess) -> Ended:
    """How a process ended, which must have happened."""
    found = process.poll()
    assert found is not None
    return found
