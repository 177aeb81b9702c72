"""A study with profiles: the search serves them all, and each has its answer."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

import satisfice
from satisfice.errors import InputError, NoFeasibleProposal, NoFeasibleTrial, StudyChanged

SPEC: dict[str, Any] = {
    "name": "several",
    "seed": 3,
    "objectives": {"accuracy": "maximize"},
    "constraints": {"size_mb": "<= 4"},
    "space": {"width": {"low": 1, "high": 100}, "depth": {"low": 1, "high": 10}},
    "budget": {"trials": 24},
    "search": {"sampler": "random", "pruner": "none"},
    "profiles": {
        "phone": {"objective": "f1", "constraints": {"size_mb": "<= 1", "latency_ms": "<= 3"}},
        "watch": {"order": ["f1 within 1%", "size_mb"], "constraints": {"size_mb": "<= 0.5"}},
        "server": {"template": "realtime", "constraints": {"size_mb": "<= 3"}},
    },
}


class Own:
    """Size and latency are known before training; larger is better, deeper is worse for f1."""

    reports = ("f1",)

    def __init__(self) -> None:
        self.trained: list[dict[str, float]] = []

    def profile(self, params: Mapping[str, Any]) -> dict[str, float]:
        return {
            "size_mb": params["width"] / 20,
            "latency_ms": 0.7 * params["depth"] + params["width"] / 50,
        }

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        self.trained.append(self.profile(params))
        accuracy = 1 - math.exp(-params["width"] * params["depth"] / 60)
        return {"accuracy": accuracy, "f1": accuracy - 0.02 * params["depth"]}


def usable(known: Mapping[str, float]) -> bool:
    """Whether the study's bound holds, and those of some profile, as its file says."""
    size, latency = known["size_mb"], known["latency_ms"]
    return size <= 4 and (size <= 0.5 or size <= 3 or (size <= 1 and latency <= 3))


@pytest.fixture(scope="module")
def run() -> tuple[satisfice.Study, Own]:
    task = Own()
    study = satisfice.create_study(SPEC, task=task)
    study.optimize()
    return study, task


def test_nothing_is_spent_on_what_no_profile_can_use(run: tuple[satisfice.Study, Own]) -> None:
    study, task = run
    assert len(task.trained) == 24
    assert all(map(usable, task.trained))
    # Not only what one of them can use: each is served.
    assert any(known["size_mb"] > 1 for known in task.trained)
    assert any(known["size_mb"] <= 0.5 for known in task.trained)
    away = study.status().turned_away_by_constraint
    assert {"size_mb <= 4", "size_mb <= 1", "size_mb <= 0.5", "size_mb <= 3"} <= set(away)


def test_every_profile_has_its_share(run: tuple[satisfice.Study, Own]) -> None:
    shares = collections.Counter(r.proposal.get("profile") for r in run[0].records())
    assert shares == {None: 6, "phone": 6, "server": 6, "watch": 6}
    for record in run[0].records():
        if record.proposal.get("profile") == "watch":
            assert record.metrics["size_mb"] <= 0.5


def test_each_profile_is_answered_by_its_own_rules(run: tuple[satisfice.Study, Own]) -> None:
    study, _ = run
    rows = {r.number: r.metrics for r in study.records()}
    phone = [n for n, m in rows.items() if m["size_mb"] <= 1 and m["latency_ms"] <= 3]
    assert study.best(profile="phone").metrics["f1"] == max(rows[n]["f1"] for n in phone)
    watch = [n for n, m in rows.items() if m["size_mb"] <= 0.5]
    top = max(rows[n]["f1"] for n in watch)
    near = [n for n in watch if rows[n]["f1"] >= top - 0.01 * abs(top)]
    assert study.best(profile="watch").metrics["size_mb"] == min(rows[n]["size_mb"] for n in near)
    assert study.best().metrics["accuracy"] == max(m["accuracy"] for m in rows.values())
    # What is said in the question takes the place of the profile's own order; bounds are added.
    small = study.best(minimize="size_mb", profile="phone")
    assert small.metrics["size_mb"] == min(rows[n]["size_mb"] for n in phone)
    with pytest.raises(NoFeasibleTrial):
        study.best(profile="phone", where="f1 >= 2")
    wider = study.best(profile="watch", where="size_mb <= 1")  # replaces the bound on that side
    assert wider.metrics["size_mb"] <= 1
    for name in ("phone", "watch", "server"):
        front = [t.number for t in study.pareto_front(profile=name)]
        assert set(front) <= {n for n, m in rows.items() if usable(m)}
        assert all(rows[n]["size_mb"] <= {"phone": 1, "watch": 0.5, "server": 3}[name] for n in front)
    assert study.best(profile="phone").number in [t.number for t in study.pareto_front(profile="phone")]


