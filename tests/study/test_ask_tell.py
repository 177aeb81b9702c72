"""Ask and tell in memory: every promise of the Python interface, point by point."""

import math
import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

import satisfice
from satisfice.errors import (
    AcceleratorLost,
    BudgetSpent,
    Diverged,
    InputError,
    LeaseLost,
    NoFeasibleProposal,
    NoFeasibleTrial,
    StorageLost,
    StudyNotFound,
    TrialFinished,
)
from satisfice.launch.job import EXIT_UNEXPECTED, classify
from satisfice.spec.trial import TrialRecord
from satisfice.study.lifecycle.trial import running_of


class Interrupted(BaseException):
    """What a person's own stop looks like: no `Exception`."""


class Own:
    """A task whose size is known before training; a test says what else it does."""

    def __init__(
        self,
        train: Callable[[Mapping[str, Any], Any], Mapping[str, float] | None] | None = None,
        size: Callable[[Mapping[str, Any]], float] = lambda params: params["width"],
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self._train = train or (lambda params, trial: {"accuracy": params["rate"]})
        self._size = size
        self.trained: list[dict[str, Any]] = []
        if defaults is not None:
            self.defaults = lambda: defaults

    def profile(self, params: Mapping[str, Any]) -> dict[str, float]:
        return {"size_mb": self._size(params)}

    def train(self, params: Mapping[str, Any], trial: Any) -> Mapping[str, float] | None:
        self.trained.append(dict(params))
        return self._train(params, trial)


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "seed": 5,
        "objectives": {"accuracy": "maximize", "size_mb": "minimize"},
        "constraints": {"size_mb": "<= 10"},
        "space": {"rate": {"low": 0.0, "high": 1.0}, "width": {"low": 1, "high": 20}},
        "budget": {"trials": 8},
        "search": {"sampler": "random", "pruner": "none"},
    } | changes


def states(study: satisfice.Study) -> list[str]:
    return [r.state.name for r in study.records()]


def phases(study: satisfice.Study) -> list[str]:
    """Where each slot of the budget stands, read from the table itself."""
    from satisfice.store.tables import slots

    with study._opened.db.read() as connection:
        return list(connection.execute(sa.select(slots.c.phase).order_by(slots.c.slot)).scalars())


def test_every_ask_fits_and_what_did_not_is_counted() -> None:
    task = Own()
    study = satisfice.create_study(spec(budget={"trials": 30}), task=task)
    profiled: list[float] = []

    def size(params: Mapping[str, Any]) -> float:
        profiled.append(params["width"])
        return float(params["width"])

    task._size = size
    for expected in range(30):
        trial = study.ask()
        assert trial.number == expected
        assert trial.params["width"] <= 10
        assert trial.metrics == {"size_mb": trial.params["width"]}
        study.tell(trial, {"accuracy": 0.5})
    status = study.status()
    too_large = {w for w in profiled if w > 10}
    assert too_large
    assert status["turned_away"] >= len(too_large)
    assert status["turned_away_by_constraint"] == {study.spec.constraints[0].key: status["turned_away"]}
    assert status["states"] == {"COMPLETE": 30}
    assert len(study.optuna_study.trials) == 30  # what was turned away left no trial


def test_budget_is_exact_and_failures_count() -> None:
    study = satisfice.create_study(spec(budget={"trials": 3}), task=Own())
    study.tell(study.ask(), {"accuracy": 1.0})
    study.tell(study.ask(), state="pruned")
    study.tell(study.ask(), state="failed")
    with pytest.raises(BudgetSpent):
        study.ask()
    assert states(study) == ["COMPLETE", "PRUNED", "FAIL"]
    study.optimize()  # spent: only returns
    assert study.status()["budget"]["used"] == 3


@pytest.mark.parametrize("sampler", ["auto", "random", "tpe"])
def test_an_empty_space_raises_and_leaves_nothing(sampler: str) -> None:
    study = satisfice.create_study(
        spec(search={"sampler": sampler, "pruner": "none"}), task=Own(size=lambda params: 11.0)
    )
    for _ in range(2):
        with pytest.raises(NoFeasibleProposal) as raised:
            study.ask()
        assert raised.value.feasible_share < 0.05
        assert "size_mb" in str(raised.value)
    assert study.records() == []
    assert study.optuna_study.trials == []
    assert phases(study) == ["free"]
    assert study.status()["turned_away"] > 0
    with pytest.raises(NoFeasibleProposal):
        study.optimize()
    assert study.status()["states"] == {}


