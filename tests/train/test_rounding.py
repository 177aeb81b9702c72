"""Training aware of four bits: the same numbers as the file's, and a training that goes by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.precision import INT4_BLOCK, by_block, weight
from satisfice.ship.runtime import session
from satisfice.train import make_task as make_any_task
from satisfice.train.networks.rounding import Int4Rounding, first_aware_epoch

make_task: Any = make_any_task  # its families' own methods are under test
SHAPES = [(1, 1), (3, 32), (5, 64), (7, 45), (2, 1, 3, 3), (6, 5, 3, 3), (4, 32, 1, 1)]


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


def rounded_as_in_the_file(values: NDArray[Any]) -> NDArray[np.float32]:
    """What ONNX Runtime makes of the numbers and scales that an int4 file holds."""
    whole, scale = by_block(values)
    spread = np.repeat(scale[:, :, 0], INT4_BLOCK, axis=1)[:, : whole.shape[1]]
    return (whole.astype(np.float32) * spread).reshape(values.shape)


def random_weight(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Numbers of many sizes, of which some lie just between two that int4 has."""
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=shape) * 10.0 ** rng.integers(-6, 3, size=shape)).astype(np.float32)
    halves = (rng.integers(-14, 15, size=shape) / 2).astype(np.float32)
    halves.reshape(len(halves), -1)[:, 0] = 7
    chosen: NDArray[np.float32] = np.where(
        rng.random(len(values)).reshape(-1, *[1] * (len(shape) - 1)) < 0.5, values, halves
    )
    return chosen


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 1.0]))
def test_torch_rounds_as_the_file_to_the_bit(seed: int, scale: float) -> None:
    arrays = [random_weight(shape, seed + i) * np.float32(scale) for i, shape in enumerate(SHAPES)]
    rounding = Int4Rounding([nn.Parameter(torch.from_numpy(array)) for array in arrays])
    for array, ours in zip(arrays, rounding.rounded(), strict=True):
        assert ours.numpy().tobytes() == rounded_as_in_the_file(array).tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_runtime_reads_the_same_numbers_from_a_file(shape: tuple[int, ...]) -> None:
    from onnx import TensorProto

    array = random_weight(shape, 4)
    graph = Graph()
    x = graph.input("x", TensorProto.FLOAT, list(shape))
    graph.output(graph.op("Add", x, weight(graph, array, "int4")), "y", TensorProto.FLOAT, None)
    (read,) = session(graph.serialized({})).run(None, {"x": np.zeros(shape, np.float32)})
    (ours,) = Int4Rounding([nn.Parameter(torch.from_numpy(array))]).rounded()
    assert np.array_equal(read, ours.numpy())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(SHAPES), st.booleans())
def test_rounding_commutes_with_a_factor_of_each_row(seed: int, shape: Any, powers: bool) -> None:
    """As batch normalisation is folded in: also with factors below zero, and exactly with powers of two."""
    rng = np.random.default_rng(seed)
    values = random_weight(shape, seed).astype(np.float64)
    size = 2.0 ** rng.integers(-5, 5, size=shape[0]) if powers else rng.uniform(0.01, 30, size=shape[0])
    factor = (size * rng.choice([-1, 1], size=shape[0])).reshape(-1, *[1] * (len(shape) - 1))
    before, after = rounded_as_in_the_file(values) * factor, rounded_as_in_the_file(values * factor)
    if powers:
        assert np.array_equal(before, after)
        return
    _, scale = by_block(values)
    spread = np.repeat(scale[:, :, 0], INT4_BLOCK, axis=1)[:, : values[0].size].reshape(shape)
    off = np.abs(values / spread % 1 - 0.5)  # float32 scales differ in their last bit, which decides ties
    sure = off > 1e-5
    assert sure.any()
    assert np.allclose(before[sure], after[sure], rtol=1e-6, atol=0)


def test_weights_are_their_own_again_and_gradients_go_to_them() -> None:
    torch.manual_seed(1)
    conv, dense = nn.Conv2d(2, 3, 3), nn.Linear(3, 4)
    weights = [conv.weight, dense.weight]
    own = [each.detach().clone() for each in weights]
    rounding = Int4Rounding(weights)
    expected = rounding.rounded()
    x = torch.randn(5, 2, 3, 3)
    with rounding.applied():
        assert all(torch.equal(got, value) for got, value in zip(weights, expected, strict=True))
        dense(conv(x).flatten(1)).square().sum().backward()
    assert all(torch.equal(got, value) for got, value in zip(weights, own, strict=True))
    wanted = [value.clone().requires_grad_() for value in expected]
    hidden = functional.conv2d(x, wanted[0], conv.bias).flatten(1)
    functional.linear(hidden, wanted[1], dense.bias).square().sum().backward()  # type: ignore[no-untyped-call]
    for got, value in zip(weights, wanted, strict=True):
        assert got.grad is not None
        assert value.grad is not None
        assert torch.equal(got.grad, value.grad)