def test_other_questions_take_a_profile_too(run: tuple[satisfice.Study, Own]) -> None:
    study, _ = run
    best = study.best(profile="phone")
    binding = study.binding(profile="phone")
    assert binding.best is not None
    assert (binding.best.number, binding.objective) == (best.number, "f1")
    assert {b.constraint for b in binding.bounds} == {"size_mb <= 4", "size_mb <= 1", "latency_ms <= 3"}
    assert study.price_of("size_mb", profile="phone").steps[-1].number == best.number
    nearest = study.nearest_feasible(profile="phone")
    assert nearest is not None
    assert nearest.trial.number == best.number
    # What was turned away misses bounds of every profile: nothing is unknown inside one.
    assert study.unknown_beyond(profile="phone") == []
    beyond = {u.constraint for u in study.unknown_beyond()}  # no profile could use it, the study itself could
    assert beyond == {"size_mb <= 1", "size_mb <= 0.5", "size_mb <= 3", "latency_ms <= 3"}
    with pytest.raises(InputError, match="no profile 'phnoe'"):
        study.knee(profile="phnoe")


def test_the_status_says_which_profiles_have_an_answer(run: tuple[satisfice.Study, Own]) -> None:
    study, _ = run
    found = {each.profile: each for each in study.status().profiles}
    assert list(found) == ["phone", "watch", "server"]
    for name, each in found.items():
        best = study.best(profile=name)
        assert each.best is not None
        assert each.best.number == best.number
        assert each.sentence.startswith(f"trial {best.number}: ")
    assert (
        json.loads(json.dumps(study.status()))["profiles"][0]["best"]["number"]
        == study.best(profile="phone").number
    )
    (phone, *_) = study.profiles()
    assert phone.preference == "maximize f1"
    assert [c.constraint for c in phone.constraints] == ["size_mb <= 4", "size_mb <= 1", "latency_ms <= 3"]


def test_the_check_tells_what_each_asks_for(run: tuple[satisfice.Study, Own]) -> None:
    found = {p.profile: p for p in run[0].check(n=400).profiles}
    assert found["watch"].share == pytest.approx(0.1, abs=0.05)
    assert found["server"].chosen_by == "maximize accuracy within 1%, then minimize latency_ms"
    assert not found["phone"].at_most
    assert found["phone"].share < found["server"].share
    loose = {**SPEC, "profiles": {"a": {"constraints": {"size_kb": "<= 9000"}}}}
    (idle,) = satisfice.create_study(loose, task=Own()).check(n=10).profiles
    assert list(idle.idle) == ["size_kb <= 9000"]


def test_a_profile_that_nothing_fits_does_not_stop_the_others() -> None:
    profiles = {**SPEC["profiles"], "moon": {"constraints": {"size_mb": "<= 0.001"}}}
    spec = {**SPEC, "budget": {"trials": 10}, "profiles": profiles}
    study = satisfice.create_study(spec, task=Own())
    study.optimize()
    shares = collections.Counter(r.proposal.get("profile") for r in study.records())
    assert sum(shares.values()) == 10
    assert "moon" not in shares
    (moon,) = [each for each in study.status().profiles if each.profile == "moon"]
    assert moon.best is None
    assert "size_mb <= 0.001" in moon.sentence
    alone = {**spec, "profiles": {"moon": profiles["moon"]}}
    with pytest.raises(NoFeasibleProposal, match=r"size_mb <= 0\.001 turns most away"):
        satisfice.create_study(alone, task=Own()).optimize()


class Slow(Own):
    """f1 is the same whatever training does; accuracy grows."""

    def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        for epoch in range(1, 21):
            accuracy = (1 - math.exp(-params["width"] / 30)) * (1 - math.exp(-epoch / 5))
            found = {"accuracy": accuracy, "f1": accuracy - 0.05 * params["depth"]}
            trial.report(epoch, found)
            if trial.should_prune():
                break
        return found


@pytest.mark.parametrize("profiles", [{}, {"phone": SPEC["profiles"]["phone"]}], ids=["alone", "profile"])
def test_a_trial_is_stopped_only_if_no_profile_can_use_it(profiles: dict[str, Any]) -> None:
    spec = {**SPEC, "budget": {"trials": 14, "epochs": 20}, "profiles": profiles, "search": {}}
    study = satisfice.create_study(spec, task=Slow())
    wide = study.enqueue_trial
    for width in (80, 79, 78, 77, 76, 75):
        wide({"width": width, "depth": 5})
    for _ in range(6):
        trial = study.ask()
        for epoch in range(1, 21):
            accuracy = (1 - math.exp(-trial.params["width"] / 30)) * (1 - math.exp(-epoch / 5))
            trial.report(epoch, {"accuracy": accuracy, "f1": accuracy - 0.25})
        study.tell(trial, {"accuracy": accuracy, "f1": accuracy - 0.25})
    study.enqueue_trial({"width": 15, "depth": 1})  # far behind in accuracy, and the first for a phone
    trial = study.ask()
    assert trial.params == {"width": 15, "depth": 1}
    stopped = False
    for epoch in range(1, 15):
        accuracy = (1 - math.exp(-15 / 30)) * (1 - math.exp(-epoch / 5))
        trial.report(epoch, {"accuracy": accuracy, "f1": accuracy - 0.05})
        stopped = stopped or trial.should_prune()
    assert stopped == (not profiles)


