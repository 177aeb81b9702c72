"""The decision threshold against a search through every one that could be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from satisfice.spec import Constraint, Objective
from satisfice.train.score import score_answers
from satisfice.train.threshold import LABEL_METRICS, Fitted, fit_threshold

Metrics = dict[str, float]


def metrics_at(y: NDArray[Any], positive: NDArray[np.float32], value: float) -> Metrics:
    """The label metrics of whoever answers class 1 from this probability on."""
    codes = (positive >= np.float32(value)).astype(np.int64)
    found = score_answers("classification", y, codes, np.column_stack([1 - positive, positive]))
    return {name: found[name] for name in LABEL_METRICS}


def every_cut(positive: NDArray[np.float32]) -> list[float]:
    """All positive, and one threshold between each two probabilities that differ."""
    distinct = sorted({float(p) for p in positive})
    cuts = [0.0]
    for low, high in itertools.pairwise(distinct):
        middle = float(np.float32((low + high) / 2))
        cuts.append(middle if middle > low else high)
    return cuts


def searched(
    y: NDArray[Any],
    positive: NDArray[np.float32],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
) -> float:
    """The threshold that a plain search finds best."""
    told = [c for c in constraints if c.metric in LABEL_METRICS]
    by = next((o for o in objectives if o.metric in LABEL_METRICS), None)

    def rank(value: float) -> tuple[float, float, float]:
        metrics = metrics_at(y, positive, value)
        missed = sum(max(c.violation(metrics[c.metric]), 0.0) for c in told)
        cost = by.sign * metrics[by.metric] if by is not None else -metrics["f1"]
        return missed, cost, abs(value - 0.5)

    return min(every_cut(positive), key=rank)


@st.composite
def answers(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Codes and probabilities of class 1: of any size, many of them equal, some of them neighbours."""
    grid = draw(st.sampled_from([3, 10, 1000]))
    near = [float(np.nextafter(np.float32(0.5), np.float32(end))) for end in (0, 1)]
    value = st.one_of(
        st.integers(0, grid).map(lambda i: i / grid),
        st.sampled_from([0.0, 0.5, *near, 1.0]),
        st.floats(0, 1, width=32),
    )
    pairs = draw(st.lists(st.tuples(st.integers(0, 1), value), min_size=1, max_size=25))
    y, positive = zip(*pairs, strict=True)
    return np.array(y), np.array(positive, np.float32)


OBJECTIVES = st.lists(
    st.builds(
        Objective,
        metric=st.sampled_from([*LABEL_METRICS, "size_mb", "roc_auc"]),
        direction=st.sampled_from(["maximize", "maximize", "minimize"]),
    ),
    min_size=1,
    max_size=2,
)
CONSTRAINTS = st.lists(
    st.builds(
        Constraint,
        metric=st.sampled_from([*LABEL_METRICS, "size_mb", "roc_auc"]),
        operator=st.sampled_from(["<=", "<", ">=", ">"]),
        bound=st.sampled_from([0.0, 0.25, 0.5, 2 / 3, 0.8, 0.95, 1.0]),
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=300)
@given(case=answers(), objectives=OBJECTIVES, constraints=CONSTRAINTS)
@example(  # nothing told apart: no threshold but the one that answers 1 always
    case=(np.array([0, 1, 1]), np.full(3, 0.3, np.float32)),
    objectives=[Objective(metric="f1", direction="maximize")],
    constraints=[],
)
def test_a_plain_search_finds_no_better_one(
    case: Any, objectives: list[Objective], constraints: list[Constraint]
) -> None:
    y, positive = case
    found = fit_threshold(y, positive, objectives, constraints)
    assert found.value == searched(y, positive, objectives, constraints)
    assert found.metrics == metrics_at(y, positive, found.value)
    assert found.value == np.float32(found.value)
    assert 0 <= found.value <= 1


def imbalanced(n: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Few positives, whose probabilities are higher but seldom above a half."""
    draw = np.random.default_rng(0)
    y = (draw.random(n) < share).astype(np.int64)
    return y, (1 / (1 + np.exp(-draw.normal(-4 + 2.5 * y, 1.0)))).astype(np.float32)


def fitted(objective: str, *bounds: Constraint, n: int = 4000, share: float = 0.05) -> Fitted:
    y, positive = imbalanced(n, share)
    return fit_threshold(y, positive, [Objective(metric=objective, direction="maximize")], bounds)


def test_a_bound_on_recall_that_a_half_misses_is_met() -> None:
    y, positive = imbalanced(4000, 0.05)
    at_half = metrics_at(y, positive, 0.5)
    least = Constraint(metric="recall", operator=">=", bound=0.5)
    found = fitted("precision", least)
    assert at_half["recall"] < 0.3
    assert 0.5 <= found.metrics["recall"] < 0.55
    assert found.metrics["precision"] > 2 * y.mean()
    assert found.metrics == metrics_at(y, positive, found.value)


def test_without_a_label_metric_f1_decides() -> None:
    assert fitted("roc_auc") == fitted("f1")
    assert fitted("roc_auc") != fitted("recall")


def test_bounds_that_exclude_each_other_are_missed_by_as_little_as_possible() -> None:
    both = [Constraint(metric=metric, operator=">=", bound=0.9) for metric in ("precision", "recall")]
    found = fitted("accuracy", *both)
    missed = sum(max(c.violation(found.metrics[c.metric]), 0.0) for c in both)
    y, positive = imbalanced(4000, 0.05)
    assert missed > 0
    for value in every_cut(positive)[::40]:
        other = metrics_at(y, positive, value)
        assert missed <= sum(max(c.violation(other[c.metric]), 0.0) for c in both)


@pytest.mark.parametrize("positive", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("y", [[0, 0], [1, 1], [0, 1]])
def test_equal_probabilities_leave_one_threshold(y: list[int], positive: float) -> None:
    found = fit_threshold(np.array(y), np.full(2, positive, np.float32), [], [])
    assert found.value == 0.0
    assert found.metrics["recall"] == float(any(y))


def test_of_equals_the_nearest_to_a_half() -> None:
    y = np.array([0, 0, 1, 1])
    positive = np.array([0.1, 0.3, 0.8, 0.9], np.float32)
    least = [Constraint(metric="recall", operator=">=", bound=0.5)]
    best = fit_threshold(y, positive, [Objective(metric="f1", direction="maximize")], least)
    assert best.value == np.float32(0.55)
    precise = fit_threshold(y, positive, [Objective(metric="precision", direction="maximize")], least)
    assert precise.value == np.float32(0.55)  # 0.85 is as precise
    # 0.25 and 0.75 are as near: the lower.
    even = np.array([0.125, 0.375, 0.625, 0.875], np.float32)
    alike = fit_threshold(
        np.array([0, 1, 0, 1]), even, [Objective(metric="accuracy", direction="maximize")], []
    )
    assert alike.value == 0.25


def test_neighbours_are_told_apart_by_the_upper_one() -> None:
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1))
    for each in ([low, high], [np.nextafter(low, np.float32(0)), low]):
        found = fit_threshold(np.array([0, 1]), np.array(each, np.float32), [], [])
        assert found.value == each[1]
        assert found.metrics["f1"] == 1.0


def test_a_probability_that_rounding_left_above_one_is_no_threshold() -> None:
    above = np.nextafter(np.float32(1), np.float32(2))
    found = fit_threshold(np.array([0, 1]), np.array([1, above], np.float32), [], [])
    assert found == fit_threshold(np.array([0, 1]), np.ones(2, np.float32), [], [])
