"""Quantiles, places in a range and unions of ranges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from satisfice.spec.distributions import quantiles_of_raw, raw_at_quantiles, same_kind, scaled_raw, union
from satisfice.spec.space import Parameter


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (CategoricalDistribution(("a", "b", "c", "d")), [0, 1, 2, 3]),
        (IntDistribution(3, 6), [3, 4, 5, 6]),
        (IntDistribution(3, 9, step=2), [3, 5, 7, 9]),
        (FloatDistribution(0.0, 1.5, step=0.5), [0.0, 0.5, 1.0, 1.5]),
        (FloatDistribution(-1.0, 3.0), [-1.0, 0.0, 1.0, 2.0]),
        (FloatDistribution(1e-4, 1.0, log=True), [1e-4, 1e-3, 1e-2, 1e-1]),
    ],
)
def test_the_quarters_of_a_range(distribution: BaseDistribution, expected: list[float]):
    quarters = np.array([0.0, 0.25, 0.5, 0.75])
    assert raw_at_quantiles(distribution, quarters) == pytest.approx(expected)


def test_integers_own_what_rounds_to_them_in_a_logarithmic_range():
    d = IntDistribution(1, 8, log=True)
    edge = (math.log(1.5) - math.log(0.5)) / (math.log(8.5) - math.log(0.5))
    assert raw_at_quantiles(d, np.array([0.0, edge - 1e-9, edge + 1e-9, 1.0])).tolist() == [1, 1, 2, 8]


RANGES = st.one_of(
    st.builds(lambda n: CategoricalDistribution(tuple(range(n))), st.integers(1, 6)),
    st.builds(lambda low, n, s: IntDistribution(low, low + n * s, step=s), *[st.integers(1, 9)] * 3),
    st.builds(lambda low, n: IntDistribution(low, low + n, log=True), *[st.integers(1, 99)] * 2),
    st.builds(lambda low, n: FloatDistribution(low, low + n), *[st.floats(1e-3, 1e3)] * 2),
    st.builds(lambda low, n: FloatDistribution(low, low + n, log=True), *[st.floats(1e-3, 1e3)] * 2),
)


@given(RANGES, st.floats(0.0, 1.0, exclude_max=True))
def test_quantiles_of_values_lead_back_to_them(distribution: BaseDistribution, quantile: float):
    raw = raw_at_quantiles(distribution, np.array([quantile]))
    again = raw_at_quantiles(distribution, quantiles_of_raw(distribution, raw))
    assert again == pytest.approx(raw, rel=1e-9)
    parameter = Parameter(name="p", distribution=distribution)
    assert parameter.contains(parameter.from_quantile(quantile))
    assert parameter.to_raw(parameter.from_quantile(quantile)) == raw[0]


def test_places_go_from_0_to_1_and_the_place_of_nothing_is_nothing():
    values = np.array([1.0, 10.0, 100.0, np.nan])
    assert scaled_raw(FloatDistribution(1.0, 100.0, log=True), values) == pytest.approx(
        [0.0, 0.5, 1.0, np.nan], nan_ok=True
    )
    assert scaled_raw(CategoricalDistribution("abc"), np.array([0.0, 1.0, 2.0])).tolist() == [0.0, 0.5, 1.0]
    assert scaled_raw(IntDistribution(4, 4), np.array([4.0, np.nan])) == pytest.approx(
        [0.5, np.nan], nan_ok=True
    )


@pytest.mark.parametrize(
    ("a", "b", "both", "alike"),
    [
        (IntDistribution(1, 5), IntDistribution(3, 9), IntDistribution(1, 9), True),
        (IntDistribution(1, 5, step=2), IntDistribution(3, 9), IntDistribution(1, 9), False),
        (
            FloatDistribution(0.1, 1.0, log=True),
            FloatDistribution(0.5, 3.0, log=True),
            FloatDistribution(0.1, 3.0, log=True),
            True,
        ),
        (
            FloatDistribution(0.1, 1.0, log=True),
            FloatDistribution(0.0, 3.0),
            FloatDistribution(0.0, 3.0),
            False,
        ),
        (IntDistribution(1, 5), FloatDistribution(0.5, 3.0), FloatDistribution(0.5, 5.0), False),
        (CategoricalDistribution("ab"), CategoricalDistribution("bc"), CategoricalDistribution("abc"), False),
        (CategoricalDistribution("ab"), IntDistribution(1, 5), IntDistribution(1, 5), False),
    ],
)
def test_a_union_holds_both(a: BaseDistribution, b: BaseDistribution, both: BaseDistribution, alike: bool):
    assert union(a, b) == both
    assert same_kind(a, b) == alike
    assert union(a, a) is a
