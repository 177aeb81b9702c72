"""Model files of the first release, format 1: they open, and predict what they predicted then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from satisfice.errors import DataError
from satisfice.spec.study import DataSpec
from satisfice.train import load_model, make_task
from satisfice.train.score import score_regression

FOLDER = Path(__file__).parent / "format1"
PREDICTIONS: dict[str, list[float]] = json.loads((FOLDER / "predictions.json").read_text())


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predicts_as_it_did(name: str) -> None:
    model = load_model(FOLDER / f"{name}.safetensors")
    if name == "cnn-digits":
        found: Any = model.predict_proba(load_digits().images[:6]).ravel()
    else:
        rows = pd.read_csv(FOLDER / "rows.csv")  # with a value below zero in a column taken in the logarithm
        found = model.predict(rows) if name.endswith("regression") else model.predict_proba(rows)[:, 1]
    assert np.asarray(found) == pytest.approx(PREDICTIONS[name], rel=1e-6, abs=1e-7)


def test_a_format_of_the_future_is_refused(tmp_path: Path) -> None:
    content = (FOLDER / "linear-regression.safetensors").read_bytes()
    at = content.index(b'\\"format\\":1')
    path = tmp_path / "model.safetensors"
    path.write_bytes(content[:at] + b'\\"format\\":9' + content[at + 12 :])
    with pytest.raises(DataError, match="has format 9; this release reads up to 2"):
        load_model(path)


def test_the_test_split_is_scored_as_the_model_prepares_it(make_spec: Any, tmp_path: Path) -> None:
    """This release would take the logarithm of `fare` otherwise."""
    rows = pd.read_csv(FOLDER / "rows.csv")
    table = pd.concat([rows] * 6, ignore_index=True)
    table["fare"] *= np.linspace(1.0, 9.0, len(table)) ** 3
    table["price"] = 1000.0 + np.arange(len(table))
    table.to_csv(tmp_path / "table.csv", index=False)
    data = DataSpec(file=str(tmp_path / "table.csv"), target="price", task="regression")
    task: Any = make_task(make_spec("linear", data, "r2"))
    model = load_model(FOLDER / "linear-regression.safetensors")
    predicted = model.predict(task.splits.raw_test.items)
    scores = {name: value for name, value in task.score_test({}, model).items() if not name.endswith(".se")}
    assert scores == score_regression(task.splits.test.y, predicted)