@pytest.mark.parametrize("sampler", ["auto", "random", "tpe"])
def test_an_interrupt_in_profile_passes_through_ask_and_leaves_nothing(sampler: str) -> None:
    calls = 0

    def size(params: Mapping[str, Any]) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Interrupted
        return 5.0

    study = satisfice.create_study(
        spec(search={"sampler": sampler, "pruner": "none", "start": [{"width": 3}]}), task=Own(size=size)
    )
    for _ in range(3):
        study.tell(study.ask(), {"accuracy": 0.5})
    with pytest.raises(Interrupted):
        study.ask()
    assert states(study) == ["COMPLETE"] * 3
    assert len(study.optuna_study.trials) == 3
    assert phases(study) == ["done"] * 3 + ["free"]
    assert study.ask().number == 3


def test_an_enqueued_trial_survives_an_interrupt() -> None:
    raises = [True]

    def size(params: Mapping[str, Any]) -> float:
        if raises and raises.pop():
            raise Interrupted
        return 5.0

    study = satisfice.create_study(spec(), task=Own(size=size))
    study.enqueue_trial({"rate": 0.25, "width": 7})
    with pytest.raises(Interrupted):
        study.ask()
    assert study.ask().params == {"rate": 0.25, "width": 7}
    assert study.ask().params != {"rate": 0.25, "width": 7}


def test_an_interrupt_in_training_passes_through_optimize_and_the_trial_goes_on_later() -> None:
    interrupts = [True]

    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        if interrupts and trial.number == 2:
            interrupts.pop()
            raise Interrupted
        return {"accuracy": 0.5}

    study = satisfice.create_study(spec(), task=Own(train))
    with pytest.raises(Interrupted):
        study.optimize()
    assert states(study) == ["COMPLETE", "COMPLETE", "WAITING"]
    assert [t.state.name for t in study.optuna_study.trials] == ["COMPLETE", "COMPLETE", "WAITING"]
    assert phases(study) == ["done", "done", "returned"]
    study.optimize()
    assert states(study) == ["COMPLETE"] * 8
    assert [t.state.name for t in study.optuna_study.trials] == ["COMPLETE"] * 8
    assert study.records()[2].attempts == 2


def test_an_exception_in_training_fails_that_trial_only() -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        if trial.number == 1:
            raise ZeroDivisionError("a bug of mine")
        return {"accuracy": 0.5}

    study = satisfice.create_study(spec(), task=Own(train))
    study.optimize()
    assert states(study) == ["COMPLETE", "FAIL"] + ["COMPLETE"] * 6
    assert study.records()[1].reason == "ZeroDivisionError: a bug of mine"
    from satisfice.store.tables import slots

    with study._opened.db.read() as connection:
        kept = connection.execute(sa.select(slots.c.traceback).where(slots.c.number == 1)).scalar_one()
    assert "in train" in kept
    assert "ZeroDivisionError: a bug of mine" in kept


@pytest.mark.parametrize(
    ("metrics", "state", "reason"),
    [
        ({"accuracy": math.nan}, "PRUNED", "diverged"),
        ({}, "FAIL", "accuracy"),
        ({"accuracy": "much"}, "FAIL", "accuracy"),
        ({"accuracy": 0.5}, "COMPLETE", None),
    ],
)
def test_what_training_returns_decides_the_state(metrics: Any, state: str, reason: str | None) -> None:
    study = satisfice.create_study(spec(budget={"trials": 1}), task=Own(lambda params, trial: metrics))
    study.optimize()
    record = study.records()[0]
    assert record.state.name == state
    assert record.reason == reason or (reason is not None and reason in str(record.reason))
    assert study.optuna_study.trials[0].state.name == state


