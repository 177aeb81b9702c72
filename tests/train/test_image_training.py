"""Images in other sizes, altered at random, and averaged weights: seeded, and taken up again to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from satisfice.data.pictures.resize import resize
from satisfice.ship.safetensors_file import read as read_file
from satisfice.train import TRAINERS
from satisfice.train import make_task as make_any_task
from satisfice.train.networks.augment import Augmentation
from satisfice.train.networks.averaging import Averaging, first_averaged_epoch

make_task: Any = make_any_task  # its families' own methods are under test
VALUES = {name: h.default for name, h in TRAINERS.get("cnn").hyperparameters.items()}
KINDS = ("augment_flips", "augment_shifts", "augment_crops", "augment_colour", "augment_mixup")
NONE = {name: "none" if name == "augment_flips" else False for name in KINDS}
SMALL: dict[str, Any] = {"channels": 2, "width": 0, "batch_norm": True, "dropout": 0.1}


@pytest.fixture(autouse=True)
def _on_cpu(monkeypatch: Any) -> None:
    monkeypatch.setenv("SATISFICE_DEVICE", "cpu")


def altered(x: torch.Tensor, strength: float = 1.0, seed: int = 3, **kinds: Any) -> torch.Tensor:
    return Augmentation(VALUES | NONE | {"augment": strength} | kinds, seed).images(x)


IMAGES = torch.randn(64, 3, 8, 10, generator=torch.Generator().manual_seed(0))


def test_flips_mirror_half_of_the_images_and_nothing_else() -> None:
    found = altered(IMAGES, augment_flips="horizontal")
    same = torch.isclose(found, IMAGES, atol=1e-5).flatten(1).all(1)
    mirrored = torch.isclose(found, IMAGES.flip(3), atol=1e-5).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 16 <= int(mirrored.sum()) <= 48
    upside_down = altered(IMAGES, augment_flips="both")
    assert torch.isclose(upside_down, IMAGES.flip(2), atol=1e-5).flatten(1).all(1).any()


def test_shifts_and_crops_keep_the_range_of_the_pixels() -> None:
    for kind in ("augment_shifts", "augment_crops"):
        found = altered(IMAGES, **{kind: True})
        assert found.shape == IMAGES.shape
        assert not torch.isclose(found, IMAGES).flatten(1).all(1).any()
        assert (found.amax(dim=(2, 3)) <= IMAGES.amax(dim=(2, 3)) + 1e-5).all()
        assert (found.amin(dim=(2, 3)) >= IMAGES.amin(dim=(2, 3)) - 1e-5).all()
    even = torch.full((5, 1, 6, 6), 2.0)
    assert torch.allclose(altered(even, augment_shifts=True, augment_crops=True), even)


def test_colour_changes_each_channel_as_a_whole() -> None:
    found = altered(IMAGES, augment_colour=True)
    for image, other in zip(IMAGES[:8], found[:8], strict=True):
        for channel, changed in zip(image, other, strict=True):
            gain = (changed.max() - changed.min()) / (channel.max() - channel.min())
            assert 0.5 <= gain <= 1.5
            assert torch.allclose(changed, gain * channel + (changed - gain * channel).mean(), atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(strength=st.floats(1e-6, 1.0), n=st.integers(2, 9), seed=st.integers(0, 2**63 - 1))
def test_mixup_pairs_images_in_shares(strength: float, n: int, seed: int) -> None:
    found = Augmentation(VALUES | NONE | {"augment": strength, "augment_mixup": True}, seed).pairs(n)
    assert found is not None
    assert sorted(found[0].tolist()) == list(range(n))
    assert 0 <= found[1] <= 1


def test_a_little_strength_alters_little() -> None:
    kinds = {"augment_shifts": True, "augment_crops": True, "augment_colour": True}
    smooth = torch.linspace(0, 1, 100).reshape(1, 1, 10, 10).repeat(8, 1, 1, 1)
    changes = [float((altered(smooth, a, **kinds) - smooth).abs().mean()) for a in (0.01, 0.2, 1.0)]
    assert changes[0] < 0.02 < changes[2]
    assert changes == sorted(changes)


def test_the_seed_decides() -> None:
    kinds = {"augment_shifts": True, "augment_colour": True}
    assert torch.equal(altered(IMAGES, seed=5, **kinds), altered(IMAGES, seed=5, **kinds))
    assert not torch.equal(altered(IMAGES, seed=5, **kinds), altered(IMAGES, seed=6, **kinds))


def test_without_strength_the_kinds_change_nothing(make_spec: Any, new_trial: Any) -> None:
    plain, named = new_trial(max_epochs=2), new_trial(max_epochs=2)
    task = make_task(make_spec("cnn", "digits")).on_few_rows()
    task.train(SMALL, plain)
    task.train(SMALL | NONE, named)
    assert plain.model == named.model
    table, other = new_trial(max_epochs=2), new_trial(max_epochs=2)
    make_task(make_spec("mlp", "wine")).train({}, table)
    make_task(make_spec("mlp", "wine")).train({"augment": 0.7, "image_size": 16}, other)
    assert table.model == other.model  # of tables


@pytest.mark.parametrize(
    "params",
    [
        {"augment": 0.5},
        {"averaging": "ema"},
        {"averaging": "swa"},
        {"augment": 0.3, "averaging": "swa", "compression": "int4", "image_size": 6},
        {"averaging": "ema", "compression": "int4", "prune": 0.3},
    ],
)
@pytest.mark.parametrize("die_at", [2, 5])
def test_a_killed_training_goes_on_bit_for_bit(
    params: dict[str, Any], die_at: int, make_spec: Any, new_trial: Any, killed: Any
) -> None:
    ship = {"ship": "onnx"} if "compression" in params else {}
    task = make_task(make_spec("cnn", "digits", patience=0, **ship))
    task = task.on_few_rows()
    task.checkpoint_seconds = 0.0
    whole, trial = new_trial(max_epochs=5), new_trial(max_epochs=5, die_at=die_at)
    task.train(SMALL | params, whole)
    with pytest.raises(killed):
        task.train(SMALL | params, trial)
    trial.die_at = None
    task.train(SMALL | params, trial)
    assert trial.model == whole.model
    assert dict(trial.without_times()) == dict(whole.without_times())


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_reports_are_of_the_weights_that_would_ship(averaging: str, make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("cnn", "digits", "log_loss", averaging=averaging, patience=0)).on_few_rows()
    trial, plain = new_trial(max_epochs=6), new_trial(max_epochs=6)
    metrics = task.train(SMALL, trial)
    told = [m["log_loss"] for _, m in trial.reports]
    late = told[first_averaged_epoch(6) :] if averaging == "swa" else told
    assert metrics["log_loss"] == pytest.approx(min(late), rel=1e-5)
    task.train(SMALL | {"averaging": "none"}, plain)
    same = [
        a["log_loss"] == b["log_loss"] for (_, a), (_, b) in zip(trial.reports, plain.reports, strict=True)
    ]
    assert same == [epoch < first_averaged_epoch(6) and averaging == "swa" for epoch in range(6)]
    assert trial.model != plain.model


def test_swa_is_the_mean_of_the_last_epochs() -> None:
    module: Any = nn.Linear(2, 1)
    averaging = Averaging("swa", module, epochs=8, steps=3)
    seen = []
    for epoch in range(8):
        with torch.no_grad():
            module.weight.fill_(float(epoch))
        averaging.after_step()
        averaging.after_epoch(epoch)
        seen.append(averaging.counts(epoch))
    assert seen == [False] * 6 + [True] * 2
    inside: Any = averaging.module
    assert inside.weight.tolist() == [[6.5, 6.5]]


def test_ema_follows_and_forgets() -> None:
    module: Any = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    averaging = Averaging("ema", module, epochs=8, steps=20)
    for step in range(300):
        with torch.no_grad():
            module[0].weight.fill_(0.0 if step < 100 else 1.0)
            module[1].running_mean.fill_(0.0 if step < 100 else 2.0)
        averaging.after_step()
        inside: Any = averaging.module
        weight = inside[0].weight.max().item()
        assert weight == 0 if step < 100 else 0 < weight <= 1
    assert weight > 0.999
    assert float(inside[1].running_mean) > 1.99


def test_statistics_of_batch_norm_are_those_of_the_averaged_network() -> None:
    module: Any = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    averaging = Averaging("swa", module, epochs=1, steps=3)
    averaging.after_epoch(0)
    x = torch.randn(1025, 3)  # of which the last chunk would be a single item
    averaging.renew_statistics(x)
    inside: Any = averaging.module
    assert torch.allclose(inside[1].running_mean, inside[0](x).mean(0), atol=1e-2)
    assert module[1].running_mean.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("family", "data"), [("cnn", "digits"), ("mlp", "digits")])
@pytest.mark.parametrize("size", [6, 11])
@pytest.mark.parametrize("ship", ["onnx", "safetensors"])
def test_a_size_of_images_is_learnt_and_shipped(
    family: str, data: str, size: int, ship: str, make_spec: Any, new_trial: Any, tmp_path: Path
) -> None:
    task = make_task(make_spec(family, data, ship=ship, learning_rate=0.01))
    params = {"image_size": size, "width": 16}
    told = task.profile(params)
    trial = new_trial(max_epochs=3)
    metrics = task.train(params, trial)
    assert metrics["size_bytes"] == told["size_bytes"] == trial.shipped(task, tmp_path).stat().st_size
    assert metrics["accuracy"] > 0.5
    assert task.splits_of(params).train.x.shape[1:] == (1, size, size)
    raw = task.splits.raw_test.items
    assert (task.splits_of(params).raw_test.items == resize(raw, size, size)).all()
    model = task.load_model(params, tmp_path / f"model.{ship}")
    assert task.score_test(params, model)["accuracy"] > 0.5
    if ship == "safetensors":
        assert model.header.preprocessor.kept == (8, 8)
        assert (model.predict(raw) == model.predict(resize(raw, size, size))).all()
        assert read_file(tmp_path / "model.safetensors")[0].architecture["image_size"] == size


def test_a_size_decides_what_is_known_before_training(make_spec: Any) -> None:
    task = make_task(make_spec("cnn", "digits", ship="onnx"))
    small, own, large = (task.profile({"image_size": size}) for size in (4, 0, 16))
    assert small["flops"] < own["flops"] < large["flops"]
    assert small["size_bytes"] < own["size_bytes"] < large["size_bytes"]
    keys = [task.measured_as({"image_size": size}, "latency") for size in (4, 0, 16)]
    assert len({repr(key) for key in keys}) == 3
    assert task.architecture({"image_size": 8}) == task.architecture({})  # digits have 8
    assert task.measured_as({"image_size": 8}, "latency") == keys[1]


def test_calls_that_are_timed_take_images_of_the_size(make_spec: Any) -> None:
    for ship in ("onnx", "safetensors"):
        task = make_task(make_spec("cnn", "digits", ship=ship))
        for params in ({"image_size": 5}, {"image_size": 16}):
            for call in (task.predictor(params, batch=3), task.pipeline(params)):
                assert call is not None
                call()
    assert np.shape(task.example_input({"image_size": 5})) == (1, 1, 5, 5)


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_averages_follow_a_training_on_the_full_batch(averaging: str, make_spec: Any, new_trial: Any) -> None:
    task = make_task(make_spec("mlp", "wine", "log_loss", optimizer="lbfgs", averaging=averaging, patience=0))
    trial = new_trial(max_epochs=4)
    task.train({"batch_norm": True}, trial)
    losses = [m["log_loss"] for _, m in trial.reports]
    assert len(set(losses)) == 4
    assert min(losses) < 0.7 * float(np.log(3))
