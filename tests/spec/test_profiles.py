"""``[profiles.NAME]``: what is read, and what is refused, all at once and each in one sentence."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from satisfice.errors import InputError, SpecError
from satisfice.spec import parse_dict, to_dict, to_toml
from satisfice.spec.criterion import Criterion, Objective, parse_order
from satisfice.spec.grammar import PROFILE
from satisfice.spec.profile import TEMPLATES
from satisfice.train.catalog import TRAINERS

FILE = """
name = "s"
[data]
name = "digits"
[model]
family = "mlp"
[objectives]
latency_ms = "minimize"
accuracy = "maximize"
[constraints]
size_mb = "<= 2"
[space]
learning_rate = { low = 1e-4, high = 1e-1, log = true }
[budget]
trials = 5
"""


def content(profiles: str) -> dict[str, Any]:
    return tomllib.loads(FILE + profiles)


def test_what_a_profile_says_is_read() -> None:
    text = """
[profiles.phone]
objective = "f1"
constraints = { size_mb = "<= 1", latency_ms = "<= 5" }
[profiles.watch]
order = ["f1 within 0.005", "size_kb"]
[profiles.server]
template = "batch"
"""
    spec = parse_dict(content(text), families=TRAINERS.get)
    phone, watch, server = spec.profiles
    assert [c.key for c in phone.constraints] == ["size_mb <= 1", "latency_ms <= 5"]
    assert [c.text for c in phone.order] == ["maximize f1"]
    assert [c.text for c in watch.order] == ["maximize f1 within 0.005", "minimize size_kb"]
    assert [c.text for c in server.order] == ["maximize accuracy within 0.2%", "maximize throughput"]
    assert spec.metric_names == ("latency_ms", "accuracy", "size_mb", "f1", "size_kb", "throughput")
    assert [c.key for c in spec.bounds] == ["size_mb <= 2", "size_mb <= 1", "latency_ms <= 5"]
    assert parse_dict(tomllib.loads(to_toml(spec))) == spec
    assert to_dict(spec)["profiles"]["phone"] == {
        "constraints": {"size_mb": "<= 1", "latency_ms": "<= 5"},
        "objective": "maximize f1",
    }


def test_templates_are_those_of_the_grammar() -> None:
    assert tuple(TEMPLATES) == PROFILE["template"].choices
    size = [Objective(metric="size_kb", direction="minimize")]
    assert [c.text for c in TEMPLATES["edge"].order(size)] == ["minimize size_kb within 1%"]
    both = [*size, Objective(metric="caught", direction="maximize")]
    assert [c.text for c in TEMPLATES["edge"].order(both)] == [
        "maximize caught within 1%",
        "minimize size_mb",
    ]


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = """
[profiles."b b"]
objective = "f1"
[profiles.empty]
[profiles.nothing]
constraints = {}
[profiles.tolerant]
objective = "f1 within 0.1"
[profiles.twice]
template = "edge"
order = ["f1"]
[profiles.moon]
template = "moon"
[profiles.bare]
size_mb = "<= 1"
[profiles.unknown]
objective = "fx"
[profiles.excluded]
constraints = { size_kb = ">= 3000" }
[profiles.itself]
constraints = { size_mb = ["<= 1", ">= 1.5"] }
[profiles.misspelt]
objectve = "f1"
constraints = { sizemb = "<= 3" }
[profiles.repeated]
order = ["f1", "f1 within 1"]
[profiles.none]
order = []
[profiles.regression]
objective = "rmse"
[profiles.measured]
constraints = { recall_at_precision = ">= 0.5" }
"""
    with pytest.raises(SpecError) as caught:
        parse_dict(content(text), file="s.toml", families=TRAINERS.get)
    said = {e.key: f"{e.message} ({e.hint})" for e in caught.value.problems}
    nothing = 'says nothing (write for instance constraints = { size_mb = "<= 1" }, or objective = "f1")'
    exclude = "size_kb >= 3000 and size_mb <= 2 of [constraints], which always holds, exclude each other"
    within = "size_mb <= 1 and size_mb >= 1.5 exclude each other (lower the one or raise the other)"
    unknown = "(did you mean 'f1'?; else write 'maximize fx' or 'minimize fx')"
    assert said == {
        "measure.precision_level": "is missing, and profiles.measured needs it "
        "(write precision_level = 0.9 under [measure])",
        "profiles": '"b b" is not a name of a profile (at most 100 letters, digits, "-" and "_")',
        "profiles.empty": nothing,
        "profiles.nothing": nothing,
        "profiles.tolerant.objective": 'takes no tolerance (write order = ["f1 within 0.1", "size_mb"])',
        "profiles.twice.template": "order and template each say what is chosen by (keep one of them)",
        "profiles.moon.template": '"moon" is not allowed (write "edge" or "realtime" or "batch")',
        "profiles.bare.size_mb": "is a bound, which belongs in constraints "
        '(write constraints = { size_mb = "<= 1" })',
        "profiles.unknown.objective": f"whether more or less 'fx' is better is not known {unknown}",
        "profiles.excluded.constraints.size_kb": f"{exclude} (change one of the two)",
        "profiles.itself.constraints.size_mb": within,
        "profiles.misspelt.objectve": "unknown key (did you mean 'objective'?)",
        "profiles.misspelt.constraints.sizemb": "unknown metric (did you mean 'size_mb'?)",
        "profiles.repeated.order": "the order names 'f1' twice (name each metric once)",
        "profiles.none.order": 'names no criterion (write order = ["f1 within 0.005", "size_mb"])',
    }
    assert str(caught.value).count("s.toml: ") == len(said)


def test_a_metric_of_another_kind_of_data_is_refused() -> None:
    text = FILE.replace('name = "digits"', 'name = "digits"\ntask = "classification"')
    with pytest.raises(SpecError, match=r"profiles\.p: rmse: is a metric of regression"):
        parse_dict(tomllib.loads(text + '[profiles.p]\nobjective = "rmse"'), families=TRAINERS.get)


def test_an_own_metric_is_optimised_where_its_direction_is_known() -> None:
    base = {
        "name": "own",
        "objectives": {"caught": "maximize"},
        "space": {"p": [1]},
        "budget": {"trials": 1},
    }
    spec = parse_dict(
        {
            **base,
            "profiles": {
                "a": {"objective": "caught"},
                "b": {"objective": "alarms", "constraints": {"alarms": "<= 3"}},
                "c": {"objective": "maximize alarms"},
            },
        },
        has_task=True,
    )
    assert [p.order[0].text for p in spec.profiles] == [
        "maximize caught",
        "minimize alarms",
        "maximize alarms",
    ]
    with pytest.raises(SpecError, match="write 'maximize alarms' or 'minimize alarms'"):
        parse_dict({**base, "profiles": {"d": {"objective": "alarms"}}}, has_task=True)


@pytest.mark.parametrize("text", ["f1 within 0.005", "f1 within 1%", "f1", "size_mb within 12.3456789%"])
def test_a_criterion_is_read_as_it_is_written(text: str) -> None:
    (first,) = parse_order(text, (), ())
    assert parse_order(first.text, (), ()) == (first,)
    assert parse_order([first], (), ()) == (first,)


def test_a_tolerance_may_be_a_share_of_the_best() -> None:
    criterion = parse_order("rmse within 10%", (), ())[0]
    assert criterion == Criterion(
        objective=Objective(metric="rmse", direction="minimize"), tolerance=0.1, relative=True
    )
    assert criterion.as_good(22.0, 20.0)
    assert not criterion.as_good(22.01, 20.0)
    score = parse_order("f1 within 10%", (), ())[0]
    assert score.as_good(-0.9, -1.0)
    assert not score.as_good(-0.89, -1.0)


def test_a_study_without_profiles_says_so() -> None:
    spec = parse_dict(content(""))
    with pytest.raises(InputError, match=r"no profile 'phone', nor any other \(write \[profiles\.phone\]"):
        spec.profile("phone")
