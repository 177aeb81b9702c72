"""An ablation: one technique at a time, effects with intervals, taken up again where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import satisfice
from satisfice.errors import InputError
from satisfice.study.after.ablation.effects import effect_of
from satisfice.study.after.ablation.latest import latest_ablation
from satisfice.study.after.ablation.run import prepare
from satisfice.study.after.ablation.techniques import techniques_of
from satisfice.study.study import Study
from satisfice.train import TRAINERS

EFFECTS = {"a": 1.0, "b": -0.5, "c": 0.0}  # of each switch on the score, by construction


class Switches:
    """A score whose parts are known, with noise that follows from the trial's seed."""

    noise = 0.05

    def defaults(self) -> Mapping[str, Any]:
        return {"a": False, "b": False, "c": False, "depth": 1}

    def train(self, params: Mapping[str, Any], trial: Any) -> Mapping[str, float]:
        noise = np.random.default_rng(trial.seed).normal(0, self.noise)
        score = sum(EFFECTS[name] for name in EFFECTS if params[name]) + noise
        return {"score": score, "cost": float(params["depth"])}


SPEC = {
    "name": "switches",
    "seed": 5,
    "objectives": {"score": "maximize"},
    "constraints": {"cost": "<= 3"},
    "space": {
        "a": [True, False],
        "b": [True, False],
        "c": [True, False],
        "depth": {"low": 1, "high": 3},
    },
    "budget": {"trials": 2},
    "search": {"start": [{"a": True, "b": True, "c": True, "depth": 3}]},
}
WINNER = 1  # the configuration of [search] start, after the default


def study_of(storage: str | None = None) -> Study:
    study = satisfice.create_study(SPEC, storage=storage, task=Switches())
    study.optimize()
    return study


@pytest.fixture(scope="module")
def parent() -> Study:
    return study_of()


def test_intervals_cover_the_effects_that_are_known(parent: Study) -> None:
    found = parent.ablate(WINNER, seeds=8, towards=True)
    assert found.study == "switches-ablation-1"
    rows = {(row.technique, row.kind): row for row in found.table if row.metric == "score"}
    for name, effect in EFFECTS.items():
        for kind in ("without", "with"):
            row = rows[name, kind]
            assert row.low is not None
            assert row.high is not None
            assert row.low - 0.03 <= effect <= row.high + 0.03, (name, kind)
    assert rows["a", "without"].verdict == "better"
    assert rows["b", "without"].verdict == "worse"
    whole = rows["all", "all"]
    assert whole.effect is not None
    assert abs(whole.effect - 0.5) < 0.1
    cost = next(
        r for r in found.table if (r.technique, r.metric) == ("depth", "cost") and r.kind == "without"
    )
    assert (cost.effect, cost.low, cost.high, cost.verdict) == (2.0, 2.0, 2.0, "worse")
    assert found.trainings == 8 * (1 + 1 + 4 + 4)


def test_an_interrupted_ablation_gives_the_same_table(tmp_path: Path) -> None:
    whole = study_of(f"sqlite:///{tmp_path / 'a.db'}").ablate(WINNER, seeds=2)
    cut = study_of(f"sqlite:///{tmp_path / 'b.db'}")
    ready = prepare(cut._opened, cut._record(WINNER), seeds=2, towards=False, timeout_s=None)
    Study(ready.opened).optimize(n_trials=3)
    again = satisfice.load_study("switches", storage=f"sqlite:///{tmp_path / 'b.db'}", task=Switches())
    found = again.ablate(WINNER, seeds=2)
    assert dict(found) == dict(whole)
    assert dict(again.ablate(WINNER, seeds=2)) == dict(whole)  # nothing is trained twice


def test_more_seeds_later_train_only_what_is_lacking(tmp_path: Path) -> None:
    study = study_of(f"sqlite:///{tmp_path / 'a.db'}")
    assert study.ablate(WINNER, seeds=1).trainings == 6
    found = study.ablate(WINNER, seeds=2)
    assert found.trainings == 12
    assert all(row.verdict != "one seed" for row in found.table if row.metric == "score")


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    row = study_of().ablate(WINNER, seeds=1).table[0]
    assert (row.low, row.high, row.verdict) == (None, None, "one seed")


