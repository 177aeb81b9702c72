"""A sampler that needs torch, where it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.errors import MissingExtra
from satisfice.search import SAMPLERS


class Own:
    """A task."""

    def train(self, params: dict[str, Any], trial: Any) -> dict[str, float]:
        return {"accuracy": params["rate"]}


def test_a_study_by_gp_is_refused_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else real(name, *more)
    )
    monkeypatch.delitem(sys.modules, "satisfice.search.baselines.optuna_gp", raising=False)
    monkeypatch.delitem(SAMPLERS._loaded, "gp", raising=False)  # of an earlier test
    spec = {
        "name": "own",
        "objectives": {"accuracy": "maximize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 8},
        "search": {"sampler": "gp"},
    }
    with pytest.raises(MissingExtra, match=r"satisfice\[torch\]"):
        satisfice.create_study(spec, storage=f"sqlite:///{tmp_path}/own.db", task=Own())
    assert not list(tmp_path.iterdir())
