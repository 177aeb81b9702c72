"""A study that can never know one of its metrics is refused in one sentence, before anything is written."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import SpecError
from satisfice.study import creating

Params = Mapping[str, Any]
MEASURED = {
    "latency_ms": "<= 2",
    "latency_us": "<= 2",
    "latency_p95_ms": "<= 2",
    "pipeline_latency_ms": "<= 2",
    "throughput": ">= 2",
    "memory_mb": "<= 2",
    "n_parameters": "<= 2",
    "flops": "<= 2",
    "size_mb": "<= 2",
}


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "unknown",
        "objectives": {"accuracy": "maximize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 2},
    } | changes


class Plain:
    """Its docstring names latency_ms, which is not to return it; so does this batch_size, no size."""

    def train(self, params: Params, trial: Any) -> Any:
        trial.report(1, {"accuracy": params["rate"]})
        return {"accuracy": params["rate"], "batch_size": 1}


@pytest.mark.parametrize(("metric", "bound"), MEASURED.items())
def test_a_bound_that_nobody_could_know_is_refused(metric: str, bound: str) -> None:
    with pytest.raises(SpecError, match=f"constraints.{metric}: no trial could ever have it") as caught:
        satisfice.create_study(spec(constraints={metric: bound}), task=Plain())
    assert "the task Plain has no build, predictor or profile" in str(caught.value)
    assert f"return '{metric}' from profile or train" in str(caught.value)


def test_an_objective_is_refused_as_well() -> None:
    objectives = {"accuracy": "maximize", "latency_ms": "minimize"}
    with pytest.raises(SpecError, match=r"objectives.latency_ms: no trial could ever have it"):
        satisfice.create_study(spec(objectives=objectives), task=Plain())


def test_half_of_what_is_needed_is_named() -> None:
    class Half(Plain):
        def build(self, params: Params) -> Any:
            return None

    with pytest.raises(
        SpecError, match=r"the task Half has only build \(write build\(params\) and example_inp"
    ):
        satisfice.create_study(spec(constraints={"latency_ms": "<= 2"}), task=Half())


def helper(params: Params) -> dict[str, float]:
    return dict(accuracy=params["rate"], latency_us=1.0)  # noqa: C408  # keywords are strings too


NAMES = ("accuracy", "latency_ms")


class Helped(Plain):
    def train(self, params: Params, trial: Any) -> Any:
        return helper(params)


class Listed(Plain):
    def train(self, params: Params, trial: Any) -> Any:
        return dict.fromkeys(NAMES, 1.0)


class Own(Plain):
    def train(self, params: Params, trial: Any) -> Any:
        return self.score(params["rate"])

    def score(self, rate: float) -> dict[str, float]:
        return {f"latency_{unit}": 1.0 for unit in ("ms",)} | {"accuracy": rate}


class Reports(Plain):
    def train(self, params: Params, trial: Any) -> Any:
        trial.report(1, {"latency_ms": 1.0})
        return {"accuracy": 1.0}


class Declares(Plain):
    reports = ("latency_ms",)


class Profiles(Plain):
    def profile(self, params: Params) -> Any:
        return {}


class Predicts(Plain):
    def predictor(self, params: Params, model: Any = None) -> Any:
        return lambda: None

    def architecture(self, params: Params) -> Any:
        return {}


class Stub:
    """For who asks and tells: what is told is not in its code."""

    def train(self, params: Params, trial: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    "task",
    [
        *(Helped(), Listed(), Own(), Reports(), Declares(), Profiles(), Predicts(), Stub()),
        SimpleNamespace(train=functools.partial(helper)),
    ],
    ids=lambda task: type(task).__name__,
)
def test_what_train_may_return_is_let_through(task: object) -> None:
    study = satisfice.create_study(spec(constraints={"latency_ms": "<= 2000"}), task=task)
    assert study.records() == []


def test_a_model_that_train_keeps_has_a_size() -> None:
    class Keeps(Plain):
        def train(self, params: Params, trial: Any) -> Any:
            trial.save_model({})
            return {"accuracy": 1.0}

    assert satisfice.create_study(spec(constraints={"size_mb": "<= 2"}), task=Keeps()).records() == []


STUDY = """
name = "unknown"
[task]
entry = "unknown_task:Task"
[objectives]
accuracy = "maximize"
[constraints]
latency_ms = "<= 2"
[space]
rate = { low = 0.0, high = 1.0 }
[budget]
trials = 2
"""


def test_the_commands_say_it_in_one_sentence_and_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "unknown_task.py").write_text(
        "class Task:\n    def train(self, params, trial):\n        return {'accuracy': params['rate']}\n"
    )
    for command in ("run", "define", "check"):
        with pytest.raises(SystemExit) as ended:
            main([command, "study.toml"])
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith(
            f"satisfice: {tmp_path}/study.toml: constraints.latency_ms: no trial could ever have it"
        )
        assert said.count("\n") == 1
    assert not list(tmp_path.glob("*.db*"))


def test_a_study_that_is_stored_already_still_opens(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = spec(constraints={"latency_ms": "<= 2"})
    with monkeypatch.context() as before:  # a release that did not look
        before.setattr(creating, "never_known", lambda *_, **__: None)
        satisfice.create_study(content, storage=sqlite_url, task=Plain()).optimize()
    again = satisfice.create_study(content | {"budget": {"trials": 3}}, storage=sqlite_url, task=Plain())
    again.optimize()
    assert [r.state.name for r in again.records()] == ["COMPLETE"] * 3
