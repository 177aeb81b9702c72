"""What the commands say of a study in all its states, as a person reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import satisfice
from satisfice.cli.main import main
from satisfice.errors import Diverged, NoFeasibleProposal
from satisfice.study.lifecycle.trial import running_of

Train = Callable[[Mapping[str, Any], Any], Mapping[str, float]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], sqlite_url: str, tmp_path: Path) -> Callable[..., str]:
    """Run a command on the storage; what it printed, with runs of spaces as one."""

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--storage", sqlite_url])
        printed = capsys.readouterr()
        assert ended.value.code == code, printed.err
        text = printed.out if "--json" in arguments else printed.out + printed.err
        return (
            text if "--json" in arguments else "\n".join(" ".join(line.split()) for line in text.splitlines())
        )

    return run


def study(url: str, train: Train, *, trials: int = 4, **more: Any) -> satisfice.Study:
    """A study of a task of one's own, trained to its budget."""
    spec: dict[str, Any] = {
        "name": "own",
        "objectives": {"score": "maximize"},
        "space": {"rate": {"low": 0.0, "high": 1.0}, "kind": ["a"]},
        "budget": {"trials": trials},
        "search": {"sampler": "qmc", "pruner": "none"},
        **more,
    }
    made = satisfice.create_study(spec, storage=url, task=SimpleNamespace(train=train))
    made.optimize()
    return made


def test_a_study_that_nobody_worked_on(said: Callable[..., str], sqlite_url: str) -> None:
    study(sqlite_url, lambda params, trial: {"score": 1.0}, trials=1)
    satisfice.delete_study("own", sqlite_url)
    spec = {
        "name": "own",
        "objectives": {"score": "maximize"},
        "space": {"x": [1, 2]},
        "budget": {"trials": 1},
    }
    satisfice.create_study(spec, storage=sqlite_url, task=SimpleNamespace(train=lambda *_: {}))
    text = said("status", "own")
    assert "budget 0 of 1 trials used" in text
    assert "trials none yet" in text
    assert "best so far no trial yet" in text
    assert "workers 0 alive\n" in text
    assert "turned away 0 proposals before training" in text
    found = json.loads(said("status", "own", "--json"))
    assert found["best"] is None
    assert found["endings"] == found["workers_detail"] == found["running_elsewhere"] == []
    assert said("best", "own", code=1) == "satisfice: no trial has begun"


def test_status_tells_the_best_so_far_and_how_trials_ended(said: Callable[..., str], sqlite_url: str) -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        if trial.number == 3:
            raise ValueError("boom")
        if trial.number == 2:
            trial.report(2, {"score": 0.1})
            raise Diverged("the training loss is NaN in epoch 3")
        return {"score": trial.number / 4, "size_bytes": 2000.0}

    study(sqlite_url, train, constraints={"size_kb": "<= 3"})
    text = said("status", "own")
    assert "trials 2 COMPLETE, 1 PRUNED, 1 FAIL" in text
    assert "best so far score 0.25 (trial 1)" in text
    assert "ended early 1 trial failed (trial 3): ValueError: boom" in text
    assert "1 trial diverged: the training loss was NaN in epoch 3" in text
    assert "workers 0 alive, 1 ended or silent" in text
    assert "score 0.25 (trial 1)" in " ".join(said("status").split())
    found = json.loads(said("status", "own", "--json"))
    assert found["best"].items() <= json.loads(said("best", "own", "--json")).items()
    assert [(e["kind"], e["trials"]) for e in found["endings"]] == [("failed", [3]), ("diverged", [2])]
    (worker,) = found["workers_detail"]
    assert (worker["alive"], worker["trial"]) == (False, None)


