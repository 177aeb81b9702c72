"""What only a family of models can tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from satisfice.errors import InputError, SpecError
from satisfice.spec import FamilyInfo, check_against, check_names, parse_dict, parse_file
from satisfice.spec.family import HyperparameterInfo
from satisfice.train.hyperparameter import Hyperparameter


@dataclass(frozen=True)
class Family:
    """A family of another package, with a metric of its own."""

    hyperparameters: Mapping[str, HyperparameterInfo]
    measures: Collection[str]
    tasks: Collection[str]


INFO: FamilyInfo = Family(
    hyperparameters={
        "depth": Hyperparameter(kind="int", default=3, low=1, high=12, doc="Depth."),
        "rate": Hyperparameter(kind="float", default=0.1, low=0.0, high=10.0, doc="Rate."),
        "loss": Hyperparameter(kind="categorical", default="a", choices=("a", "b"), doc="Loss."),
        "bias": Hyperparameter(kind="categorical", default=True, choices=(True, False), doc="Bias."),
    },
    measures=["accuracy", "rmse", "size_mb", "bleu"],
    tasks=["classification", "regression"],
)


def families(name: str) -> FamilyInfo:
    if name != "ours":
        raise InputError(f"unknown model family {name!r}", hint="known: ours")
    return INFO


def study(**changes: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "data": {"name": "digits"},
        "model": {"family": "ours"},
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_kb": "<= 500"},
        "space": {"rate": {"low": 0.01, "high": 1.0}},
        "budget": {"trials": 1},
    } | changes


def test_a_fitting_study_passes_in_any_unit_of_what_is_measured() -> None:
    spec = parse_dict(study(), families=families)
    check_against(spec, INFO, "classification")


def test_a_family_may_bring_its_own_metric() -> None:
    spec = parse_dict(study(objectives={"bleu": "maximize"}), families=families)
    assert spec.objectives[0].metric == "bleu"


@pytest.mark.parametrize(
    ("changes", "key", "problem", "fix"),
    [
        (
            {"space": {"rat": [0.1]}},
            "space.rat",
            'is not a hyperparameter of "ours"',
            "did you mean 'rate'?",
        ),
        (
            {"model": {"family": "ours", "dept": 3}},
            "model.dept",
            'is not a hyperparameter of "ours"',
            "did you mean 'depth'?",
        ),
        (
            {"model": {"family": "ours", "depth": 13}},
            "model.depth",
            "13 is outside 1 to 12",
            "it takes 1 to 12",
        ),
        (
            {"space": {"depth": {"low": 1, "high": 20}}},
            "space.depth",
            "20 is outside 1 to 12",
            "it takes 1 to 12",
        ),
        ({"space": {"depth": [0, 2]}}, "space.depth", "0 is outside 1 to 12", "it takes 1 to 12"),
        (
            {"space": {"depth": {"low": 1.0, "high": 2.0}}},
            "space.depth",
            "takes whole numbers",
            "decimal point",
        ),
        (
            {"space": {"rate": {"low": -1.0, "high": 2.0}}},
            "space.rate",
            "-1.0 is outside 0 to 10",
            "it takes 0 to 10",
        ),
        ({"space": {"rate": ["fast"]}}, "space.rate", "'fast' is not a number", "it takes 0 to 10"),
        (
            {"space": {"loss": {"low": 0, "high": 1}}},
            "space.loss",
            "does not take a range",
            "list its choices: a, b",
        ),
        ({"space": {"loss": ["a", "c"]}}, "space.loss", "'c' is none of 'a', 'b'", "it takes a, b"),
        ({"space": {"bias": [0, 1]}}, "space.bias", "0 is none of True, False", "it takes true, false"),
        (
            {"objectives": {"latency_ms": "minimize"}},
            "objectives.latency_ms",
            '"ours" never measures it',
            "known: accuracy",
        ),
        (
            {"constraints": {"flops": "<= 1e6"}},
            "constraints.flops",
            '"ours" never measures it',
            "known: accuracy, bleu, rmse, size_mb",
        ),
        (
            {"data": {"name": "x", "task": "regression"}},
            "objectives.accuracy",
            "is a metric of classification, and the data is for regression",
            "use r2 or mae or rmse",
        ),
    ],
)
def test_refused(changes: dict[str, Any], key: str, problem: str, fix: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_dict(study(**changes), file="s.toml", families=families)
    assert str(caught.value).startswith(f"s.toml: {key}: {problem} (")
    assert fix in str(caught.value)


def test_task_of_the_data_is_checked_once_it_is_known() -> None:
    spec = parse_dict(study(), families=families)
    with pytest.raises(
        SpecError, match=r"objectives\.accuracy: is a metric of classification, and the data is for"
    ):
        check_against(spec, INFO, "regression")


def test_family_that_does_not_learn_the_task() -> None:
    info = Family(INFO.hyperparameters, INFO.measures, ["classification"])
    spec = parse_dict(study(objectives={"rmse": "minimize"}))
    with pytest.raises(
        SpecError, match=r'model\.family: "ours" does not learn regression \(it learns classification\)'
    ):
        check_against(spec, info, "regression")


def test_unknown_family_with_suggestion() -> None:
    with pytest.raises(InputError, match=r"model\.family.*unknown model family 'our'.*known: ours"):
        parse_dict(study(model={"family": "our"}), file="s.toml", families=families)


def test_error_of_a_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        "name = 's'\n[data]\nname = 'digits'\n[model]\nfamily = 'ours'\n[objectives]\naccuracy = 'maximize'\n"
        "[space]\nwidth = [8]\n[budget]\ntrials = 1\n"
    )
    spec = parse_file(path)
    with pytest.raises(SpecError) as caught:
        check_against(spec, INFO)
    assert str(caught.value).startswith(f"{path}: space.width: is not a hyperparameter")


def test_two_integers_are_a_trap_for_a_float() -> None:
    with pytest.raises(SpecError) as caught:
        parse_dict(study(space={"rate": {"low": 0, "high": 1}}), file="s.toml", families=families)
    assert str(caught.value) == (
        "s.toml: space.rate: would be searched at 0 and 1 only, since both are integers"
        " (write { low = 0.0, high = 1.0 })"
    )
    [rate] = parse_dict(study(space={"rate": {"low": 1, "high": 3}}), families=families).space
    assert rate.cardinality == 3


@pytest.mark.parametrize(
    ("changes", "key", "near"),
    [
        ({"data": {"name": "digitz"}}, "data.name", "digits"),
        ({"model": {"family": "our"}}, "model.family", "ours"),
        ({"search": {"sampler": "tpr"}}, "search.sampler", "tpe"),
        ({"search": {"pruner": "non"}}, "search.pruner", "none"),
    ],
)
def test_names_are_checked_against_what_is_registered(changes: dict[str, Any], key: str, near: str) -> None:
    known = {
        "data.name": ["digits", "wine"],
        "model.family": ["ours"],
        "search.sampler": ["auto", "tpe"],
        "search.pruner": ["auto", "none"],
    }
    check_names(parse_dict(study()), known)
    with pytest.raises(SpecError) as caught:
        check_names(parse_dict(study(**changes)), known, file="s.toml")
    assert str(caught.value).startswith(f"s.toml: {key}: ")
    assert str(caught.value).endswith(f"is not known (did you mean '{near}'?)")
