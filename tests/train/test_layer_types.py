"""Separable convolutions and residual layers: exact before training, the same in torch and in the file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.measure.size import flops_of, n_parameters
from satisfice.ship import runtime
from satisfice.ship.model import predict
from satisfice.ship.onnx.precision import PRECISIONS
from satisfice.spec import parse_dict
from satisfice.train import TRAINERS
from satisfice.train import make_task as make_any_task
from satisfice.train.networks.plan import Depthwise, Residual
from satisfice.train.networks.pruning import cuttable

make_task: Any = make_any_task  # its families' own methods are under test
# By precision, how far a probability may be from the untrained network's own in float32.
# Of random networks: what a rounding may change is bounded only roughly; full precision is exact.
NEAR = {"none": 2e-6, "fp16": 5e-3, "int8": 5e-2, "int4": 0.3, "int8_static": 0.3}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


CNN = st.fixed_dictionaries(
    {
        "blocks": st.integers(1, 3),
        "channels": st.integers(1, 12),
        "convolutions": st.integers(1, 2),
        "kernel_size": st.sampled_from([1, 3, 5]),
        "convolution": st.sampled_from(["standard", "separable"]),
        "residual": st.booleans(),
        "batch_norm": st.booleans(),
        "head": st.sampled_from(["flatten", "average"]),
        "width": st.sampled_from([0, 6]),
        "image_size": st.sampled_from([0, 5, 8, 12]),
        "compression": st.sampled_from(PRECISIONS),
    }
)
MLP = st.fixed_dictionaries(
    {
        "hidden_layers": st.integers(0, 4),
        "width": st.integers(1, 20),
        "residual": st.booleans(),
        "batch_norm": st.booleans(),
        "image_size": st.sampled_from([0, 5, 8, 12]),
        "compression": st.sampled_from(PRECISIONS),
    }
)


@settings(max_examples=30, deadline=None)
@given(drawn=st.one_of(CNN.map(lambda p: ("cnn", p)), MLP.map(lambda p: ("mlp", p))))
def test_size_parameters_and_operations_are_exact_before_training(drawn: tuple[str, dict[str, Any]]) -> None:
    family, params = drawn
    task = _task(family)
    module = task.build(params)
    told = task.profile(params)
    assert told["n_parameters"] == n_parameters(module)
    assert told["flops"] == flops_of(module, task.example_input(params))
    content = task.file.content(task, params, module)
    assert told["size_bytes"] == len(content)
    opened = runtime.session(content)
    found = runtime.outputs(opened, task.feeds_of(params).item(3))["probabilities"]
    with torch.no_grad():
        wanted = torch.softmax(module(task.example_input(params)), dim=1).numpy()
    assert np.abs(found - wanted).max() <= NEAR[params["compression"]]


@lru_cache
def _task(family: str) -> Any:
    study = {
        "name": "layers",
        "data": {"name": "digits"},
        "model": {"family": family},
        "objectives": {"accuracy": "maximize"},
        "space": {"dropout": {"low": 0.0, "high": 0.5}},
        "budget": {"trials": 1},
    }
    return make_task(parse_dict(study, families=TRAINERS.get))


SEPARABLE = {"convolution": "separable", "convolutions": 2, "batch_norm": True}
RESIDUAL = {"residual": True, "convolutions": 2, "batch_norm": True}
DENSE = {"hidden_layers": 3, "width": 16, "residual": True, "batch_norm": True, "dropout": 0.1}
TRAINED = [
    ("cnn", SEPARABLE, "none"),
    ("cnn", SEPARABLE, "int4"),
    ("cnn", RESIDUAL, "int8_static"),
    ("cnn", {"residual": True, "convolution": "separable", "image_size": 12}, "none"),
    ("mlp", DENSE, "none"),
    ("mlp", DENSE, "int8_static"),
]


@pytest.mark.parametrize(("family", "params", "precision"), TRAINED)
def test_trained_networks_ship_as_they_were_predicted(
    family: str, params: dict[str, Any], precision: str, make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    small = {"channels": 4, "width": 0} if family == "cnn" else {}
    spec = make_spec(family, "digits", compression=precision, ship="onnx", learning_rate=5e-3, **small)
    task = make_task(spec)
    trial = new_trial(max_epochs=3)
    metrics = task.train(params, trial)
    assert metrics["size_bytes"] == len(trial.model) == task.profile(params)["size_bytes"]
    assert metrics["accuracy"] > 0.3
    model = task.load_model(params, trial.shipped(task, tmp_path))
    feeds, y = task.feeds_of(params).valid, task.splits.valid.y
    codes, proba = model.answers(feeds, task.splits.classes)
    assert (codes == y).mean() == metrics["accuracy"]
    wanted = predict(model.core, task.splits_of(params).valid.x, classify=True)
    assert np.abs(proba - wanted).mean() <= (1e-6 if precision == "none" else 0.05)


def test_the_first_convolution_is_never_separable(make_spec: Any) -> None:
    task = make_task(make_spec("cnn", "digits"))
    plan = task.plan({"convolution": "separable", "blocks": 3})
    assert sum(isinstance(layer, Depthwise) for layer in plan) == 2
    alone = {"blocks": 1, "convolutions": 1}
    assert task.architecture(alone | {"convolution": "separable"}) == task.architecture(alone)


def test_separable_convolutions_are_smaller(make_spec: Any) -> None:
    task = make_task(make_spec("cnn", "digits"))
    one, other = ({"convolution": name, "channels": 32, "blocks": 3} for name in ("standard", "separable"))
    assert task.profile(other)["flops"] < 0.3 * task.profile(one)["flops"]


def test_a_residual_layer_adds_what_it_takes_in(make_spec: Any) -> None:
    task = make_task(make_spec("mlp", "wine"))
    params = {"hidden_layers": 2, "residual": True, "width": 6}
    module = task.build(params)
    with torch.no_grad():
        for parameter in module[2].parameters():
            parameter.zero_()
    x = torch.randn(3, 13)
    hidden = module[1](module[0](x))
    assert torch.equal(module[2](hidden), hidden)
    assert isinstance(task.plan(params)[2], Residual)


def test_architectures_that_were_written_before_name_no_new_hyperparameters(make_spec: Any) -> None:
    for family, data in (("cnn", "digits"), ("mlp", "digits"), ("mlp", "wine")):
        found = make_task(make_spec(family, data)).architecture({})
        assert not {"image_size", "residual", "convolution"} & found.keys()


@pytest.mark.parametrize("params", [{"residual": True}, {"convolution": "separable"}])
def test_pruning_leaves_such_networks_whole(params: dict[str, Any], make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("cnn", "digits", prune=0.5, channels=4, width=0))
    assert not cuttable(task.plan(params))
    assert cuttable(task.plan({}))
    assert task.train(params, new_trial(max_epochs=2))["n_parameters"] == task.profile(params)["n_parameters"]
