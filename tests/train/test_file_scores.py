"""Scores of a shipped file's answers: equal for equal rows, in whatever order, with errors and intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.ship.shipped_models import write_bright, write_price, write_survival

from satisfice.ship.folder.standalone import open_pipeline
from satisfice.train.file_scores import FileAnswers, FileScores


def survival_rows(n: int = 60) -> list[dict[str, Any]]:
    draw = np.random.default_rng(5)
    return [
        {
            "age": None if draw.random() < 0.2 else float(draw.uniform(1, 80)),
            "fare": float(draw.uniform(0, 500)),
            "sex": str(draw.choice(["male", "female"])),
            "boarded": "1970-01-05",
        }
        for _ in range(n)
    ]


def scores(folder: Path, rows: list[dict[str, Any]], truth: list[Any]) -> FileScores:
    pipeline = open_pipeline(folder)
    answers = FileAnswers(pipeline)
    answers.add(pipeline.feeds(rows)[0], np.array(truth))
    assert len(answers) == len(rows)
    return answers.scores()


def test_the_order_of_the_rows_and_their_batches_do_not_matter(tmp_path: Path) -> None:
    write_survival(tmp_path)
    rows, truth = survival_rows(), [i % 3 == 0 for i in range(60)]
    codes = [int(t) for t in truth]
    whole = scores(tmp_path, rows, codes)
    turned = scores(tmp_path, rows[::-1], codes[::-1])
    pipeline = open_pipeline(tmp_path)
    batches = FileAnswers(pipeline)
    for at in (0, 20, 40):
        batches.add(pipeline.feeds(rows[at : at + 20])[0], np.array(codes[at : at + 20]))
    assert whole.digest == turned.digest == batches.scores().digest
    assert whole.metrics == pytest.approx(turned.metrics)
    assert batches.scores() == whole


@pytest.mark.parametrize(
    ("column", "value"), [("age", 30.0), ("age", None), ("sex", "elf"), ("boarded", "1970-01-06")]
)
def test_another_cell_or_another_target_is_another_digest(tmp_path: Path, column: str, value: Any) -> None:
    write_survival(tmp_path)
    rows, codes = survival_rows(), [i % 2 for i in range(60)]
    one = scores(tmp_path, rows, codes).digest
    at = next(i for i, row in enumerate(rows) if row[column] != value)
    changed = [*rows[:at], {**rows[at], column: value}, *rows[at + 1 :]]
    assert scores(tmp_path, changed, codes).digest != one
    assert scores(tmp_path, rows, [1 - codes[0], *codes[1:]]).digest != one


def test_a_value_lies_in_its_interval_and_the_errors_shrink_with_the_rows(tmp_path: Path) -> None:
    write_survival(tmp_path)
    pipeline = open_pipeline(tmp_path)
    draw = np.random.default_rng(1)

    def noisy(n: int) -> FileScores:
        rows = survival_rows(n)
        answers, _ = pipeline.answer(rows)
        wrong = draw.random(n) < 0.25
        return scores(
            tmp_path, rows, [int((a["label"] == "yes") != w) for a, w in zip(answers, wrong, strict=True)]
        )

    few, many = noisy(100), noisy(1600)
    for found in (few, many):
        assert found.metrics.keys() == found.standard_errors.keys() == found.intervals.keys()
        for name, (low, high) in found.intervals.items():
            assert low <= found.metrics[name] <= high
    expected = np.sqrt(0.25 * 0.75 / 1600)
    assert many.standard_errors["accuracy"] == pytest.approx(expected, rel=0.2)
    assert few.standard_errors["accuracy"] > 2 * many.standard_errors["accuracy"]
    low, high = many.intervals["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * expected, rel=0.2)


def test_what_means_nothing_is_left_out(tmp_path: Path) -> None:
    write_survival(tmp_path)
    found = scores(tmp_path, survival_rows(), [1] * 60)  # of one class: no pair to rank
    assert "roc_auc" not in found.metrics
    assert 0 <= found.metrics["accuracy"] <= 1


def test_the_threshold_decides_and_the_probabilities_rank(tmp_path: Path) -> None:
    for name, threshold in (("half", 0.5), ("low", 0.001)):
        write_survival(tmp_path / name, threshold)
    rows, codes = survival_rows(), [i % 2 for i in range(60)]
    half, low = (scores(tmp_path / name, rows, codes) for name in ("half", "low"))
    assert low.metrics["recall"] == 1.0 != half.metrics["recall"]
    assert low.metrics["roc_auc"] == half.metrics["roc_auc"]


def test_values_and_images_are_scored_too(tmp_path: Path) -> None:
    write_price(tmp_path / "price")
    found = scores(tmp_path / "price", [{"size": 1}, {"size": None}, {"size": 3}], [1002.0, 1000.0, 1016.0])
    assert found.metrics["mae"] == pytest.approx(10 / 3)
    write_bright(tmp_path / "bright")
    images = [{"image": [[v] * 3] * 2} for v in (0, 255, 255, 0)]
    found = scores(tmp_path / "bright", images, [0, 1, 1, 1])
    assert found.metrics["accuracy"] == 0.75
