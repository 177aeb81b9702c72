"""Centre and spread in float64, and the scale of a target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.data.features.image import fit_images
from satisfice.data.features.scale import centre_and_spread, distance, fit_target, is_constant, standardise
from satisfice.data.target import encode_target, infer_task
from satisfice.errors import DataError

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20)


@given(numbers)
def test_any_numbers_have_a_centre_among_them_and_a_finite_spread(values: list[float]) -> None:
    x = np.array(values)
    centre, spread = centre_and_spread(x)
    slack = 1e-15 * np.abs(x).max() + 5e-324
    assert x.min() / 2 - slack <= centre / 2 <= x.max() / 2 + slack
    assert 0 <= spread < np.inf
    assert (spread == 0) == is_constant(x)
    features = standardise(x, centre, spread)
    assert np.isfinite(features).all()


@given(numbers, st.integers(-200, 200))
def test_powers_of_two_change_no_digit(values: list[float], power: int) -> None:
    x = np.array([v for v in values if v == 0 or 1e-100 < abs(v) < 1e100] or [0.0])
    centre, spread = centre_and_spread(x)
    assert centre_and_spread(np.ldexp(x, power)) == (np.ldexp(centre, power), np.ldexp(spread, power))


def test_a_large_offset_costs_no_digit_that_the_numbers_have() -> None:
    near = np.random.default_rng(0).integers(-50, 50, 1000) / 8.0
    centre, spread = centre_and_spread(1e12 + near)
    assert centre == pytest.approx(1e12 + near.mean(), abs=1e-3)
    assert spread == pytest.approx(near.std(), rel=1e-12)
    assert distance(1e12 + near, centre, spread) == pytest.approx((near - near.mean()) / near.std(), abs=1e-4)


@pytest.mark.parametrize("unit", [1e-320, 1e-300, 1e-8, 1.0, 1e8, 1e300, 1.5e307])
@pytest.mark.parametrize("offset", [0.0, 3.0, 1e8])
def test_a_target_comes_back_in_its_unit(unit: float, offset: float) -> None:
    target = (np.random.default_rng(0).normal(size=50) + offset) * min(unit, 1e308 / (offset + 5))
    scale = fit_target(target)
    z = scale.standardise(target)
    assert np.abs(z).max() < 10
    assert scale.restore(z) == pytest.approx(target, abs=1e-8 * scale.spread + 5e-324)


def test_a_constant_target_is_predicted_as_such() -> None:
    scale = fit_target(np.full(5, 0.1))
    assert scale.standardise(np.array([0.1, 7.0])).tolist() == [0, 0]
    assert scale.restore(np.array([0.3, -2.0])).tolist() == [0.1, 0.1]


@pytest.mark.parametrize("values", [[1e8, 1e8 + 1, 1e8 - 1, 1e8 + 0.5], [1e-300, 2e-300, 3e-300, 4.5e-300]])
def test_a_target_keeps_its_digits(values: list[float]) -> None:
    target = pd.Series(values, name="y")
    assert encode_target(target, "regression", None, "data").values.tolist() == values


@pytest.mark.parametrize("values", [[0.3, 0.1 + 0.2, 0.3], [2e-300] * 3])
def test_a_target_that_differs_by_rounding_alone_is_refused(values: list[float]) -> None:
    with pytest.raises(DataError, match="has the same value in every row"):
        encode_target(pd.Series(values, name="y"), "regression", None, "data")


def test_infinity_makes_no_class_of_numbers() -> None:
    target = pd.Series([0.0, 1.0, np.inf] * 4, name="y")
    assert infer_task(target) == "regression"
    with pytest.raises(DataError, match="holds values that are no numbers"):
        encode_target(target, None, None, "data")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_no_numbers_are_refused(value: float) -> None:
    images = np.zeros((3, 1, 2, 2))
    images[0, 0] = [[1, 2], [3, 4]]
    scaler = fit_images(images)
    images[2, 0, 1, 1] = value
    for call in (fit_images, scaler.transform):
        with pytest.raises(DataError, match="pixels that are NaN or infinite"):
            call(images)


def test_a_channel_that_was_constant_says_nothing() -> None:
    images = np.random.default_rng(0).normal(size=(9, 2, 3, 3))
    images[:, 1] = 5.0
    scaler = fit_images(images)
    assert not scaler.transform(images + 1e6)[:, 1].any()
