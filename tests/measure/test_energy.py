"""Energy: counted where a counter can be read, else processor time times watts."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from satisfice.measure import InMemoryMeasurements, Measurement, Meter, energy
from satisfice.measure.energy import energy_use, processor_counter
from satisfice.spec.metric import apart, as_estimated
from satisfice.spec.study import MeasureOptions


def write(root: Path, *, package: int, other: int = 7, span: int = 1_000_000_000) -> None:
    """Counters as Linux shows them: two packages, a part of the first, and another kind of zone."""
    for zone, value in {
        "intel-rapl:0": package,
        "intel-rapl:0:0": 10 * package,
        "intel-rapl:1": other,
        "intel-rapl-mmio:0": 5 * package,
    }.items():
        (root / zone).mkdir(parents=True, exist_ok=True)
        (root / zone / "energy_uj").write_text(f"{value}\n")
        (root / zone / "max_energy_range_uj").write_text(f"{span}\n")


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    write(tmp_path, package=1_000_000, other=500_000)
    counter = processor_counter(tmp_path)
    assert counter is not None
    write(tmp_path, package=3_000_000, other=600_000)
    assert counter.joules() == pytest.approx(2.1)
    write(tmp_path, package=3_500_000, other=600_000)
    assert counter.joules() == pytest.approx(2.6)


def test_a_counter_that_wraps_around_is_read_right(tmp_path: Path) -> None:
    write(tmp_path, package=900, span=1000)
    counter = processor_counter(tmp_path)
    assert counter is not None
    write(tmp_path, package=100, span=1000)
    assert counter.joules() == pytest.approx(200e-6)


def test_there_is_no_counter_where_none_can_be_read(tmp_path: Path) -> None:
    assert processor_counter(tmp_path / "nothing") is None
    assert processor_counter(tmp_path) is None
    write(tmp_path, package=1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir()  # reading it fails for root too
    assert processor_counter(tmp_path) is None


def test_what_is_counted_is_not_estimated(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(energy, "_share", lambda spent, busy: 0.5)
    write(tmp_path, package=0, other=0)
    with energy_use(7.0, tmp_path) as use:
        write(tmp_path, package=4_000_000, other=0)
    assert use.joules == pytest.approx(2.0)
    assert not use.estimated


def test_a_share_is_of_the_busy_time_and_at_most_all() -> None:
    assert energy._share(1.0, 4.0) == 0.25
    assert energy._share(2.0, 1.0) == 1.0  # ticks of the host are coarse
    assert energy._share(1.0, 0.0) == 1.0


def test_without_a_counter_it_is_processor_time_times_watts(tmp_path: Path) -> None:
    began = time.process_time()
    with energy_use(20.0, tmp_path) as use:
        work(0.05)
    assert 20 * 0.05 <= use.joules <= 20 * (time.process_time() - began)
    assert use.estimated


def test_a_counter_that_fails_midway_is_given_up(tmp_path: Path) -> None:
    write(tmp_path, package=0)
    with energy_use(20.0, tmp_path) as use:
        (tmp_path / "intel-rapl:0" / "energy_uj").write_text("")
        work(0.01)
    assert use.estimated
    assert use.joules >= 0.2


def test_an_accelerator_is_added(tmp_path: Path, monkeypatch: Any) -> None:
    stamps = iter([100.0, 105.0])
    monkeypatch.setattr(energy, "accelerator_counter", lambda: SimpleNamespace(joules=lambda: next(stamps)))
    monkeypatch.setattr(energy, "_share", lambda spent, busy: 1.0)
    write(tmp_path, package=0, other=0)
    with energy_use(1.0, tmp_path) as use:
        write(tmp_path, package=1_000_000, other=0)
    assert use.joules == pytest.approx(6.0)
    assert not use.estimated


def test_an_accelerator_that_nobody_counts_leaves_an_estimate(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(energy, "_uses_accelerator", lambda: True)
    write(tmp_path, package=0)
    with energy_use(1.0, tmp_path) as use:
        pass
    assert use.estimated


def test_the_meter_gives_millijoules_of_one_call_and_remembers_them(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr("satisfice.measure.meter.energy_use", lambda watts: energy_use(watts, tmp_path))
    store = InMemoryMeasurements()
    meter = Meter(store, MeasureOptions(watts=5.0))
    found = meter.energy("key", lambda: lambda: work(0.002))
    assert found.metric == "energy_mj"
    assert found.estimated
    assert found.low <= found.value <= found.high
    assert found.value >= 5 * 0.002 * 1e3
    assert meter.energy("key", lambda: pytest.fail("it is remembered")) == found
    assert Measurement.from_dict(found.to_dict()) == found


def test_a_measurement_stored_before_reads_as_measured() -> None:
    content = {
        "metric": "latency_ms",
        "value": 1.0,
        "low": 1.0,
        "high": 1.0,
        "samples": 3,
        "seconds": 0.1,
        "host": "x",
        "threads": 1,
        "batch": 1,
        "quality": "precise",
        "measured_at": "2026-01-01T00:00:00+00:00",
    }
    old = Measurement.from_dict(content)
    assert not old.estimated
    assert "estimated" not in old.to_dict()


def test_flags_of_estimates_are_no_metrics() -> None:
    recorded = {"energy_mj": 2.0, "accuracy": 0.9, **as_estimated("energy_mj"), **as_estimated("gone")}
    assert apart(recorded) == ({"energy_mj": 2.0, "accuracy": 0.9}, frozenset({"energy_mj"}))
    assert math.isclose(sum(as_estimated("x").values()), 1.0)
