"""Which trials are searched near."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from satisfice.search.auto.local_starts import best_of_ranges, promising
from satisfice.spec.dominance import nondominated

KNOWN = np.array([False, True])


@given(seed=st.integers(0, 1000), n=st.integers(1, 80))
def test_the_front_comes_first_and_there_are_enough(seed, n):
    values = np.random.default_rng(seed).random((n, 2))
    rows = promising(values, np.arange(n))
    assert set(np.flatnonzero(nondominated(values, keep_equal=False))) <= set(rows)
    assert len(rows) >= min(n, 10)
    assert len(set(rows)) == len(rows)


def test_the_best_of_each_range_is_there_although_it_is_dominated():
    error = np.r_[np.full(20, 0.1), 0.9, 0.5, 0.7]
    size = np.r_[np.linspace(1.0, 1.5, 20), 9.0, 9.1, 9.2]
    rows = best_of_ranges(np.column_stack([error, size]), np.arange(23), KNOWN)
    assert {21, 22} <= set(rows)
    assert 20 not in rows
    assert len(rows) < 12


def test_without_an_objective_known_before_training_there_are_no_ranges():
    values = np.random.default_rng(0).random((30, 2))
    assert len(best_of_ranges(values, np.arange(30), np.array([False, False]))) == 0
    assert len(best_of_ranges(np.full((30, 2), 1.0), np.arange(30), KNOWN)) == 0
    assert len(best_of_ranges(np.full((30, 2), np.nan), np.arange(30), KNOWN)) == 0
