"""Backbones: exact counts, folded weights, and weights files that are refused."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from satisfice.errors import BadArtefact, InputError, MissingExtra
from satisfice.train.backbones import efficientnet_lite0
from satisfice.train.backbones.backbone import (
    BACKBONES,
    BackboneStage,
    Convolution,
    cut,
    features_shape,
    flops,
    n_parameters,
    padding,
)
from satisfice.train.backbones.features import of_stages
from satisfice.train.backbones.weights import fold, read

LITE0 = BACKBONES.get("efficientnet_lite0")


def layers(stages: tuple[BackboneStage, ...]) -> Iterator[Convolution]:
    for stage in stages:
        yield from stage.convolutions


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """Weights of the right shapes under the names of the file."""
    draw = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for layer in layers(LITE0.stages):
        fan_in = layer.shape[1] * layer.kernel**2
        state[f"{layer.weights}.weight"] = torch.randn(layer.shape, generator=draw) / fan_in**0.5
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{layer.norm}.{part}"] = 0.5 + torch.rand(layer.outputs, generator=draw)
    return state


@settings(max_examples=10, deadline=None)
@given(k=st.integers(1, 16), size=st.sampled_from([16, 28, 32, 45, 64]), channels=st.sampled_from([1, 3]))
def test_counts_equal_torchs_own(k: int, size: int, channels: int) -> None:
    stages = cut(LITE0, k, channels)
    folded = fold(LITE0, stages, random_state())
    assert n_parameters(stages) == sum(w.numel() + b.numel() for w, b in folded.values())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        *_, last = of_stages(stages, folded, torch.zeros(1, channels, size, size))
    assert flops(stages, size) == counter.get_total_flops()
    assert features_shape(stages, size) == tuple(last.shape[1:])


def test_folded_equals_convolutions_with_batch_norms() -> None:
    state = random_state()
    images = torch.rand(2, 3, 33, 33, generator=torch.Generator().manual_seed(1)) * 2 - 1
    stages = cut(LITE0, 5, 3)
    found = images.double()
    with torch.no_grad():
        for stage in stages:
            taken = found
            for layer in stage.convolutions:
                norm = nn.BatchNorm2d(layer.outputs, eps=LITE0.epsilon, dtype=torch.float64).eval()
                norm.load_state_dict(
                    {
                        part: state[f"{layer.norm}.{part}"]
                        for part in ("weight", "bias", "running_mean", "running_var")
                    },
                    strict=False,
                )
                before, behind = padding(found.shape[2], layer.kernel, layer.stride)
                found = norm(
                    nn.functional.conv2d(
                        nn.functional.pad(found, (before, behind, before, behind)),
                        state[f"{layer.weights}.weight"].double(),
                        stride=layer.stride,
                        groups=layer.inputs if layer.depthwise else 1,
                    )
                )
                found = nn.functional.relu6(found) if layer.clipped else found
            found = found + taken if stage.residual else found
        *_, last = of_stages(stages, fold(LITE0, stages, state), images)
    torch.testing.assert_close(last.double(), found, rtol=1e-4, atol=1e-4)


def test_a_grey_image_is_a_colour_image_of_three_equal_channels() -> None:
    state = random_state()
    grey = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(2)) * 2 - 1
    one, three = cut(LITE0, 3, 1), cut(LITE0, 3, 3)
    *_, narrow = of_stages(one, fold(LITE0, one, state), grey)
    *_, wide = of_stages(three, fold(LITE0, three, state), grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(narrow, wide, rtol=1e-4, atol=1e-4)


def test_the_packaged_weights_are_read() -> None:
    pytest.importorskip(efficientnet_lite0.PACKAGE)
    stages = cut(LITE0, 16, 3)
    assert len(fold(LITE0, stages, read(LITE0.weights_file()))) == 48


@pytest.mark.parametrize("k", [0, 17])
def test_stages_beyond_the_backbone_are_refused(k: int) -> None:
    with pytest.raises(InputError, match="stages may be 1 to 16"):
        cut(LITE0, k, 3)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArtefact, match=r"none\.pth: No such file"):
        read(tmp_path / "none.pth")


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"weight": Harm()}, tmp_path / "harm.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Harm()))
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "empty.pth").touch()
    for name in ("harm.pth", "plain.pth", "text.pth", "empty.pth"):
        with pytest.raises(BadArtefact, match="holds pickled objects"):
            read(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(BadArtefact, match="not those of backbone 'efficientnet_lite0'"):
        fold(LITE0, cut(LITE0, 1, 3), read(tmp_path / "other.pth"))
    wrong = random_state() | {"_conv_stem.weight": torch.zeros(32, 4, 3, 3)}
    with pytest.raises(BadArtefact, match="has shape"):
        fold(LITE0, cut(LITE0, 1, 3), wrong)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(MissingExtra, match="transfer"):
        LITE0.weights_file()
