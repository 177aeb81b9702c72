"""What users of Optuna write works here as there, or the error names what stands for it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

import satisfice
from satisfice import SatisficePruner, SatisficeSampler, create_study
from satisfice.errors import BadReport, BudgetSpent, InputError, NoFeasibleTrial
from satisfice.study.running.one_call import as_callback

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming-from-optuna.md"
SPEC: dict[str, Any] = {
    "name": "mine",
    "seed": 1,
    "objectives": {"loss": "minimize"},
    "space": {"rate": {"low": 0.0, "high": 1.0}, "kind": ["a", "b"]},
    "budget": {"trials": 12, "epochs": 9},
    "search": {"sampler": "random", "pruner": "none"},
}
SEVERAL = SPEC | {"objectives": {"loss": "minimize", "gain": "maximize"}}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial: Any) -> float:
    rate: float = trial.suggest_float("rate", 0.0, 1.0)
    trial.set_user_attr("note", {"kind": trial.suggest_categorical("kind", ["a", "b"])})
    return rate


def two(trial: Any) -> tuple[float, float]:
    return trial.suggest_float("rate", 0.0, 1.0), trial.number


def rows() -> list[tuple[str, str, str]]:
    """Code, verdict and remark of each row of the page's table."""
    found = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            assert len(cells) == 3, line
            found.append((cells[0].strip("`"), cells[1], cells[2]))
    return found


def test_the_page_has_its_rows() -> None:
    assert len(rows()) > 55
    assert {verdict for _, verdict, _ in rows()} == {"works", "differs", "refused"}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_each_row_of_the_page(sqlite_url: str) -> None:

    create_study(SPEC, storage=sqlite_url, task=objective)
    create_study(SPEC, storage=sqlite_url, task=objective, name="gone")
    study = create_study(SPEC | {"budget": {"trials": 100, "epochs": 9}}, task=objective)
    study.optimize(n_trials=2)
    spent = create_study(SPEC | {"budget": {"trials": 1}}, task=objective)
    spent.optimize()
    several = create_study(SEVERAL, task=two)
    several.optimize(n_trials=3)
    names = {
        **globals(),
        "load_study": satisfice.load_study,
        "delete_study": satisfice.delete_study,
        "study": study,
        "spent": spent,
        "several": several,
        "URL": sqlite_url,
        "frozen": study.trials[0],
    }
    wrong = [
        problem
        for code, verdict, remark in rows()
        if (problem := problem_of(code, verdict, remark, {**names, "trial": study.ask()}))
    ]
    assert wrong == []


def problem_of(code: str, verdict: str, remark: str, names: dict[str, Any]) -> str | None:
    """How a row is not as the page says."""
    try:
        eval(code, names)
    except (InputError, AttributeError, BudgetSpent) as error:
        if verdict != "refused":
            return f"{code} raised {error}"
        named = re.findall(r"`([^`]+)`", remark)
        return None if any(text in str(error) for text in named) else f"{code} says {error}"
    return f"{code} is not refused" if verdict == "refused" else None


def test_best_is_optunas_trial_of_the_one_that_fits() -> None:
    study = create_study(SPEC | {"constraints": {"size_mb": "<= 0.5"}}, task=Sized())
    study.optimize()
    expected = min(r.metrics["loss"] for r in study.records() if r.metrics["size_mb"] <= 0.5)
    assert study.best_value == study.best_trial.value == expected
    assert study.best_params == study.best_trial.params == study.best().params
    assert isinstance(study.best_trial, FrozenTrial)
    assert [t.number for t in study.best_trials] == [study.best().number]
    assert [t.params for t in study.trials] == [r.params for r in study.records()]
    assert study.direction is optuna.study.StudyDirection.MINIMIZE


class Sized:
    def profile(self, params: Any) -> dict[str, float]:
        return {"size_mb": params["rate"] if params["kind"] == "a" else 0.4}

    def train(self, params: Any, trial: Any) -> dict[str, float]:
        return {"loss": 1 - params["rate"]}


def test_nothing_finished_is_a_value_error_as_in_optuna() -> None:
    study = create_study(SPEC, task=objective)
    with pytest.raises(ValueError, match="no trial has begun"):
        study.best_params  # noqa: B018
    with pytest.raises(NoFeasibleTrial):
        study.best_value  # noqa: B018


