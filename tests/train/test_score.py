"""Our metrics against scikit-learn's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from satisfice.spec import Levels
from satisfice.train.score import score, score_answers, score_classification, score_regression


@st.composite
def classifications(draw: Any) -> Any:
    """Codes in which every class occurs, and probabilities with ties."""
    k = draw(st.integers(2, 5))
    n = draw(st.integers(2 * k, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.permutation(np.concatenate([np.repeat(np.arange(k), 2), rng.integers(0, k, n - 2 * k)]))
    proba = rng.dirichlet(np.full(k, draw(st.sampled_from([0.1, 1.0, 5.0]))), n)
    if draw(st.booleans()):
        proba = np.round(proba, 1) + 1e-3
        proba /= proba.sum(axis=1, keepdims=True)
    return y, proba


@settings(deadline=None)
@given(classifications())
def test_classification_agrees_with_scikit_learn(case: Any) -> None:
    y, proba = case
    k = proba.shape[1]
    found = score_classification(y, proba)
    chosen = proba.argmax(axis=1)
    average = {"average": "binary"} if k == 2 else {"average": "macro"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are never predicted
        expected = {
            "accuracy": oracle.accuracy_score(y, chosen),
            "balanced_accuracy": oracle.balanced_accuracy_score(y, chosen),
            "precision": oracle.precision_score(y, chosen, zero_division=0, **average),
            "recall": oracle.recall_score(y, chosen, zero_division=0, **average),
            "f1": oracle.f1_score(y, chosen, zero_division=0, **average),
            "roc_auc": oracle.roc_auc_score(y, proba[:, 1])
            if k == 2
            else oracle.roc_auc_score(y, proba, multi_class="ovr", average="macro"),
            "average_precision": oracle.average_precision_score(y, proba[:, 1])
            if k == 2
            else oracle.average_precision_score(y, proba, average="macro"),
            "log_loss": oracle.log_loss(y, proba),
        }
    negatives = [
        oracle.recall_score(y != c, chosen != c, zero_division=0) for c in ([1] if k == 2 else range(k))
    ]
    expected["specificity"] = np.mean(negatives)
    assert found == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)), min_size=2, max_size=30
    )
)
def test_regression_agrees_with_scikit_learn(pairs: Any) -> None:
    y, prediction = np.array(pairs).T
    found = score_regression(y, prediction)
    expected = {
        "r2": oracle.r2_score(y, prediction),
        "mae": oracle.mean_absolute_error(y, prediction),
        "rmse": oracle.root_mean_squared_error(y, prediction),
    }
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_split_with_one_class_has_no_area_under_the_curve() -> None:
    found = score_classification(np.zeros(4, dtype=np.int64), np.full((4, 2), 0.5))
    assert np.isnan(found["roc_auc"])
    assert np.isnan(found["average_precision"])
    assert found["recall"] == 0


def test_a_class_without_items_tells_nothing_of_the_ranking() -> None:
    y = np.array([0, 1, 0, 1])
    proba = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.4, 0.3], [0.2, 0.5, 0.3]])
    found = score_classification(y, proba)
    of_two = [oracle.average_precision_score(y == code, proba[:, code]) for code in (0, 1)]
    assert found["average_precision"] == pytest.approx(np.mean(of_two))


@st.composite
def rankings(draw: Any) -> Any:
    """Codes of two classes and the probabilities (n, 2) of both, many of them equal."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12)), min_size=1, max_size=40))
    y, twelfths = np.array(pairs).T
    positive = twelfths / 12
    return y, np.column_stack([1 - positive, positive])


LEVEL = st.one_of(st.floats(0.01, 1.0), st.sampled_from([0.25, 1 / 3, 0.5, 2 / 3, 0.9, 1.0]))