def test_nothing_to_take_away_is_one_sentence(parent: Study) -> None:
    with pytest.raises(InputError, match="uses nothing that could be switched off"):
        parent.ablate(0)
    with pytest.raises(InputError, match="no trial 99"):
        parent.ablate(99)
    with pytest.raises(InputError, match="seeds = 0 is no count"):
        parent.ablate(WINNER, seeds=0)


def test_a_family_is_taken_apart_by_its_own_trainer() -> None:
    spec = {
        "name": "digits",
        "data": {"name": "digits", "limit": 120},
        "model": {"family": "mlp", "dropout": 0.2, "hidden_layers": 1, "patience": 0},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_kb": "<= 60"},
        "space": {"width": [16, 8], "optimizer": ["adam"], "batch_norm": [True]},
        "budget": {"trials": 2, "epochs": 1},
    }
    study = satisfice.create_study(spec)
    study.optimize()
    number = next(r.number for r in study.records() if r.params["width"] == 16)
    found = study.ablate(number, seeds=1)
    changes = {row.technique: row.change for row in found.table}
    assert changes["dropout"] == "dropout 0.2 -> 0"
    assert changes["optimizer"] == "optimizer adam -> sgd, momentum 0.9 -> 0"
    assert changes["width"] == "width 16 -> 8"
    assert changes["batch_norm"] == "batch_norm true -> false"
    size = next(r for r in found.table if (r.technique, r.metric) == ("width", "size_kb"))
    assert size.effect is not None
    assert size.effect > 0
    stored = {row["technique"]: row for row in found.rows() if row["metric"] == "accuracy"}
    assert set(stored) == {"all", "dropout", "optimizer", "width", "batch_norm"}


@pytest.mark.parametrize("family", ["mlp", "cnn", "linear", "forest", "boosting"])
def test_each_technique_is_a_value_that_the_family_takes(family: str) -> None:
    known = TRAINERS.get(family).hyperparameters
    config = {name: about.default for name, about in known.items()}
    config |= {n: a.choices[-1] for n, a in known.items() if a.kind == "categorical"}
    for technique in techniques_of(config, known):
        for name, value in technique.changes.items():
            assert known[name].problem_with(value) is None
            assert value != config[name] or name == "momentum"


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_an_effect_is_inside_its_interval_and_turns_its_sign(a: list[float], b: list[float]) -> None:
    found, turned = effect_of(a, b), effect_of(b, a)
    assert found.value is not None
    assert turned.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high
    assert turned.value == pytest.approx(-found.value)


@pytest.mark.parametrize("seeds", [3, 8])
def test_intervals_cover_known_effects_as_often_as_they_say(seeds: int) -> None:
    random = np.random.default_rng(23)
    covered = 0
    for _ in range(100):
        for effect in EFFECTS.values():
            with_it, without = random.normal(effect, 0.05, seeds), random.normal(0.0, 0.15, seeds)
            found = effect_of(with_it.tolist(), without.tolist())
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= effect <= found.high
    assert covered >= 0.9 * 100 * len(EFFECTS), covered


def test_the_latest_ablation_is_in_the_report_and_the_journal(tmp_path: Path) -> None:
    study = study_of(f"sqlite:///{tmp_path / 'a.db'}")
    assert latest_ablation(study._opened) is None
    assert "What each technique is worth" not in study.journal()
    made = study.ablate(WINNER, seeds=2)
    again = satisfice.load_study("switches", storage=f"sqlite:///{tmp_path / 'a.db'}", task=Switches())
    found = latest_ablation(again._opened)
    assert found is not None
    assert dict(found) == dict(made)
    assert "What each technique is worth" in again.journal()
    page = again.report(tmp_path / "report")
    assert "What made it good" in page.read_text(encoding="utf-8")