def test_with_several_objectives_the_error_is_a_runtime_error_and_names_ours() -> None:
    study = create_study(SEVERAL, task=two)
    for name in ("best_trial", "best_params", "best_value"):
        with pytest.raises(RuntimeError, match=r"the study has 2 \(study\.best\(\) gives the best on loss"):
            getattr(study, name)


def test_hasattr_stays_right() -> None:
    study = create_study(SPEC, task=objective)
    assert not hasattr(study, "add_trial")
    assert not hasattr(study, "nonsense")
    assert not hasattr(study.ask(), "set_constraint")
    assert hasattr(study, "trials")
    with pytest.raises(AttributeError, match=r"^'Study' object has no attribute 'nonsense'$"):
        study.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_n_trials_bound_one_call_and_the_budget_bounds_all() -> None:
    study = create_study(SPEC, task=objective)
    study.optimize(n_trials=5)
    assert len(study.trials) == 5
    study.optimize(n_trials=0)
    assert len(study.trials) == 5
    study.optimize(objective, n_trials=100)
    assert len(study.trials) == 12


def test_failed_trials_count_as_in_optuna() -> None:
    def fails(_trial: Any) -> float:
        raise ValueError("no")

    study = create_study(SPEC, task=fails)
    study.optimize(n_trials=2, catch=(ValueError,))
    assert [t.state for t in study.trials] == [TrialState.FAIL] * 2


def test_a_timeout_finishes_the_trial_that_runs() -> None:
    study = create_study(SPEC, task=objective)
    study.optimize(timeout=0)
    assert study.trials == []

    def stops_after_this(trial: Any) -> float:
        study.stop()
        return objective(trial)

    study.optimize(stops_after_this)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE]


@pytest.mark.parametrize("stored", [False, True])
def test_n_jobs_are_threads_that_share_n_trials(stored: bool, sqlite_url: str) -> None:
    seen = set()

    def slow(trial: Any) -> float:
        seen.add(threading.get_ident())
        barrier.wait(30)
        return objective(trial)

    barrier = threading.Barrier(3)
    study = create_study(SPEC, storage=sqlite_url if stored else None, task=slow)
    study.optimize(n_trials=9, n_jobs=3)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 9
    assert len(seen) == 3


def test_callbacks_get_what_their_parameters_ask_for() -> None:
    study = create_study(SPEC, task=objective)
    got: list[tuple[Any, Any]] = []

    def optunas(study: Any, trial: Any) -> None:
        got.append((study, trial))

    def ours(trial: Any, state: Any) -> None:
        got.append((trial, state))

    study.optimize(n_trials=1, callbacks=[optunas, ours])
    (mine, frozen), (trial, state) = got
    assert mine is study
    assert isinstance(frozen, FrozenTrial)
    assert frozen.value == study.best_value
    assert isinstance(trial, satisfice.Trial)
    assert state is TrialState.COMPLETE


@pytest.mark.parametrize(
    ("callback", "optunas"),
    [
        (lambda study, trial: None, True),
        (lambda s, t: None, True),
        (lambda _study, frozen_trial: None, True),
        (optuna.study.MaxTrialsCallback(3), True),
        (lambda trial, state: None, False),
        (lambda t, s: None, False),
        (lambda _trial, _: None, False),
        (lambda *args: None, False),
        (print, False),
    ],
)
def test_whose_callback_it_is(callback: Callable[[Any, Any], Any], optunas: bool) -> None:
    study = create_study(SPEC, task=objective)
    assert (as_callback(callback, study) is not callback) == optunas


def test_reports_in_optunas_order() -> None:
    study = create_study(SPEC, task=objective)
    trial = study.ask()
    trial.report(0.75, 1)
    trial.report(0.5, step=2)
    trial.report(value=0.25, step=3)
    trial.report(4, {"loss": 0.125})
    trial.report(step=5, metrics={"loss": 0.0625})
    study.tell(trial, 0.0)
    reports = study.records(with_reports=True)[0].reports
    assert {step: m["loss"] for step, m in reports.items()} == {1: 0.75, 2: 0.5, 3: 0.25, 4: 0.125, 5: 0.0625}


