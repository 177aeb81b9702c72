"""The size known before a trial trains is that of the file it leaves, for every trial of a study."""

from pathlib import Path
from typing import Any

import pytest

import satisfice

SPACES: dict[str, dict[str, Any]] = {
    "mlp": {
        "hidden_layers": {"low": 0, "high": 3},
        "width": {"low": 1, "high": 200},
        "batch_norm": {"choices": [True, False]},
        "activation": {"choices": ["relu", "tanh", "gelu"]},
        "dropout": {"low": 0.0, "high": 0.5},
    },
    "cnn": {
        "blocks": {"low": 1, "high": 3},
        "channels": {"low": 1, "high": 24},
        "growth": {"low": 0.5, "high": 2.5},
        "convolutions": {"low": 1, "high": 2},
        "kernel_size": {"choices": [1, 3, 5]},
        "head": {"choices": ["flatten", "average"]},
        "width": {"low": 0, "high": 64},
        "batch_norm": {"choices": [True, False]},
    },
    "linear": {"alpha": {"low": 1e-4, "high": 1.0, "log": True}, "penalty": {"choices": ["l2", "none"]}},
}


@pytest.mark.slow
@pytest.mark.parametrize("family", SPACES)
def test_the_size_known_before_training_is_that_of_the_file(
    family: str, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    content = {
        "name": family,
        "seed": 11,
        "data": {"name": "digits", "limit": 200},
        "model": {"family": family},
        "objectives": {"accuracy": "maximize", "size_bytes": "minimize"},
        "space": SPACES[family],
        "budget": {"trials": 15} | ({} if family == "linear" else {"epochs": 1}),
        "search": {"sampler": "random", "pruner": "none"},
    }
    study = satisfice.create_study(content, storage=sqlite_url)
    study.optimize()
    known: dict[int, float] = {}
    for record in study.records():
        known[record.number] = study._session.evaluator.before(record.params)["size_bytes"]
        assert record.state.name == "COMPLETE", record.reason
        written = study.model_file(record.number).stat().st_size
        assert known[record.number] == record.metrics["size_bytes"] == written
    assert len(known) == 15
    assert (len(set(known.values())) > 1) == (family != "linear")
