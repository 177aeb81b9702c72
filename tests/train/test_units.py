"""Predictions and scores do not depend on the units that a person chose.

Every number of a table, the target included, and every pixel is multiplied by a power of ten and shifted.
What is predicted, in the new unit, and r2 or accuracy stay as they were; mae and rmse go with the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from satisfice.data import DATASETS
from satisfice.data.reading.raw import Dataset, RawData
from satisfice.spec.study import DataSpec
from satisfice.train import load_model, make_task

SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_layers": 1, "width": 8, "batch_size": 16, "learning_rate": 0.01},
    "cnn": {"channels": 2, "width": 8, "blocks": 1, "batch_size": 16, "learning_rate": 0.01},
    "linear": {},
    "lasso": {"penalty": "l1", "alpha": 0.01},
    "plain": {"penalty": "none"},
    "robust": {"scaling": "robust", "select": 3},
    "selected": {
        "hidden_layers": 1,
        "width": 8,
        "batch_size": 16,
        "learning_rate": 0.02,
        "scaling": "robust",
        "select": 3,
    },
    "forest": {"trees": 12, "ccp_alpha": 1e-3},
    "boosting": {"rounds": 12, "l2": 0.1, "max_leaves": 6},
}
FAMILY = {"lasso": "linear", "plain": "linear", "robust": "linear", "selected": "mlp"}
NUMBERS = ("level", "skewed", "gaps", "count")


@dataclass(frozen=True)
class Unit:
    """value -> (value + shift) * 10**power; the shift is in the old unit."""

    power: int = 0
    shift: float = 0.0

    def to(self, values: Any) -> Any:
        return (values + self.shift) * 10.0**self.power

    def back(self, values: Any) -> Any:
        return np.asarray(values) / 10.0**self.power - self.shift


SAME = Unit()
# Beyond what anybody measures, but not beyond what float64 holds; shifts leave twelve digits.
units = st.builds(Unit, power=st.integers(-280, 280), shift=st.sampled_from([0.0, 0.0, -7.0, 1e2, 1e4]))


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 90
    frame = pd.DataFrame(
        {
            "level": rng.normal(size=n),
            "skewed": np.exp(2.0 * rng.normal(size=n)),
            "gaps": 3.0 + rng.normal(size=n),
            "count": rng.integers(0, 40, n).astype(float),
            "word": rng.choice(["a", "b", "c"], n),
        }
    )
    frame.loc[::7, "gaps"] = np.nan
    frame["y"] = frame["level"] + np.log(frame["skewed"]) + 0.05 * frame["count"] + 0.3 * rng.normal(size=n)
    frame["class"] = np.where(frame["y"] > frame["y"].median(), "high", "low")
    return frame


TABLE = _table()


def _train(
    folder: Path, make_spec: Any, new_trial: Any, name: str, task: str, unit: dict[str, Unit]
) -> tuple[NDArray[Any], dict[str, float]]:
    """Predictions for the whole table, and the metrics on validation and test."""
    frame = TABLE.copy()
    for column in (*NUMBERS, "y"):
        frame[column] = unit.get(column, SAME).to(frame[column])
    frame.to_csv(folder / "table.csv", index=False)
    target, other = ("y", "class") if task == "regression" else ("class", "y")
    data = DataSpec(file=str(folder / "table.csv"), target=target, drop=(other,), task=task)
    objective = "r2" if task == "regression" else "accuracy"
    study: Any = make_task(make_spec(FAMILY.get(name, name), data, objective, **SMALL[name]))
    trial = new_trial()
    metrics = study.fit({}, trial)
    (folder / "model.safetensors").write_bytes(trial.model)
    assert len(trial.model) == metrics["size_bytes"]
    model = load_model(folder / "model.safetensors")
    test = study.score_test({}, model)
    predicted = model.predict(frame) if task == "regression" else model.predict_proba(frame)
    return predicted, {**metrics, **{f"test_{key}": value for key, value in test.items()}}


def _compare(
    before: tuple[NDArray[Any], dict[str, float]], after: tuple[NDArray[Any], dict[str, float]], target: Unit
) -> None:
    predicted, metrics = before
    again, found = after
    spread = float(TABLE["y"].std()) if predicted.ndim == 1 else 1.0
    assert target.back(again) == pytest.approx(predicted, abs=1e-4 * spread)
    for key, value in metrics.items():
        if "seconds" in key or "memory" in key or key == "size_bytes":
            continue
        name = key.removeprefix("test_").removesuffix(".se")
        factor = 10.0**target.power if name in ("mae", "rmse") else 1.0
        assert found[key] / factor == pytest.approx(value, rel=1e-3, abs=1e-4), key


HARD = {
    "level": Unit(-13, 50.0),  # farads around 5e-12
    "skewed": Unit(200),
    "gaps": Unit(0, 1e5),
    "count": Unit(-290),
    "y": Unit(-9, 1e7),  # 0.01 ± 1e-9
}


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("name", [name for name in SMALL if name != "cnn"])
def test_a_table_in_hard_units(name: str, task: str, make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    before = _train(tmp_path, make_spec, new_trial, name, task, {})
    after = _train(tmp_path, make_spec, new_trial, name, task, HARD)
    if task == "regression":
        assert before[1]["r2"] > 0.3  # there is something to learn
    _compare(before, after, HARD["y"] if task == "regression" else SAME)


@pytest.mark.parametrize("name", ["forest", "boosting"])
@pytest.mark.parametrize("power", [-8, 9])
def test_trees_grow_alike_where_rows_and_columns_are_tied(
    name: str, power: int, make_spec: Any, new_trial: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """Whole numbers as target, and columns that part the rows alike: rounding must decide no tie."""
    tied = TABLE.assign(y=TABLE["y"].round() * 3 + 70, gaps=TABLE["count"] * 2, skewed=TABLE["level"] ** 3)
    monkeypatch.setitem(globals(), "TABLE", tied)
    chosen = {"y": Unit(power), "count": Unit(3), "level": Unit(-5)}
    before = _train(tmp_path, make_spec, new_trial, name, "regression", {})
    after = _train(tmp_path, make_spec, new_trial, name, "regression", chosen)
    assert Unit(power).back(after[0]) == pytest.approx(before[0], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("name", [name for name in SMALL if name != "cnn"])
def test_a_table_in_any_units(name: str, task: str, make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    before = _train(tmp_path, make_spec, new_trial, name, task, {})

    @settings(max_examples=12, deadline=None)
    @given(st.fixed_dictionaries(dict.fromkeys((*NUMBERS, "y"), units)))
    def check(chosen: dict[str, Unit]) -> None:
        after = _train(tmp_path, make_spec, new_trial, name, task, chosen)
        _compare(before, after, chosen["y"] if task == "regression" else SAME)

    check()


def _images(unit: Unit, dtype: str = "float64") -> Dataset:
    """120 digits; a second channel that is constant."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = unit.to(bunch.images[:120, None]).astype(dtype)
    items = np.concatenate([pixels, np.full_like(pixels, pixels.max())], axis=1)
    return Dataset(
        name=f"toy {unit} {dtype}",
        kind="image",
        task="classification",
        doc="",
        source="",
        read=lambda: RawData(items=items, target=pd.Series(bunch.target[:120] % 3)),
    )


