"""Chains of blocks on a host whose slow phases are made: the reference model and the clock are fakes."""

from contextlib import closing
from itertools import islice

import numpy as np
import pytest

from satisfice.measure.latency.calibration import Calibration
from satisfice.measure.latency.conditions import Pinning
from satisfice.measure.latency.reference import Reference, slowdown
from satisfice.measure.latency.sampling import Samples, collect
from satisfice.measure.remembered import InMemoryMeasurements

BEST = np.array([1e-5, 1e-5])


class Host(Reference):
    """A reference model whose samples, and a pinning whose cores, are as written."""

    def __init__(self, slow) -> None:
        super().__init__()
        self.slow = slow  # of (core, sample): the slowdown
        self.core = 0
        self.cores: list[int] = []
        self.samples = 0

    def sample(self) -> list[float]:
        self.samples += 1
        return list(BEST * self.slow(self.core, self.samples))

    def pin(self, core: int) -> None:
        self.core = core
        self.cores.append(core)


def run(monkeypatch, slow, chains: int, best=BEST):
    host = Host(slow)
    monkeypatch.setattr(Pinning, "core", lambda _, core: host.pin(core))
    with closing(collect(lambda: None, host, best=best, alone=True)) as blocks:
        *_, samples = islice(blocks, chains)
    return host, samples


def test_a_calm_core_is_kept_and_a_slow_one_left(monkeypatch) -> None:
    host, samples = run(monkeypatch, lambda core, _: 1.7 if core in (0, 1) else 1.0, 5)
    assert host.cores[:5] == [0, 1, 2, 2, 2]
    by_chain = np.bincount(samples.chains)
    assert list(by_chain[:2]) == [
        1,
        1,
    ]  # on a slow core the reference model alone is sampled, but for a block
    assert by_chain[2] > 10


def test_cores_are_taken_in_turn_where_calm_cannot_be_told(monkeypatch) -> None:
    host, samples = run(monkeypatch, lambda *_: 1.7, 4, best=None)
    assert host.cores[:4] == [0, 1, 2, 3]
    assert np.bincount(samples.chains).min() > 1


def test_a_slow_phase_that_begins_in_a_block_makes_it_a_slow_one(monkeypatch) -> None:
    _, samples = run(monkeypatch, lambda _, sample: 1.0 if sample < 5 else 1.7, 2)
    before, after = samples.references[np.array(samples.brackets).T]
    assert slowdown(before, BEST)[:4] == pytest.approx([1.0] * 4)
    assert slowdown(after, BEST)[:4] == pytest.approx([1.0, 1.0, 1.0, 1.7])
    assert samples.chains[:5] == [0, 0, 0, 0, 1]  # then the chain ends


def test_the_estimate_takes_the_greater_slowdown_around_a_block() -> None:
    samples = Samples(
        parts=2,
        medians=[1e-4] * 20 + [2e-4] * 20,
        interruptions=[0.0] * 40,
        chains=[0] * 40,
        brackets=[(0, 0)] * 20 + [(0, 1), (1, 0)] * 10,
    )
    samples.reference_times.extend([*BEST, *(2 * BEST)])
    assert samples.estimate(BEST).value == pytest.approx(1e-4)


def test_the_host_is_known_by_the_fastest_phase_ever_seen() -> None:
    store, reference = InMemoryMeasurements(), Reference()
    calibration = Calibration(store, reference)
    first = calibration.best()
    few, many = (np.tile(first / 2, (n, 1)) for n in (10, 1000))
    assert calibration.best_with(few) == pytest.approx(first)
    assert calibration.best_with(many) == pytest.approx(first / 2)
    calibration.learn(few, 1.0)
    assert Calibration(store, reference).best() == pytest.approx(first)
    calibration.learn(many, 1.0)
    calibration.learn(2 * many, 1.0)
    assert Calibration(store, reference).best() == pytest.approx(first / 2)


def test_a_rare_calm_is_what_the_host_is_known_by() -> None:
    calibration = Calibration(InMemoryMeasurements(), Reference())
    best = calibration.best()
    samples = np.tile(best, (1000, 1))
    samples[:30] /= 3
    assert calibration.best_with(samples) == pytest.approx(best / 3)
