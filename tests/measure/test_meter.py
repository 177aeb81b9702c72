"""The meter: what is measured, what is remembered, when it ends, and that it leaves the process as it was."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from satisfice.measure import InMemoryMeasurements, Meter, Quiet, Verdict, host
from satisfice.measure.latency.conditions import Pinning, Precedence, still
from satisfice.measure.latency.estimate import Estimate
from satisfice.measure.latency.sampling import Samples
from satisfice.measure.meter import (
    COARSE_S,
    LONGEST_S,
    QUICK_S,
    SETTLED_S,
    SOON_S,
    USUAL_S,
    _enough,
    _question,
)
from satisfice.spec.constraint import parse_clause
from satisfice.spec.study import MeasureOptions

SOURCE = Path(__file__).parents[2] / "src"


class Model:
    """Builds a call and counts how often."""

    def __init__(self, size: int = 64) -> None:
        self.built = 0
        self.matrix = np.ones((size, size))

    def __call__(self):
        self.built += 1
        return lambda: self.matrix @ self.matrix


@pytest.fixture
def store():
    return InMemoryMeasurements()


@pytest.fixture
def meter(store, tmp_path):
    return Meter(store, MeasureOptions(), Quiet(tmp_path))


def test_a_measurement_says_what_it_is(meter, store) -> None:
    found = meter.latency("k", Model())
    assert found.metric == "latency_ms"
    assert 0 < found.low < found.value < found.high
    assert found.samples > 0
    assert found.seconds > 0
    assert found.p95 is not None
    assert (found.host, found.threads, found.batch) == (host().fingerprint, 1, 1)
    assert store.hosts[host().fingerprint] == host()


def test_an_architecture_is_measured_once(meter, store, tmp_path) -> None:
    model = Model()
    far = [parse_clause("latency_ms <= 1e6")]
    first = meter.latency("k", model, far)
    assert meter.latency("k", model, far) == first
    assert meter.latency("k", model) == first
    assert Meter(store, MeasureOptions(), Quiet(tmp_path)).latency("k", model, far) == first  # another study
    assert model.built == 1
    meter.latency("another", model, far)
    assert model.built == meter.measurements == 2


def test_fresh_measures_again_and_is_remembered(meter, store) -> None:
    model = Model()
    meter.latency("k", model)
    again = meter.latency("k", model, fresh=True)
    assert model.built == 2
    assert store.get("k", host().fingerprint, "latency_ms") == again


def test_a_precise_one_is_measured_once_more_and_then_answers_everything(meter) -> None:
    model = Model()
    far = [parse_clause("latency_ms <= 1e6")]
    assert meter.latency("k", model, far).quality == "quick"
    precise = meter.latency("k", model, precise=True)
    assert precise.quality == "precise"
    near = [parse_clause(f"latency_us <= {precise.value * 1e3}")]
    assert precise.verdict(near[0]) is Verdict.TOO_CLOSE
    assert meter.latency("k", model, near) == precise  # longer than that it never measures
    assert model.built == 2


def test_bounds_on_other_quantities_do_not_matter(meter) -> None:
    found = meter.latency("k", Model(), [parse_clause("size_mb <= 1"), parse_clause("con0 <= 0")])
    assert found.quality == "quick"


def test_throughput_is_of_a_batch(store, tmp_path) -> None:
    meter = Meter(store, MeasureOptions(throughput_batch=32), Quiet(tmp_path))
    found = meter.throughput("k", Model())
    assert (found.metric, found.batch, found.p95) == ("throughput", 32, None)
    assert found.verdict(parse_clause("throughput >= 1")) is Verdict.FITS
    assert store.get("k", host().fingerprint, "latency_ms") is None


def test_the_pipeline_is_another_metric(meter, store) -> None:
    meter.latency("k", Model(), metric="pipeline_latency_ms")
    assert store.get("k", host().fingerprint, "pipeline_latency_ms") is not None
    assert store.get("k", host().fingerprint, "latency_ms") is None


def test_a_call_that_fails_leaves_everything_as_it_was(meter, store, tmp_path) -> None:
    def broken():
        raise RuntimeError("no kernel")

    before = _state()
    with pytest.raises(RuntimeError, match="no kernel"):
        meter.latency("k", lambda: broken)
    assert _state() == before
    assert store.get("k", host().fingerprint, "latency_ms") is None
    with Quiet(tmp_path).measuring(max_wait_s=0) as report:
        assert report.quiet


def test_affinity_threads_and_garbage_collection_are_put_back(meter) -> None:
    torch = pytest.importorskip("torch")
    torch.set_num_threads(2)
    before, inside = _state(), []

    def make():
        return lambda: inside.append((_state(), torch.is_inference_mode_enabled(), torch.get_num_threads()))

    meter.latency("k", make)
    (cores, collects), inference, threads = inside[-1]
    assert not collects
    assert inference
    assert threads == 1
    if hasattr(os, "sched_getaffinity"):
        assert cores is not None
        assert len(cores) == 1
    assert _state() == before
    assert torch.get_num_threads() == 2
    assert not torch.is_inference_mode_enabled()


def test_garbage_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with still(1):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_pinning_goes_around_the_cores() -> None:
    before = os.sched_getaffinity(0)
    with Pinning() as pinning:
        seen = set()
        for i in range(2 * len(before)):
            pinning.core(i)
            seen |= os.sched_getaffinity(0)
        assert seen <= before
        assert len(seen) == min(4, len(before))
    assert os.sched_getaffinity(0) == before


def test_pinning_that_is_forbidden_is_done_without(monkeypatch) -> None:
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    with Pinning() as pinning:
        pinning.core(1)
        assert not pinning.works


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="only Linux has it")
def test_precedence_is_given_up_again(meter) -> None:
    inside = []
    meter.latency("k", lambda: lambda: inside.append(os.sched_getscheduler(0)))
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    with Precedence() as precedence:
        allowed = precedence.works
        with Precedence() as second:
            assert not second.works  # nothing to gain, and nothing to give up
        assert (os.sched_getscheduler(0) != os.SCHED_OTHER) == allowed
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    fifo = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    assert inside[-1] == (fifo if allowed else os.SCHED_OTHER)


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="only Linux has it")
def test_precedence_is_only_for_calls_that_compute_alone(meter) -> None:
    inside = []

    def waits() -> None:
        time.sleep(0.001)
        inside.append(os.sched_getscheduler(0))

    meter.latency("k", lambda: waits)
    assert inside[-1] == os.SCHED_OTHER


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="only Linux has it")
def test_precedence_that_is_forbidden_is_done_without(meter, monkeypatch) -> None:
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    with Precedence() as precedence:
        assert not precedence.works
    assert meter.latency("k", Model()).value > 0


def _state() -> tuple[set[int] | None, bool]:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    return cores, gc.isenabled()


KILLED = """
import sys, time
from pathlib import Path
from satisfice.measure import InMemoryMeasurements, Meter, Quiet
from satisfice.spec.study import MeasureOptions
said = []
def call():
    if not said:
        said.append(print("timing", flush=True))
    time.sleep(0.5)
