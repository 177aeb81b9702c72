"""The host's quiet, across processes: turns, yielding, and death."""

import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from satisfice.errors import InputError
from satisfice.measure import Quiet

SOURCE = Path(__file__).parents[2] / "src"
PATIENCE_S = 300.0

MEASURE = """
import sys, time
from pathlib import Path
from satisfice.measure.latency.quiet import Quiet
with Quiet(Path(sys.argv[1])).measuring() as report:
    print("measuring", report.turn, report.quiet, flush=True)
    time.sleep(float(sys.argv[2]))
print("over", flush=True)
"""

TRAIN = """
import sys, time
from pathlib import Path
from satisfice.measure.latency.quiet import Quiet
quiet = Quiet(Path(sys.argv[1]))
with quiet.training():
    print("training", flush=True)
    while True:
        time.sleep(0.001)
        quiet.batch_end()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


@pytest.fixture
def processes():
    started: list[subprocess.Popen[str]] = []

    def begin(script: str, *arguments: object) -> subprocess.Popen[str]:
        started.append(start(script, *arguments))
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_measurement_leaves_no_lock_behind(tmp_path, processes) -> None:
    victim = processes(MEASURE, tmp_path, 600)
    assert (tmp_path / "wanted").read_bytes()[0] == 1
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    said: list[str] = []
    with Quiet(tmp_path, on_wait=said.append).training():
        assert (tmp_path / "wanted").read_bytes()[0] == 0
    with Quiet(tmp_path, on_wait=said.append).measuring() as report:
        assert report.turn
        assert report.quiet
    assert said == []


def test_the_hint_that_a_killed_measurement_left_is_cleared_at_a_batch_end(tmp_path, processes) -> None:
    quiet = Quiet(tmp_path)
    with quiet.training():
        (tmp_path / "wanted").write_bytes(b"\x01")
        quiet.batch_end()
        assert (tmp_path / "wanted").read_bytes()[0] == 0
        with Quiet(tmp_path).measuring(max_wait_s=0) as report:
            assert not report.quiet  # the shared side was taken again


def test_a_killed_training_leaves_no_lock_behind(tmp_path, processes) -> None:
    victim = processes(TRAIN, tmp_path)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    with Quiet(tmp_path).measuring(max_wait_s=0) as report:
        assert report.quiet


def test_a_second_measurement_waits_its_turn_and_says_so(tmp_path, processes) -> None:
    first = processes(MEASURE, tmp_path, 0.5)
    said: list[str] = []
    with Quiet(tmp_path, on_wait=said.append).measuring(max_turn_s=PATIENCE_S) as report:
        # The first has given its turn back, which is the last thing it does before it says that it is over.
        assert first.stdout.readline() == "over\n"
        assert report.turn
        assert report.quiet
        assert report.waited_s > 0
    assert len(said) == 1
    assert said[0] == f"waiting to measure: process {first.pid} is measuring"


def test_patience_with_another_measurement_ends(tmp_path, processes) -> None:
    processes(MEASURE, tmp_path, 600)
    said: list[str] = []
    with Quiet(tmp_path, on_wait=said.append).measuring(max_turn_s=0.05) as report:
        assert not report.turn
        assert not report.quiet
    assert "has been measuring for too long; measuring at the same time" in said[-1]


def test_training_yields_at_a_batch_end_while_a_measurement_runs(tmp_path) -> None:
    training, measuring = Quiet(tmp_path), Quiet(tmp_path)
    batches: list[float] = []
    stop = threading.Event()

    def train() -> None:
        with training.training():
            while not stop.is_set():
                time.sleep(0.001)
                batches.append(time.monotonic())
                training.batch_end()

    thread = threading.Thread(target=train)
    thread.start()
    try:
        while not batches:
            time.sleep(0.001)
        with measuring.measuring(max_wait_s=PATIENCE_S) as report:
            begin = time.monotonic()
            assert report.quiet
            time.sleep(0.1)
            end = time.monotonic()
        count = len(batches)
        limit = time.monotonic() + PATIENCE_S
        while len(batches) <= count + 1 and time.monotonic() < limit:
            time.sleep(0.001)
        assert len(batches) > count + 1  # it goes on afterwards
        assert not [t for t in batches if begin < t < end]
    finally:
        stop.set()
        thread.join()


def test_four_workers_yield_to_one_after_another(tmp_path, processes) -> None:
    for _ in range(4):
        processes(TRAIN, tmp_path)
    for _ in range(3):
        with Quiet(tmp_path).measuring(max_wait_s=PATIENCE_S) as report:
            assert report.quiet


def test_training_that_never_ends_a_batch_is_waited_for_only_so_long(tmp_path) -> None:
    said: list[str] = []
    with (
        Quiet(tmp_path).training(),
        Quiet(tmp_path, on_wait=said.append).measuring(max_wait_s=0.05) as report,
    ):
        assert report.turn
        assert not report.quiet
    assert "measuring at the same time" in said[0]


def test_training_waits_for_a_measurement_only_so_long(tmp_path, processes) -> None:
    processes(MEASURE, tmp_path, 600)
    quiet = Quiet(tmp_path, max_yield_s=0.05)
    with quiet.training():
        quiet.batch_end()


def test_a_worker_measures_in_the_middle_of_its_own_training(tmp_path) -> None:
    quiet = Quiet(tmp_path)
    with quiet.training():
        with quiet.measuring(max_wait_s=0) as report:
            assert report.quiet
        with Quiet(tmp_path).measuring(max_wait_s=0) as report:
            assert not report.quiet  # it trains again


def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path, processes) -> None:
    child = "import os\n    if os.fork() == 0: time.sleep(600)\n    "
    fork = TRAIN.replace('print("training"', child + 'print("training"')
    parent = processes(fork, tmp_path)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    parent.kill()
    parent.wait()
    try:
        assert len(children) == 1
        with Quiet(tmp_path).measuring(max_wait_s=0) as report:
            assert report.quiet
    finally:
        os.kill(int(children[0]), signal.SIGKILL)


def test_a_batch_end_reads_one_byte_and_calls_nothing_while_nobody_waits(tmp_path) -> None:
    quiet = Quiet(tmp_path)
    with quiet.training():
        called: list[str] = []
        sys.setprofile(lambda _frame, event, _argument: called.append(event))
        try:
            quiet.batch_end()
        finally:
            sys.setprofile(None)
    # batch_end itself, and setprofile: neither a function of ours nor of C is called on the way.
    assert called == ["call", "return", "c_call"]


def test_batch_end_outside_training_does_nothing(tmp_path, processes) -> None:
    processes(MEASURE, tmp_path, 600)
    Quiet(tmp_path).batch_end()


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(InputError, match="belongs to another user"):
        Quiet(tmp_path)


def test_the_folder_is_for_its_user_alone(tmp_path) -> None:
    Quiet(tmp_path / "locks")
    assert (tmp_path / "locks").stat().st_mode & 0o077 == 0


def test_the_second_waits_and_names_the_study_that_measures(tmp_path, processes) -> None:
    script = MEASURE.replace("Quiet(Path(sys.argv[1]))", "Quiet(Path(sys.argv[1]), who='study first')")
    first = processes(script, tmp_path, 600)
    said: list[str] = []
    with Quiet(tmp_path, who="study second", on_wait=said.append).measuring(max_turn_s=0.05):
        pass
    assert said[0] == f"waiting to measure: study first (process {first.pid}) is measuring"


def test_a_wait_in_vain_is_not_repeated_at_full_length(tmp_path) -> None:
    said: list[str] = []
    with Quiet(tmp_path).training():
        with Quiet(tmp_path, on_wait=said.append).measuring(max_wait_s=0.6) as first:
            assert first.waited_s >= 0.6
        # Another process's hold would know it too: it is in the shared file.
        with Quiet(tmp_path, on_wait=said.append).measuring(max_wait_s=600) as second:
            assert not second.quiet
    assert len(said) == 1
    with Quiet(tmp_path).measuring() as third:
        assert third.quiet
    with Quiet(tmp_path).training(), Quiet(tmp_path).measuring(max_wait_s=0.6) as fourth:
        assert fourth.waited_s >= 0.6  # what came to an end in between is given its time again


def test_a_wait_in_vain_before_the_host_was_started_does_not_count(tmp_path) -> None:
    with Quiet(tmp_path).training():
        struct.pack_into("d", Quiet(tmp_path)._wanted, 8, time.monotonic() + 1e6)
        with Quiet(tmp_path).measuring(max_wait_s=0.6) as report:
            assert report.waited_s >= 0.6