@pytest.mark.parametrize(
    ("step", "metrics", "said"),
    [
        (1, {"accuracy": "much"}, "metric accuracy = 'much' is no number"),
        (1, {"accuracy": None}, "metric accuracy = None is no number"),
        (1.5, {"accuracy": 0.5}, "step = 1.5 is no step"),
        ("one", {"accuracy": 0.5}, "step = 'one' is no step"),
        (-1, {"accuracy": 0.5}, "step = -1 is no step"),
        (math.inf, {"accuracy": 0.5}, "step = inf is no step"),
        (
            2**63,
            {"accuracy": 0.5},
            "step = 9223372036854775808 is no step (steps end at 9223372036854775807)",
        ),
        (1, 0.5, "metrics = 0.5 is no dict"),
        (1, {3: 0.5}, "3 is no metric's name"),
    ],
)
def test_a_report_of_what_is_no_number_fails_that_trial_only(step: Any, metrics: Any, said: str) -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        if trial.number == 1:
            trial.report(step, metrics)
        return {"accuracy": 0.5}

    study = satisfice.create_study(spec(budget={"trials": 3}), task=Own(train))
    study.optimize()
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE"]
    assert said in str(study.records()[1].reason)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            ValueError("a \x00 and a \ud800 and \N{SNOWMAN}" + "x" * 2_000_000),
            "a \N{REPLACEMENT CHARACTER} and a ?",
        ),
        (Mute(), "Mute: (it does not say)"),
        (InputError("no such layer"), "no such layer"),
        (BudgetSpent("of mine"), "BudgetSpent: of mine"),
    ],
    ids=["any text", "mute", "ours", "an end"],
)
def test_whatever_own_code_raises_fails_that_trial_only(
    storage_url: str, raised: Exception, said: str
) -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        if trial.number == 1:
            raise raised
        return {"accuracy": 0.5}

    study = satisfice.create_study(spec(budget={"trials": 3}), storage=storage_url, task=Own(train))
    study.optimize()
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE"]
    assert said in str(study.records()[1].reason)


def test_metrics_that_are_no_dict_fail_that_trial_only() -> None:
    study = satisfice.create_study(spec(budget={"trials": 1}), task=Own(lambda params, trial: cast(Any, 0.9)))
    study.optimize()
    assert study.records()[0].reason == 'metrics = 0.9 is no dict (give {"accuracy": 0.9})'


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_an_objective_that_is_not_finite_has_diverged(value: float) -> None:
    study = satisfice.create_study(
        spec(budget={"trials": 1}), task=Own(lambda params, trial: {"accuracy": value})
    )
    study.optimize()
    record = study.records()[0]
    assert (record.state.name, str(record.reason)[:21]) == ("PRUNED", "diverged: accuracy is")


@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.WAITING, "COMPLETE", None])
def test_a_trial_does_not_end_as_it_began(state: Any) -> None:
    study = satisfice.create_study(spec(budget={"trials": 1}), task=Own(lambda params, trial: {}))
    trial = study.ask()
    with pytest.raises(InputError, match="a trial does not end as"):
        study.tell(trial, {"accuracy": 0.5}, state=state)
    study.tell(trial, {"accuracy": 0.5}, state=TrialState.COMPLETE)
    assert states(study) == ["COMPLETE"]


def test_a_study_that_was_deleted_meanwhile_is_not_found(sqlite_url: str) -> None:
    study = satisfice.create_study(spec(), storage=sqlite_url, task=Own(lambda params, trial: {}))
    satisfice.delete_study(study.name, storage=sqlite_url)
    with pytest.raises(StudyNotFound, match="deleted"):
        study.status()


def test_diverged_is_pruned() -> None:
    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        raise Diverged("the loss is infinite")

    study = satisfice.create_study(spec(budget={"trials": 1}), task=Own(train))
    study.optimize()
    record = study.records()[0]
    assert record.state.name == "PRUNED"
    assert record.reason is not None
    assert record.reason.startswith("diverged")
    with pytest.raises(NoFeasibleTrial):
        study.best()


def test_report_and_should_prune_with_several_objectives() -> None:
    study = satisfice.create_study(
        spec(
            budget={"trials": 25, "epochs": 9},
            search={"sampler": "random", "pruner": "auto"},
            space={"rate": {"low": 0.0, "high": 1.0}, "width": {"low": 5, "high": 5}},
        ),
        task=Own(),
    )
    stopped = 0
    for _ in range(25):
        trial = study.ask()
        good = trial.params["rate"] > 0.7
        for step in range(1, 10):
            trial.report(step, {"accuracy": (0.9 if good else 0.1) + step / 1000})
            if trial.should_prune():
                break
        if trial.should_prune():
            stopped += 1
            study.tell(trial, state="pruned")
        else:
            study.tell(trial, {"accuracy": 0.9 if good else 0.1})
    assert 0 < stopped < 25
    pruned = [r for r in study.records(with_reports=True) if r.state is TrialState.PRUNED]
    assert len(pruned) == stopped
    for record in pruned:
        assert record.params["rate"] <= 0.7  # never one of the good ones
        assert record.steps == max(record.reports)
        assert record.metrics["size_mb"] == 5.0
    assert all(r.steps == 9 for r in study.records() if r.state is TrialState.COMPLETE)


