"""`check` trains once for a moment: what would fail every trial is found before it costs one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from torch import nn

import satisfice
from satisfice.cli.main import main
from satisfice.study import Rehearsal

Params = Mapping[str, Any]


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tried",
        "seed": 3,
        "objectives": {"accuracy": "maximize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 5, "epochs": 9},
    } | changes


class Good:
    """Trains as many epochs as it may, keeps checkpoints and a model."""

    def build(self, params: Params) -> nn.Module:
        return nn.Linear(3, 2)

    def example_input(self, params: Params) -> torch.Tensor:
        return torch.zeros(1, 3)

    def train(self, params: Params, trial: Any) -> Any:
        module = self.build(params)
        for epoch in range(1, trial.max_epochs + 1):
            trial.report(epoch, {"accuracy": 0.5})
            trial.save_checkpoint({"epoch": epoch, "model": module.state_dict()})
            assert trial.load_checkpoint()["epoch"] == epoch
            if trial.should_prune():
                return {}
        self.keep(trial, module)
        return {"accuracy": 0.75}

    def keep(self, trial: Any, module: nn.Module) -> None:
        trial.save_model(module)


def tried(task: object, limit_s: float = 20.0, **changes: Any) -> Rehearsal:
    study = satisfice.create_study(spec(**changes), task=task)
    found = study.rehearse(time_limit_s=limit_s)
    assert study.records() == []
    return found


def test_one_epoch_to_the_end_and_nothing_stored() -> None:
    found = tried(Good(), constraints={"size_mb": "<= 1"})
    assert (found.ended, found.problem, found.steps, found.kept_model) == ("finished", None, 1, True)
    assert found.metrics["accuracy"] == 0.75
    assert found.metrics["size_mb"] > 0
    assert found.notes == ()


class ForgetsLayer(Good):
    def keep(self, trial: Any, module: nn.Module) -> None:
        trial.save_model(nn.Sequential(module))


class Mistypes(Good):
    def train(self, params: Params, trial: Any) -> Any:
        trial.report(1, {"acuracy": 0.5})
        return {"acuracy": 0.5}


class Forgets(Good):
    def train(self, params: Params, trial: Any) -> Any:
        return {"accuracy": 0.5}


class Raises(Good):
    def train(self, params: Params, trial: Any) -> Any:
        return params["width"]


class Exits(Good):
    def train(self, params: Params, trial: Any) -> Any:
        raise SystemExit(3)


class Returns(Good):
    def train(self, params: Params, trial: Any) -> Any:
        return 0.5


class Unreadable(Good):
    def keep(self, trial: Any, module: nn.Module) -> None:
        trial.save_model(module)

    def load_model(self, params: Params, path: Path) -> Any:
        raise OSError("of another kind")


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (ForgetsLayer(), "save_model: this Sequential could not be loaded again: it has 0.bias, 0.weight"),
        (Mistypes(), "the task gave no 'accuracy' (did you mean 'acuracy'?): every trial would fail"),
        (Raises(), "KeyError: 'width'"),
        (Exits(), "training code called sys.exit(3)"),
        (Returns(), 'metrics = 0.5 is no dict (give {"accuracy": 0.9})'),
        (Unreadable(), "the model that it kept cannot be loaded again: OSError: of another kind"),
    ],
)
def test_what_would_fail_every_trial_is_named(task: object, problem: str) -> None:
    found = tried(task)
    assert found.ended == "failed"
    assert found.problem is not None
    assert found.problem.startswith(problem)


def test_a_bound_that_no_trial_could_meet_is_named() -> None:
    found = tried(Forgets(), constraints={"recall_of_my_own": ">= 0.5"})
    assert found.problem is not None
    assert found.problem.startswith("the task gave no 'recall_of_my_own' (it gave accuracy")
    assert found.problem.endswith("no trial could be feasible")


def test_what_satisfice_measures_is_not_missed() -> None:
    assert tried(Good(), constraints={"latency_ms": "<= 1000"}).problem is None


class Endless:
    def train(self, params: Params, trial: Any) -> Any:
        epoch = 0
        while not trial.should_prune():
            epoch += 1
            trial.report(epoch, {"accuracy": 0.5})
            time.sleep(0.01)
        return {"accuracy": 0.5}


class Silent:
    def train(self, params: Params, trial: Any) -> Any:
        while True:
            time.sleep(0.01)


class Deaf:
    def train(self, params: Params, trial: Any) -> Any:
        while True:
            trial.batch_end()
            time.sleep(0.01)


def test_training_that_minds_no_epochs_is_asked_to_stop_and_told_so() -> None:
    found = tried(Endless(), limit_s=1.0)
    assert (found.ended, found.problem) == ("stopped", None)
    assert "what train does after the last epoch was not tried" in found.notes
    assert any("where trial.max_epochs is 1" in note for note in found.notes)


@pytest.mark.timeout(120, method="thread")  # the alarm is ours
@pytest.mark.parametrize("task", [Silent(), Deaf()])
def test_training_that_does_not_stop_is_ended(task: object) -> None:
    found = tried(task, limit_s=0.2)
    assert (found.ended, found.problem) == ("out of time", None)


def test_training_that_prunes_itself_has_no_problem() -> None:
    class Prunes:
        def train(self, params: Params, trial: Any) -> Any:
            raise optuna.TrialPruned

    assert tried(Prunes()).ended == "pruned"


def test_where_nothing_fits_nothing_is_trained() -> None:
    found = tried(Good(), constraints={"size_bytes": "<= 1"})
    assert (found.ended, found.params) == ("not trained", None)


@pytest.mark.parametrize("family", ["mlp", "linear", "forest", "boosting"])
def test_a_family_is_tried_on_few_rows(family: str) -> None:
    content = spec(
        data={"name": "digits"}, model={"family": family}, space={"class_weight": ["none", "balanced"]}
    )
    study = satisfice.create_study(content, storage="sqlite://")
    found = study.rehearse(time_limit_s=120.0)
    assert (found.ended, found.problem, found.kept_model) == ("finished", None, True)
    task = study._opened.task
    assert len(task.on_few_rows().splits.train) < 300 < len(task.splits.train)  # type: ignore[attr-defined]


STUDY = """
name = "tried"
[task]
entry = "tried_task:Task"
[objectives]
accuracy = "maximize"
[space]
rate = { low = 0.0, high = 1.0 }
[budget]
trials = 5
"""
TASK = "class Task:\n    def train(self, params, trial):\n        {}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def check(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["check", "study.toml", "--samples", "5", *options])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_command_shows_where_the_code_breaks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tried_task.py").write_text(TASK.format("return params['width']"))
    code, out, err = check(capsys, "--json")
    assert code == 1
    assert json.loads(out)["training"]["problem"] == "KeyError: 'width'"
    assert "tried_task.py\", line 3, in train\n    return params['width']" in err
    assert "satisfice: the training fails: KeyError: 'width'" in err
    code, out, err = check(capsys, "--no-train")
    assert (code, err) == (0, "")
    assert json.loads(check(capsys, "--no-train", "--json")[1])["training"] is None
    assert not list(folder.glob("*.db*"))


def test_the_command_says_how_it_went(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tried_task.py").write_text(TASK.format('return {"accuracy": 0.5}'))
    code, out, _ = check(capsys)
    assert code == 0
    assert "one short training finished after" in out
    assert "0 reports: accuracy 0.5" in out
    assert "train keeps no model by trial.save_model" in out
