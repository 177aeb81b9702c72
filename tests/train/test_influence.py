"""Standard errors of scores: the formulas are those of the literature, and agree with the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from satisfice.spec.study import Levels
from satisfice.train.influence import influences, standard_errors
from satisfice.train.score import score_answers

ROWS = 300


def scored(k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    y = draw.integers(0, k, ROWS)
    logits = draw.normal(size=(ROWS, k)) + 1.5 * np.eye(k)[y]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return y, proba.argmax(axis=1), proba


@pytest.mark.parametrize("k", [2, 4])
def test_errors_of_a_classification_agree_with_the_bootstrap(k: int) -> None:
    y, codes, proba = scored(k)
    levels = Levels(precision=0.8, recall=0.8) if k == 2 else Levels()
    of_rows = influences("classification", y, codes, proba)
    errors = standard_errors("classification", y, codes, proba, levels, of_rows, seed=1)
    draw = np.random.default_rng(5)
    again: dict[str, list[float]] = {}
    for _ in range(500):
        s = draw.integers(0, ROWS, ROWS)
        for name, value in score_answers("classification", y[s], codes[s], proba[s], levels).items():
            again.setdefault(name, []).append(value)
    assert errors.keys() == again.keys()
    for name, values in again.items():
        assert errors[name] == pytest.approx(np.std(values), rel=0.25), name
    accuracy = float((y == codes).mean())
    assert errors["accuracy"] == pytest.approx(np.sqrt(accuracy * (1 - accuracy) / ROWS))
    for each in of_rows.values():
        assert abs(each.sum()) < 1e-6 * ROWS


def test_the_error_of_an_area_is_delongs() -> None:
    y, codes, proba = scored(2)
    ups, downs = proba[y == 1, 1], proba[y == 0, 1]
    of_ups = np.array([np.mean((downs < u) + 0.5 * (downs == u)) for u in ups])
    of_downs = np.array([np.mean((ups > d) + 0.5 * (ups == d)) for d in downs])
    expected = np.sqrt(of_ups.var(ddof=1) / len(ups) + of_downs.var(ddof=1) / len(downs))
    of_rows = influences("classification", y, codes, proba)
    errors = standard_errors("classification", y, codes, proba, None, of_rows, seed=0)
    assert errors["roc_auc"] == pytest.approx(expected)


@pytest.mark.parametrize("unit", [1.0, 1e200, 1e-200])
def test_errors_of_a_regression_agree_with_the_bootstrap_in_any_unit(unit: float) -> None:
    draw = np.random.default_rng(0)
    y = draw.normal(size=ROWS) * unit
    prediction = y + 0.5 * unit * draw.normal(size=ROWS)
    of_rows = influences("regression", y, None, prediction)
    errors = standard_errors("regression", y, None, prediction, None, of_rows, seed=0)
    drawn = [draw.integers(0, ROWS, ROWS) for _ in range(500)]
    scores = [score_answers("regression", y[s] / unit, None, prediction[s] / unit) for s in drawn]
    for name in ("mae", "rmse", "r2"):
        scale = 1.0 if name == "r2" else unit
        assert errors[name] / scale == pytest.approx(np.std([s[name] for s in scores]), rel=0.25), name


def test_a_perfect_score_is_not_certain() -> None:
    y = np.arange(30) % 2
    proba = np.eye(2)[y] * 0.8 + 0.1
    of_rows = influences("classification", y, y, proba)
    errors = standard_errors("classification", y, y, proba, None, of_rows, seed=0)
    plus_four = np.sqrt(32 / 34 * 2 / 34 / 34)
    assert errors["accuracy"] == errors["f1"] == errors["roc_auc"] == pytest.approx(plus_four)
