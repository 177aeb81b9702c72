"""Networks that start wider than they ship."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.train import make_task as make_any_task
from satisfice.train.networks.network import build, to_arrays
from satisfice.train.networks.plan import (
    Conv,
    Linear,
    cnn_plan,
    mlp_plan,
    shipped_tensors,
)
from satisfice.train.networks.pruning import cut, to_be_cut

make_task: Any = make_any_task  # its families' own methods are under test

plans = st.one_of(
    st.builds(
        mlp_plan,
        shape=st.sampled_from([(5,), (1, 4, 4)]),
        outputs=st.integers(1, 4),
        hidden_layers=st.integers(0, 3),
        width=st.integers(1, 9),
        activation=st.just("relu"),
        batch_norm=st.booleans(),
        dropout=st.sampled_from([0.0, 0.5]),
    ),
    st.builds(
        cnn_plan,
        shape=st.sampled_from([(1, 8, 8), (3, 5, 9)]),
        outputs=st.integers(1, 4),
        blocks=st.integers(1, 3),
        channels=st.integers(1, 4),
        growth=st.sampled_from([1.0, 2.0]),
        convolutions=st.integers(1, 2),
        kernel_size=st.sampled_from([1, 3]),
        head=st.sampled_from(["flatten", "average"]),
        width=st.sampled_from([0, 5]),
        activation=st.just("relu"),
        batch_norm=st.booleans(),
        dropout=st.sampled_from([0.0, 0.5]),
    ),
)


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


def items(plan: Any, n: int) -> torch.Tensor:
    first = next(layer for layer in plan if isinstance(layer, Linear | Conv))
    if isinstance(first, Conv):
        return torch.randn(n, first.inputs, first.height, first.width)
    return torch.randn(n, first.inputs)


@settings(max_examples=80, deadline=None)
@given(plans, st.sampled_from([0.25, 0.5, 0.9]))
def test_a_plan_is_widened_by_its_hidden_layers_and_cut_back(plan: Any, share: float) -> None:
    whole = to_be_cut(plan, share)
    narrow, wide = ([layer for layer in p if isinstance(layer, Linear | Conv)] for p in (plan, whole))
    hidden = [layer.outputs for layer in narrow[:-1]]
    assert [layer.outputs for layer in wide[:-1]] == [round(units / (1 - share)) for units in hidden]
    assert wide[-1].outputs == narrow[-1].outputs
    assert wide[0].inputs == narrow[0].inputs
    module = build(whole)
    module.train()(items(whole, 4))  # whatever does not fit together raises
    module = build(plan)
    module.load_state_dict(cut(build(whole).state_dict(), whole, plan))
    assert {name: array.shape for name, array in to_arrays(module).items()} == shipped_tensors(plan)


@settings(max_examples=80, deadline=None)
@given(plans, st.sampled_from([0.25, 0.5, 0.9]), st.integers(0, 2**31))
def test_units_without_weights_are_what_is_cut(plan: Any, share: float, seed: int) -> None:
    """Then the cut network says what the whole one says: rows, columns and statistics belong together."""
    torch.manual_seed(seed)
    whole = to_be_cut(plan, share)
    module = build(whole)
    module.train()(items(whole, 8))
    module.eval()
    rng = np.random.default_rng(seed)
    layers = [layer for layer in module if hasattr(layer, "weight")]
    hidden = [layer for layer in whole if isinstance(layer, Linear | Conv)][:-1]
    kept = [layer for layer in plan if isinstance(layer, Linear | Conv)][:-1]
    with torch.no_grad():
        at = 0
        for wide, narrow in zip(hidden, kept, strict=True):
            idle = torch.from_numpy(rng.permutation(wide.outputs)[narrow.outputs :].copy())
            normed = at + 1 < len(layers) and isinstance(
                layers[at + 1], torch.nn.modules.batchnorm._BatchNorm
            )
            own = layers[at : at + 1 + normed]
            for layer in own:
                layer.weight[idle] = 0  # type: ignore[operator]
                if layer.bias is not None:
                    layer.bias[idle] = 0  # type: ignore[operator]
            if normed:
                own[1].weight[idle] = 0  # type: ignore[operator]
            at += len(own)
            leading_out: Any = layers[at].weight
            leading_out.reshape(len(leading_out), wide.outputs, -1)[:, idle] = 0
    narrow_module = build(plan)
    narrow_module.load_state_dict(cut(module.state_dict(), whole, plan))
    x = items(plan, 5)
    assert torch.allclose(narrow_module.eval()(x), module(x), atol=1e-5)


def test_the_heaviest_units_stay_in_their_order() -> None:
    plan = mlp_plan(
        shape=(1,), outputs=1, hidden_layers=1, width=2, activation="relu", batch_norm=False, dropout=0.0
    )
    whole = to_be_cut(plan, 0.5)
    state = {
        "0.weight": torch.tensor([[1.0], [-4.0], [0.5], [2.0]]),
        "0.bias": torch.tensor([10.0, 20.0, 30.0, 40.0]),
        "2.weight": torch.tensor([[0.0, 0.0, -9.0, 1.0]]),
        "2.bias": torch.tensor([7.0]),
    }
    found = cut(state, whole, plan)  # sums 1, 4, 9.5, 3: a bias weighs nothing
    assert found["0.weight"].tolist() == [[-4.0], [0.5]]
    assert found["0.bias"].tolist() == [20.0, 30.0]
    assert found["2.weight"].tolist() == [[0.0, -9.0]]
    assert found["2.bias"].tolist() == [7.0]


CASES = [
    ("mlp", "wine", {"hidden_layers": 2, "width": 6, "batch_norm": True}),
    ("mlp", "diabetes", {"hidden_layers": 1, "width": 5}),
    ("cnn", "digits", {"channels": 3, "width": 8, "batch_norm": True}),
    ("cnn", "digits", {"channels": 3, "width": 0, "head": "average"}),
]


@pytest.mark.parametrize(("family", "data", "params"), CASES)
def test_what_ships_is_the_named_architecture(
    family: str, data: str, params: Any, make_spec: Any, new_trial: Any
) -> None:
    task = make_task(make_spec(family, data, prune=0.5, patience=0))
    assert task.architecture(params) == make_task(make_spec(family, data)).architecture(params)
    known = task.profile(params)
    trial = new_trial(max_epochs=5)
    metrics = task.train(params, trial)
    assert len(trial.model) == known["size_bytes"] == metrics["size_bytes"]
    assert [step for step, _ in trial.reports] == [1, 2, 3, 4, 5]


def test_the_best_epoch_after_the_cut_ships(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "wine", "log_loss", prune=0.8, patience=0, width=3, learning_rate=0.02))
    trial = new_trial(max_epochs=11)
    metrics = task.train({}, trial)
    losses = [m["log_loss"] for _, m in trial.reports]
    assert metrics["log_loss"] == pytest.approx(min(losses[5:]), rel=1e-5)


def test_patience_in_the_first_part_brings_the_cut_forward(make_spec: Any, new_trial: Any) -> None:
    fixed = {"patience": 2, "width": 64, "learning_rate": 0.03}
    plain, trial = new_trial(max_epochs=200), new_trial(max_epochs=200)
    make_task(make_spec("mlp", "wine", "log_loss", **fixed, hidden_layers=1)).train({}, plain)
    task = make_task(make_spec("mlp", "wine", "log_loss", **fixed, hidden_layers=1, prune=0.5))
    metrics = task.train({}, trial)
    losses = [m["log_loss"] for _, m in trial.reports]
    first = next(i for i in range(3, 100) if int(np.argmin(losses[:i])) + 1 + 2 == i)
    assert first < len(losses) < 100  # half of the epochs were never reached
    assert metrics["log_loss"] == pytest.approx(min(losses[first:]), rel=1e-5)
    assert len(losses) == first + int(np.argmin(losses[first:])) + 1 + 2


def test_one_epoch_trains_the_named_network_at_once(make_spec: Any, new_trial: Any) -> None:
    plain, pruned = new_trial(max_epochs=1), new_trial(max_epochs=1)
    make_task(make_spec("mlp", "wine")).train({}, plain)
    make_task(make_spec("mlp", "wine", prune=0.5)).train({}, pruned)
    assert plain.model == pruned.model


@pytest.mark.parametrize(("family", "data", "params"), CASES)
@pytest.mark.parametrize("die_at", [2, 3, 4, 6])
def test_a_killed_training_goes_on_bit_for_bit_before_and_after_the_cut(
    family: str, data: str, params: Any, die_at: int, make_spec: Any, new_trial: Any, killed: Any
) -> None:
    fixed = {"prune": 0.5, "patience": 0, "dropout": 0.1, "compression": "int4"}
    task = make_task(make_spec(family, data, **fixed))
    task.checkpoint_seconds = 0.0
    whole, trial = new_trial(max_epochs=6), new_trial(max_epochs=6, die_at=die_at)
    task.train(params, whole)
    with pytest.raises(killed):
        task.train(params, trial)
    trial.die_at = None
    task.train(params, trial)
    assert trial.model == whole.model
    assert dict(trial.without_times()) == dict(whole.without_times())


def test_without_hidden_layers_there_is_nothing_to_cut(make_spec: Any, new_trial: Any) -> None:
    plain, pruned = new_trial(), new_trial()
    make_task(make_spec("mlp", "wine", hidden_layers=0)).train({}, plain)
    make_task(make_spec("mlp", "wine", hidden_layers=0, prune=0.5)).train({}, pruned)
    assert plain.model == pruned.model
