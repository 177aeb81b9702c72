"""Stopping between folds: paired differences, pooled variance, the same verdict on every worker."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from tests.search.problems import problem

from satisfice.search import PRUNERS, History
from satisfice.search.pruners.folds import FoldPruner, clearly_worse, pooled_variance
from satisfice.spec.trial import TrialRecord, fold_scores, report_of

K = 5
PARAMS = {"lr": 1e-3, "layers": 2, "optimizer": "adam"}


def empty() -> History:
    return History(dataclasses.replace(problem(max_steps=K), folds=K))


def told(
    history: History, number: int, values: Sequence[float], *, size: float = 4.0, **others: object
) -> None:
    """A trial with these errors on its folds; complete where it has all of them."""
    done = len(values) == K
    state = TrialState.COMPLETE if done else TrialState.RUNNING
    metrics = {"size": size} | ({"error": float(np.mean(values))} if done else {})
    record = TrialRecord(number=number, state=state, params=PARAMS, metrics=metrics, feasible=True)
    history.update([dataclasses.replace(record, **others)])  # type: ignore[arg-type]  # fields of a record
    for k in range(len(values)):
        history.report(number, k + 1, report_of([{"error": v} for v in values[: k + 1]]))


def study(seed: int = 0, n: int = 8, order: Sequence[int] | None = None) -> History:
    """Finished trials; folds differ more than configurations do."""
    rng = np.random.default_rng(seed)
    hard = np.array([0.1, 0.5, 0.2, 0.4, 0.3])
    rows = [hard + 0.02 * (i + 1) + rng.normal(0, 0.005, K) for i in range(n)]
    history = empty()
    for i in order if order is not None else range(n):
        told(history, i, [float(v) for v in rows[i]])
    return history


HARD = np.array([0.1, 0.5, 0.2, 0.4, 0.3])


def stops(history: History, values: Sequence[float], number: int = 20, **others: object) -> bool:
    told(history, number, [float(v) for v in values], **others)  # type: ignore[arg-type]  # size and fields
    return PRUNERS.get("auto")(history.problem).decide(history, number).stop


def test_auto_judges_folds_where_trials_have_them() -> None:
    assert isinstance(PRUNERS.get("auto")(empty().problem), FoldPruner)
    assert [FoldPruner(empty().problem).is_decision_step(s, K) for s in range(7)] == [
        False, True, True, True, True, False, False,
    ]  # fmt: skip


def test_what_is_clearly_worse_fold_by_fold_stops_though_its_fold_is_easy() -> None:
    """The error of the bad one on an easy fold is less than the mean of the best one."""
    assert stops(study(), [HARD[0] + 0.15])
    assert not stops(study(), [HARD[0] + 0.03])
    assert not stops(study(), HARD[:3] + np.array([0.02, 0.02, 0.025]))
    assert stops(study(), HARD[:3] + np.array([0.06, 0.07, 0.06]))


def test_the_reason_says_behind_whom_and_by_how_much() -> None:
    history = study()
    told(history, 20, [HARD[0] + 0.5, HARD[1] + 0.5])
    said = FoldPruner(history.problem).decide(history, 20).reason
    assert said.startswith("clearly worse on 2 folds of 5: behind trial 0 in error by 0.4")


def test_nothing_stops_before_three_variances_are_known() -> None:
    assert not stops(study(n=3), [9.0])
    assert stops(study(n=4), [9.0])


def test_smaller_or_unknown_sizes_are_not_behind() -> None:
    assert not stops(study(), [9.0], size=3.0)
    assert stops(study(), [9.0], size=4.0)
    assert stops(study(), [9.0], size=5.0)
    unknown = study()
    told(unknown, 20, [9.0])
    unknown.metrics[20, unknown.metric_column["size"]] = np.nan
    assert not FoldPruner(unknown.problem).decide(unknown, 20).stop


def test_a_trial_that_does_not_fit_stops_nobody() -> None:
    history = empty()
    for i in range(6):
        told(
            history, i, [float(v) for v in HARD + 0.01 * i + 0.001 * np.sin(i + np.arange(K))], feasible=False
        )
    assert not stops(history, [9.0])


def test_a_nan_on_a_fold_is_behind_nothing() -> None:
    assert not stops(study(), [9.0, float("nan")])


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(8)), shift=st.floats(-0.2, 0.5))
def test_every_worker_decides_alike(order: list[int], shift: float) -> None:
    """Whatever the order in which reports arrive."""
    assert stops(study(), [HARD[0] + shift]) == stops(study(order=order), [HARD[0] + shift])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=4), st.floats(1e-6, 1), st.floats(0, 1))
def test_worse_stays_worse_with_a_larger_gap(apart: list[float], pooled: float, more: float) -> None:
    values = np.array(apart)
    if clearly_worse(values, K, pooled):
        assert clearly_worse(values + more, K, pooled)
        assert values.mean() > 0


def test_the_rule_is_that_of_the_docs() -> None:
    """mean(d) > 2.5 sqrt(s2 (1/m - 1/K)) with s2 shrunk to the pooled variance."""
    one = 2.5 * np.sqrt(0.04 * (1 - 1 / 5))
    assert not clearly_worse(np.array([one - 1e-9]), 5, 0.04)
    assert clearly_worse(np.array([one + 1e-9]), 5, 0.04)
    variance = (4 * 0.04 + 2 * 0.1**2) / 5
    two = 2.5 * np.sqrt(variance * (1 / 2 - 1 / 5))
    assert not clearly_worse(np.array([two - 0.1, two + 0.1]) - 1e-9, 5, 0.04)
    assert clearly_worse(np.array([two - 0.1, two + 0.1]) + 1e-9, 5, 0.04)


def test_equal_trials_say_nothing_of_how_differences_vary() -> None:
    other = np.arange(5.0)
    earlier = np.stack([other, other, other + np.array([0, 1, 0, 1, 0])])
    assert pooled_variance(earlier, other) is None
    varied = np.stack([other + np.array([0, i, 0, i, 0]) for i in (1.0, 2.0, 3.0)])
    assert pooled_variance(np.vstack([earlier[:2], varied]), other) == pytest.approx(4 * 0.3)


def test_values_by_fold_are_read_back_from_reports() -> None:
    values = [0.5, 0.75, 0.25]
    reports = {k + 1: report_of([{"f1": v, "mae": 2 * v} for v in values[: k + 1]]) for k in range(3)}
    assert fold_scores(reports) == {"f1": tuple(values), "mae": (1.0, 1.5, 0.5)}
    assert reports[3]["f1"] == 0.5
