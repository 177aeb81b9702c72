"""Features are computed once for all stages, and shared by processes that start at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from satisfice.train.backbones.backbone import BACKBONES, BackboneStage, Convolution, cut
from satisfice.train.backbones.cache import Blocks, block_shapes, kept, name_of
from satisfice.train.backbones.features import fill, of_stages

STAGES = (
    BackboneStage((Convolution("a", "a", 1, 4, 3, 2, False, True),), residual=False),
    BackboneStage((Convolution("b", "b", 4, 4, 3, 1, True, False),), residual=True),
)
DRAW = torch.Generator().manual_seed(0)
FOLDED = {
    layer.weights: (torch.randn(layer.shape, generator=DRAW), torch.randn(4, generator=DRAW))
    for stage in STAGES
    for layer in stage.convolutions
}
IMAGES = torch.rand(130, 1, 8, 8, generator=DRAW) * 2 - 1
SHAPES = block_shapes(STAGES, 8)


# Two of these start at once; each leaves a file if it computes.
WORKER = """
import os, sys, time
from pathlib import Path
from satisfice.train.backbones.cache import kept

folder = Path(sys.argv[1])

def fill(blocks):
    (folder / f"computed-{os.getpid()}").touch()
    time.sleep(0.5)
    blocks[1, 1][:] = 7

assert (kept(folder, "some", 5, {(1, 1): (3, 1, 1)}, fill)[1, 1] == 7).all()
"""


def compute(folder: Path) -> None:
    kept(folder, "some", len(IMAGES), SHAPES, lambda blocks: fill(STAGES, FOLDED, IMAGES, blocks))


def test_kept_features_are_those_of_the_stages_pooled(tmp_path: Path) -> None:
    compute(tmp_path)
    blocks = kept(tmp_path, "some", len(IMAGES), SHAPES, lambda _: pytest.fail("computed again"))
    assert set(blocks) == {(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 4)}
    for k, made in enumerate(of_stages(STAGES, FOLDED, IMAGES), 1):
        np.testing.assert_allclose(blocks[k, 1][:, :, 0, 0], made.mean(dim=(2, 3)), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(blocks[k, 4], made, rtol=1e-5, atol=1e-5)
    assert not blocks[1, 1].flags.writeable


def test_workers_that_start_at_once_compute_once(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)]) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert len(list(tmp_path.glob("computed-*"))) == 1


def test_what_stops_half_way_leaves_nothing(tmp_path: Path) -> None:
    def stops(blocks: Blocks) -> None:
        blocks[1, 1][:] = 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, "some", len(IMAGES), SHAPES, stops)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    compute(tmp_path)
    assert (tmp_path / "some.features").is_file()


def test_other_images_or_weights_have_another_name() -> None:
    images = np.zeros((2, 1, 4, 4), np.uint8)
    names = {name_of(images, "w"), name_of(images + 1, "w"), name_of(images, "v"), name_of(images[:1], "w")}
    assert len(names) == 4


def test_grids_larger_than_a_stage_are_left_out() -> None:
    shapes = block_shapes(cut(BACKBONES.get("efficientnet_lite0"), 16, 1), 32)
    assert (4, 4) in shapes
    assert (6, 4) not in shapes
    assert shapes[16, 1] == (320, 1, 1)
