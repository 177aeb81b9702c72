"""What the hyperparameters of the torch families do."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from satisfice.errors import Diverged, InputError
from satisfice.train import TRAINERS
from satisfice.train import make_task as make_any_task
from satisfice.train.networks.device import choose_device, isolated
from satisfice.train.networks.network import build, from_arrays, to_arrays
from satisfice.train.networks.optimizer import add_sign, make_optimizer
from satisfice.train.networks.plan import (
    Dropout,
    Residual,
    cnn_plan,
    flops,
    leaves,
    mlp_plan,
    n_parameters,
    shipped_tensors,
)
from satisfice.train.networks.schedule import SCHEDULES, learning_rate_factor

make_task: Any = make_any_task  # its families' own methods are under test
ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "leaky_relu")

plans = st.one_of(
    st.builds(
        mlp_plan,
        shape=st.sampled_from([(5,), (1, 4, 4)]),
        outputs=st.integers(1, 4),
        hidden_layers=st.integers(0, 4),
        width=st.integers(1, 20),
        activation=st.sampled_from(ACTIVATIONS),
        batch_norm=st.booleans(),
        dropout=st.sampled_from([0.0, 0.5]),
        residual=st.booleans(),
    ),
    st.builds(
        cnn_plan,
        shape=st.sampled_from([(1, 8, 8), (3, 5, 9)]),
        outputs=st.integers(1, 4),
        blocks=st.integers(1, 5),
        channels=st.integers(1, 6),
        growth=st.sampled_from([0.5, 1.0, 2.0]),
        convolutions=st.integers(1, 2),
        kernel_size=st.sampled_from([1, 3, 5]),
        head=st.sampled_from(["flatten", "average"]),
        width=st.sampled_from([0, 7]),
        activation=st.sampled_from(ACTIVATIONS),
        batch_norm=st.booleans(),
        dropout=st.sampled_from([0.0, 0.5]),
        separable=st.booleans(),
        residual=st.booleans(),
    ),
)
VALUES = {name: h.default for name, h in TRAINERS.get("mlp").hyperparameters.items()}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


def _input(plan: Any, n: Any = 2) -> Any:
    first: Any = next(leaves(plan))
    if hasattr(first, "kernel"):
        return torch.randn(n, first.inputs, first.height, first.width)
    linear = next(layer for layer in plan if hasattr(layer, "outputs"))
    return torch.randn(n, linear.inputs)


@settings(max_examples=60, deadline=None)
@given(plans)
def test_a_plan_tells_the_module_it_builds(plan: Any) -> None:
    module = build(plan).eval()
    assert n_parameters(plan) == sum(p.numel() for p in module.parameters())
    state = {
        k: tuple(v.shape) for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")
    }
    assert state == shipped_tensors(plan)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(_input(plan, 1))
    assert counter.get_total_flops() == flops(plan)


def without_dropout(plan: Any) -> Any:
    return tuple(
        Residual(without_dropout(layer.body), without_dropout(layer.shortcut))
        if isinstance(layer, Residual)
        else layer
        for layer in plan
        if not isinstance(layer, Dropout)
    )


@settings(max_examples=20, deadline=None)
@given(plans)
def test_what_ships_computes_the_same_without_dropout(plan: Any) -> None:
    module = build(plan)
    module.train()(_input(plan, 4))  # moves the statistics of batch norm
    module.eval()
    shipped = from_arrays(without_dropout(plan), to_arrays(module))
    x = _input(plan)
    assert torch.equal(module(x), shipped(x))


def test_dropout_follows_hidden_layers_only() -> None:
    module = build(
        mlp_plan(
            shape=(3,), outputs=2, hidden_layers=2, width=4, activation="relu", batch_norm=False, dropout=0.5
        )
    )
    kinds = [type(layer) for layer in module]
    assert kinds == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_l2_acts_on_weights_only(name: Any, kind: Any) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = make_optimizer(module, VALUES | {"optimizer": name, "l2": 0.1, "learning_rate": 0.5})
    assert type(optimizer) is kind
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {n: decay[id(p)] for n, p in module.named_parameters()} == {
        "0.weight": 0.1,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


def test_l2_is_decoupled_with_adamw_and_part_of_the_gradient_with_the_others() -> None:
    for name, decoupled in [("adamw", True), ("adam", False), ("sgd", False)]:
        module = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            module.weight.fill_(2.0)
        values = VALUES | {"optimizer": name, "l2": 0.5, "learning_rate": 0.1, "momentum": 0.0}
        optimizer = make_optimizer(module, values)
        module.weight.grad = torch.zeros(1, 1)
        optimizer.step()
        # A zero gradient: AdamW shrinks by rate × decay; Adam's step is its rate whatever the gradient.
        expected = 2.0 * (1 - 0.05) if decoupled or name == "sgd" else 1.9
        assert module.weight.item() == pytest.approx(expected, rel=1e-5), name


def test_momentum_and_nesterov_reach_sgd() -> None:
    values = VALUES | {"optimizer": "sgd", "momentum": 0.7, "nesterov": True}
    group = make_optimizer(nn.Linear(2, 2), values).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.7, True)
    without = make_optimizer(nn.Linear(2, 2), values | {"momentum": 0.0}).param_groups[0]
    assert without["nesterov"] is False


def test_l1_adds_the_sign_of_the_weights() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, -2.0, 0.0]]))
    weight.grad = torch.ones_like(weight)
    add_sign([weight], 0.25)
    assert weight.grad.tolist() == [[1.25, 0.75, 1.0]]


def test_l1_makes_weights_small(make_spec: Any, new_trial: Any) -> Any:
    def mean_weight(l1: Any) -> Any:
        task = make_task(make_spec("mlp", "wine", l1=l1, learning_rate=0.01))
        trial = new_trial(max_epochs=15)
        task.train({}, trial)
        import safetensors.numpy

        tensors = safetensors.numpy.load(trial.model)
        return np.mean([np.abs(a).mean() for n, a in tensors.items() if n.endswith("weight")])

    assert mean_weight(0.01) < 0.5 * mean_weight(0.0)


@settings(deadline=None)
@given(
    schedule=st.sampled_from(SCHEDULES),
    epochs=st.integers(1, 50),
    warmup=st.integers(0, 10),
    final=st.floats(1e-4, 1.0),
    at=st.floats(0, 1),
)
def test_schedules_stay_between_final_and_one(
    schedule: Any, epochs: Any, warmup: Any, final: Any, at: Any
) -> None:
    factor = learning_rate_factor(
        schedule, epoch=at * epochs, epochs=epochs, warmup_epochs=warmup, final=final
    )
    assert 0 < factor <= 1
    if at * epochs >= warmup:
        assert factor >= final - 1e-12


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_begin_at_one_fall_and_end_at_final(schedule: Any) -> Any:
    def factor(epoch: Any) -> Any:
        return learning_rate_factor(schedule, epoch=epoch, epochs=12, warmup_epochs=3, final=0.01)

    assert [factor(e) for e in (0, 1.5)] == [1e-3, 0.5]
    assert factor(3) == 1
    course = [factor(3 + 9 * i / 100) for i in range(101)]
    assert all(a >= b for a, b in pairwise(course))
    assert course[-1] == pytest.approx(1.0 if schedule == "constant" else 0.01)
    if schedule == "step":
        assert sorted({round(c, 6) for c in course}) == [0.01, 0.1, 1.0]


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ("wine", {"optimizer": "sgd", "learning_rate": 10.0, "momentum": 0.99}),
        ("diabetes", {"optimizer": "sgd", "learning_rate": 10.0, "momentum": 0.99}),
        ("digits", {"optimizer": "rmsprop", "learning_rate": 10.0}),
    ],
)
def test_a_diverging_training_ends_at_once(data: Any, values: Any, make_spec: Any, new_trial: Any) -> None:
    trial = new_trial(max_epochs=100)
    with pytest.raises(Diverged, match="lower the learning rate"):
        make_task(make_spec("mlp", data)).train(values, trial)
    assert len(trial.reports) < 5
    assert trial.model is None


def test_patience_stops_and_the_best_weights_come_back(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "wine", "log_loss", patience=3, width=128, learning_rate=0.03))
    trial = new_trial(max_epochs=200)
    metrics = task.train({}, trial)
    losses = [m["log_loss"] for _, m in trial.reports]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < 200
    assert metrics["log_loss"] == pytest.approx(losses[best], rel=1e-5)
    assert metrics["log_loss"] < losses[-1]


def test_without_patience_all_epochs_are_trained(make_spec: Any, new_trial: Any) -> None:
    trial = new_trial(max_epochs=30)
    make_task(make_spec("mlp", "wine", patience=0, learning_rate=0.03)).train({}, trial)
    assert len(trial.reports) == 30


def test_twenty_epochs_where_the_budget_names_none(make_spec: Any, new_trial: Any) -> None:
    trial = new_trial(max_epochs=None)
    make_task(make_spec("mlp", "wine", patience=0)).train({}, trial)
    assert len(trial.reports) == 20


def test_balanced_classes_raise_recall(make_spec: Any, new_trial: Any) -> Any:
    def recall(class_weight: Any) -> Any:
        task = make_task(make_spec("mlp", "titanic", "log_loss", class_weight=class_weight))
        return task.train({}, new_trial(max_epochs=10))["recall"]

    assert recall("balanced") > recall("none")


@pytest.mark.parametrize("batch_size", [2, 7, 21, 105, 106, 4096])
def test_any_batch_size_works_with_batch_norm(batch_size: Any, make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "wine", batch_norm=True, batch_size=batch_size))
    assert len(task.splits.train) == 106  # of which 105 leaves a last batch of one
    assert math.isfinite(task.train({}, new_trial(max_epochs=2))["log_loss"])


def test_the_first_predictive_objective_chooses_the_best_epoch(make_spec: Any) -> None:
    from satisfice.spec.study import Objective
    from satisfice.train.scoring import monitored

    spec = make_spec("mlp", "wine", "log_loss")
    assert monitored(spec, "classification") == ("log_loss", -1.0)
    object.__setattr__(spec, "objectives", (Objective(metric="latency_ms", direction="minimize"),))
    assert monitored(spec, "classification") == ("accuracy", 1.0)
    assert monitored(spec, "regression") == ("r2", 1.0)


@pytest.mark.parametrize("wanted", ["gpu", "cuda:99", "cuda:-2", "meta", "cpu:x"])
def test_a_device_that_is_not_there_is_refused_before_a_trial_fails(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", wanted)
    with pytest.raises(InputError, match=f"SATISFICE_DEVICE = '{wanted}'"):
        choose_device()


def test_the_device_is_the_one_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")
    assert choose_device() == torch.device("cpu")
    monkeypatch.delenv("SATISFICE_DEVICE")
    assert choose_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_training_leaves_torch_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        return torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.get_rng_state().tolist()

    before = state()
    with isolated(3, before[0] + 1, torch.device("cpu")):  # type: ignore[operator]
        assert torch.backends.cudnn.deterministic
        torch.rand(2)
    assert state() == before