def _train_images(
    make_spec: Any, new_trial: Any, name: str, dataset: Dataset, folder: Path
) -> tuple[NDArray[Any], dict[str, float]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS._loaded, dataset.name, dataset)
        study: Any = make_task(make_spec(name, dataset.name, **SMALL[name]))
        trial = new_trial(max_epochs=3)
        metrics = study.fit({}, trial)
        (folder / "model.safetensors").write_bytes(trial.model)
        model = load_model(folder / "model.safetensors")
        test = study.score_test({}, model)
        predicted = model.predict_proba(dataset.read().items)
        return predicted, {**metrics, **{f"test_{key}": value for key, value in test.items()}}


NETWORKS, OTHERS = ["mlp", "cnn"], ["linear", "forest", "boosting"]
IMAGES = [
    (Unit(-3, 5e4), "float64", NETWORKS),
    (Unit(3, 40.0), "uint16", NETWORKS + OTHERS),
    (Unit(0), "float16", ["cnn"]),
    (Unit(-44), "float64", ["cnn"]),
    (Unit(-250), "float64", NETWORKS + OTHERS),
    (Unit(290), "float64", ["cnn"]),
    (Unit(7, 3.0), "int64", ["cnn"]),
]


@pytest.mark.parametrize(
    ("name", "unit", "dtype"),
    [(name, unit, dtype) for unit, dtype, names in IMAGES for name in names],
    ids=str,
)
def test_images_in_any_unit(
    name: str, unit: Unit, dtype: str, make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    before = _train_images(make_spec, new_trial, name, _images(SAME), tmp_path)
    after = _train_images(make_spec, new_trial, name, _images(unit, dtype), tmp_path)
    assert before[1]["accuracy"] > 0.4
    _compare(before, after, SAME)
