"""The smoother behind the surfaces, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from satisfice.report.gaussian_process import _fit, matern, smooth


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x, grid = rng.random((40, 2)), rng.random((25, 2))
    return x, np.sin(5 * x[:, 0]) + x[:, 1] ** 2, grid


def test_mean_and_likelihood_agree_with_scikit_learn(data):
    x, y, grid = data
    lengths = np.array([0.5, 1.0])
    theirs = GaussianProcessRegressor(Matern(lengths, nu=2.5) + WhiteKernel(0.01), optimizer=None).fit(x, y)
    scored = _fit(matern(x, x, lengths), y, 0.01)
    assert scored is not None
    assert matern(grid, x, lengths) @ scored[1] == pytest.approx(theirs.predict(grid), abs=1e-8)
    covariance = matern(x, x, lengths) + 0.01 * np.eye(40)
    variance = y @ np.linalg.solve(covariance, y) / 40  # the signal's variance that maximises the likelihood
    expected = -20 * np.log(variance) - 0.5 * np.linalg.slogdet(covariance)[1]
    assert scored[0] == pytest.approx(expected)


def test_a_smooth_function_is_recovered_and_noise_is_not_followed(data):
    x, y, grid = data
    assert smooth(x, y, grid) == pytest.approx(np.sin(5 * grid[:, 0]) + grid[:, 1] ** 2, abs=0.1)
    noise = np.random.default_rng(5).normal(size=40)
    assert smooth(x, noise, grid).std() < 0.7 * noise.std()


def test_repeated_trials_do_no_harm():
    x = np.repeat(np.array([[0.2, 0.3], [0.8, 0.6]]), 20, axis=0)
    y = np.repeat([1.0, 2.0], 20)
    assert smooth(x, y, np.array([[0.2, 0.3], [0.8, 0.6]])) == pytest.approx([1.0, 2.0], abs=0.05)
