"""What the grammar means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.errors import SpecError
from satisfice.spec import Constraint, Objective, parse_dict, parse_file, to_dict, to_toml


def study(**changes: Any) -> dict[str, Any]:
    """Content for a task from Python, with changes."""
    content: dict[str, Any] = {
        "name": "x",
        "objectives": {"loss": "minimize"},
        "space": {"a": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 10},
    }
    return content | changes


def distribution(value: Any) -> Any:
    return parse_dict(study(space={"a": value}), has_task=True).space.by_name["a"].distribution


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"low": 1, "high": 4}, IntDistribution(1, 4)),
        ({"low": 1, "high": 5, "step": 2}, IntDistribution(1, 5, step=2)),
        ({"low": 1, "high": 1024, "log": True}, IntDistribution(1, 1024, log=True)),
        ({"low": 1.0, "high": 4.0}, FloatDistribution(1.0, 4.0)),
        ({"low": 0, "high": 0.5}, FloatDistribution(0.0, 0.5)),
        ({"low": 0.0, "high": 1.0, "step": 0.1}, FloatDistribution(0.0, 1.0, step=0.1)),
        ({"low": 1e-4, "high": 1, "log": True}, FloatDistribution(1e-4, 1.0, log=True)),
        ({"low": -3, "high": -3}, IntDistribution(-3, -3)),
        (["a", "b"], CategoricalDistribution(("a", "b"))),
        ((32, 64), CategoricalDistribution((32, 64))),
        ({"choices": [True, False]}, CategoricalDistribution((True, False))),
        (["none", 0, 0.5], CategoricalDistribution(("none", 0, 0.5))),
    ],
)
def test_distributions(value: Any, expected: Any) -> None:
    assert distribution(value) == expected


def test_int_needs_two_integers() -> None:
    assert isinstance(distribution({"low": 1, "high": 4.0}), FloatDistribution)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("10m", 600),
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172800),
        (45, 45),
        (0.5, 0.5),
        (" 1H ", 3600),
    ],
)
def test_timeout(value: Any, seconds: float) -> None:
    assert (
        parse_dict(study(budget={"trials": 1, "timeout": value}), has_task=True).budget.timeout_s == seconds
    )


def test_bounds() -> None:
    spec = parse_dict(study(constraints={"loss": [">= 0.5", "< 9e-1"], "con0": "<=0"}), has_task=True)
    assert spec.constraints == (
        Constraint(metric="loss", operator=">=", bound=0.5),
        Constraint(metric="loss", operator="<", bound=0.9),
        Constraint(metric="con0", operator="<=", bound=0.0),
    )


def test_bounds_that_just_meet_are_kept() -> None:
    spec = parse_dict(study(constraints={"n": [">= 3", "<= 3"]}), has_task=True)
    assert len(spec.constraints) == 2


def test_own_task_may_measure_accuracy_in_per_cent() -> None:
    assert parse_dict(study(constraints={"accuracy": ">= 95"}), has_task=True).constraints[0].bound == 95


def test_order_of_objectives_is_kept_and_counts() -> None:
    one = parse_dict(study(objectives={"y": "minimize", "x": "maximize"}), has_task=True)
    two = parse_dict(study(objectives={"x": "maximize", "y": "minimize"}), has_task=True)
    assert one.objectives[0] == Objective(metric="y", direction="minimize")
    assert one.digest() != two.digest()


def test_digest_leaves_out_the_budget_and_the_order_of_the_rest() -> None:
    one = parse_dict(study(space={"a": [1, 2], "b": [1, 2]}), has_task=True)
    two = parse_dict(study(space={"b": [1, 2], "a": [1, 2]}, budget={"trials": 99}), has_task=True)
    assert one.digest() == two.digest()
    assert one.digest() != parse_dict(study(space={"a": [1, 2], "b": [1, 3]}), has_task=True).digest()


def test_defaults_written_out_change_nothing() -> None:
    plain = parse_dict(study(), has_task=True)
    full = study(
        seed=0, constraints={}, search={"sampler": "auto", "replicate": 1, "start": []}, measure={"batch": 1}
    )
    assert parse_dict(full, has_task=True) == plain


def test_levels_are_kept_as_floats() -> None:
    whole = parse_dict(study(measure={"precision_level": 1, "recall_level": 0.5}), has_task=True)
    assert [type(whole.measure.precision_level), whole.measure.recall_level] == [float, 0.5]
    same = parse_dict(study(measure={"precision_level": 1.0, "recall_level": 0.5}), has_task=True)
    assert whole.digest() == same.digest() != parse_dict(study(), has_task=True).digest()
    assert to_dict(whole)["measure"] == {"precision_level": 1.0, "recall_level": 0.5}


def test_own_task_may_call_anything_recall_at_precision() -> None:
    spec = parse_dict(study(objectives={"recall_at_precision": "maximize"}), has_task=True)
    assert spec.measure.precision_level is None


def test_start_is_brought_to_the_parameters_type() -> None:
    space = {"a": {"low": 0.0, "high": 1.0}, "b": {"low": 1, "high": 4}, "c": ["x", "y"]}
    spec = parse_dict(study(space=space, search={"start": [{"a": 1, "b": 2.0, "c": "y"}]}), has_task=True)
    (start,) = spec.search.start
    assert [(value, type(value)) for value in start.values()] == [(1.0, float), (2, int), ("y", str)]


def test_start_may_leave_the_parent_out() -> None:
    space = {"o": ["sgd", "adam"], "m": {"low": 0.0, "high": 1.0, "when": {"o": ["sgd"]}}}
    assert parse_dict(study(space=space, search={"start": [{"m": 0.5}]}), has_task=True).search.start == (
        {"m": 0.5},
    )


def test_a_chain_of_conditions() -> None:
    space = {
        "leaf": {"choices": [1, 2], "when": {"middle": [3], "top": ["a"]}},
        "middle": {"low": 1, "high": 3, "when": {"top": ["a", "b"]}},
        "top": ["a", "b", "c"],
    }
    spec = parse_dict(study(space=space), has_task=True)
    assert [p.name for p in spec.space.ordered] == ["top", "middle", "leaf"]
    assert spec.space.problem_with({"top": "b", "middle": 3}) is None
    assert spec.space.problem_with({"top": "b", "middle": 3, "leaf": 1}) == "'leaf' is not active here"


def test_condition_on_an_int_written_as_a_float() -> None:
    space = {"n": {"low": 1, "high": 4}, "w": {"choices": [8, 16], "when": {"n": [2.0]}}}
    spec = parse_dict(study(space=space), has_task=True)
    assert spec.space.by_name["w"].when == {"n": (2,)}
    assert isinstance(spec.space.by_name["w"].when["n"][0], int)


def test_a_program_may_ask_for_a_million_trials() -> None:
    content = {
        "name": "iaml_xgb_40981-3",
        "seed": 3,
        "objectives": {"obj0": "minimize", "obj1": "minimize"},
        "constraints": {"con0": "<= 0", "con1": "<= 0"},
        "space": {
            "booster": ["gblinear", "gbtree", "dart"],
            "nrounds": {"low": 3, "high": 2000, "log": True},
            "rate_drop": {"low": 0.0, "high": 1.0, "when": {"booster": ["dart"]}},
            "grow": {"choices": ["a", "b"], "when": {"booster": ["gbtree", "dart"]}},
        },
        "budget": {"trials": 1_000_000, "epochs": 52},
        "search": {"sampler": "random", "pruner": "none"},
    }
    spec = parse_dict(content, has_task=True)
    assert (spec.budget.trials, spec.budget.epochs) == (1_000_000, 52)
    assert spec.metric_names == ("obj0", "obj1", "con0", "con1")
    assert (spec.data, spec.model, spec.task) == (None, None, None)


def test_own_task_by_entry_takes_options() -> None:
    spec = parse_dict(study(task={"entry": "my.tasks:Spam", "vocabulary": 4096, "layers": [1, {"x": 2}]}))
    assert spec.task is not None
    assert spec.task.entry == "my.tasks:Spam"
    assert spec.task.options == {"vocabulary": 4096, "layers": [1, {"x": 2}]}


def test_file_gives_source_and_base_folder(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    text = """name = "s"
[data]
file = "a.csv"
target = "y"
time = "day"
[model]
family = "mlp"
width = 8
[objectives]
f1 = "maximize"
[space]
learning_rate = [0.1]
[budget]
trials = 1
"""
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())  # as some editors on Windows save it
    spec = parse_file(path)
    assert spec.source == path.resolve()
    assert spec.base_dir == tmp_path.resolve()
    assert spec.data is not None
    assert (spec.data.file, spec.data.target, spec.data.time) == ("a.csv", "y", "day")
    assert spec.model is not None
    assert spec.model.fixed == {"width": 8}


def test_numpy_numbers_and_paths_from_python_become_plain_ones() -> None:
    content = study(
        name="np",
        seed=np.int64(3),
        space={
            "a": {"low": np.float64(0.5), "high": np.float32(1.0)},
            "b": np.array([1, 2]),
            "c": (np.bool_(True),),
        },
        budget={"trials": np.int32(5)},
    )
    spec = parse_dict(content, has_task=True)
    assert "np." not in to_toml(spec)
    assert type(spec.seed) is int
    assert spec.space.by_name["b"].distribution == CategoricalDistribution((1, 2))
    assert spec.space.by_name["c"].distribution == CategoricalDistribution((True,))
    on_disk = study(data={"file": Path("a") / "b.csv", "target": "y"}, model={"family": "mlp"})
    data = parse_dict(on_disk | {"objectives": {"f1": "maximize"}}).data
    assert data is not None
    assert data.file == str(Path("a") / "b.csv")


def test_none_is_a_choice_in_a_dict_as_scikit_learn_has_it() -> None:
    space = {
        "depth": [None, 3],
        "rate": {"choices": [0.1, None], "when": {"depth": [None]}},
    }
    content = {
        "name": "x",
        "objectives": {"loss": "minimize"},
        "space": space,
        "budget": {"trials": 1},
        "search": {"start": [{"depth": None}]},
    }
    spec = parse_dict(content, has_task=True)
    assert parse_dict(json.loads(json.dumps(to_dict(spec))), has_task=True) == spec
    assert spec.space.complete({"depth": None}, {"depth": 3}) == {"depth": None, "rate": None}
    assert spec.space.complete({}, {"depth": 3}) == {"depth": 3}
    with pytest.raises(SpecError, match="a study file cannot say None"):
        to_toml(spec)
