"""Pictures on the command line: what a run says of those that it leaves out."""

from __future__ import annotations

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


def test_broken_pictures_are_counted_in_what_a_run_says(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "cat" / "1.png").write_bytes(b"no picture")
    data = FOLDER + "\nskip_broken = true\nsize = 8"
    Path("s.toml").write_text(STUDY.format(data=data, family="mlp", space=""))
    with pytest.raises(SystemExit) as ended:
        main(["run", "s.toml"])
    assert ended.value.code == 0
    assert "1 of 16 pictures cannot be read and are left out ('cat/1.png')" in capsys.readouterr().err
