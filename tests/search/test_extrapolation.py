"""What a report of an unfinished training predicts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from tests.search.problems import problem

from satisfice.search import History
from satisfice.search.curves.extrapolation import Extrapolation
from satisfice.search.history import rungs
from satisfice.spec.trial import TrialRecord

MAX_STEPS = 30
FINISHED = 12


def trial(number: int, reports: dict[int, float], finish: float | None = None) -> TrialRecord:
    """One that finished, or without ``finish`` one that still trains."""
    return TrialRecord(
        number=number,
        state=TrialState.RUNNING if finish is None else TrialState.COMPLETE,
        params={"lr": 1e-3, "layers": 2, "optimizer": "adam"},
        metrics={} if finish is None else {"error": finish},
        feasible=None if finish is None else True,
        reports={step: {"error": value} for step, value in reports.items()},
    )


def study_of(finals, falls, noise: float = 0.0, seed: int = 0) -> tuple[History, Extrapolation]:
    """Curves ``final + fall / step``; all but the last two trials have finished."""
    history, rng = History(problem(max_steps=MAX_STEPS)), np.random.default_rng(seed)
    count = len(finals) - 2
    for number, (final, fall) in enumerate(zip(finals, falls, strict=True)):
        done = number < count
        reports = {
            step: final + fall / step + noise * rng.standard_normal()
            for step in rungs(MAX_STEPS)
            if done or step <= 6
        }
        history.update([trial(number, reports, final + fall / MAX_STEPS if done else None)])
    rows = np.arange(count)
    finishes = history.objectives(rows)[:, 0]
    return history, Extrapolation.fitted(history, 0, rows, finishes, np.array([count, count + 1]))


def predicted(history: History, extrapolation: Extrapolation, number: int) -> float:
    """In the metric's own units, from the report at step 6."""
    at = rungs(MAX_STEPS).index(6)
    z, _ = extrapolation.predict(history, np.array([number]), at)
    return float(extrapolation.transform.inverse(z)[0])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_of_two_equal_reports_the_steeper_curve_foretells_the_better_finish(seed):
    rng = np.random.default_rng(seed)
    finals, falls = rng.uniform(0.1, 0.5, FINISHED), rng.uniform(0.1, 0.6, FINISHED)
    now = 0.4
    steep, flat = 0.6, 0.1
    history, extrapolation = study_of(
        [*finals, now - steep / 6, now - flat / 6], [*falls, steep, flat], seed=seed
    )
    assert predicted(history, extrapolation, FINISHED) < predicted(history, extrapolation, FINISHED + 1)


def test_curves_of_one_shape_are_foretold_better_than_by_a_line_through_reports():
    rng = np.random.default_rng(1)
    finals, falls = rng.uniform(0.1, 0.5, 32), rng.uniform(0.1, 0.6, 32)
    history, extrapolation = study_of(finals, falls)
    at = rungs(MAX_STEPS).index(6)
    rows = np.arange(30)
    z, _ = extrapolation.predict(history, rows, at)
    report = extrapolation.transform.forward(history.curves[rows, at, 0].astype(float))
    finish = extrapolation.transform.forward(history.objectives(rows)[:, 0])
    slope, intercept = np.polyfit(report, finish, 1)
    assert np.std(z - finish) < 0.5 * np.std(slope * report + intercept - finish)


def test_changes_that_are_noise_are_not_carried_on():
    rng = np.random.default_rng(2)
    finals = rng.uniform(0.1, 0.5, 42)
    at = rungs(MAX_STEPS).index(6)
    _, calm = study_of(finals, rng.uniform(0.1, 0.6, 42))
    _, noisy = study_of(finals, np.zeros(42), noise=0.1)
    assert noisy.momentum[at] < 0.5
    assert calm.momentum[at] > 1.5


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_finished_trials_are_enough_for_a_line(count):
    history, extrapolation = study_of([*[0.3, 0.2, 0.5, 0.4, 0.25][:count], 0.3, 0.3], [0.3] * (count + 2))
    assert np.isfinite(predicted(history, extrapolation, count))
    assert (extrapolation.ahead > 0).all()
    assert (np.diff(extrapolation.ahead) <= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_stopping_what_starts_badly_does_not_bend_the_lines(seed):
    """From those alone that went on, what was stopped would seem far worse than it is."""
    history, number = History(problem(max_steps=MAX_STEPS)), 200
    rng = np.random.default_rng(seed)
    finals, noise = rng.uniform(0.1, 0.5, number), 0.1 * rng.standard_normal(number)
    for i, (final, luck) in enumerate(zip(finals, noise, strict=True)):
        reports = {step: final + luck * (1 - step / MAX_STEPS) for step in rungs(MAX_STEPS)}
        history.update([trial(i, reports, final)])
    at = rungs(MAX_STEPS).index(6)
    rows, finishes = np.arange(number), history.objectives()[:, 0]
    bad = history.curves[:, at, 0] > np.quantile(history.curves[:, at, 0], 0.4)
    stopped, others = rows[bad], rows[~bad]
    history.curves[stopped, at + 1 :] = np.nan
    extrapolation = Extrapolation.fitted(history, 0, others, finishes[others], stopped)
    alone = Extrapolation.fitted(history, 0, others, finishes[others], rows[:0])
    truth = extrapolation.transform.forward(finishes)
    off = extrapolation.predict(history, rows, at)[0] - truth
    off_alone = alone.predict(history, rows, at)[0] - truth
    scatter = np.sqrt(extrapolation.ahead[at])
    assert abs(off.mean()) < 0.3 * scatter
    assert off_alone.mean() > 2.0 * abs(off.mean())
    assert off.std() == pytest.approx(scatter, rel=0.3)
