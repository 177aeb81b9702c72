"""A model of a folder of pictures, shipped: pictures of any size in, the answers that training had out."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import satisfice
from satisfice.data import load
from satisfice.data.pictures.decode import pixels
from satisfice.deploy.shipped import load_shipped
from satisfice.deploy.verify import verify_folder
from satisfice.errors import InputError, StudyChanged
from satisfice.ship.folder.standalone import open_pipeline
from satisfice.spec.study import DataSpec

STUDY: dict[str, Any] = {
    "name": "pictures",
    "seed": 3,
    "model": {"family": "cnn", "channels": 4, "blocks": 1, "width": 0, "image_size": 8},
    "objectives": {"accuracy": "maximize"},
    "space": {"learning_rate": {"low": 1e-3, "high": 1e-2}},
    "budget": {"trials": 1, "epochs": 2},
}


def draw_pictures(place: Path, per_class: int = 14) -> Path:
    """Bright and dark pictures of different sizes, some of them JPEG files."""
    draw = np.random.default_rng(5)
    for code, name in enumerate(("bright", "dark")):
        (place / name).mkdir(parents=True)
        for at in range(per_class):
            high, wide = draw.integers(9, 30, 2)
            image = draw.integers(0, 160, (high, wide, 3)) + 90 * (1 - code)
            form = "jpg" if at % 3 == 0 else "png"
            Image.fromarray(image.astype(np.uint8)).save(place / name / f"{at}.{form}")
    return place


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of pictures, the data of a study of them, and its shipped folder."""
    folder = tmp_path_factory.mktemp("pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SATISFICE_CACHE", str(folder / "cache"))
        photos = draw_pictures(folder / "photos")
        data = {"folder": str(photos), "size": 16}
        study = satisfice.create_study(STUDY | {"data": data}, storage=f"sqlite:///{folder}/s.db")
        study.optimize()
        study.ship(folder / "out")
        yield photos, load(DataSpec(folder=str(photos), size=16), folder, STUDY["seed"]), folder / "out"


def test_every_way_in_gives_the_answers_that_training_had(made: Any, tmp_path: Path) -> None:
    photos, splits, out = made
    files = sorted(photos.rglob("*.*"))
    shipped = load_shipped(out)
    by_path = shipped.predict_proba(files)
    pipeline = open_pipeline(out)
    wanted = set()
    for fold in (splits.raw_train, splits.raw_valid, splits.raw_test):  # as they were kept
        wanted |= {
            row.tobytes() for row in pipeline.outputs(pipeline.feeds_of_images(fold.items))["probabilities"]
        }
    assert {row.tobytes() for row in by_path} == wanted
    assert len(wanted) == len(files)

    encoded = [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files[:4]]
    answers, _ = pipeline.answer(encoded)
    assert [tuple(a["probabilities"].values()) for a in answers] == [
        tuple(row) for row in by_path[:4].tolist()
    ]
    nested = [{"image": pixels(file.read_bytes(), 3).tolist()} for file in files[:4]]
    assert pipeline.answer(nested)[0] == answers

    printed = predict(out, files[0])
    assert json.loads(printed.stdout) == answers[0]
    np.save(tmp_path / "kept.npy", splits.raw_test.items)
    lines = predict(out, tmp_path / "kept.npy").stdout.splitlines()
    assert len(lines) == len(splits.raw_test)
    assert predict(out, "--golden").returncode == 0


def predict(out: Path, what: object) -> subprocess.CompletedProcess[bytes]:
    """What ``predict.py`` says."""
    program = [sys.executable, str(out / "predict.py"), str(what)]
    return subprocess.run(program, check=False, capture_output=True)


def test_the_study_s_file_is_what_ships(made: Any) -> None:
    _, splits, out = made
    described = json.loads((out / "model.json").read_text())
    assert described["input"] == {"kind": "image", "shape": [3, 8, 8], "dtype": "uint8", "kept": [16, 16]}
    assert set(described["classes"]) == {"bright", "dark"}
    assert verify_folder(out).holds is not False
    card = (out / "README.md").read_text()
    assert "pictures of any size" in card
    assert "The folder `photos`" in card
    assert "python predict.py photo.png  # needs numpy, onnxruntime and pillow" in card
    assert splits.preprocessor.kept == (16, 16)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n half of it"])
def test_what_is_no_picture_is_one_sentence(made: Any, content: bytes, tmp_path: Path) -> None:
    *_, out = made
    (tmp_path / "bad.png").write_bytes(content)
    said = predict(out, tmp_path / "bad.png")
    assert said.returncode == 2
    assert said.stderr.count(b"\n") == 1
    assert b"bad.png is not a picture that can be read" in said.stderr
    with pytest.raises(InputError, match=r"bad\.png"):
        load_shipped(out).predict([tmp_path / "bad.png"])
    with pytest.raises(InputError, match=r"none\.png cannot be read"):
        load_shipped(out).predict(str(tmp_path / "none.png"))


@pytest.mark.parametrize("shape", [(2, 5, 9, 9), (2, 9, 9), (9,), (0, 3, 9, 9)])
def test_arrays_without_three_channels_are_refused(made: Any, shape: tuple[int, ...]) -> None:
    *_, out = made
    with pytest.raises(InputError):
        open_pipeline(out).feeds_of_images(np.zeros(shape, np.uint8))


def test_other_data_are_refused(made: Any, tmp_path: Path) -> None:
    photos, *_ = made
    url = f"sqlite:///{photos.parent}/s.db"
    whole = (photos / "dark" / "1.png").read_bytes()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(photos / "dark" / "1.png")
    try:
        with pytest.raises(StudyChanged):
            satisfice.create_study(STUDY | {"data": {"folder": str(photos), "size": 16}}, storage=url)
    finally:
        (photos / "dark" / "1.png").write_bytes(whole)