def test_a_told_trial_is_finished() -> None:
    study = satisfice.create_study(spec(), task=Own())
    trial = study.ask()
    study.tell(trial, {"accuracy": 0.5, "size_mb": trial.metrics["size_mb"]})
    for again in (
        lambda: study.tell(trial, {"accuracy": 0.9}),
        lambda: trial.report(1, {"accuracy": 0.9}),
        trial.should_prune,
        trial.keep_alive,
    ):
        with pytest.raises(TrialFinished):
            again()
    assert study.records()[0].metrics["accuracy"] == 0.5
    with pytest.raises(InputError):
        study.tell(study.ask(), state="finished")


def test_defaults_then_starts_then_what_a_person_asked_for() -> None:
    task = Own(defaults={"rate": 0.5, "width": 4})
    study = satisfice.create_study(
        spec(search={"sampler": "random", "pruner": "none", "start": [{"rate": 0.125}]}), task=task
    )
    study.enqueue_trial({"width": 9})
    for wrong in ({"depth": 1}, {"width": 99}):
        with pytest.raises(InputError):
            study.enqueue_trial(wrong)
    first, second, third = study.ask(), study.ask(), study.ask()
    assert first.params == {"rate": 0.5, "width": 4}
    assert second.params == {"rate": 0.125, "width": 4}
    assert third.params["width"] == 9


def test_defaults_that_do_not_fit_are_not_trained_and_said() -> None:
    study = satisfice.create_study(spec(), task=Own(defaults={"rate": 0.5, "width": 16}))
    trial = study.ask()
    assert trial.params["width"] <= 10
    (entry,) = study._session.reader.queue()
    assert entry["source"] == "default"
    assert entry["params"] == {"rate": 0.5, "width": 16}
    assert study.spec.constraints[0].key in entry["turned_away"]