meter = Meter(InMemoryMeasurements(), MeasureOptions(), Quiet(Path(sys.argv[1])))
meter.latency("k", lambda: call, precise=True)
"""


def test_a_worker_killed_while_it_measures_leaves_no_lock_behind(tmp_path) -> None:
    victim = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "timing\n"
    with Quiet(tmp_path).measuring(max_turn_s=0.05) as report:
        assert not report.turn  # it holds its turn
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    with Quiet(tmp_path).measuring(max_wait_s=0, max_turn_s=0) as report:
        assert report.quiet


def test_two_studies_on_one_host_measure_in_turn(tmp_path) -> None:
    said: list[str] = []
    together, waits = threading.Barrier(2), threading.Event()
    calls: list[int] = []  # by whom, in order

    def hear(words: str) -> None:
        said.append(words)
        waits.set()

    def study() -> None:
        meter = Meter(InMemoryMeasurements(), MeasureOptions(), Quiet(tmp_path, on_wait=hear))
        matrix = np.ones((64, 64))

        def call() -> None:
            calls.append(threading.get_ident())
            waits.wait(300)  # the first goes on when the other has come
            _ = matrix @ matrix

        together.wait()
        meter.latency("k", lambda: call)

    threads = [threading.Thread(target=study) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*calls}) == 2
    assert sum(one != other for one, other in pairwise(calls)) == 1
    assert len(said) == 1
    assert said[0].startswith("waiting to measure: ")


def test_workers_that_want_the_same_architecture_measure_it_once(tmp_path) -> None:
    store = InMemoryMeasurements()
    together = threading.Barrier(4)
    meters = [Meter(store, MeasureOptions(), Quiet(tmp_path)) for _ in range(4)]
    found = []

    def work(meter: Meter) -> None:
        def make():
            together.wait()  # all of them have looked, and found nothing
            return Model()()

        found.append(meter.latency("k", make))

    threads = [threading.Thread(target=work, args=(meter,)) for meter in meters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(meter.measurements for meter in meters) == 1
    assert len(set(found)) == 1


# --- when sampling ends ---


def quality(
    seconds: float, error: float, bound: str | None, *, precise: bool = False, sampling: float = 0.05
) -> str | None:
    found = Estimate(value=1e-3, low=1e-3 * (1 - error), high=1e-3 * (1 + error), sampling=sampling)
    samples = Samples(medians=[1e-3] * 20, calls=[np.full(5, 1e-3)] * 20, seconds=seconds)
    constraints = [parse_clause(f"latency_ms {bound}")] if bound else []
    meter = Meter(InMemoryMeasurements(), MeasureOptions())
    measured = meter._record("latency_ms", found, samples)
    return _enough(measured, found, samples, _question("latency_ms", constraints, precise))


@pytest.mark.parametrize(
    ("seconds", "error", "bound", "expected"),
    [
        (COARSE_S, 0.3, "<= 2.1", "quick"),  # far: the first look is enough
        (COARSE_S, 0.3, "<= 0.45", "quick"),
        (COARSE_S, 0.3, "<= 1.9", None),  # clear, but neither far nor narrow
        (COARSE_S / 2, 0.3, "<= 2.1", None),
        (SOON_S, 0.05, "<= 1.9", "quick"),  # clear and narrow
        (SOON_S, 0.05, "<= 1.2", None),  # and near
        (QUICK_S, 0.05, "<= 1.2", "quick"),
        (QUICK_S, 0.3, "<= 1.9", "quick"),  # clear, and long enough
        (QUICK_S, 0.3, None, "quick"),
        (QUICK_S, 0.3, "<= 1.1", None),  # too close to call
        (USUAL_S, 0.3, "<= 1.1", None),
        (LONGEST_S, 0.3, "<= 1.1", "precise"),
        (COARSE_S, 0.3, "<= 0", "quick"),  # a bound that no time can meet
        (COARSE_S, 0.3, ">= -1", "quick"),
    ],
)
def test_sampling_ends_as_early_as_the_question_allows(seconds, error, bound, expected) -> None:
    assert quality(seconds, error, bound) == expected


def test_a_precise_measurement_ends_when_more_would_not_help() -> None:
    assert quality(SETTLED_S, 0.06, None, precise=True) is None
    assert quality(QUICK_S, 0.06, None, precise=True, sampling=0.01) is None
    assert quality(SETTLED_S, 0.06, None, precise=True, sampling=0.01) == "precise"
    assert quality(USUAL_S, 0.3, None, precise=True) == "precise"
    # A verdict that stays too close although sampling has nothing to add is not waited for.
    assert quality(SETTLED_S, 0.06, "<= 1.01", sampling=0.01) == "precise"
