"""Networks that learn by L-BFGS on the whole training fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from sklearn.linear_model import LogisticRegression

from satisfice.train import TRAINERS
from satisfice.train import make_task as make_any_task

make_task: Any = make_any_task  # its families' own methods are under test

EVERYTHING = {
    "optimizer": "lbfgs",
    "hidden_layers": 1,
    "width": 8,
    "dropout": 0.2,
    "batch_norm": True,
    "l1": 1e-4,
    "l2": 1e-3,
    "patience": 0,
}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


def trained(trial: Any) -> dict[str, Any]:
    """The weights that a trial kept, as they were trained."""
    return safetensors.numpy.load(trial.weights or trial.model)


def test_it_is_offered_by_mlp_alone() -> None:
    assert TRAINERS.get("mlp").hyperparameters["optimizer"].problem_with("lbfgs") is None
    assert TRAINERS.get("cnn").hyperparameters["optimizer"].problem_with("lbfgs")


def test_it_finds_the_minimum_of_a_convex_loss(make_spec: Any, new_trial: Any) -> None:
    """Without hidden layers it is logistic regression, whose minimum scikit-learn finds as well."""
    l2 = 0.1
    task = make_task(make_spec("mlp", "wine", optimizer="lbfgs", hidden_layers=0, l2=l2, patience=0))
    trial = new_trial(max_epochs=60)
    task.train({}, trial)
    data = task.splits.train
    # Ours is the mean loss + l2/2 |w|²; scikit-learn's C times the sum of the losses + |w|²/2.
    peer = LogisticRegression(C=1 / (l2 * len(data)), tol=1e-8, max_iter=10_000).fit(data.x, data.y)
    assert trial.reports[-1][1]["train_loss"] == pytest.approx(
        -np.mean(peer.predict_log_proba(data.x)[np.arange(len(data)), data.y]), rel=1e-3
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"batch_size": 7},
        {"learning_rate": 1.0},
        {"momentum": 0.1, "nesterov": False},
        {"schedule": "cosine", "final_learning_rate": 0.5},
        {"warmup_epochs": 3},
    ],
    ids=str,
)
def test_what_sets_single_steps_has_no_effect(changed: Any, make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "wine", **EVERYTHING))
    plain, other = new_trial(), new_trial()
    task.train({}, plain)
    task.train(changed, other)
    assert other.model == plain.model


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_killed_training_goes_on_bit_for_bit(
    dropout: float, make_spec: Any, new_trial: Any, killed: Any
) -> None:
    task = make_task(make_spec("mlp", "wine", **EVERYTHING | {"dropout": dropout}))
    task.checkpoint_seconds = 0.0
    whole, cut = new_trial(max_epochs=5), new_trial(max_epochs=5, die_at=4)
    task.train({}, whole)
    with pytest.raises(killed):
        task.train({}, cut)
    cut.die_at = None
    task.train({}, cut)
    assert cut.model == whole.model
    assert cut.without_times() == whole.without_times()
    assert len(cut.reports) == 5


def test_the_loss_falls_in_every_epoch_without_dropout(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "digits", **EVERYTHING | {"dropout": 0.0, "l1": 0.0, "l2": 0.0}))
    trial = new_trial(max_epochs=8)
    task.train({}, trial)
    losses = [metrics["train_loss"] for _, metrics in trial.reports]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 * losses[0]


def test_batch_norm_ships_the_statistics_of_the_training_fold(make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "wine", **EVERYTHING | {"dropout": 0.0}))
    trial = new_trial()
    task.train({}, trial)
    arrays = {name.removeprefix("model."): array for name, array in trained(trial).items()}
    first = next(name for name, array in arrays.items() if array.shape == (8, 13)).rpartition(".")[0]
    norm = next(name for name in arrays if name.endswith("running_mean")).rpartition(".")[0]
    out = task.splits.train.x @ arrays[f"{first}.weight"].T + arrays[f"{first}.bias"]
    assert arrays[f"{norm}.running_mean"] == pytest.approx(out.mean(axis=0), abs=1e-4)
    assert arrays[f"{norm}.running_var"] == pytest.approx(out.var(axis=0, ddof=1), rel=1e-3)


@pytest.mark.parametrize("values", [{"compression": "int4"}, {"prune": 0.5}, {"class_weight": "balanced"}])
def test_it_goes_with_the_other_techniques(values: Any, make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "breast_cancer", ship="onnx", **EVERYTHING))
    metrics = task.train(values, new_trial(max_epochs=6))
    assert metrics["accuracy"] > 0.85