@settings(deadline=None)
@given(rankings(), LEVEL)
def test_metrics_at_a_level_agree_with_scikit_learn(case: Any, level: float) -> None:
    y, proba = case
    found = score("classification", y, proba, Levels(precision=level, recall=level))
    if not y.any():  # scikit-learn calls every recall 1 there, and warns
        assert found["recall_at_precision"] == found["precision_at_recall"] == 0.0
        return
    precision, recall, _ = oracle.precision_recall_curve(y, proba[:, 1])
    precision, recall = precision[:-1], recall[:-1]  # the last point is of no threshold
    assert found["recall_at_precision"] == max(recall[precision >= level], default=0.0)
    assert found["precision_at_recall"] == max(precision[recall >= level], default=0.0)


def test_no_threshold_reaches_the_precision() -> None:
    y, proba = np.array([1, 0]), np.array([[0.6, 0.4], [0.3, 0.7]])
    found = score_classification(y, proba, Levels(precision=0.6))
    assert found["recall_at_precision"] == 0.0
    assert score_classification(y, proba, Levels(precision=0.5))["recall_at_precision"] == 1.0


def test_metrics_at_a_level_need_their_level_and_two_classes() -> None:
    at_a_level = {"recall_at_precision", "precision_at_recall"}
    y, two, three = np.array([0, 1]), np.full((2, 2), 1 / 2), np.full((2, 3), 1 / 3)
    assert not at_a_level & set(score_classification(y, two))
    assert at_a_level & set(score_classification(y, two, Levels(recall=0.5))) == {"precision_at_recall"}
    assert at_a_level <= set(score_classification(y, two, Levels(recall=0.5, precision=0.5)))
    assert not at_a_level & set(score_classification(y, three, Levels(recall=0.5, precision=0.5)))


@settings(deadline=None)
@given(classifications(), st.randoms(use_true_random=False))
def test_answers_decide_and_probabilities_rank(case: Any, random: Any) -> None:
    y, proba = case
    k = proba.shape[1]
    codes = np.array([random.randrange(k) for _ in y])
    levels = Levels(precision=0.5, recall=0.5)
    found = score_answers("classification", y, codes, proba, levels)
    by_probability = {
        "roc_auc",
        "average_precision",
        "log_loss",
        "recall_at_precision",
        "precision_at_recall",
    }
    of_answers, of_outputs = score_classification(y, np.eye(k)[codes]), score_classification(y, proba, levels)
    expected = of_answers | {name: of_outputs[name] for name in by_probability & set(of_outputs)}
    assert found == expected


def test_answers_of_a_regression_are_its_outputs() -> None:
    y, outputs = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 4.0])
    assert score_answers("regression", y, None, outputs) == score_regression(y, outputs)


@given(
    pairs=st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=2, max_size=30),
    power=st.integers(-1000, 1000),
)
def test_the_unit_scales_errors_and_leaves_r2(pairs: Any, power: int) -> None:
    y, prediction = np.array(pairs, float).T
    plain = score_regression(y, prediction)
    found = score_regression(np.ldexp(y, power), np.ldexp(prediction, power))
    assert found["r2"] == plain["r2"]
    assert found["mae"] == np.ldexp(plain["mae"], power)
    assert found["rmse"] == np.ldexp(plain["rmse"], power)


def test_an_offset_of_the_target_hides_no_error() -> None:
    y = 1e8 + np.array([-1.0, 0.0, 1.0])
    found = score_regression(y, np.full(3, 1e8 + 0.5))
    assert found == pytest.approx({"r2": -0.375, "mae": 5 / 6, "rmse": np.sqrt(2.75 / 3)})


@pytest.mark.parametrize("value", [0.1, 0.0, 1e-300, 1e300])
def test_r2_of_a_fold_with_one_value(value: float) -> None:
    """The mean of three times 0.1 is not 0.1: rounding is no variance that could be explained."""
    y = np.full(3, value)
    assert score_regression(y, y) == {"r2": 1.0, "mae": 0.0, "rmse": 0.0}
    assert score_regression(y, y + max(value, 1.0))["r2"] == 0.0