def test_profiles_of_a_stored_study_may_be_changed() -> None:
    task = Own()
    study = satisfice.create_study({**SPEC, "budget": {"trials": 8}}, task=task)
    study.optimize()
    said = study.change(
        profiles={
            "phone": {"objective": "accuracy", "constraints": {"size_mb": "<= 2"}},
            "tablet": {"constraints": {"size_mb": "<= 3.5"}},
        }
    )
    assert said[:5] == (
        "profile phone: size_mb <= 2, before size_mb <= 1",
        "profile phone: latency_ms <= 3 no longer holds",
        "profile phone: chosen by maximize accuracy, before by maximize f1",
        "profile tablet is new: size_mb <= 3.5; chosen by the study's objectives",
        "profile watch was removed",
    )
    assert any("turned away under size_mb <= 3:" in sentence for sentence in said)
    assert study.best(profile="tablet").number == study.best().number
    removed = study.change(profiles={})
    assert removed[:2] == ("profile phone was removed", "profile tablet was removed")
    assert any("turned away under size_mb <= 1:" in sentence for sentence in removed)
    assert study.spec.profiles == ()
    with pytest.raises(StudyChanged, match=r"profiles\.a\.constraints\.recall: it cannot be judged"):
        study.change(profiles={"a": {"constraints": {"recall": ">= 0.5"}}})
    with pytest.raises(StudyChanged, match=r"profiles\.a: it cannot be chosen by"):
        study.change(profiles={"a": {"objective": "recall"}})


def test_a_study_without_profiles_proposes_what_it_did() -> None:
    bare = {**SPEC, "profiles": {}, "budget": {"trials": 6}, "search": {}}
    same = {**bare, "profiles": {"all": {"objective": "accuracy"}}}
    one, other = (satisfice.create_study(each, task=Own()) for each in (bare, same))
    for study in (one, other):
        study.optimize()
    assert all("profile" not in r.proposal for r in one.records())
    shares = collections.Counter(r.proposal.get("profile") for r in other.records())
    assert shares == {None: 3, "all": 3}


def test_a_bound_that_excludes_one_of_the_study_is_refused_when_that_changes() -> None:
    study = satisfice.create_study({**SPEC, "budget": {"trials": 2}}, task=Own())
    study.optimize()
    with pytest.raises(InputError, match=r"profiles\.phone\.constraints\.size_mb: .* exclude each other"):
        study.change(constraints={"size_mb": ">= 2"})
    assert (
        dataclasses.asdict(study.spec)["constraints"]
        == dataclasses.asdict(satisfice.create_study(SPEC, task=Own()).spec)["constraints"]
    )


def test_what_profiles_choose_is_trained_again() -> None:
    search = {"sampler": "random", "pruner": "none", "replicate": 2}
    study = satisfice.create_study({**SPEC, "budget": {"trials": 20}, "search": search}, task=Own())
    study.optimize()
    originals = [r for r in study.records() if r.replicate_of is None]
    repeated = {r.replicate_of for r in study.records()} - {None}
    assert len(originals) == 16
    assert repeated >= {
        study.best().number,
        *(study.best(profile=p.name).number for p in study.spec.profiles),
    }


def test_a_notebook_shows_study_and_trials(run: tuple[satisfice.Study, Own]) -> None:
    study, _ = run
    page = study._repr_html_()
    assert "24 of 24 trials used" in page
    assert f"trial {study.best(profile='watch').number}: " in page
    assert "size_mb &lt;= 4" in page
    trial = study.best()
    assert f"trial {trial.number}, COMPLETE, fits" in trial._repr_html_()
    hostile = dataclasses.replace(trial, params={"<script>": "<b>"})
    assert "<script>" not in hostile._repr_html_()
    assert "&lt;script&gt;" in hostile._repr_html_()


def test_the_report_s_figures_are_at_hand(run: tuple[satisfice.Study, Own]) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    figures = run[0].figures
    assert "accuracy over the trials" in figures
    assert all(isinstance(figure, graph_objects.Figure) for figure in figures.values())
