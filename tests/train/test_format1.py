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
from satisfice.train import load_model

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
