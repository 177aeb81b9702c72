"""Which columns are read as text, and that studies from before keep what they had."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from satisfice.data import load, same_data
from satisfice.spec.study import RULES_READING, DataSpec

N = 90
DRAW = random.Random(4)
WORDS = [
    f"{a}{b}"
    for a in ("re", "con", "de", "in", "ex")
    for b in ("tract", "cess", "sist", "port", "plain", "duct")
]
FIRST = ("Anna", "Bert", "Clara", "David", "Emma", "Fritz")


def _prose() -> str:
    return " ".join(DRAW.choice(WORDS) for _ in range(12))


COLUMNS: dict[str, Any] = {
    "review": _prose,
    "name": lambda: f"{DRAW.choice(FIRST)} {DRAW.choice(WORDS).title()}, Dr. {DRAW.choice(WORDS)}"[:28],
    "code": lambda: f"{DRAW.getrandbits(128):032x}-{DRAW.getrandbits(64)}",
    "template": lambda: DRAW.choice(
        ("the customer was not at home when called", "the parcel is lost in the mail")
    ),
    "day": lambda: f"2024-0{DRAW.randint(1, 9)}-1{DRAW.randint(0, 9)}",
    "number": lambda: DRAW.random(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prose")
    rows = [",".join([*COLUMNS, "y"])]
    rows += [",".join([*(f'"{make()}"' for make in COLUMNS.values()), "ab"[at % 2]]) for at in range(N)]
    (path / "d.csv").write_text("\n".join(rows))
    return path


def _load(folder: Path, **settings: Any) -> Any:
    return load(DataSpec(file="d.csv", target="y", **settings), folder, 0)


def test_only_prose_is_read_as_text(folder: Path) -> None:
    splits = _load(folder)
    assert splits.corpus.columns == ("review",)
    told = {note.column: str(note) for note in splits.notes}
    assert (
        "column 'review' is read as text, since its values are long and nearly all different"
        in told["review"]
    )
    assert "is ignored: its texts are nearly all different" in told["code"]


def test_the_study_says_which_columns_are_text(folder: Path) -> None:
    assert _load(folder, text=("template", "number")).corpus.columns == ("template", "number")
    none = _load(folder, text=())
    assert none.corpus is None
    assert "is ignored" in {note.column: str(note) for note in none.notes}["review"]


def test_a_study_from_before_keeps_ignoring_them(folder: Path) -> None:
    before = _load(folder, reading=RULES_READING)
    assert before.corpus is None
    assert before.preprocessor.describe() == _load(folder, text=()).preprocessor.describe()


def test_an_empty_or_absent_cell_is_an_empty_text(tmp_path: Path) -> None:
    cells = ["", "NA", "  two words ", "?", *(["some words"] * 16)]
    rows = [f'"{cell}",{at},{"ab"[at % 2]}' for at, cell in enumerate(cells)]
    (tmp_path / "d.csv").write_text("\n".join(["body,x,y", *rows]))
    splits = load(DataSpec(file="d.csv", target="y", text=("body",)), tmp_path, 0)
    raws = (splits.raw_train, splits.raw_valid, splits.raw_test)
    found = {cell for raw in raws for cell in raw.items["body"].tolist()}
    assert found == {None, "NA", "  two words ", "?", "some words"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("3:ab", "2:ab", True),
        ("3:ab", "3:ab", True),
        ("ab", "2:ab", False),
        ("3:ab", "3:cd", False),
        (None, None, True),
        (None, "3:ab", False),
        ("ab", "ab", True),
    ],
)
def test_the_same_data_have_the_same_fingerprint_but_for_the_rules(one: Any, other: Any, same: bool) -> None:
    assert same_data(one, other) is same
