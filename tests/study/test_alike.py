"""A study whose first trials all fail alike costs three of them; nothing else stops it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import TrialsFailAlike

Params = Mapping[str, Any]
Train = Callable[[Params, Any], Any]


def spec(trials: int = 15, **changes: Any) -> dict[str, Any]:
    return {
        "name": "alike",
        "seed": 3,
        "objectives": {"accuracy": "maximize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}, "optimizer": ["adam", "sgd", "rmsprop"]},
        "budget": {"trials": trials},
        "search": {"sampler": "random", "pruner": "none"},
    } | changes


class Own:
    """A task whose training is a function."""

    def __init__(self, train: Train) -> None:
        self.train = train


def run(train: Train, trials: int = 15, **changes: Any) -> satisfice.Study:
    study = satisfice.create_study(spec(trials, **changes), task=Own(train))
    study.optimize()
    return study


def stops(train: Train, trials: int = 15) -> tuple[satisfice.Study, TrialsFailAlike]:
    study = satisfice.create_study(spec(trials), task=Own(train))
    with pytest.raises(TrialsFailAlike) as caught:
        study.optimize()
    return study, caught.value


def broken(params: Params, trial: Any) -> Any:
    raise ValueError(f"shapes ({params['rate']}, 64) and (32, {params['optimizer']}) do not go together")


def test_fifteen_trials_that_fail_alike_cost_three() -> None:
    study, error = stops(broken)
    assert [r.state.name for r in study.records()] == ["FAIL"] * 3
    assert error.trials == (0, 1, 2)
    assert "trials 0, 1 and 2 failed alike" in str(error)
    assert 'in broken\n    raise ValueError(f"shapes' in error.traceback
    assert error.exit_code == 1
    stopped = study.status()["stopped"]
    assert stopped.startswith("ValueError: shapes (")
    assert study.status()["budget"]["used"] == 3


def test_a_stopped_study_goes_on_when_it_is_run_again() -> None:
    study, _ = stops(broken)
    with pytest.raises(TrialsFailAlike) as again:  # three more
        study.optimize()
    assert again.value.trials == (3, 4, 5)
    task = study._opened.task
    assert isinstance(task, Own)
    task.train = lambda params, trial: {"accuracy": params["rate"]}
    study.optimize()
    assert [r.state.name for r in study.records()] == ["FAIL"] * 6 + ["COMPLETE"] * 9
    assert study.status()["stopped"] is None


def test_a_step_reached_before_the_failure_makes_no_difference() -> None:
    def train(params: Params, trial: Any) -> Any:
        for step in range(1, 4):
            trial.report(step, {"accuracy": params["rate"]})
        trial.save_model(object())

    study, error = stops(train)
    assert [(r.state.name, r.steps) for r in study.records()] == [("FAIL", 3)] * 3
    assert "save_model got a object" in str(error)


def test_a_result_that_lacks_its_objective_stops_the_study_too() -> None:
    study, error = stops(lambda params, trial: {"acuracy": params["rate"]})
    assert "the task gave no 'accuracy' (did you mean 'acuracy'?)" in str(error)
    assert error.traceback == ""
    assert len(study.records()) == 3


def test_two_workers_spend_three_trials_together(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_task.py").write_text(
        "class Broken:\n    def train(self, params, trial):\n        raise ValueError(params['rate'])\n"
    )
    monkeypatch.chdir(tmp_path)
    content = spec(task={"entry": "broken_task:Broken"})
    study = satisfice.create_study(content, storage=sqlite_url)
    with pytest.raises(TrialsFailAlike, match="failed alike"):
        study.optimize(workers=2)
    # Three; a worker that is held up between its look and its first claim may begin one more.
    assert [r.state.name for r in study.records()] in (["FAIL"] * 3, ["FAIL"] * 4)


@pytest.mark.parametrize(
    "say",
    [
        lambda rate: RuntimeError("CUDA error: an illegal memory access was encountered"),
        lambda rate: RuntimeError("DefaultCPUAllocator: out of memory"),
        lambda rate: ValueError(f"{'abcdefghij'[int(10 * rate)]} is no good"),  # another cause each time
    ],
)
def test_a_machine_that_is_full_and_failures_that_differ_stop_nothing(
    say: Callable[[float], Exception],
) -> None:
    def train(params: Params, trial: Any) -> Any:
        raise say(params["rate"])

    assert [r.state.name for r in run(train, 6).records()] == ["FAIL"] * 6


def test_a_study_that_has_finished_a_trial_is_never_stopped() -> None:
    def train(params: Params, trial: Any) -> Any:
        if trial.number > 0:
            raise ValueError(params["rate"])
        return {"accuracy": 1.0}

    assert [r.state.name for r in run(train, 8).records()] == ["COMPLETE"] + ["FAIL"] * 7


def test_a_trial_that_got_further_says_that_the_code_works() -> None:
    def train(params: Params, trial: Any) -> Any:
        trial.report(1, {"accuracy": 0.5})
        if trial.number != 1:
            raise ValueError(params["rate"])
        trial.report(2, {"accuracy": 0.5})
        raise optuna.TrialPruned

    assert [r.state.name for r in run(train, 6).records()] == ["FAIL", "PRUNED"] + ["FAIL"] * 4


def test_a_failure_between_others_begins_the_count_anew() -> None:
    def train(params: Params, trial: Any) -> Any:
        if trial.number == 2:
            raise KeyError("another")
        raise ValueError(params["rate"])

    study, error = stops(train)
    assert error.trials == (3, 4, 5)
    assert len(study.records()) == 6


def test_a_budget_that_is_spent_needs_no_stop() -> None:
    assert [r.state.name for r in run(broken, 3).records()] == ["FAIL"] * 3


def test_who_asks_and_tells_is_warned_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    study = satisfice.create_study(spec(), task=Own(broken))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            study.tell(study.ask(), {"acuracy": 0.5})
    assert "trials 0, 1 and 2 failed alike; last: the task gave no 'accuracy'" in caplog.text
    assert len(study.records()) == 4
    assert study.status()["stopped"] is None


STUDY = """
name = "broken"
[task]
entry = "broken_code:Broken"
[objectives]
accuracy = "maximize"
[space]
rate = { low = 0.0, high = 1.0 }
[budget]
trials = 15
"""


def test_the_command_shows_the_traceback_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY)
    code = "class Broken:\n    def train(self, params, trial):\n        {}\n"
    (tmp_path / "broken_code.py").write_text(code.format("return params['width'] * 2"))

    def satisfice_(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    exit_code, out, err = satisfice_("run", "study.toml", "--json")
    assert exit_code == 1
    assert json.loads(out)["status"]["states"] == {"FAIL": 3}
    assert "broken_code.py\", line 3, in train\n    return params['width'] * 2" in err
    assert "trials 0, 1 and 2 failed alike" in err
    assert "stopped      its trials failed alike: KeyError: 'width'" in satisfice_("status", "broken")[1]
