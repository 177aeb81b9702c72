"""Equal models have one architecture, one key and one size, however their hyperparameters are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.train import make_task
from satisfice.train.families.cnn import CNN
from satisfice.train.families.mlp import MLP
from satisfice.train.networks.plan import AveragePool, Plan

BEFORE = ("latency", "pipeline_latency", "throughput", "memory")


def bound(spec: Any) -> Any:
    return make_task(spec)


def keys(task: Any, params: dict[str, Any]) -> list[Any]:
    return [task.measured_as(params, quantity) for quantity in BEFORE]


@pytest.mark.parametrize(
    "idle", [{"width": 3}, {"width": 50_000}, {"activation": "tanh"}, {"batch_norm": True}, {"dropout": 0.4}]
)
def test_what_hidden_layers_would_be_like_decides_nothing_where_there_are_none(
    make_spec: Any, idle: dict[str, Any]
) -> None:
    task = bound(make_spec("mlp", "wine"))
    bare = {"hidden_layers": 0}
    assert task.architecture(bare | idle) == task.architecture(bare)
    assert keys(task, bare | idle) == keys(task, bare)
    assert task.profile(bare | idle) == task.profile(bare)  # the file says no more of one than of the other
    assert task.plan(bare | idle) == task.plan(bare)


def test_each_hyperparameter_that_decides_something_is_told_apart(make_spec: Any) -> None:
    task = bound(make_spec("mlp", "wine"))
    one: dict[str, Any] = {"hidden_layers": 1}
    others = [one | {"width": 3}, one | {"activation": "tanh"}, one | {"batch_norm": True}]
    assert len({repr(keys(task, params)) for params in [one, *others, {"hidden_layers": 0}]}) == 5


def test_a_fixed_value_is_that_of_the_search_and_a_whole_number_has_one_spelling(make_spec: Any) -> None:
    searched = bound(make_spec("mlp", "wine"))
    fixed = bound(make_spec("mlp", "wine", hidden_layers=2.0, width=32))
    assert fixed.architecture({}) == searched.architecture({"hidden_layers": 2, "width": 32})
    assert keys(fixed, {}) == keys(searched, {"hidden_layers": 2, "width": 32.0})
    assert fixed.profile({}) == searched.profile({"hidden_layers": 2, "width": 32})


def test_other_data_make_another_key(make_spec: Any) -> None:
    wine, titanic = bound(make_spec("mlp", "wine")), bound(make_spec("mlp", "titanic"))
    assert wine.architecture({}) == titanic.architecture({})
    assert all(a != b for a, b in zip(keys(wine, {}), keys(titanic, {}), strict=True))


def test_the_file_of_a_canonical_network_predicts_as_before(make_spec: Any, tmp_path: Any) -> None:
    task = bound(make_spec("mlp", "wine"))
    params = {"hidden_layers": 0, "width": 7, "activation": "gelu", "batch_norm": True}
    model = task.untrained(params)
    task.file.keep(task, params, model, tmp_path)
    restored = task.load_model(params, tmp_path / "model.safetensors")
    assert task.score_test(params, restored) == task.score_test(params, model)


def test_a_study_stored_before_keeps_its_architectures(make_spec: Any) -> None:
    task = bound(replace(make_spec("mlp", "wine"), canonical=False))
    assert task.architecture({"hidden_layers": 0, "width": 7, "batch_norm": True}) == {
        "hidden_layers": 0,
        "width": 7,
        "activation": "relu",
        "batch_norm": True,
    }


ARCHITECTURE = st.fixed_dictionaries(
    {
        "blocks": st.integers(1, 4),
        "channels": st.integers(1, 20),
        "growth": st.one_of(st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0]), st.floats(0.5, 4.0)),
        "convolutions": st.integers(1, 2),
        "kernel_size": st.sampled_from([1, 3]),
        "convolution": st.sampled_from(["standard", "separable"]),
        "residual": st.booleans(),
        "head": st.sampled_from(["flatten", "average"]),
        "width": st.sampled_from([0, 5]),
        "activation": st.sampled_from(["relu", "tanh"]),
        "batch_norm": st.booleans(),
    }
)
SHAPES = [(1, 8, 8), (3, 5, 9), (1, 2, 2), (2, 1, 1)]


def without_average(plan: Plan) -> Plan:
    return tuple(layer for layer in plan if not isinstance(layer, AveragePool))


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=150, deadline=None)
@given(a=ARCHITECTURE, b=ARCHITECTURE)
def test_architectures_of_equal_convolutional_networks_come_out_equal(
    shape: Any, a: dict[str, Any], b: dict[str, Any]
) -> None:
    b = a | {name: b[name] for name in ("growth", "head", "convolution")}
    one, other = CNN.canonical(a, shape), CNN.canonical(b, shape)
    assert CNN.canonical(one, shape) == one
    plan, before = CNN.plan(one, shape, 3), CNN.plan(a, shape, 3)
    # The mean of a single pixel is that pixel: that layer alone may go.
    assert plan == (without_average(before) if one["head"] != a["head"] else before)
    assert (one == other) == (plan == CNN.plan(other, shape, 3))


def test_growth_decides_nothing_with_one_block() -> None:
    base = {name: h.default for name, h in CNN.hyperparameters.items() if h.architecture}
    one = [CNN.canonical(base | {"blocks": 1, "growth": g}, (1, 8, 8)) for g in (0.5, 1.0, 3.7)]
    assert one[0] == one[1] == one[2]
    near = [CNN.canonical(base | {"growth": g}, (1, 8, 8))["growth"] for g in (2.0, 2.001, 1.99)]
    assert near == [2.0, 2.0, 2.0]  # 32 channels each


@settings(max_examples=200, deadline=None)
@given(
    a=st.fixed_dictionaries(
        {
            "hidden_layers": st.integers(0, 2),
            "width": st.integers(1, 4),
            "activation": st.sampled_from(["relu", "tanh"]),
            "batch_norm": st.booleans(),
            "residual": st.booleans(),
        }
    ),
    b=st.fixed_dictionaries(
        {
            "hidden_layers": st.integers(0, 2),
            "width": st.integers(1, 4),
            "activation": st.sampled_from(["relu", "tanh"]),
            "batch_norm": st.booleans(),
            "residual": st.booleans(),
        }
    ),
)
def test_architectures_of_equal_dense_networks_come_out_equal(a: dict[str, Any], b: dict[str, Any]) -> None:
    one, other = MLP.canonical(a, (4,)), MLP.canonical(b, (4,))
    assert MLP.plan(one, (4,), 2) == MLP.plan(a, (4,), 2)
    assert (one == other) == (MLP.plan(a, (4,), 2) == MLP.plan(b, (4,), 2))


def test_limits_of_trees_that_never_bind_change_neither_file_nor_key(make_spec: Any, new_trial: Any) -> None:
    task = bound(make_spec("boosting", "wine"))
    loose = [
        {"rounds": 2, "max_depth": d, "max_leaves": leaves} for d, leaves in ((0, 0), (900, 0), (0, 9999))
    ]
    told = [task.train(params, new_trial()) for params in loose]
    assert len({found["size_bytes"] for found in told}) == 1
    tight = {"rounds": 2, "max_depth": 1, "max_leaves": 2}
    assert task.train(tight, new_trial())["size_bytes"] < told[0]["size_bytes"]

    def grown(params: dict[str, Any]) -> Any:
        kept = new_trial()
        task.train(params, kept)
        return task.measured_as(params, "latency", _opened(kept.model))

    assert grown(loose[0]) == grown(loose[1]) == grown(loose[2])
    assert grown(tight) != grown(loose[0])


def _opened(content: bytes) -> Any:
    import tempfile
    from pathlib import Path

    from satisfice.train import load_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        return load_model(path)
