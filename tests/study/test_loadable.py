"""A model that could not be loaded again is refused when it is saved, and so is a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import satisfice

Params = Mapping[str, Any]


class Builds:
    """Keeps whatever it is given."""

    def __init__(self, give: Callable[[], Any], *, checkpoint: bool = False) -> None:
        self.give = give
        self.checkpoint = checkpoint
        self.found: Any = None

    def build(self, params: Params) -> nn.Module:
        return nn.Linear(3, 2)

    def example_input(self, params: Params) -> torch.Tensor:
        return torch.zeros(1, 3)

    def train(self, params: Params, trial: Any) -> Any:
        if self.checkpoint:
            trial.save_checkpoint(self.give())
            self.found = trial.load_checkpoint()
        else:
            trial.save_model(self.give())
        return {"accuracy": 0.5}


def run(task: Builds) -> satisfice.Study:
    study = satisfice.create_study(
        {
            "name": "kept",
            "objectives": {"accuracy": "maximize"},
            "space": {"rate": {"low": 0.0, "high": 1.0}},
            "budget": {"trials": 1},
        },
        task=task,
    )
    study.optimize()
    return study


def tied() -> nn.Module:
    module = nn.Linear(3, 2)
    module.weight = nn.Parameter(torch.zeros(6)[:].reshape(2, 3))
    return module


@pytest.mark.parametrize(
    "give",
    [
        lambda: nn.Linear(3, 2),
        lambda: nn.Linear(3, 2).state_dict(),
        lambda: nn.Linear(3, 2).half(),  # float32 holds it
        lambda: {"weight": torch.zeros(3, 2).T, "bias": torch.zeros(2)},
        tied,
    ],
)
def test_what_fits_is_kept_and_loaded(give: Callable[[], Any]) -> None:
    study = run(Builds(give))
    assert [r.state.name for r in study.records()] == ["COMPLETE"]
    assert isinstance(study.load_model(0), nn.Linear)


@pytest.mark.parametrize(
    ("give", "said"),
    [
        (lambda: nn.Sequential(nn.Linear(3, 2)), "it has 0.bias, 0.weight, and build(params) makes no such"),
        (lambda: nn.Linear(3, 2, bias=False), "it lacks bias, and build(params) makes it"),
        (lambda: nn.Linear(4, 2), "weight has the shape [2, 4], and with build(params) [2, 3]"),
        (
            lambda: nn.Linear(3, 2).double(),
            "bias is float64, and with build(params) float32, which holds less",
        ),
        (lambda: nn.DataParallel(nn.Linear(3, 2)), "(save the module that DataParallel wraps)"),
        (lambda: nn.Linear(3, 2, device="meta"), "save_model cannot keep this Linear"),
        (lambda: {"weight": torch.zeros(2, 3, dtype=torch.complex64), "bias": torch.zeros(2)}, "complex64"),
        (lambda: {"weight": np.zeros((2, 3))}, "weight is a ndarray, and no tensor"),
        (
            lambda: {"model": nn.Linear(3, 2).state_dict(), "epoch": 3},
            "model is a OrderedDict, and no tensor",
        ),
        (dict, "no tensor is in it"),
        (
            lambda: len,
            "save_model got a builtin_function_or_method (give a torch module, a state dict, or a path)",
        ),
        (lambda: None, "save_model got a NoneType"),
        (lambda: Path("nowhere.pt"), "save_model: nowhere.pt does not exist"),
        (lambda: "nowhere.pt", "save_model: nowhere.pt does not exist"),
        (lambda: ".", "save_model: . is no file"),
    ],
)
def test_what_does_not_fit_fails_its_trial_alone_with_what_to_do(give: Callable[[], Any], said: str) -> None:
    (record,) = run(Builds(give)).records()
    assert record.state.name == "FAIL"
    assert record.reason is not None
    assert said in record.reason


def test_a_file_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "empty.pt").touch()
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors at all")
    (tmp_path / "model.onnx").write_bytes(b"of another kind: its owner knows")
    reasons = [
        run(Builds(lambda name=name: tmp_path / name)).records()[0].reason  # type: ignore[misc]
        for name in ("empty.pt", "broken.safetensors", "model.onnx")
    ]
    assert reasons[0] is not None
    assert "empty.pt is empty" in reasons[0]
    assert reasons[1] is not None
    assert "is no safetensors file, whatever its name says" in reasons[1]
    assert reasons[2] is None


def test_a_task_that_reads_its_own_files_is_believed(tmp_path: Path) -> None:
    class Reads(Builds):
        def load_model(self, params: Params, path: Path) -> str:
            return path.suffix

    study = run(Reads(lambda: nn.Linear(4, 4)))
    assert study.load_model(0) == ".safetensors"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Path("nowhere.pt"), "save_checkpoint: nowhere.pt does not exist"),
        ("nowhere.pt", "save_checkpoint: nowhere.pt does not exist"),
        ("/nowhere/at/all", "save_checkpoint: /nowhere/at/all does not exist"),
        (Path(), "save_checkpoint: . is no file"),
        ({"model": len}, "a checkpoint of type dict could not be loaded again"),
    ],
)
def test_a_checkpoint_that_could_not_be_loaded_is_refused(state: Any, said: str) -> None:
    (record,) = run(Builds(lambda: state, checkpoint=True)).records()
    assert record.state.name == "FAIL"
    assert record.reason is not None
    assert said in record.reason


@pytest.mark.parametrize("state", ["a text", {"step": 1}, {1: (2, 3)}, b"bytes", None])
def test_a_checkpoint_comes_back_as_it_was(state: Any) -> None:
    task = Builds(lambda: state, checkpoint=True)
    (record,) = run(task).records()
    assert record.state.name == "COMPLETE"
    assert task.found == state