def test_weights_are_their_own_again_after_an_error() -> None:
    given = nn.Parameter(torch.randn(4, 3))
    own = given.detach().clone()
    with pytest.raises(KeyError), Int4Rounding([given]).applied():
        raise KeyError
    assert torch.equal(given, own)


def test_the_last_third_is_aware_and_of_few_epochs_at_least_one() -> None:
    assert [epochs - first_aware_epoch(epochs) for epochs in (1, 2, 3, 6, 20, 30)] == [1, 1, 1, 2, 7, 10]


CASES = [
    ("mlp", "digits", {"hidden_layers": 1, "width": 40, "batch_norm": True}),
    ("mlp", "diabetes", {"hidden_layers": 2, "width": 8}),
    ("cnn", "digits", {"channels": 4, "width": 8, "batch_norm": True}),
]


@pytest.mark.parametrize(("family", "data", "params"), CASES)
def test_the_best_epoch_of_the_aware_part_ships(
    family: str, data: str, params: Any, make_spec: Any, new_trial: Any
) -> None:
    objective = "rmse" if data == "diabetes" else "log_loss"
    fixed = {"compression": "int4", "patience": 0, "learning_rate": 0.01}
    task = make_task(make_spec(family, data, objective, ship="onnx", **fixed))
    trial = new_trial(max_epochs=6)
    metrics = task.train(params, trial)  # of the file's own answers
    seen = [m[objective] for _, m in trial.reports]
    start = first_aware_epoch(6)
    # A float network that is better must not be chosen: only rounded weights were scored from here on.
    assert metrics[objective] == pytest.approx(min(seen[start:]), rel=1e-4)

    plain = new_trial(max_epochs=6)
    make_task(make_spec(family, data, objective, patience=0, learning_rate=0.01)).train(params, plain)
    assert plain.without_times()[:start] == trial.without_times()[:start]
    assert plain.without_times()[start] != trial.without_times()[start]


def test_patience_that_ends_before_the_aware_part_keeps_the_best_epoch(
    make_spec: Any, new_trial: Any
) -> None:
    spec = make_spec("mlp", "wine", "log_loss", compression="int4", patience=1, width=128, learning_rate=0.03)
    task, trial = make_task(spec), new_trial(max_epochs=300)
    metrics = task.train({}, trial)
    losses = [m["log_loss"] for _, m in trial.reports]
    assert len(losses) < first_aware_epoch(300)
    assert metrics["log_loss"] == pytest.approx(min(losses), rel=1e-5)


def test_patience_counts_anew_in_the_aware_part(make_spec: Any, new_trial: Any) -> None:
    spec = make_spec(
        "mlp", "wine", "log_loss", compression="int4", patience=2, width=128, learning_rate=0.002
    )
    trial = new_trial(max_epochs=24)
    make_task(spec).train({}, trial)
    losses = [m["log_loss"] for _, m in trial.reports]
    start = first_aware_epoch(24)
    assert min(losses[:start]) < min(losses[start:])  # of float weights, which no longer count
    best = start + int(np.argmin(losses[start:]))
    assert len(losses) == best + 1 + 2 < 24


@pytest.mark.parametrize(("family", "data", "params"), CASES)
@pytest.mark.parametrize("die_at", [2, 5, 6])
def test_a_killed_aware_training_goes_on_bit_for_bit(
    family: str, data: str, params: Any, die_at: int, make_spec: Any, new_trial: Any, killed: Any
) -> None:
    task = make_task(make_spec(family, data, compression="int4", patience=0, l1=1e-4, dropout=0.1))
    task.checkpoint_seconds = 0.0
    whole = new_trial(max_epochs=6)
    task.train(params, whole)
    trial = new_trial(max_epochs=6, die_at=die_at)
    with pytest.raises(killed):
        task.train(params, trial)
    trial.die_at = None
    task.train(params, trial)
    assert trial.model == whole.model
    assert dict(trial.without_times()) == dict(whole.without_times())