@pytest.mark.parametrize("sampler", ["auto", "random", "tpe", "nsga2"])
def test_an_exhausted_space_is_repeated_with_fresh_seeds(sampler: str) -> None:
    seeds: list[int] = []

    def train(params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        seeds.append(trial.seed)
        return {"accuracy": 0.5}

    study = satisfice.create_study(
        spec(
            space={"kind": ["a", "b"], "width": {"low": 1, "high": 2}},
            search={"sampler": sampler, "pruner": "none"},
            budget={"trials": 9},
        ),
        task=Own(train),
    )
    study.optimize()
    assert states(study) == ["COMPLETE"] * 9
    assert len(set(seeds)) == 9


CHOICE = {
    "name": "choice",
    "objectives": {"accuracy": "maximize"},
    "constraints": {"size_mb": "<= 10"},
    "space": {"which": ["A", "B", "C"]},
    "budget": {"trials": 3},
}
KNOWN = {"A": (0.99, 15.0), "B": (0.95, 10.0), "C": (0.80, 8.0)}


def test_the_best_that_fits_is_chosen_and_questions_may_come_later() -> None:
    # The size is known only after training here, so that A is a trial too.
    class Choice:
        def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
            accuracy, size = KNOWN[params["which"]]
            return {"accuracy": accuracy, "size_mb": size}

    study = satisfice.create_study(CHOICE, task=Choice())
    for which in "ABC":
        study.enqueue_trial({"which": which})
    study.optimize()
    best = study.best()
    assert (best.params, best.metrics["accuracy"], best.feasible) == ({"which": "B"}, 0.95, True)
    assert study.best(where=["size_mb <= 9"]).params == {"which": "C"}
    assert study.best(where=["size_mb <= 20"]).params == {"which": "A"}  # replaces the study's own bound
    assert study.best(minimize="size_mb").params == {"which": "C"}
    with pytest.raises(NoFeasibleTrial) as raised:
        study.best(where=["size_mb <= 7"])
    assert raised.value.nearest.params == {"which": "C"}
    front = study.pareto_front(objectives=["accuracy", "size_mb"], where=["size_mb <= 20"])
    assert sorted(r.params["which"] for r in front) == ["A", "B", "C"]
    assert {r.params["which"]: r.feasible for r in study.records()} == {"A": False, "B": True, "C": True}
    assert [t.number for t in study.optuna_study.best_trials] == [best.number]


def test_what_is_known_to_be_too_large_is_never_trained() -> None:
    task = Own(
        lambda params, trial: {"accuracy": KNOWN[params["which"]][0]},
        size=lambda params: KNOWN[params["which"]][1],
    )
    study = satisfice.create_study(CHOICE, task=task)
    for which in "ABC":
        study.enqueue_trial({"which": which})
    study.optimize()
    assert {"which": "A"} not in task.trained
    assert study.best().params == {"which": "B"}
    assert study.status()["turned_away"] >= 1


def test_candidates_are_replicated_inside_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    study = satisfice.create_study(
        spec(budget={"trials": 20}, search={"sampler": "random", "pruner": "none", "replicate": 3}),
        task=Own(),
    )
    reader = study._session.reader
    read, reads = reader.records, []

    def counted() -> list[TrialRecord]:
        reads.append(len(read()))
        return read()

    with monkeypatch.context() as patch:
        patch.setattr(reader, "records", counted)
        study.optimize()
    assert reads == [14, 15, 16, 17, 18, 19]  # the history is not read before
    records = study.records()
    replicates = [r for r in records if r.replicate_of is not None]
    assert len(records) == 20
    assert len(replicates) == 6
    for r in replicates:
        assert r.replicate_of is not None
        original = records[r.replicate_of]
        assert r.params == original.params
        assert r.seed != original.seed


def test_trials_dataframe_is_named_as_the_study_file() -> None:
    study = satisfice.create_study(spec(budget={"trials": 2}), task=Own())
    assert list(study.trials_dataframe().columns) == ["number", "state", "feasible", "reason"]
    study.optimize()
    frame = study.trials_dataframe()
    assert list(frame.number) == [0, 1]
    assert {"number", "state", "feasible", "rate", "width", "accuracy", "size_mb"} <= set(frame.columns)
    assert list(frame.accuracy) == list(frame.rate)


def test_in_memory_there_are_no_more_workers() -> None:
    study = satisfice.create_study(spec(), task=Own())
    with pytest.raises(InputError, match="memory"):
        study.optimize(workers=2)


def test_a_checkpoint_saved_on_a_gpu_is_loaded_where_there_is_none(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    study = satisfice.create_study(spec(), storage=sqlite_url, task=Own())
    trial = study.ask()
    weights = torch.arange(3.0)
    with monkeypatch.context() as patch:  # the device that a file names its tensors' home
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:7")
        trial.save_checkpoint({"weights": weights})
    loaded = trial.load_checkpoint()["weights"]
    assert loaded.device.type == "cpu"
    assert torch.equal(loaded, weights)
    study._opened.db.close()


def test_a_gpu_that_fails_costs_one_trial_and_not_all_that_follow(sqlite_url: str) -> None:
    torch = pytest.importorskip("torch")

    def train(params: Mapping[str, Any], trial: Any) -> Mapping[str, float]:
        if trial.number == 2:
            raise torch.AcceleratorError("CUDA error: device-side assert triggered\nCompile with")
        return {"accuracy": params["rate"]}

    study = satisfice.create_study(spec(), storage=sqlite_url, task=Own(train))
    with pytest.raises(
        AcceleratorLost, match=r"trial 2 \(CUDA error: device-side assert triggered\), and"
    ) as lost:
        study.optimize()
    assert lost.value.exit_code == EXIT_UNEXPECTED
    assert not classify(lost.value.exit_code).is_final
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL"]
    study.optimize()  # as the next process does
    assert states(study) == ["COMPLETE", "COMPLETE", "FAIL", *["COMPLETE"] * 5]
    study._opened.db.close()


@pytest.mark.slow
def test_a_checkpoint_saved_by_a_worker_that_woke_up_late_comes_with_its_reports(sqlite_url: str) -> None:
    """It slept in the middle of saving; its trial was taken over, but nothing was loaded yet."""
    asleep = satisfice.create_study(spec(budget={"trials": 1, "epochs": 9}), storage=sqlite_url, task=Own())
    trial = asleep.ask()
    trial.report(2, {"accuracy": 0.2})
    running_of(trial).flush()
    trial.report(3, {"accuracy": 0.3})
    asleep._session.ledger.leases.expire(
        asleep._session.ledger.worker, blame=None
    )  # as if its lease had run out
    study = satisfice.load_study("own", storage=sqlite_url, task=Own())
    again = study.ask()
    trial.save_checkpoint({"epoch": 3})
    assert again.load_checkpoint() == {"epoch": 3}
    assert again.load_checkpoint() == {"epoch": 3}
    again.report(5, {"accuracy": 0.5})
    study.tell(again, {"accuracy": 0.6})
    (record,) = study.records(with_reports=True)
    assert sorted(record.reports) == [2, 3, 5]
    assert record.steps == 5
    for opened in (study, asleep):
        opened._opened.db.close()


def test_reports_that_came_with_a_checkpoint_are_stored_once(sqlite_url: str) -> None:
    """On a busy machine they are stored before training asks for the checkpoint."""
    study = satisfice.create_study(spec(budget={"trials": 1, "epochs": 9}), storage=sqlite_url, task=Own())
    first = study.ask()
    running_of(first).unsent = [(1, {"accuracy": 0.1}), (2, {"accuracy": 0.2})]  # the database was away
    first.save_checkpoint({"epoch": 2})
    study._session.ledger.leases.expire(study._session.ledger.worker, blame=None)
    again = study.ask()
    running_of(again).send()  # as the thread does that renews leases
    assert again.load_checkpoint() == {"epoch": 2}
    assert running_of(again).unsent == []
    again.report(3, {"accuracy": 0.3})
    running_of(again).flush()
    changes = study._session.reader.changes(-1)
    assert [step for _, step, _ in changes.reports] == [1, 2, 3]


def _taken_over_in_its_sleep(url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    """A study, its trial, and the same study as opened by the worker that has the trial since."""
    asleep = satisfice.create_study(spec(budget={"trials": 1, "epochs": 9}), storage=url, task=Own())
    trial = asleep.ask()
    running_of(trial).lease.kept = True
    asleep._session.ledger.leases.expire(
        asleep._session.ledger.worker, blame=None
    )  # as if its lease had run out
    other = satisfice.load_study("own", storage=url, task=Own())
    other.ask()
    later = time.monotonic() + asleep._session.ledger.leases.seconds + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    return asleep, trial, other


def test_a_worker_that_slept_waits_until_it_hears_whose_its_trial_is(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep, trial, other = _taken_over_in_its_sleep(sqlite_url, monkeypatch)
    db = asleep._opened.db
    write = db.write
    refused: list[Any] = []

    def busy_twice() -> Any:
        if len(refused) < 2:
            refused.append(None)
            raise sa.exc.OperationalError("UPDATE", None, sqlite3.OperationalError("database is locked"))
        return write()

    monkeypatch.setattr(db, "write", busy_twice)
    with pytest.raises(LeaseLost):
        trial.batch_end()
    assert len(refused) == 2
    for opened in (asleep, other):
        opened._opened.db.close()


def test_a_worker_that_slept_while_it_waited_for_an_answer_learns_that_its_trial_is_gone(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To it, the database did not answer in time; that is no reason to train on without asking again."""
    asleep, trial, other = _taken_over_in_its_sleep(sqlite_url, monkeypatch)

    def silent(*_arguments: Any) -> None:
        raise StorageLost("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(asleep._session, "flush", silent)
        running_of(trial).lease._checked_at = time.monotonic()  # it fell asleep in the middle of the report
        trial.report(1, {"accuracy": 0.1})
        assert running_of(trial).lease._away_until > time.monotonic()
        running_of(trial).lease._checked_at -= asleep._session.ledger.leases.seconds + 1
    with pytest.raises(LeaseLost):
        trial.batch_end()
    for opened in (asleep, other):
        opened._opened.db.close()


def test_the_model_that_scored_comes_back_and_is_confirmed_once(sqlite_url: str) -> None:
    content = {
        "name": "digits",
        "seed": 1,
        "data": {"name": "digits"},
        "model": {"family": "mlp"},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_mb": "<= 0.5"},
        "space": {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}, "width": [16, 32]},
        "budget": {"trials": 2, "epochs": 3},
    }
    study = satisfice.create_study(content, storage=sqlite_url)
    study.optimize()
    best = study.best()
    again = satisfice.load_study("digits", storage=sqlite_url)
    model = again.load_model(best.number)
    task: Any = again._opened.task
    rescored = task.scoring(best.params).of_model(model.core, task.splits.valid)  # the split that scored it
    assert rescored["accuracy"] == pytest.approx(best.metrics["accuracy"], abs=1e-12)
    first = study.confirm()
    scored = []
    task.score_test = lambda *arguments: scored.append(arguments)  # a second scoring would be seen
    assert again.confirm() == first
    assert not scored
    assert first["number"] == best.number
    assert 0 < first["test"]["accuracy"] <= 1
