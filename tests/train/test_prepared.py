"""How a configuration prepares a table: the scale of its numbers, and the columns that it uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.data.features.relevance import ColumnOrder, mutual_information
from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.data.features.variants import features_of, rescale, restrict
from satisfice.errors import SpecError
from satisfice.spec import parse_dict
from satisfice.train import make_task as make_any_task

make_task: Any = make_any_task  # its families' own methods are under test

FAMILIES: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_layers": 1, "width": 8, "learning_rate": 0.01},
    "linear": {},
    "forest": {"trees": 5, "max_depth": 4},
    "boosting": {"rounds": 5, "max_leaves": 4},
}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 400
    return pd.DataFrame(
        {
            "level": rng.normal(7.0, 3.0, n),
            "skewed": np.exp(rng.normal(0, 2, n)),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "zeros": np.where(rng.random(n) < 0.8, 0.0, rng.normal(size=n)),
            "kind": rng.choice(["a", "b", "c"], n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D"),
        }
    )


def test_robust_has_the_median_at_zero_and_quartiles_as_far_as_a_normal_has(frame: pd.DataFrame) -> None:
    encoder = rescale(fit_table(frame), frame, "robust")
    x = encoder.transform(frame)
    for name in ("level", "skewed"):
        column = x[:, encoder.feature_names.index(name)]
        assert np.median(column) == pytest.approx(0, abs=1e-5)
        low, high = np.quantile(column, (0.25, 0.75))
        assert high - low == pytest.approx(1.349, abs=1e-3)
    assert np.isfinite(x[:, encoder.feature_names.index("zeros")]).all()  # its quartiles are equal
    missing = np.isnan(frame["gaps"].to_numpy())
    assert (x[missing, encoder.feature_names.index("gaps")] == 0).all()


def test_none_leaves_numbers_as_they_stand(frame: pd.DataFrame) -> None:
    encoder = rescale(fit_table(frame), frame, "none")
    x = encoder.transform(frame)
    for name in ("level", "skewed", "zeros"):
        assert x[:, encoder.feature_names.index(name)] == pytest.approx(frame[name].to_numpy(), rel=1e-6)
    gaps = x[:, encoder.feature_names.index("gaps")]
    assert gaps[frame["gaps"].isna()] == pytest.approx(frame["gaps"].median(), abs=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "robust", "none"])
def test_an_encoder_of_some_columns_gives_their_features(scaling: str, frame: pd.DataFrame) -> None:
    whole = rescale(fit_table(frame), frame, scaling)
    for names in (["kind"], ["skewed", "gaps"], ["day", "level"], list(frame.columns)):
        part = restrict(whole, names)
        assert set(part.source_columns) == set(names)
        assert np.array_equal(
            part.transform(frame[names]), whole.transform(frame)[:, features_of(whole, names)]
        )
        again = TableEncoder.restore(part.describe(), part.arrays())
        assert again.scaling == scaling
        assert np.array_equal(again.transform(frame[names]), part.transform(frame[names]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "values", [{"select": 3}, {"scaling": "robust"}, {"scaling": "none", "select": 4}], ids=str
)
def test_the_file_asks_for_the_chosen_columns_and_answers_as_the_model(
    family: str, values: dict[str, Any], make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    if family in ("forest", "boosting"):
        values = {name: v for name, v in values.items() if name != "scaling"} or {"select": 2}
    params = (
        FAMILIES[family]
        | ({"learning_rate": 1e-5} if "none" in values.values() and family == "mlp" else {})
        | values
    )
    task = make_task(make_spec(family, "titanic", ship="onnx"))
    trial = new_trial()
    metrics = task.train(params, trial)
    session = onnxruntime.InferenceSession(trial.model)
    k = values.get("select", 0)
    assert (
        metrics["n_features"] == len(session.get_inputs()) == (k or len(task.splits.raw_train.items.columns))
    )
    if hasattr(task, "untrained") and task.untrained(params) is not None:
        assert task.profile(params)["size_bytes"] == metrics["size_bytes"] == len(trial.model)
    assert task.profile(params)["n_features"] == metrics["n_features"]
    model = task.load_model(params, trial.shipped(task, tmp_path))
    valid = task.splits_of(params).valid
    assert valid.x.shape[1] == task.preprocessor(params).n_features
    _, told = model.answers(task.feeds.valid, task.splits.classes)
    assert told == pytest.approx(model.core(valid.x) if family != "mlp" else told, abs=1e-5)
    again = task.scoring(params).of_model(model.core, valid)
    assert metrics["log_loss"] == pytest.approx(again["log_loss"], rel=1e-4)
    for call in (task.predictor(params, model), task.pipeline(params, model)):
        call()


def test_more_columns_than_there_are_change_nothing(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("linear", "wine", ship="onnx"))
    plain, all_of_them = new_trial(), new_trial()
    task.train({}, plain)
    task.train({"select": 99}, all_of_them)
    assert plain.model == all_of_them.model
    assert task.architecture({"select": 99}) == task.architecture({})
    assert task.architecture({"select": 2}) != task.architecture({})


def test_every_choice_holds_the_smaller_ones(make_spec: Any) -> None:
    task = make_task(make_spec("linear", "breast_cancer"))
    order = task._prepared._order
    chosen = [order.first(k) for k in (9, 1, 4, 30)]
    assert chosen[0][:4] == chosen[2]
    assert chosen[2][:1] == chosen[1]
    assert len(set(chosen[3])) == 30


def _order(frame: pd.DataFrame, y: Any) -> list[str]:
    encoder = fit_table(frame)
    return ColumnOrder(encoder, encoder.transform(frame), y, 0).first(len(frame.columns))


def test_a_copy_of_a_column_and_noise_come_after_all_that_tells() -> None:
    rng = np.random.default_rng(1)
    n = 4000
    a, b, c = rng.normal(size=(3, n))
    y = (1.5 * a + b + 0.7 * c + rng.normal(size=n) > 0).astype(np.int64)
    many = rng.choice([f"v{i}" for i in range(30)], n)  # of many values, and says nothing
    frame = pd.DataFrame(
        {"noise": rng.normal(size=n), "many": many, "a": a, "again": 5 * a + 1, "b": b, "c": c}
    )
    order = _order(frame, y)
    assert set(order[:3]) == {"a", "b", "c"} or set(order[:3]) == {"again", "b", "c"}
    assert set(order[3:]) & {"a", "again"}


@settings(max_examples=15, deadline=None)
@given(power=st.integers(-200, 200), sign=st.sampled_from([-1.0, 1.0]))
def test_the_order_does_not_depend_on_units(power: int, sign: float) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({name: rng.normal(size=300) for name in "abcde"})
    y = (frame["a"] * 2 + frame["b"] ** 2 - frame["c"] > 0).to_numpy().astype(np.int64)
    assert _order(frame * sign * 10.0**power, y)[:3] == _order(frame, y)[:3]


def test_mutual_information() -> None:
    same = np.repeat(np.arange(4), 250)
    # log 4 nats, less the bias: (4 - 4 - 4 + 1) / 2n.
    assert mutual_information(same, same) == pytest.approx(np.log(4) + 3 / 2000)
    rng = np.random.default_rng(0)
    apart = [mutual_information(rng.integers(0, 8, 500), rng.integers(0, 3, 500)) for _ in range(200)]
    assert abs(np.mean(apart)) < 3e-3


def test_images_have_no_columns() -> None:
    content = {
        "name": "study",
        "data": {"name": "digits"},
        "model": {"family": "mlp", "scaling": "robust"},
        "objectives": {"accuracy": "maximize"},
        "space": {"select": {"low": 1, "high": 5}, "width": {"low": 4, "high": 8}},
        "budget": {"trials": 1},
    }
    with pytest.raises(SpecError) as told:
        make_task(parse_dict(content)).prepare()
    assert "model.scaling" in str(told.value)
    assert "space.select" in str(told.value)


def test_rules_and_inputs_can_be_bounded(make_spec: Any, new_trial: Any) -> None:
    for family in ("forest", "boosting"):
        task = make_task(make_spec(family, "wine"))
        params = FAMILIES[family]
        bounds, metrics = task.bounds(params), task.train(params, new_trial())
        for name in ("n_leaves", "max_depth", "n_parameters"):
            low, high = bounds[name]
            assert low <= metrics[name] <= high, name
        assert metrics["max_depth"] >= 1
    assert task.bounds({"max_depth": 3})["max_depth"] == (0, 3)


def test_trees_are_counted_as_scikit_learn_counts_them(
    make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    from sklearn.ensemble import RandomForestClassifier

    task = make_task(make_spec("forest", "wine"))
    metrics = task.train({"trees": 7, "max_depth": 4}, new_trial(seed=5))
    train = task.splits.train
    peer = RandomForestClassifier(7, max_depth=4, max_features=0.3, random_state=5).fit(train.x, train.z)
    assert metrics["n_leaves"] == sum(tree.get_n_leaves() for tree in peer.estimators_)
    assert metrics["max_depth"] == max(tree.get_depth() for tree in peer.estimators_)


def test_lasso_tells_the_weights_that_are_left(make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    task = make_task(make_spec("linear", "titanic"))
    trial = new_trial()
    metrics = task.train({"penalty": "l1", "alpha": 0.03}, trial)
    core = task.load_model({}, trial.shipped(task, tmp_path)).core
    assert metrics["nonzero_weights"] == np.count_nonzero(core.weight) < core.weight.size
