"""A stored study's budget, bounds and order of objectives change; what was found is judged anew."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

import satisfice
from satisfice.dashboard.insight import Insights
from satisfice.dashboard.storage import StorageView
from satisfice.errors import BudgetSpent, InputError, NoFeasibleTrial, StudyChanged, StudyNotFound
from satisfice.spec.constraint import parse_bound
from satisfice.store.tables import slots

SPEC: dict[str, Any] = {
    "name": "own",
    "seed": 5,
    "objectives": {"accuracy": "maximize", "size_mb": "minimize"},
    "constraints": {"size_mb": "<= 10"},
    "space": {"rate": {"low": 0.0, "high": 1.0}, "width": {"low": 1, "high": 20}},
    "budget": {"trials": 8},
    "search": {"sampler": "random", "pruner": "none"},
}


class Own:
    """Size is known before training, accuracy after; cost is recorded too."""

    def profile(self, params: Mapping[str, Any]) -> dict[str, float]:
        return {"size_mb": params["width"]}

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        return {"accuracy": params["rate"], "cost": params["width"] * params["rate"]}


def changed(**tables: Any) -> dict[str, Any]:
    return SPEC | tables


def finished(url: str | None, **tables: Any) -> satisfice.Study:
    study = satisfice.create_study(changed(**tables), storage=url, task=Own())
    study.optimize()
    return study


def expected(records: Any, constraints: Mapping[str, str]) -> dict[int, bool]:
    """Feasibility by number, judged here from the recorded metrics."""
    out = {}
    for r in records:
        found = []
        for metric, text in constraints.items():
            operator, bound = text.split()
            value = r.metrics[metric]
            held = {
                "<=": value <= float(bound),
                "<": value < float(bound),
                ">=": value >= float(bound),
                ">": value > float(bound),
            }
            found.append(held[operator])
        out[r.number] = all(found)
    return out


def feasibility_everywhere(study: satisfice.Study) -> list[dict[int, bool]]:
    """What each reader of feasibility says, by trial number."""
    db = study._opened.db
    with db.read() as connection:
        rows = connection.execute(sa.select(slots.c.number, slots.c.feasible)).all()
    session = study._session
    session.sync()
    trials = study.optuna_study.trials
    view = StorageView(db.optuna_storage(), Insights())
    shown = view.get_all_trials(study.optuna_study._study_id)
    told = study if db.in_memory else satisfice.load_study(study.name, storage=_url(study), task=Own())
    elsewhere = {r.number: bool(r.feasible) for r in told.records()}
    if told is not study:
        close(told)
    front = {r.number for r in study.pareto_front(objectives=list(study.spec.objectives))}
    try:
        best = {study.best().number}
    except NoFeasibleTrial:
        best = set()
    answers = [
        {int(number): bool(feasible) for number, feasible in rows},
        {r.number: bool(r.feasible) for r in study.records()},
        elsewhere,
        {r.number: all(v <= 0 for v in r.violations.values()) for r in study.records()},
        {t.number: all(v <= 0 for v in t.constraints.values()) for t in trials},
        {
            t.number: all(v <= 0 for v in t.system_attrs.get("constraints", [])) if t.constraints else True
            for t in shown
        },
        {i: bool(session.search.history.feasible[i] == 1) for i in range(len(session.search.history))},
    ]
    truth = answers[1]
    assert all(truth[number] for number in front | best)
    assert bool(best) == any(truth.values())
    assert {t.number for t in study.best_trials} == front
    assert {t.number for t in study.optuna_study.best_trials} <= {n for n, fits in truth.items() if fits}
    return answers


def close(*studies: satisfice.Study) -> None:
    for study in studies:
        study._opened.db.close()


def _url(study: satisfice.Study) -> str:
    return study._opened.db.url.render_as_string(hide_password=False)


def test_a_bound_in_the_file_is_edited(storage_url: str) -> None:
    before = finished(storage_url)
    assert all(r.feasible for r in before.records())
    study = satisfice.create_study(changed(constraints={"size_mb": "<= 4"}), storage=storage_url, task=Own())
    assert study.changes == ("size_mb <= 4, before size_mb <= 10",)
    wanted = expected(study.records(), {"size_mb": "<= 4"})
    assert 0 < sum(wanted.values()) < 8
    for answer in feasibility_everywhere(study):
        assert answer == wanted
    # Who had the study open reads the new judgement too.
    assert {r.number: r.feasible for r in before.records()} == wanted
    assert before.best().number == study.best().number
    assert before.spec.constraints == study.spec.constraints
    assert {key for t in study.optuna_study.trials for key in t.constraints} == {"size_mb <= 4"}
    close(before, study)


# From 1: no size is 0 or less, so such a bound is refused.
BOUNDS = st.builds("{} {}".format, st.sampled_from(["<=", "<", ">=", ">"]), st.integers(1, 21))


@pytest.fixture(scope="module")
def judged() -> satisfice.Study:
    """One study whose bounds the property changes again and again."""
    return finished(None, constraints={}, budget={"trials": 12})


@settings(max_examples=20, deadline=None)
@given(
    edits=st.lists(
        st.dictionaries(st.sampled_from(["size_mb", "cost", "accuracy"]), BOUNDS, max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_feasibility_is_that_of_the_bounds_that_hold(
    judged: satisfice.Study, edits: list[dict[str, str]]
) -> None:
    for constraints in edits:
        judged.change(constraints=constraints)
    wanted = expected(judged.records(), edits[-1])
    for answer in feasibility_everywhere(judged):
        assert answer == wanted


def test_a_nan_stays_a_violation() -> None:
    class Nan(Own):
        def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
            return {"accuracy": params["rate"], "cost": math.nan}

    study = satisfice.create_study(changed(constraints={"cost": "<= 1"}), task=Nan())
    study.optimize()
    study.change(constraints={"cost": "<= 2"})
    assert [r.feasible for r in study.records()] == [False] * 8


def test_a_worker_of_the_old_spec_judges_by_the_new_one(storage_url: str) -> None:
    old = satisfice.create_study(SPEC, storage=storage_url, task=Own())
    trial = old.ask()
    width = trial.params["width"]
    bound = f"<= {width - 1}" if width > 1 else ">= 2"
    new = satisfice.create_study(changed(constraints={"size_mb": bound}), storage=storage_url, task=Own())
    old.tell(trial, {"accuracy": 0.5})
    record = new.records()[0]
    assert record.feasible is False
    (frozen,) = new.trials
    assert list(frozen.constraints) == [f"size_mb {bound}"]
    # What it asks for next is screened by the new bound, and says so.
    following = old.ask()
    assert parse_bound("size_mb", bound).satisfied(following.params["width"])
    with new._opened.db.read() as connection:
        versions = connection.execute(sa.select(slots.c.spec_version).order_by(slots.c.slot)).scalars().all()
    assert versions == [1, 2]
    close(old, new)


def test_a_proposal_screened_by_the_old_bounds_is_not_begun(sqlite_url: str) -> None:
    tight = changed(constraints={"size_mb": "<= 2"})

    class Slow(Own):
        asked = 0

        def profile(self, params: Mapping[str, Any]) -> dict[str, float]:
            self.asked += 1
            if self.asked == 1:
                satisfice.create_study(tight, storage=sqlite_url, task=Own())
            return {"size_mb": params["width"]}

    study = satisfice.create_study(SPEC, storage=sqlite_url, task=Slow())
    for _ in range(8):
        assert study.ask().params["width"] <= 2
    with pytest.raises(BudgetSpent):
        study.ask()


def test_running_trials_are_stopped_by_the_new_bounds(sqlite_url: str) -> None:
    study = satisfice.create_study(
        changed(budget={"trials": 8, "epochs": 30}, search={"sampler": "random"}),
        storage=sqlite_url,
        task=Own(),
    )
    trial = study.ask()
    trial.report(1, {"accuracy": 0.5})
    trial.should_prune()
    satisfice.load_study("own", storage=sqlite_url, task=Own()).change(constraints={"size_mb": "<= 3"})
    trial.report(2, {"accuracy": 0.5})
    trial.should_prune()
    assert [c.key for c in study._session.search.history.problem.constraints] == ["size_mb <= 3"]


def test_a_loosened_bound_says_what_it_kept_away() -> None:
    study = finished(None, constraints={"size_mb": "<= 4"})
    away = study.status()["turned_away"]
    assert away > 1
    with study._opened.db.write() as connection:
        reason = "cannot meet size_mb <= 4 at step 3: its best hope is 5"
        connection.execute(sa.update(slots).where(slots.c.number < 2).values(reason=reason))
    said = study.change(constraints={"size_mb": "<= 6"})
    lost = f"{away} proposals were turned away and 2 trials stopped under size_mb <= 4"
    assert said == (
        "size_mb <= 6, before size_mb <= 4",
        f"{lost}: what would fit between is not explored yet",
    )
    assert study.status()["changes"] == list(said)
    assert study.change(constraints={"size_mb": "<= 5"}) == ("size_mb <= 5, before size_mb <= 6",)
    # The tightest of those that were in the way is no news: what it kept away was looked at since.
    assert study.change(constraints={"size_mb": "<= 9"}) == ("size_mb <= 9, before size_mb <= 5",)


def test_a_bound_that_once_held_and_is_still_in_the_way_is_named() -> None:
    study = finished(None, constraints={"size_mb": "<= 10"})
    away = study.status()["turned_away"]
    study.change(constraints={"size_mb": "<= 4"})
    assert study.change(constraints={}) == (
        "size_mb <= 4 no longer holds",
        f"{away} proposals were turned away under size_mb <= 10: what would fit between is not explored yet",
    )


def test_constraints_on_what_is_recorded_are_added_and_removed(sqlite_url: str) -> None:
    finished(sqlite_url)
    study = satisfice.create_study(
        changed(constraints={"size_mb": "<= 10", "cost": "<= 2"}), storage=sqlite_url, task=Own()
    )
    assert study.changes == ("cost <= 2 is a new constraint",)
    assert {r.number: r.feasible for r in study.records()} == expected(
        study.records(), {"size_mb": "<= 10", "cost": "<= 2"}
    )
    study = satisfice.create_study(changed(constraints={}), storage=sqlite_url, task=Own())
    assert all(r.feasible for r in study.records())
    with pytest.raises(StudyChanged, match=r"latency_ms was recorded by no finished trial"):
        study.change(constraints={"latency_ms": "<= 1"})
    assert study.spec.constraints == ()
    assert len(study.history()) == 3


def test_another_unit_is_another_bound_on_the_same() -> None:
    study = finished(None)
    study.change(constraints={"size_kb": "<= 4000"})
    wanted = {r.number: r.metrics["size_mb"] <= 4 for r in study.records()}
    assert {r.number: r.feasible for r in study.records()} == wanted


def test_the_order_of_objectives_is_what_best_means(sqlite_url: str) -> None:
    before = finished(sqlite_url)
    by_accuracy = before.best().number
    swapped = changed(objectives={"size_mb": "minimize", "accuracy": "maximize"}, budget={"trials": 10})
    study = satisfice.create_study(swapped, storage=sqlite_url, task=Own())
    assert study.changes == (
        "budget: trials = 10, before 8",
        "the objectives are ordered size_mb, accuracy, before accuracy, size_mb",
    )
    smallest = min(study.records(), key=lambda r: (r.metrics["size_mb"], -r.metrics["accuracy"]))
    assert study.best().number == smallest.number != by_accuracy
    study.optimize()
    # Optuna's stored order does not change: values, old and new, are in it.
    assert study.optuna_study.metric_names == study.metric_names == ["accuracy", "size_mb"]
    for record, trial in zip(study.records(), study.trials, strict=True):
        assert trial.values == [record.metrics["accuracy"], record.metrics["size_mb"]]
    assert len(study.trials) == 10


def test_other_objectives_are_refused() -> None:
    study = finished(None)
    with pytest.raises(StudyChanged, match="only their order may change"):
        study.change(objectives=["accuracy"])


def test_export_and_import_carry_the_history(sqlite_url: str, tmp_path: Path) -> None:
    finished(sqlite_url)
    study = satisfice.load_study("own", storage=sqlite_url, task=Own())
    study.change(objectives=["size_mb", "accuracy"], constraints={"size_mb": "<= 4"})
    study.export(tmp_path / "own.zip")
    (moved,) = satisfice.import_study(tmp_path / "own.zip", storage=f"sqlite:///{tmp_path}/other.db")
    assert moved.history() == study.history()
    assert [v["changes"] for v in moved.history()] == [
        [],
        [
            "size_mb <= 4, before size_mb <= 10",
            "the objectives are ordered size_mb, accuracy, before accuracy, size_mb",
        ],
    ]
    assert moved.history()[0]["spec"]["constraints"] == {"size_mb": "<= 10"}
    assert moved.best().number == study.best().number
    assert [t.values for t in moved.trials] == [t.values for t in study.trials]
    assert moved.metric_names == ["accuracy", "size_mb"]
    assert {r.number: r.feasible for r in moved.records()} == {r.number: r.feasible for r in study.records()}


def test_an_option_holds_until_the_file_is_edited(sqlite_url: str) -> None:
    def opened(**further: Any) -> satisfice.Study:
        tables = {"budget": further.pop("file")} if "file" in further else {}
        return satisfice.create_study(changed(**tables), storage=sqlite_url, task=Own(), **further)

    def budget(study: satisfice.Study) -> tuple[int, float | None]:
        found = study.status()["budget"]
        return found["trials"], found["timeout_s"]

    assert budget(opened()) == (8, None)
    assert budget(opened(budget={"trials": 12, "timeout": "10m"})) == (12, 600.0)
    assert budget(opened(budget={"timeout": 300})) == (12, 300.0)
    assert budget(opened(budget={"timeout": 600})) == (12, 600.0)
    assert budget(opened()) == (12, 600.0)
    assert budget(satisfice.load_study("own", storage=sqlite_url, task=Own())) == (12, 600.0)
    assert budget(opened(file={"trials": 9})) == (9, 600.0)  # a key left out takes the stored value
    assert budget(opened(file={"trials": 9})) == (9, 600.0)
    assert budget(opened(file={"trials": 9}, budget={"timeout": None})) == (9, None)


def test_a_key_left_out_takes_the_stored_value(sqlite_url: str) -> None:
    finished(sqlite_url)
    less = {k: v for k, v in SPEC.items() if k not in ("seed", "search")}
    study = satisfice.create_study(less, storage=sqlite_url, task=Own())
    assert study.spec.seed == 5
    assert study.spec.search.sampler == "random"
    assert study.changes == ()
    with pytest.raises(StudyChanged, match=r"what differs: search\.sampler"):
        satisfice.create_study(less | {"search": {"sampler": "auto"}}, storage=sqlite_url, task=Own())


def test_what_may_not_change_names_the_command_that_starts_the_changed_study(sqlite_url: str) -> None:
    old = finished(sqlite_url)
    wider = changed(space=SPEC["space"] | {"width": {"low": 1, "high": 5}, "depth": {"low": 1, "high": 3}})
    with pytest.raises(StudyChanged) as raised:
        satisfice.create_study(wider, storage=sqlite_url, task=Own())
    assert "what differs: space.width.high, space.depth" in str(raised.value)
    assert 'create_study({..., "name": "own-2"}, ..., start_from="own")' in str(raised.value)
    study = satisfice.create_study(
        wider, storage=sqlite_url, task=Own(), name="own-2", start_from="own", top=3
    )
    study.optimize()
    best = sorted(old.pareto_front(), key=lambda r: -r.metrics["accuracy"])
    moved = [{"rate": r.params["rate"], "width": min(r.params["width"], 5)} for r in best][:3]
    tried = [{k: r.params[k] for k in ("rate", "width")} for r in study.records()]
    assert tried[: len(moved)] == moved
    assert [r.proposal.get("origin") for r in study.records()][: len(moved)] == ["earlier"] * len(moved)
    again = satisfice.create_study(wider, storage=sqlite_url, task=Own(), name="own-2", start_from="own")
    assert len(again.records()) == 8


def test_a_study_does_not_start_from_itself_or_from_nothing(sqlite_url: str) -> None:
    finished(sqlite_url)
    with pytest.raises(InputError, match="are both named 'own'"):
        satisfice.create_study(SPEC, storage=sqlite_url, task=Own(), start_from="own")
    with pytest.raises(StudyNotFound, match="no study 'none'"):
        satisfice.create_study(SPEC, storage=sqlite_url, task=Own(), name="new", start_from="none")
    assert satisfice.list_studies(sqlite_url) == ["own"]


def test_two_who_change_at_once_both_count(sqlite_url: str) -> None:
    first = finished(sqlite_url)
    second = satisfice.load_study("own", storage=sqlite_url, task=Own())
    first.change(budget={"trials": 20})
    second.change(constraints={"size_mb": "<= 4"})
    assert first.status()["budget"]["trials"] == 20
    assert [c.key for c in first.spec.constraints] == ["size_mb <= 4"]
    assert [v["version"] for v in first.history()] == [1, 2, 3]


def test_a_study_of_the_first_version_has_no_history(sqlite_url: str) -> None:
    study = finished(sqlite_url)
    assert study.history() == []
    assert study.status()["spec_version"] == 1
    assert study.status()["changes"] == []


def test_the_test_score_of_a_winner_that_still_fits_is_kept(sqlite_url: str) -> None:
    study = finished(sqlite_url)
    study.confirm()
    study.change(constraints={"size_mb": "<= 9"})
    with study._opened.db.read() as connection:
        chosen = json.loads(connection.execute(sa.text("SELECT chosen FROM satisfice_studies")).scalar_one())
    assert chosen["dropped"] == []
    assert chosen["number"] is not None
