"""The Gaussian process, with finishes and with reports of unfinished trainings."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from tests.search.problems import flat_layout

from satisfice.surrogate import fitting
from satisfice.surrogate.choice_counts import SharedChoices
from satisfice.surrogate.encoding import Layout
from satisfice.surrogate.fitting import fit
from satisfice.surrogate.gaussian_process import GaussianProcess, KernelParameters, Reports

LAYOUT = flat_layout(np.array([True, True]))
FINISHES, REPORTS = 12, 8


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Reports]:
    """Finishes first, then early reports: half of the same trainings, half of others."""
    rng = np.random.default_rng(seed)
    x = rng.random((FINISHES + REPORTS // 2, 2))
    rows = np.r_[np.arange(FINISHES), np.arange(REPORTS // 2), np.arange(FINISHES, len(x))]
    y = np.sin(3 * x[rows, 0]) + x[rows, 1]
    ahead = np.r_[np.zeros(FINISHES), np.full(REPORTS, 0.2)]
    y[FINISHES:] += 0.4 * rng.standard_normal(REPORTS)
    return x[rows], y - y.mean(), Reports(ahead, rows)


def process(seed: int = 0) -> GaussianProcess:
    x, y, reports = data(seed)
    return GaussianProcess(x, y, np.zeros(len(y)), LAYOUT, HYPERPARAMETERS, reports)


WARP = np.array([[-0.4, 0.2], [0.1, 0.3]])
HYPERPARAMETERS = KernelParameters(np.array([0.4, 0.6]), 1.2, 0.01, WARP, ahead=0.8, own=0.4)


@given(st.integers(0, 50))
def test_a_report_sharpens_what_is_expected_of_a_finish(seed: int) -> None:
    model, x = process(seed), np.array([[0.3, 0.8]])
    mean, sd = (float(v[0]) for v in model.predict(x))
    noisy = math.hypot(sd, math.sqrt(HYPERPARAMETERS.noise))
    told, told_sd = model.finish(x, 0.2, mean + 1.0)
    assert mean < told < mean + 1.0
    assert told_sd < noisy
    unsure, unsure_sd = model.finish(x, 1e9, mean + 1.0)  # everything is still to come
    assert unsure == pytest.approx(mean, abs=1e-3)
    assert unsure_sd == pytest.approx(noisy, rel=1e-3)


def test_a_report_with_nothing_to_come_is_a_finish() -> None:
    model, x = process(), np.array([[0.3, 0.8]])
    told, sd = model.finish(x, 0.0, 0.7)
    assert told == pytest.approx(0.7, abs=1e-5)
    assert sd < 1e-3


def test_leaving_rows_out_is_never_having_seen_them() -> None:
    x, y, reports = data()
    rows = np.array([3, 7, FINISHES + 3])
    rest = np.setdiff1d(np.arange(len(y)), rows)
    seen = Reports(reports.ahead[rest], reports.trial[rest])
    without = GaussianProcess(x[rest], y[rest], np.zeros(len(rest)), LAYOUT, HYPERPARAMETERS, seen)
    mean, sd = process().without(rows)
    expected, spread = (float(v[0]) for v in without.predict(x[3][None]))
    assert mean == pytest.approx(expected, abs=1e-6)
    assert sd == pytest.approx(math.sqrt(spread**2 + HYPERPARAMETERS.noise), rel=1e-5)


def _value(objective: Callable[[np.ndarray], tuple[float, np.ndarray]], theta: np.ndarray) -> float:
    return objective(theta)[0]


@pytest.mark.parametrize("with_siblings", [False, True])
@pytest.mark.parametrize("with_reports", [False, True])
def test_the_gradient_is_that_of_the_posterior(
    with_reports: bool, with_siblings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y, reports = data()
    layout = LAYOUT
    if with_siblings:
        operations = np.random.default_rng(2).integers(-1, 3, (len(x), 3)).astype(float)
        x = np.column_stack([x, np.where(operations[:, :1] < 0, -1.0, np.abs(operations))])
        ordered = np.array([True, True, False, False, False])
        layout = Layout(ordered, (5.0,) * 5, (SharedChoices(np.array([2, 3, 4]), 3),))
    seen: list[float] = []

    def check(
        objective: Callable[[np.ndarray], tuple[float, np.ndarray]], start: np.ndarray, **_: object
    ) -> SimpleNamespace:
        theta = start + 0.3 * np.random.default_rng(1).standard_normal(len(start))
        numeric = approx_fprime(theta, partial(_value, objective), 1e-6)
        seen.append(np.abs(numeric - objective(theta)[1]).max() / np.abs(numeric).max())
        return SimpleNamespace(x=start, fun=0.0)

    monkeypatch.setattr(fitting, "minimize", check)
    fit(x, y, np.zeros(len(y)), layout, noise_prior=0.01, reports=reports if with_reports else None)
    assert seen[0] < 1e-4


def test_a_rougher_model_is_less_sure_away_from_the_data_only() -> None:
    x, y, reports = data()

    def spread(factor: float, at: np.ndarray) -> float:
        hyperparameters = HYPERPARAMETERS.rougher(factor)
        model = GaussianProcess(x, y, np.zeros(len(y)), LAYOUT, hyperparameters, reports)
        return float(model.predict(at)[1][0])

    far, near = np.array([[1.0, 0.9]]), x[:1]
    assert spread(3.0, far) > 1.2 * spread(1.0, far)
    assert spread(3.0, near) < 0.3 * spread(3.0, far)


@pytest.mark.parametrize("seed", range(3))
def test_fine_structure_is_not_taken_for_noise(seed: int) -> None:
    x = np.random.default_rng(seed).random((60, 6))
    y = np.sin(4 * x[:, 0]) + (x[:, 1] > 0.5) + 0.5 * np.cos(8 * x[:, -1])
    found = fit(
        x, (y - y.mean()) / y.std(), np.zeros(60), flat_layout(np.ones(6, dtype=bool)), noise_prior=0.01
    )
    assert found.noise < 0.05


def off(n: int, sd: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """Median error of predictions where a penalty on a linear scale is small, in standard deviations.

    Args:
        n: Points.
        sd: Prior standard deviation of the logarithms of warps.
        monkeypatch: Sets it.
    """
    monkeypatch.setattr(fitting, "_WARP_SD", sd)
    rng = np.random.default_rng(0)
    x, at = rng.random((n, 4)), rng.random((200, 4))
    at[:, 2] *= 0.1

    def values(u: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(u[:, 2] + 1e-3) + np.sin(3 * u[:, 0]))

    layout, mean, spread = flat_layout(np.ones(4, dtype=bool)), values(x).mean(), values(x).std()
    y = (values(x) - mean) / spread
    found = fit(x, y, np.zeros(n), layout, noise_prior=0.01)
    told, _ = GaussianProcess(x, y, np.zeros(n), layout, found).predict(at)
    return float(np.median(np.abs(told - (values(at) - mean) / spread)))


def test_an_effect_at_one_end_of_a_range_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = fitting._WARP_SD
    assert off(40, prior, monkeypatch) < 0.7 * off(40, 1e-6, monkeypatch)


def test_few_trainings_warp_nothing() -> None:
    x, y, reports = data()
    assert len(np.unique(reports.trial)) < fitting._WARP_FROM
    for seen in (None, reports):
        n = len(y) if seen is not None else FINISHES
        found = fit(x[:n], y[:n], np.zeros(n), LAYOUT, noise_prior=0.01, reports=seen)
        assert not found.warp.any()
