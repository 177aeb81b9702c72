"""The smoother behind the surfaces. The process itself is tested with the search."""

import numpy as np
import pytest

from satisfice.report.smoothing import smooth

NUMBERS = np.array([True, True])


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x, grid = rng.random((40, 2)), rng.random((25, 2))
    return x, np.sin(5 * x[:, 0]) + x[:, 1] ** 2, grid


def test_a_smooth_function_is_recovered_and_noise_is_not_followed(data):
    x, y, grid = data
    assert smooth(x, y, grid, NUMBERS) == pytest.approx(np.sin(5 * grid[:, 0]) + grid[:, 1] ** 2, abs=0.1)
    noise = np.random.default_rng(5).normal(size=40)
    assert smooth(x, noise, grid, NUMBERS).std() < 0.7 * noise.std()


def test_repeated_trials_do_no_harm():
    x = np.repeat(np.array([[0.2, 0.3], [0.8, 0.6]]), 20, axis=0)
    y = np.repeat([1.0, 2.0], 20)
    at = np.array([[0.2, 0.3], [0.8, 0.6]])
    assert smooth(x, y, at, NUMBERS) == pytest.approx([1.0, 2.0], abs=0.05)


def test_more_trials_than_hyperparameters_are_fitted_on_are_all_used():
    x = np.random.default_rng(4).random((300, 2))
    y = np.where((np.arange(300) == 150), 9.0, 0.0) + x[:, 0]  # one trial stands out
    there, everywhere = (smooth(x, y, at, NUMBERS) for at in (x[150][None], x))
    assert there[0] > np.delete(everywhere, 150).mean()


def test_unordered_choices_are_not_smoothed_by_their_place(data):
    x, _, _ = data
    x[:, 0] = np.arange(40) % 4 / 3
    y = np.where(np.isclose(x[:, 0], 1 / 3), 1.0, 0.0)  # one choice is unlike its neighbours
    at = np.column_stack([np.arange(4) / 3, np.full(4, 0.5)])
    assert smooth(x, y, at, np.array([False, True])) == pytest.approx([0.0, 1.0, 0.0, 0.0], abs=0.05)
