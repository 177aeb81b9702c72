"""The linear family against scikit-learn's own predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

from satisfice.errors import SpecError
from satisfice.spec import parse_dict
from satisfice.spec.study import DataSpec
from satisfice.train import make_task as make_any_task

make_task: Any = make_any_task  # its family's own methods are under test


def _fit(task: Any, new_trial: Any, tmp_path: Any, **params: Any) -> Any:
    trial = new_trial()
    task.train(params, trial)
    path = tmp_path / "model"
    path.write_bytes(trial.model)
    return task.load_model(params, path).core


@pytest.mark.parametrize("data", ["titanic", "wine"])
def test_logistic_regression(data: str, make_spec: Any, new_trial: Any, tmp_path: Any) -> None:
    task = make_task(make_spec("linear", data))
    core = _fit(task, new_trial, tmp_path, alpha=0.01)
    train, valid = task.splits.train, task.splits.valid
    oracle = LogisticRegression(C=1 / (0.01 * len(train)), max_iter=300).fit(train.x, train.y)
    assert core(valid.x) == pytest.approx(oracle.predict_proba(valid.x), abs=1e-4)


@pytest.mark.parametrize(("penalty", "oracle"), [("l2", Ridge), ("l1", Lasso)])
def test_penalties_on_numbers_are_free_of_the_unit(
    penalty: str, oracle: Any, make_spec: Any, new_trial: Any, tmp_path: Any
) -> None:
    task = make_task(make_spec("linear", "diabetes"))
    core = _fit(task, new_trial, tmp_path, penalty=penalty, alpha=0.05)
    train, valid = task.splits.train, task.splits.valid
    spread = train.y.std(dtype=np.float64)
    strength = 0.05 * len(train) if penalty == "l2" else 0.05 * spread
    expected = oracle(alpha=strength).fit(train.x.astype(np.float64), train.y).predict(valid.x)
    assert task.splits.target.restore(core(valid.x)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("data", ["titanic", "wine", "diabetes"])
@pytest.mark.parametrize("penalty", ["l2", "l1", "elastic_net", "none"])
def test_a_solver_that_stops_early_is_judged_and_does_not_warn(
    data: str, penalty: str, make_spec: Any, new_trial: Any
) -> None:
    task = make_task(make_spec("linear", data, penalty=penalty, max_iter=1))
    metrics = task.train({}, new_trial())
    assert np.isfinite(metrics["rmse" if data == "diabetes" else "log_loss"])


def test_l1_leaves_features_out(make_spec: Any, new_trial: Any, tmp_path: Any) -> None:
    task = make_task(make_spec("linear", "titanic"))
    core = _fit(task, new_trial, tmp_path, penalty="l1", alpha=0.05)
    assert 0 < (core.weight != 0).sum() < core.weight.size


def test_extreme_scores_do_not_overflow() -> None:
    from satisfice.train.families.linear import LinearModel

    x = np.array([[1e4], [-1e4]], dtype=np.float32)
    for rows in (1, 3):
        weight = np.linspace(1, 2, rows, dtype=np.float32)[:, None]
        proba = LinearModel(weight, np.zeros(rows, np.float32), True)(x)
        assert np.isfinite(proba).all()
        assert proba.sum(axis=1) == pytest.approx(1)


def test_one_quantity_in_two_units_gets_one_weight(make_spec: Any, new_trial: Any, tmp_path: Any) -> None:
    """Rounding to float32 tells the columns apart; weights that live on that would be huge, and cancel."""
    rng = np.random.default_rng(0)
    metres = rng.normal(size=200) + 3.0
    frame = pd.DataFrame({"metres": metres, "feet": metres / 0.3048, "z": rng.normal(size=200)})
    frame["y"] = metres + rng.normal(size=200)
    frame.to_csv(tmp_path / "lengths.csv", index=False)
    data = DataSpec(file=str(tmp_path / "lengths.csv"), target="y", task="regression")
    core = _fit(make_task(make_spec("linear", data, "r2")), new_trial, tmp_path, penalty="none")
    assert core.weight[0, 0] == pytest.approx(core.weight[0, 1], rel=1e-3)
    assert 0.2 < core.weight[0, 0] < 0.6


@pytest.mark.parametrize(
    ("data", "penalty", "solver"),
    [
        ("wine", "l2", "newton_cholesky"),
        ("wine", "l2", "saga"),
        ("titanic", "l2", "newton_cholesky"),
        ("titanic", "l1", "saga"),
        ("diabetes", "l2", "newton_cholesky"),
        ("diabetes", "l2", "saga"),
        ("diabetes", "elastic_net", "coordinate_descent"),
    ],
)
def test_solvers_find_the_same_minimum(
    data: str, penalty: str, solver: str, make_spec: Any, new_trial: Any, tmp_path: Any
) -> None:
    task = make_task(make_spec("linear", data, penalty=penalty, alpha=0.01, max_iter=10_000))
    one, other = (_fit(task, new_trial, tmp_path, solver=name) for name in ("auto", solver))
    x = task.splits.valid.x
    assert one(x) == pytest.approx(other(x), abs=5e-3)


@pytest.mark.parametrize(
    ("data", "model", "space", "told"),
    [
        ("wine", {"solver": "lbfgs", "penalty": "l1"}, {}, "model.solver: 'lbfgs' cannot fit the penalty"),
        ("wine", {"solver": "coordinate_descent"}, {}, "cannot fit the penalty 'l2' of a classification"),
        ("diabetes", {}, {"solver": ["auto", "lbfgs"]}, "space.solver: 'lbfgs' cannot fit"),
        ("wine", {}, {"solver": ["auto", "newton_cholesky"], "penalty": ["l2", "l1"]}, r"when = \{ penalty"),
    ],
)
def test_a_solver_that_cannot_fit_a_penalty_is_refused(
    data: str, model: dict[str, Any], space: dict[str, Any], told: str
) -> None:
    with pytest.raises(SpecError, match=told):
        make_task(_study(data, model, space)).prepare()


def test_a_solver_under_a_condition_meets_only_what_it_fits() -> None:
    apart = {"choices": ["auto", "newton_cholesky"], "when": {"penalty": ["l2"]}}
    make_task(_study("wine", {}, {"penalty": ["l2", "l1", "none"], "solver": apart})).prepare()
    other = {"choices": ["l1", "elastic_net"], "when": {"solver": ["saga"]}}
    make_task(_study("wine", {}, {"solver": ["newton_cholesky", "saga"], "penalty": other})).prepare()


def _study(data: str, model: dict[str, Any], space: dict[str, Any]) -> Any:
    return parse_dict(
        {
            "name": "study",
            "data": {"name": data},
            "model": {"family": "linear", **model},
            "objectives": {"r2" if data == "diabetes" else "accuracy": "maximize"},
            "space": {"alpha": {"low": 1e-3, "high": 1.0}, **space},
            "budget": {"trials": 1},
        }
    )


def test_newton_goes_on_where_its_matrix_is_singular(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("linear", "titanic", solver="newton_cholesky", alpha=1e-12))
    assert task.train({}, new_trial())["log_loss"] < 1
