"""Integers beyond 2**53, where floats have gaps: inside their bounds, and what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import satisfice
from satisfice.errors import InputError, SpecError
from satisfice.spec import parse_dict
from satisfice.spec.space import SearchSpace
from satisfice.study.after.exchange import import_studies
from satisfice.surrogate.encoding import Encoder

LOW = 2**60


class Task:
    """Scores by the distance from a number that no float holds."""

    def train(self, params: Mapping[str, Any], _trial: Any) -> dict[str, float]:
        a = params["a"]
        assert isinstance(a, int)
        return {"score": float(abs(a - LOW - 333))}


def content(span: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "objectives": {"score": "minimize"},
        "space": {"a": dict(span)},
        "budget": {"trials": 30},
    } | changes


def space(span: Mapping[str, Any]) -> SearchSpace:
    return parse_dict(content(span), has_task=True).space


SPANS = [
    {"low": LOW, "high": LOW + 1000},
    {"low": -LOW - 1000, "high": -LOW},
    {"low": LOW + 1, "high": LOW + 1},
    {"low": LOW, "high": LOW + 999, "step": 3},
    {"low": 2**53 - 5, "high": 2**53 + 5},
    {"low": -(2**53), "high": 2**53},
    {"low": -(2**63) + 1, "high": 2**63 - 1},
    {"low": 1, "high": 2**62 + 1, "log": True},
    {"low": LOW, "high": LOW + 1000, "log": True},
    {"low": 1, "high": 2**63 - 1, "step": 2},
]


@pytest.mark.parametrize("span", SPANS, ids=str)
def test_every_value_is_one_of_the_range(span: dict[str, Any]) -> None:
    of = space(span)
    (p,) = of
    encoder, rng = Encoder(of), np.random.default_rng(0)
    rows = encoder.raw_from_quantiles(
        np.r_[encoder.draw(500, rng), np.zeros((1, 1)), np.full((1, 1), 1 - 1e-16)]
    )
    drawn = [encoder.params(row)["a"] for row in rows] + [p.from_quantile(u) for u in (0.0, 0.5, 1 - 1e-16)]
    drawn += [p.clip(v) for v in (0, span["low"], span["high"], 2**70, -(2**70), LOW + 0.5, 1e300, -1e300)]
    step = span.get("step", 1)
    for value in drawn:
        assert type(value) is int
        assert span["low"] <= value <= span["high"]
        assert (value - span["low"]) % step == 0
        assert p.contains(value)
    assert not p.contains(span["low"] - 1)
    assert not p.contains(span["high"] + 1)
    assert np.isfinite(encoder.scaled(rows)).all()
    if 1 < (span["high"] - span["low"]) // step < 2000:
        assert len(set(drawn)) > 0.3 * (span["high"] - span["low"]) // step or len(set(drawn)) > 200
    again = encoder.raw_from_quantiles(encoder.quantiles(rows, np.full(rows.shape, 0.5)))
    assert np.abs(again - rows).max() <= 1e-9 * max(1.0, np.abs(rows).max())


@pytest.mark.parametrize("sampler", ["auto", "tpe", "nsga2", "gp", "qmc", "random"])
def test_a_search_finds_what_lies_between_floats(sampler: str, tmp_path: Path) -> None:
    spec = content({"low": LOW, "high": LOW + 1000}, search={"sampler": sampler, "start": [{"a": LOW + 7}]})
    spec["budget"] = {"trials": 12}
    study = satisfice.create_study(spec, storage=f"sqlite:///{tmp_path}/x.db", task=Task())
    study.enqueue_trial({"a": LOW + 333})
    study.optimize()
    again = satisfice.load_study("x", storage=f"sqlite:///{tmp_path}/x.db")
    values = [record.params["a"] for record in again.records()]
    assert all(LOW <= value <= LOW + 1000 for value in values)
    assert len(set(values)) >= 10
    assert {LOW + 7, LOW + 333} <= set(values)
    assert again.best().params == {"a": LOW + 333}
    assert again.best().metrics["score"] == 0.0
    # Optuna's own column holds a float: it shows one nearby, inside the range.
    assert all(LOW <= t.params["a"] <= LOW + 1000 for t in again.optuna_study.trials)
    assert all("exact" not in record.proposal for record in again.records())


def test_it_moves_with_an_archive_and_is_reported(tmp_path: Path) -> None:
    spec = content({"low": LOW, "high": LOW + 1000}, budget={"trials": 6})
    study = satisfice.create_study(spec, storage=f"sqlite:///{tmp_path}/a.db", task=Task())
    study.enqueue_trial({"a": LOW + 333})
    study.optimize()
    values = [record.params["a"] for record in study.records()]
    study.export(tmp_path / "x.zip")
    import_studies(str(tmp_path / "x.zip"), f"sqlite:///{tmp_path}/b.db")
    moved = satisfice.load_study("x", storage=f"sqlite:///{tmp_path}/b.db")
    assert [record.params["a"] for record in moved.records()] == values
    assert json.loads(json.dumps(moved.best().params)) == {"a": LOW + 333}
    assert moved.trials_dataframe()["a"].tolist() == values
    moved.report(tmp_path / "report")


def test_choices_are_exact_up_to_63_bits(tmp_path: Path) -> None:
    choices = [LOW + 1, LOW + 2, 2**63 - 1, -(2**63) + 1]
    spec = content({"choices": choices}, budget={"trials": 4}, search={"start": [{"a": c} for c in choices]})
    study = satisfice.create_study(spec, storage=f"sqlite:///{tmp_path}/x.db", task=Task())
    study.optimize()
    again = satisfice.load_study("x", storage=f"sqlite:///{tmp_path}/x.db")
    assert {record.params["a"] for record in again.records()} == set(choices)
    with pytest.raises(SpecError, match="9223372036854775808 is not a value"):
        space({"choices": [2**63]})


def test_a_value_that_is_not_in_the_range_is_refused(tmp_path: Path) -> None:
    spec = content({"low": LOW, "high": LOW + 1000})
    study = satisfice.create_study(spec, storage=f"sqlite:///{tmp_path}/x.db", task=Task())
    for value in (LOW - 1, LOW + 1001, float(LOW) + 2048):
        with pytest.raises(InputError, match="outside"):
            study.enqueue_trial({"a": value})
    with pytest.raises(SpecError, match=r"start\[0\]\.a: 1152921504606847977 is outside"):
        parse_dict(spec | {"search": {"start": [{"a": LOW + 1001}]}}, has_task=True)


EXTREMES = [
    {"low": 5e-324, "high": 1.0, "log": True},
    {"low": 5e-324, "high": 1.7e308, "log": True},
    {"low": 5e-324, "high": 1e-323, "log": True},
    {"low": 1.0, "high": 1.0000000000000002, "log": True},
    {"low": 1e308, "high": 1.7e308},
    {"low": -8e307, "high": 8e307},
    {"low": 0.0, "high": 5e-324},
    {"low": 0.0, "high": 1.0, "step": 1e-9},
    {"low": 0.0, "high": 1e300, "step": 1e280},
    {"low": 0.1, "high": 0.1},
    {"low": 1e-300, "high": 1e-300, "log": True},
    {"low": 3, "high": 3, "step": 5},
]


@pytest.mark.parametrize("span", EXTREMES, ids=str)
@pytest.mark.parametrize("sampler", ["auto", "tpe", "random"])
def test_extreme_ranges_are_searched_inside_their_bounds(sampler: str, span: dict[str, Any]) -> None:
    class Plain:
        def train(self, params: Mapping[str, Any], trial: Any) -> dict[str, float]:
            return {"score": float(trial.number % 4)}

    spec = content(span, search={"sampler": sampler}, budget={"trials": 12})
    spec["space"]["b"] = [1, 2, 3, 4, 5, 6]
    study = satisfice.create_study(spec, task=Plain())
    study.optimize()
    records = study.records()
    assert [record.state.name for record in records] == ["COMPLETE"] * 12
    (p, _) = study.spec.space
    assert all(p.contains(record.params["a"]) for record in records)
    if span["high"] - span["low"] > 1e-3:
        assert len({record.params["a"] for record in records}) > 6


def test_a_float_is_never_another_number() -> None:
    (p,) = space({"low": 0.0, "high": 1e300})
    assert p.contains(2**60)
    assert not p.contains(2**60 + 1)
