"""Planted flaws are found, sound studies are left alone, and every remedy changes the study as it says."""

from __future__ import annotations

import copy
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.spec.constraint import violations
from satisfice.spec.standard_error import split
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.parse import parse_dict
from satisfice.spec.study_file.render import to_dict
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.study import Study
from satisfice.train import TRAINERS
from satisfice.understand.diagnosis import diagnose
from satisfice.understand.examination import examine
from satisfice.understand.health.remedies import rounded
from satisfice.understand.health.state import HealthFinding, StudyState

Params = Mapping[str, Any]
LOG = {"low": 1e-4, "high": 1e-1, "log": True}
UNIT = {"low": 0.0, "high": 1.0}
Examined = Any  # a study, or what its records tell


@dataclass(kw_only=True)
class Told:
    """Stands for a trial in training, and for a study that trained it: its own task, searched at random."""

    seed: int = 0
    max_epochs: int | None = None
    reports: dict[int, Mapping[str, float]] = field(default_factory=dict)

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.reports[step] = dict(metrics)


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A study as its records tell it, without a database."""

    spec: StudySpec
    records: Sequence[TrialRecord]

    def health(self) -> list[HealthFinding]:
        found = diagnose(self.records, self.spec)
        return examine(StudyState(spec=self.spec, records=self.records, diagnoses=found))


def study_of(
    train: Callable[[Params, Any], dict[str, float]], space: Mapping[str, Any], trials: int, **tables: Any
) -> Searched:
    """An own task searched at random to the end of its budget."""
    given = {"name": "study", "objectives": {"score": "maximize"}, "space": dict(space)}
    spec = parse_dict({**given, "budget": {"trials": trials}, **tables}, has_task=True)
    rng, records = np.random.default_rng(5), []
    for number in range(trials):
        params = {p.name: p.draw(rng) for p in spec.space}
        trial = Told(seed=number, max_epochs=spec.budget.epochs)
        metrics, errors = split(train(params, trial))
        found = violations(spec.constraints, metrics)
        record = TrialRecord(
            number=number,
            state=TrialState.COMPLETE,
            params=params,
            metrics=metrics,
            standard_errors=errors,
            violations=found,
            feasible=all(v <= 0 for v in found.values()),
            reports=trial.reports,
            steps=max(trial.reports, default=0),
        )
        records.append(record)
    return Searched(spec=spec, records=records)


def real(data: Mapping[str, Any], trials: int = 4, **tables: Any) -> Study:
    """A linear model on real rows, in memory."""
    spec = {
        "name": "real",
        "data": dict(data),
        "model": {"family": "linear"},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_kb": "<= 6"},
        "space": {"alpha": {"low": 1e-4, "high": 10.0, "log": True}},
        "budget": {"trials": trials},
        "search": {"sampler": "random", "pruner": "none"},
        "measure": {"runtime": "torch"},
        "ship": {"format": "safetensors"},
    }
    study = satisfice.create_study({**spec, **tables})
    study.optimize()
    return study


def bowl(p: Params, centre: float = 0.01) -> float:
    """1 at the centre of a learning rate, less around."""
    return 1.0 - 0.1 * math.log10(p["learning_rate"] / centre) ** 2


def table(folder: Path, **columns: Any) -> dict[str, Any]:
    """A CSV of 300 rows with a target that two columns tell a little of."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 300))
    y = (a + b + rng.normal(size=300) > 0).astype(int)
    made = {"a": a, "b": b, **{name: make(rng, a, y) for name, make in columns.items()}, "y": y}
    path = folder / "rows.csv"
    header = ",".join(made)
    lines = [",".join(str(v) for v in row) for row in zip(*made.values(), strict=True)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return {"file": str(path), "target": "y", "task": "classification"}


# -- planted flaws -------------------------------------------------------------------------------------------


def range_edge(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": bowl(p, centre=10.0) - 0.02 * p["x"] ** 2}

    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 150)


def idle_parameter(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": bowl(p) - 0.2 * (p["x"] - 0.4) ** 2}

    return study_of(train, {"learning_rate": LOG, "x": UNIT, "unused": UNIT}, 60)


def never_binding(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": bowl(p), "cost": 1.0 + p["x"]}

    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 20, constraints={"cost": "<= 1000"})


def too_tight(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": bowl(p) + p["x"] / 10, "cost": 1.0 + p["x"]}

    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 20, constraints={"cost": "<= 1.02"})


def noise_limited(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": 0.8 + 0.05 * float(np.random.default_rng(trial.seed).normal())}

    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 60)


def noise_between_seeds(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {
            "score": bowl(p) / 100 + 0.05 * float(np.random.default_rng(trial.seed).normal()),
            "score.se": 0.05,
        }

    return study_of(train, {"learning_rate": LOG}, 12)


def budget_short(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": -sum((p[f"x{i}"] - 0.3) ** 2 for i in range(8))}

    return study_of(train, {f"x{i}": UNIT for i in range(8)}, 9)


def budget_long(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": min(1.0, 0.5 + 2 * p["x"])}

    return study_of(train, {"x": UNIT}, 90)


def few_epochs(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        for step in range(1, trial.max_epochs + 1):
            loss = 2.0 * math.exp(-0.05 * step * (1 + bowl(p)))
            trial.report(step, {"val_loss": loss, "train_loss": loss * 0.95})
        return {"score": -loss}

    return study_of(train, {"learning_rate": LOG}, 16, budget={"trials": 16, "epochs": 6})


def small_validation(_: Path) -> Study:
    return real({"name": "titanic", "valid": 0.02})


def leak(folder: Path) -> Study:
    leaked = {"paid": lambda rng, a, y: y * 3.0 + rng.normal(size=300) * 0.3}
    return real(table(folder, **leaked))


def duplicate_column(folder: Path) -> Study:
    return real(table(folder, a_in_cm=lambda rng, a, y: -a * 2.54 + 1.0))


def missing_class(folder: Path) -> Study:
    rng = np.random.default_rng(1)
    day = np.arange(300)
    y = np.where(day < 150, day % 3, day % 2)
    y[-3:] = 2
    x = y + rng.normal(size=300)
    path = folder / "days.csv"
    lines = [f"2024-01-01T{d // 60:02}:{d % 60:02}:00,{v},{c}" for d, v, c in zip(day, x, y, strict=True)]
    path.write_text("\n".join(["day,x,y", *lines]) + "\n")
    return real(
        {"file": str(path), "target": "y", "task": "classification", "time": "day", "valid": 0.2, "test": 0.2}
    )


def unbounded_production(_: Path) -> Study:
    return real({"name": "wine", "valid": 0.35}, constraints={})


FLAWS: Mapping[str, Callable[[Path], Examined]] = {
    "range_edge": range_edge,
    "idle_parameter": idle_parameter,
    "never_binding": never_binding,
    "too_tight": too_tight,
    "noise_limited": noise_limited,
    "noise_limited between seeds": noise_between_seeds,
    "budget_short": budget_short,
    "budget_long": budget_long,
    "few_epochs": few_epochs,
    "small_validation": small_validation,
    "leak": leak,
    "duplicate_column": duplicate_column,
    "missing_class": missing_class,
    "unbounded_production": unbounded_production,
}


# -- sound studies -------------------------------------------------------------------------------------------


def sound_two(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": bowl(p) - (p["x"] - 0.6) ** 2, "cost": 1 + p["x"]}

    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 40, constraints={"cost": "<= 1.8"})


def sound_noisy(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        noise = 0.01 * float(np.random.default_rng(trial.seed).normal())
        return {"score": bowl(p) - (p["x"] - 0.5) ** 2 + noise, "cost": 2.0 - p["x"]}

    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 50, constraints={"cost": "<= 1.7"})


def sound_front(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        return {"score": bowl(p) + math.sqrt(p["x"]) / 2, "cost": 0.1 + p["x"]}

    goals = {"score": "maximize", "cost": "minimize"}
    return study_of(train, {"learning_rate": LOG, "x": UNIT}, 50, objectives=goals)


def sound_screened(_: Path) -> Study:
    class Task:
        def profile(self, params: Params) -> dict[str, float]:
            return {"size": float(params["width"])}

        def train(self, params: Params, trial: Any) -> dict[str, float]:
            return {"score": bowl(params) + 0.1 * math.log(params["width"])}

    spec = {
        "name": "screened",
        "objectives": {"score": "maximize"},
        "constraints": {"size": "<= 40"},
        "space": {"learning_rate": LOG, "width": {"low": 4, "high": 64}},
        "budget": {"trials": 20},
        "search": {"sampler": "random", "pruner": "none"},
    }
    study = satisfice.create_study(spec, task=Task())
    study.optimize()
    return study


def sound_curves(_: Path) -> Searched:
    def train(p: Params, trial: Any) -> dict[str, float]:
        for step in range(1, trial.max_epochs + 1):
            loss = 1.2 - 0.7 * bowl(p) + 1.5 * math.exp(-step * 0.6)
            trial.report(step, {"val_loss": loss, "train_loss": loss - 0.05})
        return {"score": -loss, "cost": 1 + p["x"]}

    space = {"learning_rate": LOG, "x": {"low": 0.0, "high": 2.0}}
    return study_of(train, space, 24, budget={"trials": 24, "epochs": 12}, constraints={"cost": "<= 2.5"})


def sound_titanic(_: Path) -> Study:
    return real({"name": "titanic"}, trials=8)


SOUND = (sound_two, sound_noisy, sound_front, sound_screened, sound_curves, sound_titanic)


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Examined, list[Any]]]:
    """The studies with their findings."""
    found = {}
    for name, make in [*FLAWS.items(), *((f.__name__, f) for f in SOUND)]:
        study = make(tmp_path_factory.mktemp("data"))
        found[name] = study, study.health()
    return found


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_planted_flaw_is_found(flaw: str, examined: Any) -> None:
    assert flaw.split()[0] in [f.finding for f in examined[flaw][1]]


@pytest.mark.parametrize("make", SOUND, ids=lambda f: f.__name__)
def test_a_sound_study_is_left_alone(make: Any, examined: Any) -> None:
    assert [(f.finding, f.subject, f.evidence) for f in examined[make.__name__][1]] == []


def test_flaws_are_found_where_they_are(examined: Any) -> None:
    subjects = {name: {f.finding: f.subject for f in found} for name, (_, found) in examined.items()}
    assert subjects["range_edge"]["range_edge"] == "learning_rate"
    assert subjects["idle_parameter"]["idle_parameter"] == "unused"
    assert subjects["leak"]["leak"] == "paid"
    assert subjects["duplicate_column"]["duplicate_column"] == "a_in_cm"
    assert subjects["too_tight"]["too_tight"] == "cost <= 1.02"
    assert subjects["missing_class"]["missing_class"] == "valid"


def merged(study: Examined, remedy: str) -> dict[str, Any]:
    """The study's file with the keys of a remedy in place of its own."""
    content = copy.deepcopy(to_dict(study.spec))
    for key, value in tomllib.loads(remedy).items():
        if isinstance(value, dict):
            content.setdefault(key, {}).update(value)
        else:
            content[key] = value
    return content


def test_every_remedy_parses_and_changes_what_it_names(examined: Any) -> None:
    count = 0
    for study, found in examined.values():
        for f in found:
            content = merged(study, f.remedy)
            spec = parse_dict(content, has_task=study.spec.model is None, families=TRAINERS.get)
            assert spec != study.spec, f
            changed = spec.digest() != study.spec.digest() and spec.constraints == study.spec.constraints
            assert (spec.name != study.spec.name) == changed, f  # another study only where one is needed
            count += 1
    assert count >= len(FLAWS)


def test_remedies_change_the_study_as_they_say(examined: Any) -> None:
    def after(name: str) -> tuple[Any, dict[str, Any]]:
        study, found = examined[name]
        (f,) = [f for f in found if f.finding == name]
        return study.spec, merged(study, f.remedy)

    spec, new = after("range_edge")
    assert new["space"]["learning_rate"] == {"low": 1e-4, "high": 1.0, "log": True}
    spec, new = after("idle_parameter")
    assert len(new["space"]["unused"]) == 1
    spec, new = after("never_binding")
    assert new["constraints"] == {"cost": "<= 2"}
    spec, new = after("too_tight")
    assert 1.02 < float(new["constraints"]["cost"].removeprefix("<= ")) < 1.5
    spec, new = after("budget_short")
    assert new["budget"]["trials"] > spec.budget.trials
    spec, new = after("budget_long")
    assert new["budget"]["trials"] < spec.budget.trials
    spec, new = after("few_epochs")
    assert new["budget"]["epochs"] > spec.budget.epochs
    spec, new = after("small_validation")
    assert new["data"]["valid"] > spec.data.valid
    assert after("leak")[1]["data"]["drop"] == ["paid"]
    assert after("duplicate_column")[1]["data"]["drop"] == ["a_in_cm"]
    assert after("missing_class")[1]["data"]["valid"] > 0.2
    assert after("noise_limited")[1]["search"]["replicate"] == 5
    spec, new = after("unbounded_production")
    assert not spec.constraints
    assert list(new["constraints"]) == ["size_mb"]


def test_a_copy_without_its_leak_is_no_leak(tmp_path: Path) -> None:
    study = real({**table(tmp_path, paid=lambda rng, a, y: y * 3.0), "drop": ["paid"]})
    assert [f for f in study.health() if f.finding == "leak"] == []


@pytest.mark.parametrize("value", [1e308, 1.79e308, 5e-324, 0.1234, 87.6])
def test_a_bound_is_rounded_away_from_the_values_it_shall_admit(value: float) -> None:
    for v in (value, -value):
        assert rounded(v, up=False) <= v <= rounded(v, up=True)
        assert math.isfinite(rounded(v, up=False))
        assert math.isfinite(rounded(v, up=True))
