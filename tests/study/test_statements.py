"""What a trial costs the database, counted by the engine's events, and who sees which report when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
import sqlalchemy as sa

import satisfice
from satisfice.search import PRUNERS, Decision, History, SearchProblem
from satisfice.store import reader
from satisfice.study.lifecycle.session import Session
from satisfice.study.lifecycle.trial import running_of

REPORTS = 20
STATEMENTS, COMMITS = 40, 10


class Own:
    """Training happens in the test, by ask and tell."""

    def train(self, params: Mapping[str, Any], trial: Any) -> Mapping[str, float]:
        raise NotImplementedError


class Witness:
    """A pruner that writes down what it sees of all trials when it decides."""

    seen: ClassVar[list[tuple[int, list[list[int]]]]] = []

    def __init__(self, problem: SearchProblem) -> None:
        del problem

    def is_decision_step(self, step: int, max_steps: int | None) -> bool:
        return step in (1, 4)

    def decide(self, history: History, number: int) -> Decision:
        self.seen.append((number, [sorted({*steps} - {0}) for steps in history.curve_step.tolist()]))
        return Decision(stop=False)


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "counted",
        "seed": 3,
        "objectives": {"a": "maximize", "b": "minimize", "c": "minimize"},
        "constraints": {"d": "<= 0", "e": "<= 0"},
        "space": {f"x{i}": {"low": 0.0, "high": 1.0} for i in range(6)},
        "budget": {"trials": 100, "epochs": REPORTS},
        "search": {"sampler": "random", "pruner": "none"},
    } | changes


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Statements and commits of all engines in this process."""
    count: Counter[str] = Counter()

    def statement(*_arguments: Any) -> None:
        count["statements"] += 1

    def commit(_connection: Any) -> None:
        count["commits"] += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", statement)
    sa.event.listen(sa.Engine, "commit", commit)
    try:
        yield count
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", statement)
        sa.event.remove(sa.Engine, "commit", commit)


@pytest.fixture
def workers(storage_url: str) -> Iterator[list[satisfice.Study]]:
    """The same study, opened by three workers."""
    opened = [satisfice.create_study(spec(), storage=storage_url, task=Own()) for _ in range(3)]
    yield opened
    for study in opened:
        study._opened.db.close()


def run_in_lockstep(workers: list[satisfice.Study], rounds: int) -> None:
    """Each step of one worker is followed by the same step of the others: each finds news each time."""
    for _ in range(rounds):
        trials = [study.ask() for study in workers]
        for step in range(1, REPORTS + 1):
            for trial in trials:
                x = list(trial.params.values())
                trial.report(step, {"a": x[0] / step, "b": x[1] / step, "c": x[2]})
                assert not trial.should_prune()
        for study, trial in zip(workers, trials, strict=True):
            x = list(trial.params.values())
            study.tell(trial, {"a": x[0], "b": x[1], "c": x[2], "d": x[3] - 0.5, "e": x[4] - 0.5})


@pytest.mark.parametrize("together", [1, 3])
def test_statements_and_commits_of_a_trial(workers: list[satisfice.Study], together: int) -> None:
    run_in_lockstep(workers[:together], 1)
    with counted() as count:
        run_in_lockstep(workers[:together], 5)
    trials = 5 * together
    mysql = workers[0]._opened.db.dialect in (
        "mysql",
        "mariadb",
    )  # cannot return what it updated: one more each
    commits = count["commits"]
    assert 0 < count["statements"] - (commits if mysql else 0) <= STATEMENTS * trials
    assert 0 < commits <= COMMITS * trials
    assert workers[0].status()["states"] == {"COMPLETE": trials + together}


def test_what_a_trial_costs_does_not_grow_with_what_is_reported_twice_as_often(
    workers: list[satisfice.Study],
) -> None:
    """Reports between two decisions go with the next flush."""
    study = workers[0]
    counts = []
    for repeats in (2, 10):
        trial = study.ask()
        with counted() as count:
            for _ in range(repeats):
                trial.report(3, {"a": 0.5, "b": 0.5, "c": 0.5})
            study.tell(trial, {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.0, "e": 0.0})
        counts.append(count["statements"])
    assert counts[0] == counts[1]


def test_whoever_decides_sees_every_report_at_the_steps_of_decision(storage_url: str) -> None:
    PRUNERS.register("witness", Witness)
    Witness.seen.clear()
    search = {"sampler": "random", "pruner": "witness"}
    first, second = (
        satisfice.create_study(spec(search=search), storage=storage_url, task=Own()) for _ in range(2)
    )
    try:
        a, b = first.ask(), second.ask()
        metrics = {"a": 0.5, "b": 0.5, "c": 0.5}
        a.report(1, metrics)  # and does not ask yet
        b.report(1, metrics)
        b.should_prune()
        a.should_prune()
        for step in (2, 3, 4):
            a.report(step, metrics)
        b.report(2, metrics)
        b.should_prune()  # nothing is decided here
        for step in (3, 4):
            b.report(step, metrics)
        b.should_prune()
        assert Witness.seen == [(1, [[1], [1]]), (0, [[1], [1]]), (1, [[1, 2, 4], [1, 2, 4]])]
    finally:
        first._opened.db.close()
        second._opened.db.close()


def same(a: History, b: History) -> bool:
    names = ("state", "raw", "metrics", "feasible", "steps", "curves", "curve_step")
    pairs = [(getattr(a, name), getattr(b, name)) for name in names]
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)


def test_what_a_worker_remembers_is_what_is_stored(
    workers: list[satisfice.Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker does not read its own writes back; one that comes later reads all, page by page."""
    alone, other, late = workers
    run_in_lockstep([alone], 2)
    run_in_lockstep([alone, other], 2)
    other.tell(other.ask(), state="failed")
    other.tell(other.ask(), {"a": float("nan"), "b": 1.0, "c": 1.0, "d": 0.0, "e": 0.0})
    running = alone.ask()
    running.report(1, {"a": 0.1, "b": 0.2, "c": 0.3})
    monkeypatch.setattr(reader, "PAGE", 3)
    sessions: list[Session] = [study._session for study in (alone, other, late)]
    for session in sessions:
        session.sync()
    assert len(sessions[0].search.history) == 9
    assert same(sessions[0].search.history, sessions[2].search.history)
    assert same(sessions[1].search.history, sessions[2].search.history)


def test_one_trial_and_the_counts_are_read_as_all_trials_are(workers: list[satisfice.Study]) -> None:
    study = workers[0]
    run_in_lockstep(workers, 1)
    study.tell(study.ask(), state="failed")
    running = study.ask()
    running.report(2, {"a": 0.1, "b": 0.2, "c": 0.3})
    running_of(running).flush()
    records = study.records()
    assert [r.steps for r in records] == [REPORTS] * 3 + [0, 2]
    assert [study._record(r.number) for r in records] == records
    assert study.status()["states"] == Counter(r.state.name for r in records)
    with pytest.raises(satisfice.errors.InputError, match="no trial 5"):
        study._record(5)
