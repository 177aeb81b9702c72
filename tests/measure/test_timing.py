"""Single calls: wall time, or processor time where the core was taken away."""

import time

import pytest

from satisfice.measure.latency import timing
from satisfice.measure.latency.timing import computes_alone, timed


class Clocks:
    """Each reading is the next as written; a call takes 3 us on the wall and 1 us of the processor."""

    def __init__(self, monkeypatch, interruptions: int) -> None:
        self.wall = self.cpu = 0
        self.switches = iter([(0, 0), (0, interruptions)])
        monkeypatch.setattr(timing, "_wall", lambda: self.wall)
        monkeypatch.setattr(timing, "_cpu", lambda: self.cpu)
        monkeypatch.setattr(timing, "_switches", lambda: next(self.switches))

    def call(self) -> None:
        self.wall += 3000
        self.cpu += 1000


@pytest.mark.parametrize(
    ("by_cpu", "interruptions", "seconds"), [(True, 2, 1e-6), (True, 0, 3e-6), (False, 2, 3e-6)]
)
def test_processor_time_counts_only_where_the_core_was_taken_away(
    monkeypatch, by_cpu: bool, interruptions: int, seconds: float
) -> None:
    found = timed(Clocks(monkeypatch, interruptions).call, 4, by_cpu=by_cpu)
    assert found.seconds == pytest.approx([seconds] * 4)
    assert found.interruptions == interruptions / 4


def test_a_call_that_waits_does_not_compute_alone() -> None:
    assert not computes_alone(lambda: time.sleep(0.001))
    if timing._COUNTED:
        assert computes_alone(lambda: sum(range(100)))
