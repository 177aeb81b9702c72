"""What a finished model goes by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from satisfice.errors import InputError
from satisfice.spec.study import DataSpec
from satisfice.train import make_task as make_any_task
from satisfice.train.importance import importance_of
from satisfice.train.trees.ensemble import RawTrees, join, pack
from satisfice.train.trees.gains import gains

make_task: Any = make_any_task  # its families' own methods are under test

FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_layers": 1, "width": 16, "learning_rate": 0.01},
    "linear": {},
    "forest": {"trees": 12},
    "boosting": {"rounds": 12},
}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


@pytest.fixture(scope="module")
def table(tmp_path_factory: Any) -> DataSpec:
    """``strong`` decides most, ``weak`` little, ``kind`` some, ``noise`` nothing."""
    rng = np.random.default_rng(0)
    n = 600
    frame = pd.DataFrame({name: rng.normal(size=n) for name in ("noise", "weak", "strong")})
    frame["kind"] = rng.choice(["a", "b", "c"], n)
    told = 3 * frame["strong"] + 0.5 * frame["weak"] + 1.5 * (frame["kind"] == "b")
    frame["y"] = np.where(told + 0.3 * rng.normal(size=n) > 0.5, "yes", "no")
    path: Path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return DataSpec(file=str(path), target="y")


@pytest.mark.parametrize("ship", ["onnx", "safetensors"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_decides_most_comes_first(
    family: str, ship: str, table: DataSpec, make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    task = make_task(make_spec(family, table, ship=ship))
    trial = new_trial(max_epochs=15)
    metrics = task.train(FAMILIES[family], trial)
    model = task.load_model(FAMILIES[family], trial.shipped(task, tmp_path))
    found = importance_of(task, FAMILIES[family], model, repeats=8, seed=1)
    assert found.metric == "accuracy"
    assert found.value == pytest.approx(metrics["accuracy"])
    assert found.rows == len(task.splits.valid)
    by_name = {each.column: each for each in found.columns}
    assert [each.mean for each in found.columns] == sorted((e.mean for e in found.columns), reverse=True)
    assert found.columns[0].column == "strong"
    assert by_name["strong"].mean > 0.25 > by_name["kind"].mean > 0.02
    assert abs(by_name["noise"].mean) < 0.05
    assert all(each.deviation < 0.06 for each in found.columns)
    again = importance_of(task, FAMILIES[family], model, repeats=8, seed=1)
    assert again.columns == found.columns
    assert bool(found.coefficients) == (family == "linear")
    if family in ("forest", "boosting"):
        assert sum(found.gains.values()) == pytest.approx(1)
        assert max(found.gains, key=lambda name: found.gains[name]) == "strong"
    else:
        assert not found.gains


def test_coefficients_are_those_of_the_model(
    table: DataSpec, make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    task = make_task(make_spec("linear", table))
    trial = new_trial()
    task.train({}, trial)
    model = task.load_model({}, trial.shipped(task, tmp_path))
    found = importance_of(task, {}, model, repeats=1, seed=0)
    assert [value for *_, value in found.coefficients] == pytest.approx(model.core.weight.ravel().tolist())
    told = {feature: (column, label) for column, feature, label, _ in found.coefficients}
    assert told["kind=b"] == ("kind", None)


def test_several_classes_have_a_coefficient_each(make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    task = make_task(make_spec("linear", "wine"))
    trial = new_trial()
    task.train({"select": 2}, trial)
    model = task.load_model({"select": 2}, trial.shipped(task, tmp_path))
    found = importance_of(task, {"select": 2}, model, repeats=2, seed=0)
    assert len(found.columns) == 2
    assert len(found.coefficients) == 3 * 2
    assert len({label for _, _, label, _ in found.coefficients}) == 3


@pytest.mark.parametrize("depth", [1, 4, None])
def test_gains_are_the_impurity_decreases_of_a_regression_tree(depth: int | None) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + x[:, 2] + 0.1 * rng.normal(size=300)
    grown = []
    peers = [
        DecisionTreeRegressor(max_depth=depth, random_state=seed, max_features=2).fit(x, y) for seed in (0, 1)
    ]
    for peer in peers:
        tree = peer.tree_
        grown.append(
            RawTrees(
                left=tree.children_left.astype(np.int64),
                right=tree.children_right.astype(np.int64),
                feature=tree.feature.astype(np.int64),
                threshold=tree.threshold.astype(np.float64),
                value=tree.value[:, 0, :].astype(np.float64),
                roots=np.zeros(1, np.int64),
            )
        )
    for some in (grown[:1], grown):
        trees = pack(join(some), d=5, base=np.zeros(1), boosted=False, classify=False)
        raw = [p.tree_.compute_feature_importances(normalize=False) for p in peers[: len(some)]]
        expected = sum(raw) / sum(raw).sum()
        assert gains(trees, x) == pytest.approx(expected, abs=1e-4)


def test_single_leaves_gain_nothing() -> None:
    leaf = RawTrees(
        left=np.array([-1]),
        right=np.array([-1]),
        feature=np.array([-2]),
        threshold=np.zeros(1),
        value=np.ones((1, 1)),
        roots=np.zeros(1, np.int64),
    )
    trees = pack(leaf, d=3, base=np.zeros(1), boosted=True, classify=False)
    assert gains(trees, np.zeros((4, 3), np.float32)).tolist() == [0, 0, 0]


def test_images_are_refused(make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    task = make_task(make_spec("linear", "digits"))
    with pytest.raises(InputError, match="learns from images"):
        importance_of(task, {}, None, repeats=1, seed=0)
