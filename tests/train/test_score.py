"""Our metrics against scikit-learn's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from satisfice.train.score import score_classification, score_regression


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
    assert found["recall"] == 0


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