def test_status_tells_what_each_worker_trains(
    said: Callable[..., str], sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        trial.report(7, {"score": 0.5})
        running_of(trial).send()
        seen.extend([said("status", "own"), said("status", "own", "--json")])
        return {"score": 1.0}

    study(sqlite_url, train, trials=1)
    assert "1 RUNNING" in seen[0]
    assert ": trial 0, step 7, for " in seen[0]
    found = json.loads(seen[1])
    (worker,) = found["workers_detail"]
    assert {key: worker["trial"][key] for key in ("number", "step")} == {"number": 0, "step": 7}
    assert 0 <= worker["trial"]["seconds"] < 60
    assert found["running_elsewhere"] == []


def test_a_trial_of_a_program_that_asks_itself_is_told_too(said: Callable[..., str], sqlite_url: str) -> None:
    made = satisfice.create_study(
        {
            "name": "asked",
            "objectives": {"score": "maximize"},
            "space": {"x": {"low": 0.0, "high": 1.0}},
            "budget": {"trials": 2},
        },
        storage=sqlite_url,
        task=SimpleNamespace(train=lambda *_: {}),
    )
    trial = made.ask()
    assert "a program that asks by itself: trial 0, no report yet, for " in said("status", "asked")
    made.tell(trial, {"score": 1.0})
    assert "asks by itself" not in said("status", "asked")


def test_a_metric_that_is_nan_in_every_trial_is_named(said: Callable[..., str], sqlite_url: str) -> None:
    made = study(sqlite_url, lambda p, t: {"score": 1.0, "cost": math.nan}, constraints={"cost": "<= 1"})
    text = said("best", "own", code=1)
    assert (
        "no finished trial satisfies cost <= 1 (cost is NaN in all 4 complete trials; the nearest is" in text
    )
    assert all(math.isnan(r.metrics["cost"]) and r.feasible is False for r in made.records())
    assert json.loads(said("status", "own", "--json"))["best"] is None
    assert "no complete trial fits" in said("status", "own")


def test_where_all_proposals_are_turned_away_the_answer_counts_them(
    said: Callable[..., str], sqlite_url: str
) -> None:
    spec = {
        "name": "own",
        "objectives": {"score": "maximize"},
        "constraints": {"cost": "<= 1"},
        "space": {"x": [1, 2]},
        "budget": {"trials": 1},
    }
    task = SimpleNamespace(train=lambda *_: {}, profile=lambda params: {"cost": 2.0})
    with pytest.raises(NoFeasibleProposal):
        satisfice.create_study(spec, storage=sqlite_url, task=task).optimize()
    away = json.loads(said("status", "own", "--json"))["turned_away"]
    assert away > 1
    text = f"satisfice: no trial has begun ({away} proposals were turned away before training)"
    assert said("best", "own", code=1) == text


def test_a_metric_that_was_never_reported_is_named(said: Callable[..., str], sqlite_url: str) -> None:
    study(sqlite_url, lambda p, t: {"score": 1.0}, trials=1, constraints={"cost": "<= 1"})
    text = said("best", "own", code=1)
    assert "cost was not recorded in the one complete trial" in text


def test_equal_parameters_are_said_once_and_each_quantity_in_one_unit(
    said: Callable[..., str], sqlite_url: str
) -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return {"score": params["rate"], "size_bytes": 1e6 * params["rate"]}

    study(
        sqlite_url,
        train,
        objectives={"score": "maximize", "size_kb": "minimize"},
        constraints={"size_mb": "<= 10"},
    )
    text = said("pareto", "own")
    assert "feasible Pareto front" in text
    assert "trial score ↑ size_kb ↓ parameters" in text
    assert "the same in all 4 trials: kind=a" in text
    assert "kind=a" not in text.partition("the same")[0]
    names = [line.split()[0] for line in said("best", "own").splitlines()[1:-1]]
    assert names == ["score", "size_kb"]


def test_a_front_shows_what_is_asked_about(said: Callable[..., str], sqlite_url: str) -> None:
    study(
        sqlite_url,
        lambda p, t: {"score": 1.0, "cost": float(t.number), "flops": 5.0, "energy": 2.0},
        trials=2,
    )
    text = said("pareto", "own", "--minimize", "energy", "--where", "cost <= 1.5", "--where", "flops <= 9")
    heads, first, *_ = text.splitlines()[1:]
    assert heads == "trial score ↑ energy cost flops noise parameters"
    assert first.startswith("0 * 1 2 0 5 rate=")


def test_of_one_objective_the_front_is_called_the_best(said: Callable[..., str], sqlite_url: str) -> None:
    study(sqlite_url, lambda p, t: {"score": float(t.number // 2)})
    text = said("pareto", "own")
    assert text.startswith("the 2 best trials that fit, tied (one objective: score)")
    assert "the same in all 2 trials: kind=a" in text


def test_a_value_just_beyond_its_bound_is_not_rounded(said: Callable[..., str], sqlite_url: str) -> None:
    study(sqlite_url, lambda p, t: {"score": 1.0, "cost": 5.0000001}, trials=1, constraints={"cost": "<= 5"})
    assert "cost = 5.0000001 misses cost <= 5 by 1e-07" in said("best", "own", code=1)
    assert "with cost 5 ≤ 5.1." in said("best", "own", "--where", "cost <= 5.1")
    text = said("best", "own", "--where", "cost > 5", "--where", "cost <= 6")
    assert "with cost 5.0000001 > 5 and cost 5.0000001 ≤ 6." in text
    assert "cost 5.0000001" in text.splitlines()


@pytest.mark.parametrize("value", [1.7e308, -1.7e308, 1e-300])
def test_extreme_values_are_printed(said: Callable[..., str], sqlite_url: str, value: float) -> None:
    study(
        sqlite_url, lambda p, t: {"score": value, "cost": -value}, constraints={"cost": f">= {-abs(value)}"}
    )
    for command in ("best", "pareto", "status"):
        assert f"{value:.4g}" in said(command, "own")
        assert json.loads(said(command, "own", "--json"))


def test_an_objective_to_minimise_with_ties_and_replicates(said: Callable[..., str], sqlite_url: str) -> None:
    study(
        sqlite_url,
        lambda p, t: {"loss": 2.0 + t.number % 2},
        objectives={"loss": "minimize"},
        trials=2,
    )
    assert said("best", "own").startswith("Chosen: trial 0, loss 2.\nloss 2\n")


def test_best_of_an_adopted_study(said: Callable[..., str], sqlite_url: str, tmp_path: Path) -> None:
    import optuna

    old = f"sqlite:///{tmp_path}/old.db"
    made = optuna.create_study(study_name="old", storage=old, direction="minimize")
    made.optimize(lambda trial: (trial.suggest_float("x", -1, 1) - 2) ** 2, n_trials=1)
    assert "imported study 'old' with 1 trial\n" in said("import", old) + "\n"
    assert said("best", "old").startswith(f"Chosen: trial 0, objective {made.best_value:.4g}.")
