"""The examples of docs/shipping.md run, and its tables are what the program has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satisfice.train.catalog import TRAINERS

PAGE = (Path(__file__).parents[2] / "docs" / "shipping.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run(train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from satisfice.train.conversion import write_onnx

    _, loading, converting = EXAMPLES
    kept, _ = train("mlp", "titanic")
    (tmp_path / "winner.safetensors").write_bytes(kept.read_bytes())
    write_onnx(kept, tmp_path / "winner.onnx")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(loading, names)  # our own page
    assert names["label"].shape == (2,)
    np.testing.assert_allclose(names["probabilities"].sum(axis=1), 1, rtol=1e-6)
    exec(converting, names)
    assert 0 < (tmp_path / "small.onnx").stat().st_size < (tmp_path / "winner.onnx").stat().st_size


def test_the_table_of_precisions_names_those_of_each_family() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (all|[`\w, ]+?)(?: of classes)? \|", PAGE, re.MULTILINE)
    families = ["mlp", "cnn", "linear", "forest", "boosting"]
    told = {
        (precision, family)
        for precision, named in rows
        if precision not in ("images", "label", "probabilities", "value")
        for family in (families if named == "all" else re.findall(r"`(\w+)`", named))
    }
    trainers: dict[str, Any] = {family: TRAINERS.get(family) for family in families}
    assert told == {(p, family) for family, trainer in trainers.items() for p in trainer.precisions}
