"""From rows to answers, by the rules that training recorded."""

from __future__ import annotations

import base64
import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.ship.shipped_models import ROWS, expected, write_bright, write_price, write_survival

import satisfice
from satisfice.deploy.batch import predict_file
from satisfice.errors import CannotWrite, InputError, UnreadCells
from satisfice.ship.folder.pipeline import Pipeline, same_answer
from satisfice.ship.folder.standalone import open_pipeline


@pytest.fixture
def survival(tmp_path: Path) -> Pipeline:
    write_survival(tmp_path / "survival")
    return open_pipeline(tmp_path / "survival")


def row(**changed: Any) -> dict[str, Any]:
    return {**ROWS[0], **changed}


def test_answers_follow_the_formula(survival: Pipeline) -> None:
    answers, told = survival.answer(ROWS)
    right = [expected(30, 1234.5, True, 31), expected(None, 7, False, 10), expected(61.5, None, False, None)]
    assert [a["probabilities"]["yes"] for a in answers] == pytest.approx(right, abs=1e-6)
    assert [a["label"] for a in answers] == ["yes", "no", "yes"]
    assert told.unseen == {"sex": {"elf": 1}}
    assert told.unread == {}


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"age": "30"}, expected(30, 1234.5, True, 31)),
        ({"age": None}, expected(None, 1234.5, True, 31)),
        ({"age": "NA"}, expected(None, 1234.5, True, 31)),
        ({"fare": 1234.5}, expected(30, 1234.5, True, 31)),
        ({"sex": " Female"}, expected(30, 1234.5, True, 31)),
        ({"boarded": "1970-02-01T00:00:00Z"}, expected(30, 1234.5, True, 31)),
        ({"boarded": "1970-02-01 12:00"}, expected(30, 1234.5, True, 31.5)),
    ],
)
def test_cells_are_read_as_in_training(survival: Pipeline, changed: dict[str, Any], wanted: float) -> None:
    (answer,), _ = survival.answer([row(**changed)])
    assert answer["probabilities"]["yes"] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"age": "old"}, "column 'age' holds 'old', which is no number"),
        ({"age": float("inf")}, "column 'age' holds 'inf'"),
        ({"age": 10**400}, "column 'age' holds a number too large"),
        ({"age": [1]}, r"column 'age' holds '\[1\]'"),
        ({"fare": "7.5"}, "column 'fare' holds '7.5'"),
        ({"boarded": "12/31/1970"}, "column 'boarded' holds '12/31/1970', which is no date"),
        ({"sex": {"a": 1}}, "column 'sex' holds"),
        ({"sex": "\ud800"}, "a text holds half a character"),
    ],
)
def test_what_cannot_be_read_is_refused(survival: Pipeline, changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        survival.answer([row(**changed)])


def test_an_absent_column_is_refused_and_no_rows_too(survival: Pipeline) -> None:
    with pytest.raises(InputError, match="row 1 lacks column 'sex'"):
        survival.answer([row(), {k: v for k, v in row().items() if k != "sex"}])
    with pytest.raises(InputError, match="no rows"):
        survival.answer([])


def test_single_cells_are_counted_for_each_call(survival: Pipeline) -> None:
    _, told = survival.answer([row(age=1)] * 5 + [row(age="?!")])
    assert told.unread == {"age": {"?!": 1}}
    assert told.sentences() == [
        "values that cannot be read count as missing: 1 of column 'age' (such as '?!')"
    ]
    assert survival.answer([row()])[1].unread == {}


def test_threads_share_a_pipeline(survival: Pipeline) -> None:
    found: dict[int, list[Any]] = {}

    def ask(who: int) -> None:
        rows = [row(age=1 + who)] * 9 + [row(age=f"bad {who}")]
        found[who] = [survival.answer(rows) for _ in range(50)]

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for who, calls in found.items():
        assert all(told.unread == {"age": {f"bad {who}": 1}} for _, told in calls)
        right = expected(1 + who, 1234.5, True, 31)
        assert all(a[0]["probabilities"]["yes"] == pytest.approx(right, abs=1e-6) for a, _ in calls)


def test_a_regression_answers_in_its_own_unit(tmp_path: Path) -> None:
    write_price(tmp_path)
    pipeline = open_pipeline(tmp_path)
    assert pipeline.answer([{"size": 3}, {"size": -0.5}])[0] == [{"value": 1006.0}, {"value": 999.0}]
    with pytest.raises(InputError, match="row 1 holds a number too far"):
        pipeline.answer([{"size": 3}, {"size": 1.7e308}])


def test_a_column_may_have_the_name_of_an_output(tmp_path: Path) -> None:
    write_price(tmp_path, name="value", tensor="value_")
    assert open_pipeline(tmp_path).answer([{"value": 3}])[0] == [{"value": 1006.0}]
    assert satisfice.load_shipped(tmp_path).predict({"value": [3.0]}).tolist() == [1006.0]


def test_images_as_numbers_and_as_files(tmp_path: Path) -> None:
    write_bright(tmp_path)
    pipeline = open_pipeline(tmp_path)
    dark = [[0, 0, 0], [0, 0, 0]]
    (answer,), _ = pipeline.answer([{"image": dark}])
    assert answer["label"] == 0
    assert answer["probabilities"]["0"] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    for wrong, sentence in (
        ([[0, 0], [0, 0]], "row 0, 'image' is not 1 x 2 x 3 numbers"),
        ([[0, 0, 0], [0, 0]], "row 0, 'image' is not 1 x 2 x 3 numbers"),
        ([[0, 0, 256], [0, 0, 0]], "a pixel is no whole number from 0 to 255"),
        ([[0, 0, 0.5], [0, 0, 0]], "a pixel is no whole number from 0 to 255"),
        ("no base64!", "is not base64"),
        (None, "row 0, 'image' is not"),
    ):
        with pytest.raises(InputError, match=sentence):
            pipeline.answer([{"image": wrong}])


def test_a_picture_in_base64(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    write_bright(tmp_path)
    pipeline = open_pipeline(tmp_path)
    for size, ok in (((3, 2), True), ((2, 3), False)):
        held = io.BytesIO()
        image.new("RGB", size, (255, 255, 255)).save(held, "PNG")
        row = {"image": base64.b64encode(held.getvalue()).decode()}
        if ok:
            assert pipeline.answer([row])[0][0]["label"] == 1
        else:
            with pytest.raises(InputError, match="2 pixels wide and 3 high; the model takes 3 by 2"):
                pipeline.answer([row])
    with pytest.raises(InputError, match="is not a picture"):
        pipeline.answer([{"image": base64.b64encode(b"text").decode()}])


def test_answers_are_compared_with_tolerance_and_types() -> None:
    plain = {"label": "a", "probabilities": {"a": 0.6, "b": 0.4}}
    assert same_answer({"label": "a", "probabilities": {"a": 0.600001, "b": 0.399999}}, plain)
    assert not same_answer({"label": "a", "probabilities": {"a": 0.601, "b": 0.399}}, plain)
    assert not same_answer({"label": "b", "probabilities": {"a": 0.6, "b": 0.4}}, plain)
    assert not same_answer({"label": "a", "probabilities": {"b": 0.6, "a": 0.4}}, plain)
    tie = {"label": "a", "probabilities": {"a": 0.5, "b": 0.5}}
    assert same_answer({**tie, "label": "b"}, tie)
    assert same_answer({"value": 1000.001}, {"value": 1000.0})
    assert not same_answer({"value": 1000.1}, {"value": 1000.0})
    assert not same_answer({"value": 1.0}, plain)


def test_load_shipped_takes_rows_in_every_usual_form(tmp_path: Path) -> None:
    import pandas as pd

    write_survival(tmp_path)
    model = satisfice.load_shipped(tmp_path)
    right = [expected(30, 1234.5, True, 31), expected(None, 7, False, 10)]
    rows = ROWS[:2]
    columns = {name: [each[name] for each in rows] for name in rows[0]}
    for form in (rows, pd.DataFrame(rows), columns):
        assert model.predict_proba(form)[:, 1] == pytest.approx(right, abs=1e-6)
        assert model.predict(form).tolist() == ["yes", "no"]
    assert model.predict_proba(rows[0]).shape == (1, 2)
    moments = pd.DataFrame(rows).assign(boarded=pd.to_datetime(["1970-02-01", "1970-01-11"]))
    assert model.predict_proba(moments)[:, 1] == pytest.approx(right, abs=1e-6)
    assert model.predict([]).shape == (0,)
    with pytest.raises(InputError, match="lack 'sex'"):
        model.predict(pd.DataFrame(rows).drop(columns="sex"))
    with pytest.raises(InputError, match="no names of columns"):
        model.predict(np.zeros((2, 4)))
    with pytest.warns(UnreadCells, match="1 of column 'age'"):
        model.predict([row(age=1)] * 5 + [row(age="?!")])


def test_load_shipped_of_numbers_and_images(tmp_path: Path) -> None:
    write_price(tmp_path / "price")
    price = satisfice.load_shipped(tmp_path / "price")
    assert price.predict({"size": [1.0, 2.0]}).tolist() == [1002.0, 1004.0]
    with pytest.raises(InputError, match="no probabilities"):
        price.predict_proba({"size": 1.0})
    write_bright(tmp_path / "bright", dtype="float64")
    images = np.stack([np.zeros((2, 3)), np.full((2, 3), 255.0)])
    assert satisfice.load_shipped(tmp_path / "bright").predict(images).tolist() == [0, 1]


def test_a_file_in_batches_gives_the_answers_of_its_rows(tmp_path: Path) -> None:
    write_price(tmp_path / "price")
    data, output = tmp_path / "rows.csv", tmp_path / "answers.csv"
    data.write_text("other;size\n" + "".join(f"x;{i}\n" for i in range(10_000)) + "x;?!\n")
    seen: list[int] = []
    count, sentences = predict_file(tmp_path / "price", data, output, progress=seen.append)
    assert count == 10_001
    assert seen[-1] == 10_001
    assert len(seen) >= 2
    assert sentences == ["values that cannot be read count as missing: 1 of column 'size' (such as '?!')"]
    lines = output.read_text().splitlines()
    assert lines[:3] == ["value", "1000.0", "1002.0"]
    assert lines[10_000] == f"{1000 + 2 * 9999}.0"
    assert len(lines) == 10_002


def test_nothing_is_left_where_a_batch_fails(tmp_path: Path) -> None:
    write_price(tmp_path / "price")
    data, output = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    data.write_text("size\n" + "1\n" * 9000 + "1,2\n")
    with pytest.raises(InputError, match="a row of 2 values"):
        predict_file(tmp_path / "price", data, output)
    assert not output.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["price", "rows.csv"]
    for wrong in (tmp_path / "answers.txt", tmp_path / "no" / "answers.csv"):
        with pytest.raises((InputError, CannotWrite)):
            predict_file(tmp_path / "price", data, wrong)
