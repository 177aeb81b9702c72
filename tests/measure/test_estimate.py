"""The estimate on synthetic hosts whose undisturbed latency is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.measure.latency.estimate import estimate

TRUTH_S = 1e-4


def host_with(
    rng, blocks: int, *, slow_share: float, slope: float = 1.1, noise: float = 0.02, unseen: float = 0.1
):
    """Blocks on a host that is 1.7 times slower for a share of the time, in phases longer than a chain.

    Of the blocks a share ``unseen`` is slowed by what the reference model does not see.
    """
    chains = np.arange(blocks) // 5
    slow = (rng.random(chains[-1] + 1) < slow_share)[chains]
    x = np.where(slow, np.log(1.7), 0.0) + np.abs(rng.normal(0, 0.02, blocks))
    y = np.log(TRUTH_S) + np.where(slow, slope * np.log(1.7), 0.0) + rng.normal(0, noise, blocks)
    y += np.where(rng.random(blocks) < unseen, np.abs(rng.normal(0, 0.5, blocks)), 0.0)
    return np.exp(y), np.exp(x), np.zeros(blocks), chains


@pytest.mark.parametrize("slow_share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("slope", [0.6, 1.0, 1.6])
def test_however_much_slow_phases_slow_the_calm_ones_decide(slow_share: float, slope: float) -> None:
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(50):
        found = estimate(*host_with(rng, 300, slow_share=slow_share, slope=slope))
        errors.append(found.value / TRUTH_S - 1)
    assert np.median(np.abs(errors)) < 0.03
    assert np.max(np.abs(errors)) < 0.1


def test_a_host_that_is_never_calm_is_corrected_for() -> None:
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(50):
        found = estimate(*host_with(rng, 100, slow_share=1.0, slope=rng.normal(1.05, 0.08)))
        errors.append(found.value / TRUTH_S - 1)
    assert np.max(np.abs(errors)) < 0.15


@pytest.mark.parametrize("blocks", [10, 50, 500])
@pytest.mark.parametrize("slow_share", [0.0, 0.5, 1.0])
def test_the_interval_covers_the_truth_at_least_nine_times_in_ten(blocks: int, slow_share: float) -> None:
    rng = np.random.default_rng(blocks)
    covered = 0
    for _ in range(200):
        found = estimate(*host_with(rng, blocks, slow_share=slow_share, slope=rng.normal(1.05, 0.15)))
        covered += found.low <= TRUTH_S <= found.high
    assert covered >= 180


def test_what_is_slowed_unseen_does_not_count_as_long_as_it_is_the_lesser_part() -> None:
    rng = np.random.default_rng(5)
    found = estimate(*host_with(rng, 300, slow_share=0.5, unseen=0.4))
    assert abs(found.value / TRUTH_S - 1) < 0.03


def test_interruptions_are_taken_off_where_no_block_is_without() -> None:
    rng = np.random.default_rng(0)
    interruptions = rng.integers(1, 4, 60).astype(float)
    seconds = 3e-3 + 2e-4 * interruptions + rng.normal(0, 5e-5, 60)
    calm, chains = np.ones(60), np.arange(60)
    found = estimate(seconds, calm, interruptions, chains)
    assert abs(found.value / 3e-3 - 1) < 0.05
    interruptions[:15] = 0
    seconds[:15] = 3e-3
    free = estimate(seconds, calm, interruptions, chains)
    assert free.value == pytest.approx(3e-3)
    assert free.high / free.low < found.high / found.low


def test_more_blocks_narrow_the_interval_and_a_slow_host_widens_it() -> None:
    rng = np.random.default_rng(1)
    widths = {}
    for blocks, slow in [(5, 0.0), (200, 0.0), (200, 1.0)]:
        found = estimate(*host_with(rng, blocks, slow_share=slow))
        widths[blocks, slow] = found.high / found.low
    assert widths[200, 0.0] < widths[5, 0.0]
    assert widths[200, 0.0] < widths[200, 1.0]


def test_blocks_of_one_chain_count_as_one_look() -> None:
    rng = np.random.default_rng(6)
    medians, slowdowns, interruptions, chains = host_with(rng, 100, slow_share=0.0)
    apart = estimate(medians, slowdowns, interruptions, chains)
    together = estimate(medians, slowdowns, interruptions, np.zeros_like(chains))
    assert together.value == apart.value
    assert together.sampling > 3 * apart.sampling


@settings(max_examples=50)
@given(
    st.lists(st.floats(1e-7, 10.0), min_size=1, max_size=30),
    st.floats(0.5, 50.0),
    st.integers(0, 50),
)
def test_any_data_yields_an_interval_around_its_value(medians, slowdown, interruptions) -> None:
    n = len(medians)
    found = estimate(
        np.array(medians), np.full(n, slowdown), np.full(n, float(interruptions)), np.arange(n) // 3
    )
    assert 0 < found.low < found.value < found.high
    assert np.isfinite(found.high)


@given(st.floats(0.1, 10.0))
def test_the_unit_of_time_does_not_matter_on_a_calm_host(factor: float) -> None:
    data = host_with(np.random.default_rng(2), 60, slow_share=0.5)
    one, other = estimate(*data), estimate(data[0] * factor, *data[1:])
    assert other.value == pytest.approx(one.value * factor)
    assert other.sampling == pytest.approx(one.sampling)