def test_one_value_for_several_objectives_is_refused() -> None:
    study = create_study(SEVERAL, task=two)
    trial = study.ask()
    with pytest.raises(BadReport, match=r'trial\.report\(step, \{"loss": \.\.\., "gain": \.\.\.\}\)'):
        trial.report(0.9, 1)
    with pytest.raises(BadReport, match="1 values were given for 2 objectives"):
        study.tell(trial, 0.5)
    study.tell(trial, [0.5, 2.0])
    assert study.trials[0].values == [0.5, 2.0]


def test_what_was_told_is_not_told_again_unless_it_may_be_skipped() -> None:
    study = create_study(SPEC, task=objective)
    trial = study.ask()
    study.tell(trial, values=0.5)
    study.tell(trial, 0.75, skip_if_finished=True)
    assert study.best_value == 0.5
    with pytest.raises(InputError, match="trial 0 is none that this study asked for"):
        study.tell(0, 0.5)


def test_a_study_with_code_of_its_own_refuses_an_objective() -> None:
    study = create_study(SPEC, task=Sized())
    with pytest.raises(InputError, match="the study trains by a task object, and an objective was given"):
        study.optimize(objective)


def test_an_enqueued_trial_is_not_enqueued_twice() -> None:
    study = create_study(SPEC, task=objective)
    for _ in range(3):
        study.enqueue_trial({"rate": 0.125}, skip_if_exists=True)
    study.optimize(n_trials=3)
    assert [t.params["rate"] for t in study.trials].count(0.125) == 1
    study.enqueue_trial({"rate": 0.125}, skip_if_exists=True)
    study.optimize(n_trials=2)
    assert [t.params["rate"] for t in study.trials].count(0.125) == 1


def test_the_pruner_goes_to_optuna() -> None:
    pruner = SatisficePruner(max_steps=30)
    study = optuna.create_study(sampler=SatisficeSampler(seed=0), pruner=pruner)

    def curve(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        for step in range(1, 31):
            trial.report(x + 1 / step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x

    study.optimize(curve, n_trials=25)
    states = [t.state for t in study.trials]
    assert states.count(TrialState.PRUNED) >= 5
    assert states.count(TrialState.COMPLETE) + states.count(TrialState.PRUNED) == 25
    best = min(t.value for t in study.trials if t.value is not None)
    stopped = [t for t in study.trials if t.state is TrialState.PRUNED]
    assert all(t.params["x"] > best for t in stopped)
    assert all(t.last_step in {1, 2, 4, 6, 9, 14, 21} for t in stopped)


def test_the_pruner_by_hand_where_optuna_refuses() -> None:
    pruner = SatisficePruner(["loss", "units"], max_steps=9)
    study = optuna.create_study(directions=["minimize"] * 2, pruner=pruner)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    with pytest.raises(NotImplementedError):
        trial.report(0.5, 1)
    pruner.report(trial, 1, {"loss": 0.5, "units": 3})
    assert pruner.should_prune(trial) is False


def test_an_attribute_error_of_a_persons_code_is_not_mistaken() -> None:
    class Broken(Sized):
        def defaults(self) -> dict[str, Any]:
            return self.nowhere  # type: ignore[attr-defined, no-any-return]

    study = create_study(SPEC, task=Broken())
    with pytest.raises(AttributeError, match="'Broken' object has no attribute 'nowhere'"):
        study.ask()


def test_callbacks_that_nobody_would_call_are_refused(sqlite_url: str) -> None:
    study = create_study(SPEC, storage=sqlite_url, task=objective)
    with pytest.raises(InputError, match="callbacks are called in this process"):
        study.optimize(workers=2, callbacks=[lambda trial, state: None])


def test_a_trial_shows_what_is_documented_and_no_more() -> None:
    trial = create_study(SPEC, task=objective).ask()
    shown = {name for name in dir(trial) if not name.startswith("_")}
    contract = {"number", "params", "metrics", "seed", "max_epochs", "threads"}
    contract |= {"report", "should_prune", "keep_alive", "batch_end"}
    contract |= {"save_checkpoint", "load_checkpoint", "save_model", "save_influences"}
    as_in_optuna = {"distributions", "suggest_float", "suggest_int", "suggest_categorical"}
    as_in_optuna |= {"user_attrs", "set_user_attr", "datetime_start"}
    assert shown == contract | as_in_optuna | {"objective_names"}
