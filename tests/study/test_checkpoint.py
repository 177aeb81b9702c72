"""What is kept of a training: states to go on from, and models; damaged ones; what cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import satisfice
from satisfice.errors import BadArtefact, InputError
from satisfice.measure.size import size_of_state
from satisfice.store.artefacts import Artefacts
from satisfice.study.lifecycle.checkpoint import Checkpoints


class Tied(nn.Module):
    """Its two layers share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 3), nn.Linear(3, 3)
        self.last.weight = self.first.weight


@pytest.fixture
def kept(tmp_path: Path) -> Artefacts:
    return Artefacts(tmp_path, "study")


@pytest.mark.parametrize(
    "state",
    [
        {"epoch": 3, "loss": float("nan")},
        {"random": (3, (1, 2), None), "by_epoch": {1: 0.5}},
        {"score": np.float32(0.5), "seen": np.arange(3), "mask": np.array([True, False])},
        {"state": np.random.default_rng(1).bit_generator.state},
    ],
)
def test_a_state_comes_back_as_it_was(kept: Artefacts, state: dict[str, Any]) -> None:
    checkpoints = Checkpoints(kept, 0, 1)
    checkpoints.save(state)
    loaded = checkpoints.load()
    assert repr(loaded) == repr(state)


@pytest.mark.parametrize("state", [{"a": np.array([None, "x"], dtype=object)}, {"a": Path("x")}, Tied()])
def test_what_could_not_be_loaded_again_is_not_saved(kept: Artefacts, state: Any) -> None:
    checkpoints = Checkpoints(kept, 0, 1)
    checkpoints.save({"epoch": 1})
    with pytest.raises(InputError, match="could not be loaded again"):
        checkpoints.save(state)
    assert checkpoints.load() == {"epoch": 1}


@pytest.mark.parametrize("state", [{"epoch": 2}, {"weights": torch.zeros(1000)}])
def test_training_goes_on_without_a_damaged_checkpoint(
    kept: Artefacts, state: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(kept, 0, 1).save({"epoch": 1})
    second = Checkpoints(kept, 0, 2)
    second.save(state, [(3, {"accuracy": 0.5})])
    for name in ("checkpoint-002.*", "reports-002.*"):
        (path,) = kept.find(0, name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert second.load() == {"epoch": 1}  # of the attempt before
    assert second.reports(after=0) == []
    assert "checkpoint-002" in caplog.text
    assert "is damaged" in caplog.text
    for path in kept.find(0, "checkpoint-001.*"):
        path.write_bytes(b"\0")
    assert second.load() is None


class Own:
    """Keeps the model that a test wants."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        trial.save_model(self.model)
        return {"accuracy": 0.5}


class Builds(Own):
    def build(self, params: Mapping[str, Any]) -> Any:
        return Tied()

    def example_input(self, params: Mapping[str, Any]) -> Any:
        return torch.zeros(1, 3)


def trained(task: Own, url: str) -> satisfice.Study:
    spec = {
        "name": "own",
        "objectives": {"accuracy": "maximize"},
        "space": {"x": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 1},
    }
    study = satisfice.create_study(spec, storage=url, task=task)
    study.optimize()
    return study


@pytest.mark.parametrize("as_dict", [False, True])
def test_weights_that_layers_share_are_kept(sqlite_url: str, as_dict: bool) -> None:
    model = Tied()
    study = trained(Builds(model.state_dict() if as_dict else model), sqlite_url)
    assert study.records()[0].reason is None
    loaded = study.load_model(0)
    assert all(torch.equal(t, loaded.state_dict()[name]) for name, t in model.state_dict().items())
    if not as_dict:
        assert study.model_file(0).stat().st_size == size_of_state(model)
    plain = satisfice.load_study("own", sqlite_url, task=Own(None)).load_model(0)
    assert torch.equal(plain["last.weight"], model.first.weight)


def test_a_damaged_model_is_named(sqlite_url: str) -> None:
    study = trained(Own(Tied()), sqlite_url)
    path = study.model_file(0)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(BadArtefact, match="cannot be read: it is damaged") as raised:
        study.load_model(0)
    assert str(path) in str(raised.value)


def test_a_state_that_is_no_tensors_is_refused(sqlite_url: str) -> None:
    (record,) = trained(Own({"weights": [1.0, 2.0]}), sqlite_url).records()
    assert record.state.name == "FAIL"
    assert "save_model cannot keep this dict" in str(record.reason)
