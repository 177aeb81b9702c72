"""The estimate on synthetic hosts whose undisturbed latency is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.measure.estimate import estimate


def host_with(rng, blocks: int, *, slow_share: float, slope: float, noise: float = 0.03, truth: float = 1e-4):
    """Blocks on a host that is 1.6 times slower for a share of the time, with some outliers."""
    slow = rng.random(blocks) < slow_share
    x = np.where(slow, np.log(1.6), 0.0) + np.abs(rng.normal(0, 0.02, blocks))
    y = np.log(truth) + slope * x + rng.normal(0, noise, blocks)
    y[rng.random(blocks) < 0.05] += 1.0
    return np.exp(y), np.exp(x), np.zeros(blocks)


@pytest.mark.parametrize("slow_share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("slope", [0.9, 1.2])
def test_slow_phases_are_seen_through(slow_share: float, slope: float) -> None:
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(30):
        found = estimate(*host_with(rng, 60, slow_share=slow_share, slope=slope))
        errors.append(found.value / 1e-4 - 1)
    assert np.median(np.abs(errors)) < 0.05
    assert np.max(np.abs(errors)) < 0.15


@pytest.mark.parametrize("blocks", [5, 20, 100])
@pytest.mark.parametrize("slow_share", [0.0, 0.5, 1.0])
def test_the_interval_covers_the_truth_at_least_nine_times_in_ten(blocks: int, slow_share: float) -> None:
    rng = np.random.default_rng(blocks)
    covered = 0
    for _ in range(200):
        slope = rng.normal(1.05, 0.12)
        found = estimate(*host_with(rng, blocks, slow_share=slow_share, slope=slope))
        covered += found.low <= 1e-4 <= found.high
    assert covered >= 180


def test_interruptions_are_taken_off() -> None:
    rng = np.random.default_rng(0)
    interruptions = rng.integers(1, 4, 60).astype(float)
    seconds = 3e-3 + 2e-4 * interruptions + rng.normal(0, 5e-5, 60)
    found = estimate(seconds, np.ones(60), interruptions)
    assert abs(found.value / 3e-3 - 1) < 0.05
    assert estimate(seconds, np.ones(60), np.zeros(60)).value / 3e-3 - 1 > 0.08


def test_more_blocks_narrow_the_interval_and_a_slow_host_widens_it() -> None:
    rng = np.random.default_rng(1)
    widths = {}
    for blocks, slow in [(5, 0.0), (200, 0.0), (200, 1.0)]:
        found = estimate(*host_with(rng, blocks, slow_share=slow, slope=1.0))
        widths[blocks, slow] = found.high / found.low
    assert widths[200, 0.0] < widths[5, 0.0]
    assert widths[200, 0.0] < widths[200, 1.0]


@settings(max_examples=50)
@given(
    st.lists(st.floats(1e-7, 10.0), min_size=1, max_size=30),
    st.floats(0.5, 50.0),
    st.integers(0, 50),
)
def test_any_data_yields_an_interval_around_its_value(medians, slowdown, interruptions) -> None:
    n = len(medians)
    found = estimate(np.array(medians), np.full(n, slowdown), np.full(n, float(interruptions)))
    assert 0 < found.low < found.value < found.high
    assert np.isfinite(found.high)


@given(st.floats(0.1, 10.0))
def test_the_unit_of_time_does_not_matter_without_interruptions(factor: float) -> None:
    data = host_with(np.random.default_rng(2), 20, slow_share=0.5, slope=1.0)
    one, other = estimate(*data), estimate(data[0] * factor, *data[1:])
    assert other.value == pytest.approx(one.value * factor)
    assert other.sampling == pytest.approx(one.sampling)
