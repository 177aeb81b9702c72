"""What is wrong with pictures, on the command line: one sentence, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from satisfice.cli.main import main

STUDY = """
name = "s"
[data]
{data}
[model]
family = "{family}"
[objectives]
accuracy = "maximize"
[space]
learning_rate = {{ low = 1e-3, high = 1e-2 }}
{space}
[budget]
trials = 1
epochs = 1
"""
FOLDER = 'folder = "photos"'


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SATISFICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for at in range(8):
            image = Image.fromarray(draw.integers(0, 256, (9, 9, 3), dtype=np.uint8))
            image.save(tmp_path / "photos" / name / f"{at}.png")
    return tmp_path / "photos"


def leave(photos: Path) -> None:
    """As they are."""
    assert photos.is_dir()


def hide(photos: Path) -> None:
    photos.rename(photos.with_name("elsewhere"))


def empty(photos: Path) -> None:
    hide(photos)
    photos.mkdir()


def one_class(photos: Path) -> None:
    (photos / "dog").rename(photos / ".dog")


def broken(photos: Path) -> None:
    (photos / "cat" / "1.png").write_bytes(b"no picture")


def nameless(photos: Path) -> None:
    (photos.parent / "t.csv").write_text("path,label\n" + "photos/cat/0.png,a\nphotos/no.png,b\n" * 6)


@pytest.mark.parametrize(
    ("spoil", "data", "family", "space", "says"),
    [
        (hide, FOLDER, "cnn", "", "does not exist"),
        (empty, FOLDER, "cnn", "", "holds no folders of pictures"),
        (one_class, FOLDER, "cnn", "", "single class 'cat'"),
        (broken, FOLDER, "cnn", "", "1 of 16 pictures cannot be read: cat/1.png"),
        (nameless, 'file = "t.csv"\nimages = "path"\ntarget = "label"', "cnn", "", "such as photos/no.png"),
        (leave, FOLDER + '\ntarget = "x"', "cnn", "", "data.target: goes with file"),
        (leave, FOLDER + "\nsize = 16", "cnn", "image_size = [8, 32]", "image_size goes up to 32"),
        (leave, FOLDER, "cnn", "image_size = [0.5, 8]", "space.image_size"),
        (leave, FOLDER, "cnn", 'convolution = ["seperable"]', "space.convolution"),
        (leave, FOLDER, "cnn", "augment = { low = 0.0, high = 2.0 }", "space.augment"),
        (leave, FOLDER, "cnn", 'averaging = ["mean"]', "space.averaging"),
    ],
)
def test_one_sentence_and_nothing_written(
    photos: Path,
    spoil: Callable[[Path], None],
    data: str,
    family: str,
    space: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(photos)
    Path("s.toml").write_text(STUDY.format(data=data, family=family, space=space))
    before = {path.name for path in Path().iterdir()} | {"cache"}
    with pytest.raises(SystemExit) as ended:
        main(["run", "s.toml"])
    told = capsys.readouterr().err
    assert ended.value.code == 2, told
    assert says in told
    assert "Traceback" not in told
    assert {path.name for path in Path().iterdir()} <= before


def test_broken_pictures_are_counted_in_what_a_run_says(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(photos)
    data = FOLDER + "\nskip_broken = true\nsize = 8"
    Path("s.toml").write_text(STUDY.format(data=data, family="mlp", space=""))
    with pytest.raises(SystemExit) as ended:
        main(["run", "s.toml"])
    assert ended.value.code == 0
    assert "1 of 16 pictures cannot be read and are left out ('cat/1.png')" in capsys.readouterr().err
