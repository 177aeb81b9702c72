"""Metrics that are measured: memory of prediction, and what follows from a module of one's own."""

from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.errors import SatisficeError

OWN = '''
import torch

class Own:
    def build(self, params):
        return torch.nn.Linear(1000, 1000 * params["width"], bias=False)

    def example_input(self, params):
        return torch.zeros(1, 1000)

    def train(self, params, trial):
        return {"loss": 1.0 / params["width"]}


class Telling(Own):
    """Knows by itself what could be measured or counted."""

    def profile(self, params):
        return {"flops": 7.0, "latency_us": 1e6 * params["width"], "memory_kb": 3e3}


class Half(Own):
    """Ships in another format than the module is built in."""

    def train(self, params, trial):
        trial.save_model({k: v.half() for k, v in self.build(params).state_dict().items()})
        return {"loss": 1.0}


class TooLarge(Own):
    """Above a width it cannot be loaded where its memory would be measured."""

    def build(self, params):
        import sys

        if params["width"] > 3 and "satisfice.measure.memory_probe" in getattr(sys, "orig_argv", []):
            raise MemoryError
        return super().build(params)


class One(Own):
    def predictor(self, params, model=None):
        return lambda: None

    def architecture(self, params):
        return params
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("torch")
    (tmp_path / "own_measured.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(task: str, **more: Any) -> dict[str, Any]:
    return {
        "name": task.lower(),
        "task": {"entry": f"own_measured:{task}"},
        "objectives": {"loss": "minimize"},
        "space": {"width": {"low": 1, "high": 4}},  # few: each is measured in a process of its own
        "budget": {"trials": 1},
        "search": {"start": [{"width": 4}]},
    } | more


def test_memory_of_a_module_of_ones_own_is_measured_before_training(own: Path) -> None:
    constraints = {"memory_mb": "<= 60", "flops": "<= 1e9"}
    study = satisfice.create_study(content("Own", constraints=constraints))
    study.optimize()
    (trial,) = study.records()
    assert trial.feasible is True
    assert 16 <= trial.metrics["memory_mb"] < 40  # weights of 16 MB
    assert trial.metrics["flops"] == 2 * 1000 * 4000


def test_what_takes_too_much_memory_is_turned_away(own: Path) -> None:
    study = satisfice.create_study(content("Own", constraints={"memory_mb": "<= 14"}))
    study.optimize()
    (trial,) = study.records()
    assert trial.params["width"] < 4
    assert trial.metrics["memory_mb"] <= 14


def test_what_the_profile_tells_is_neither_measured_nor_counted(own: Path) -> None:
    told = {"latency_ms": "<= 5000", "memory_mb": "<= 4", "flops": "<= 10", "size_mb": "<= 17"}
    study = satisfice.create_study(content("Telling", constraints=told))
    study.optimize()
    (trial,) = study.records()
    assert trial.metrics["latency_ms"] == pytest.approx(4000)
    assert trial.metrics["memory_mb"] == pytest.approx(3)
    assert trial.metrics["flops"] == 7
    assert trial.metrics["size_mb"] == pytest.approx(16, rel=1e-3)  # of the module: the profile tells none


def test_the_size_of_the_file_that_was_kept_counts(own: Path) -> None:
    study = satisfice.create_study(content("Half", constraints={"size_mb": "<= 17"}))
    study.optimize()
    (trial,) = study.records()
    assert trial.metrics["size_mb"] * 1e6 == study.model_file(0).stat().st_size
    assert trial.metrics["size_mb"] == pytest.approx(8, rel=1e-3)


def test_what_cannot_be_measured_is_turned_away_alone(own: Path) -> None:
    study = satisfice.create_study(content("TooLarge", constraints={"memory_mb": "<= 100"}))
    study.optimize()
    (trial,) = study.records()
    assert trial.params["width"] <= 3
    assert "ProbeFailed before training" in study.status()["turned_away_by_constraint"]


def test_a_predictor_of_single_items_is_not_asked_for_batches(own: Path) -> None:
    study = satisfice.create_study(content("One", constraints={"throughput": ">= 1"}))
    with pytest.raises(SatisficeError, match="predicts one item, not batches of 64"):
        study.optimize()


@pytest.mark.parametrize("family", ["mlp", "linear", pytest.param("forest", marks=pytest.mark.slow)])
def test_memory_of_a_family_is_measured(family: str, tmp_path: Path, sqlite_url: str) -> None:
    study = satisfice.create_study(
        {
            "name": family,
            "data": {"name": "digits", "limit": 200},
            "model": {"family": family},
            "objectives": {"accuracy": "maximize"},
            "constraints": {"memory_mb": "<= 300"},
            "space": {"class_weight": ["none", "balanced"]},
            "budget": {"trials": 2} | ({"epochs": 1} if family != "linear" else {}),
        },
        storage=sqlite_url,
    )
    study.optimize()
    first, second = study.records()
    assert first.feasible is second.feasible is True
    assert 0 <= first.metrics["memory_mb"] < 300
    if family != "forest":  # one architecture, measured once
        assert first.metrics["memory_mb"] == second.metrics["memory_mb"]
