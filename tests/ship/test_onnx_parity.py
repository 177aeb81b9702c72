"""An ONNX file answers what the trained model answers, on raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from satisfice.data import DATASETS
from satisfice.errors import UnreadCells
from satisfice.ship import onnx_file, runtime
from satisfice.ship.onnx_file import Options
from satisfice.spec.study import DataSpec
from satisfice.train import load_model
from satisfice.train.conversion import write_onnx

SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden_layers": 2, "width": 16, "batch_norm": True, "activation": "silu"},
    "cnn": {"channels": 4, "blocks": 2, "width": 8, "batch_norm": True, "activation": "gelu"},
    "linear": {},
    "forest": {"trees": 12},
    "boosting": {"rounds": 12, "patience": 0},
}
TABLES = ["titanic", "breast_cancer", "wine", "diabetes"]
PAIRS = [(family, data) for family in SMALL if family != "cnn" for data in [*TABLES, "digits"]]


def answers(path: Path, folder: Path, items: Any, options: Options | None = None) -> dict[str, NDArray[Any]]:
    """Of the file converted from a model file."""
    model = load_model(path)
    write_onnx(path, folder / "model.onnx", options)
    feeds = onnx_file.feeds(model.header, items, byte_images=(options or Options()).byte_images)
    return runtime.outputs(runtime.session(folder / "model.onnx"), feeds)


def assert_alike(path: Path, folder: Path, items: Any, options: Options | None = None) -> None:
    """Within 1e-6 + 1e-5 |value|; labels equal, except at ties."""
    model, found = load_model(path), answers(path, folder, items, options)
    if model.header.task == "regression":
        assert found["value"].dtype == np.float64
        wanted = model.predict(items)
        np.testing.assert_allclose(found["value"], wanted, rtol=1e-5, atol=1e-6)
        # Far from zero, or in a small unit, that says little: also by how far the predictions spread.
        rounding = 4 * np.finfo(float).eps * float(np.abs(wanted).max())
        np.testing.assert_allclose(found["value"], wanted, rtol=0, atol=1e-5 * float(wanted.std()) + rounding)
        return
    wanted = model.predict_proba(items)
    assert found["probabilities"].dtype == np.float32
    np.testing.assert_allclose(found["probabilities"], wanted, rtol=1e-5, atol=1e-6)
    best = np.sort(wanted, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-5
    assert clear.mean() > 0.9
    assert found["label"][clear].tolist() == model.predict(items)[clear].tolist()


@pytest.mark.parametrize(("family", "data"), [*PAIRS, ("cnn", "digits")])
def test_bundled_data(family: str, data: str, train: Any, tmp_path: Path) -> None:
    task = "regression" if data == "diabetes" else "classification"
    path, _ = train(family, data, task, **SMALL[family])
    items = DATASETS.get(data).read().items
    assert_alike(path, tmp_path, items)
    if data == "digits":
        assert_alike(path, tmp_path, items, Options(byte_images=True))


@pytest.mark.parametrize(
    "name", sorted(p.stem for p in (Path(__file__).parents[1] / "train/format1").glob("*.safetensors"))
)
def test_files_of_the_first_format(name: str, tmp_path: Path) -> None:
    import pandas as pd
    from sklearn.datasets import load_digits

    folder = Path(__file__).parents[1] / "train" / "format1"
    items = load_digits().images[:60, None] if "digits" in name else pd.read_csv(folder / "rows.csv")
    assert_alike(folder / f"{name}.safetensors", tmp_path, items)


def _hostile(rng: np.random.Generator) -> Any:
    """Columns in units that nobody would choose, a date, rare words, and gaps everywhere."""
    import pandas as pd

    n = 240
    plain = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "huge": plain * 1e300,
            "tiny": rng.normal(size=n) * 1e-310,
            "offset": 1e9 + rng.normal(size=n) * 1e-3,
            "skewed": np.exp(3 * rng.normal(size=n)) * 1e-200,
            "far": np.exp(4 * rng.normal(size=n)) * 1e280,
            "word": rng.choice(
                ["a", "b ", "ä", "1", "rare1", "rare2"], n, p=[0.4, 0.3, 0.2, 0.08, 0.01, 0.01]
            ),
            "at": np.datetime64("1969-12-30T23:00") + rng.integers(0, 10**8, n) * np.timedelta64(1, "s"),
        }
    )
    for column in frame.columns:
        frame.loc[rng.random(n) < 0.1, column] = None
    frame["y"] = (plain + frame["offset"].fillna(1e9).sub(1e9) * 100) * 1e-9 + 0.01
    frame["class"] = np.where(plain > 0, "über", "unter")
    return frame


@pytest.mark.filterwarnings("ignore::satisfice.errors.UnreadCells")
@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("family", ["mlp", "linear", "forest", "boosting"])
def test_hostile_columns(family: str, task: str, train: Any, tmp_path: Path) -> None:
    frame = _hostile(np.random.default_rng(4))
    frame.to_csv(tmp_path / "table.csv", index=False)
    target, other = ("y", "class") if task == "regression" else ("class", "y")
    data = DataSpec(file=str(tmp_path / "table.csv"), target=target, drop=(other,), task=task)
    path, _ = train(family, data, task, **SMALL[family])
    items = frame.drop(columns=["y", "class"])
    names = {column.name for column in load_model(path).header.preprocessor.columns}  # type: ignore[union-attr]
    assert {"huge", "offset", "skewed", "word", "at"} <= names
    assert_alike(path, tmp_path, items)


@pytest.mark.parametrize("power", [-300, -9, 0, 300])
def test_a_regression_in_any_unit(power: int, train: Any, tmp_path: Path) -> None:
    frame = _hostile(np.random.default_rng(6))
    frame["y"] = (frame["y"] - 0.01) * 1e9 * 10.0**power
    frame[["huge", "word", "y"]].to_csv(tmp_path / "table.csv", index=False)
    data = DataSpec(file=str(tmp_path / "table.csv"), target="y", task="regression")
    path, _ = train("linear", data, "regression")
    model, found = load_model(path), answers(path, tmp_path, frame)
    wanted = model.predict(frame)
    assert np.ptp(wanted) > 0
    np.testing.assert_allclose(found["value"], wanted, rtol=1e-5, atol=1e-6 * 10.0**power)


def test_a_threshold_decides_between_two_classes(train: Any, tmp_path: Path) -> None:
    path, _ = train("linear", "breast_cancer")
    items = DATASETS.get("breast_cancer").read().items
    found = answers(path, tmp_path, items, Options(threshold=0.1))
    positive = found["probabilities"][:, 1] >= np.float32(0.1)
    negative, of_interest = load_model(path).classes
    assert found["label"].tolist() == np.where(positive, of_interest, negative).tolist()
    assert found["label"].tolist() != answers(path, tmp_path, items)["label"].tolist()


def test_categories_that_training_never_saw(train: Any, tmp_path: Path) -> None:
    path, _ = train("linear", "titanic")
    table: Any = DATASETS.get("titanic").read().items
    items = table.head(20).copy()
    items["title"] = ["Captain of a boat", None] * 10
    items["deck"] = "Z"
    items["embarked"] = None
    with pytest.warns(UnreadCells, match="never saw"):
        assert_alike(path, tmp_path, items)
