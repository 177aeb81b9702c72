"""Data and hyperparameters that cannot be: one sentence with file, key and fix, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
{model}
[objectives]
accuracy = "maximize"
[space]
{space}
[budget]
trials = 1
"""
PHOTOS = 'folder = "photos"'
PATHS = 'file = "paths.csv"\nimages = "path"\ntarget = "label"'
TABLE = 'file = "table.csv"\ntarget = "sick"'
RATE = "learning_rate = { low = 1e-3, high = 1e-2 }"
ALPHA = "alpha = { low = 1e-3, high = 1e-2 }"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with 16 pictures of two classes, a table of their paths and a table of patients."""
    monkeypatch.setenv("SATISFICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SATISFICE_STORAGE", raising=False)
    monkeypatch.delenv("SATISFICE_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    paths = [f"photos/{name}/{at}.png" for name in ("cat", "dog") for at in range(8)]
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(path)
    Path("paths.csv").write_text("path,label\n" + "".join(f"{path},{path[7:10]}\n" for path in paths))
    # Each patient comes every five days, so that no cut in time keeps one together. `blank` holds nothing.
    rows = [
        f"{at},{at * at % 7},p{at % 10},2024-01-{at // 2 + 1:02},,note {at} of ward,{'ny'[at % 3 == 0]}\n"
        for at in range(40)
    ]
    Path("table.csv").write_text("age,dose,patient,day,blank,note,sick\n" + "".join(rows))
    return tmp_path


def leave() -> None:
    """The data are as they should be."""


def no_folder() -> None:
    Path("photos").rename("elsewhere")


def empty_folder() -> None:
    no_folder()
    Path("photos").mkdir()


def no_classes() -> None:
    for path in Path("photos/cat").iterdir():
        path.rename(Path("photos") / path.name)
    Path("photos/cat").rmdir()
    Path("photos/dog").rename("dog")


def empty_classes() -> None:
    for path in Path("photos").rglob("*.png"):
        path.unlink()


def one_class() -> None:
    Path("photos/dog").rename("photos/.dog")


def one_picture_of_a_class() -> None:
    for path in sorted(Path("photos/cat").iterdir())[1:]:
        path.unlink()


def a_file_for_a_folder() -> None:
    no_folder()
    Path("photos").write_text("no folder")


def no_picture() -> None:
    Path("photos/cat/1.png").write_bytes(b"no picture")


def zero_bytes() -> None:
    Path("photos/cat/1.png").write_bytes(b"")


def cut_short() -> None:
    whole = Path("photos/cat/1.png").read_bytes()
    Path("photos/cat/1.png").write_bytes(whole[: len(whole) // 2])


def all_broken() -> None:
    for path in Path("photos").rglob("*.png"):
        path.write_bytes(b"no picture")


def a_path_to_nothing() -> None:
    table = Path("paths.csv")
    table.write_text(table.read_text() + "photos/no.png,cat\n")


def a_path_outside() -> None:
    table = Path("paths.csv")
    table.write_text(table.read_text() + "../../no/such/place.png,cat\n")


def no_path() -> None:
    table = Path("paths.csv")
    table.write_text(table.read_text() + ",cat\n")


def one_class_of_the_table() -> None:
    table = Path("table.csv")
    table.write_text(table.read_text().replace(",y\n", ",n\n"))


def header_alone() -> None:
    Path("table.csv").write_text("age,sick\n")


def no_bytes_of_the_table() -> None:
    Path("table.csv").write_text("")


def two_columns_of_one_name() -> None:
    table = Path("table.csv")
    table.write_text(table.read_text().replace("age,dose", "age,age", 1))


class Case(NamedTuple):
    """What is wrong, and what must be said about it."""

    says: str
    more: str = ""  # lines of [data]
    space: str = ALPHA
    model: str = ""
    family: str = "linear"
    data: str = TABLE
    spoil: Callable[[], None] = leave


of_pictures = partial(Case, space=RATE, family="cnn", data=PHOTOS)
of_paths = partial(Case, space=RATE, family="cnn", data=PATHS)
of_mlp = partial(Case, family="mlp")

CASES = {
    # Folders of pictures.
    "folder missing": of_pictures("does not exist", spoil=no_folder),
    "folder is a file": of_pictures(
        "photos is no folder (a table is named by file", spoil=a_file_for_a_folder
    ),
    "folder empty": of_pictures("holds no folders of pictures", spoil=empty_folder),
    "no folder a class": of_pictures(
        "holds 8 pictures, but no folders (give each class a folder", spoil=no_classes
    ),
    "classes empty": of_pictures("the folder cat holds no picture (fill or remove it)", spoil=empty_classes),
    "one class": of_pictures("single class 'cat'", spoil=one_class),
    "one picture of a class": of_pictures(
        "class 'cat' of the target 'label' has 1 row, too few", spoil=one_picture_of_a_class
    ),
    "unreadable picture": of_pictures("1 of 16 pictures cannot be read: cat/1.png", spoil=no_picture),
    "picture of no bytes": of_pictures("1 of 16 pictures cannot be read: cat/1.png", spoil=zero_bytes),
    "picture cut short": of_pictures("1 of 16 pictures cannot be read: cat/1.png", spoil=cut_short),
    "no picture readable": of_pictures(
        "16 of 16 pictures cannot be read", "skip_broken = true", spoil=all_broken
    ),
    "folder and target": of_pictures("data.target: goes with file", 'target = "x"'),
    "folder and file": of_pictures("data: has both file and folder (remove one", 'file = "table.csv"'),
    "skip_broken no bool": of_pictures("data.skip_broken: must be true or false", 'skip_broken = "yes"'),
    "skip_broken of a table": Case("data.skip_broken: goes with pictures", "skip_broken = true"),
    "size zero": of_pictures("data.size: must be at least 4", "size = 0"),
    "size too large": of_pictures("data.size: must be at most 1,024", "size = 1_000_000"),
    # Tables with a column of paths.
    "path to nothing": of_paths("such as photos/no.png", spoil=a_path_to_nothing),
    "path outside": of_paths(
        "such as ../../no/such/place.png (paths are relative to the folder of the table)",
        spoil=a_path_outside,
    ),
    "row without a path": of_paths("names no picture in 1 row (remove", spoil=no_path),
    "images not in the file": of_paths(
        "has no column 'pth' (did you mean 'path'?)", data=PATHS.replace('"path"', '"pth"')
    ),
    "images is the target": of_paths("data.images:", data=PATHS.replace('"path"', '"label"')),
    # Tables and text.
    "no rows": Case("table.csv holds no rows (write each row", spoil=header_alone),
    "no bytes": Case("table.csv is empty (", spoil=no_bytes_of_the_table),
    "one class in the table": Case(
        "the target 'sick' has the single class 'n' (at least two", spoil=one_class_of_the_table
    ),
    "two columns of one name": Case("has 2 columns named 'age' (", spoil=two_columns_of_one_name),
    "text column empty": Case("data.text: column 'blank'", 'text = ["blank"]'),
    "text not in the file": Case("has no column 'noet' (did you mean 'note'?)", 'text = ["noet"]'),
    "text is the target": Case(
        'data.text: names "sick", which is the target column (remove it', 'text = ["sick"]'
    ),
    "text no list": Case('(write text = ["note"])', 'text = "note"'),
    "text twice": Case('data.text: names "note" twice (name it once)', 'text = ["note", "note"]'),
    "text for trees": Case(
        "data.text: forest cannot learn from text, as in column 'note' (choose linear or mlp",
        'text = ["note"]',
        space="trees = { low = 1, high = 3 }",
        family="forest",
    ),
    "near_duplicates unknown": Case(
        "\"gruop\" is not allowed (did you mean 'group'?)", 'near_duplicates = "gruop"'
    ),
    # Folds and groups.
    "folds more than members": Case(
        "11 rows of the class 'y' outside the test split, fewer than 30 folds (write folds = 11", "folds = 30"
    ),
    "folds one": Case("data.folds: must be at least 2, not 1", "folds = 1"),
    "folds no whole number": Case("data.folds: must be an integer, not 2.5", "folds = 2.5"),
    "folds and valid": Case("data.valid: does not go with folds = 3", "folds = 3\nvalid = 0.2"),
    "folds and time": Case("data.folds: does not go with time", 'folds = 3\ntime = "day"'),
    "groups not in the file": Case("has no column 'pateint' (did you mean 'patient'?)", 'groups = "pateint"'),
    "groups is the target": Case('data.groups: is the target "sick" (', 'groups = "sick"'),
    "groups with gaps": Case("data.groups: 40 rows have no value in the column 'blank'", 'groups = "blank"'),
    "too few groups": Case("data.groups: 10 groups cannot be divided", 'folds = 12\ngroups = "patient"'),
    "group in two splits": Case("'patient' would be in two splits", 'time = "day"\ngroups = "patient"'),
    "shares of everything": Case(
        "data: valid 0.6 and test 0.5 leave no row to train on", "valid = 0.6\ntest = 0.5"
    ),
    # Hyperparameters.
    "image_size negative": of_pictures("space.image_size", space="image_size = [-8, 8]"),
    "image_size no whole number": of_pictures("space.image_size", space="image_size = [0.5, 8]"),
    "image_size too large": of_pictures(
        "space.image_size: 100000 is outside 0 to 1024", space="image_size = [8, 100000]"
    ),
    "image_size above size": of_pictures(
        "image_size goes up to 32", "size = 16", space="image_size = [8, 32]"
    ),
    "image_size of a table": of_mlp(
        "space.image_size: is about images, and the data are a table (remove it)",
        space="image_size = [8, 16]",
    ),
    "augment out of range": of_pictures("space.augment", space="augment = { low = 0.0, high = 2.0 }"),
    "augment no number": of_pictures("space.augment: 'strong' is not a number", space='augment = ["strong"]'),
    "augment_flips unknown": of_pictures(
        "model.augment_flips: 'sideways' is none of", model='augment_flips = "sideways"'
    ),
    "convolution unknown": of_pictures("space.convolution", space='convolution = ["seperable"]'),
    "averaging unknown": of_pictures("space.averaging", space='averaging = ["mean"]'),
    "scaling unknown": Case("space.scaling: 'minmax' is none of", space='scaling = ["standard", "minmax"]'),
    "select negative": Case("space.select: -1 is outside", space="select = { low = -1, high = 3 }"),
    "select more than columns": Case(
        "space.select: goes up to 50, and there are", space="select = { low = 2, high = 50 }"
    ),
    "solver without penalty": Case(
        "model.solver: 'lbfgs' cannot fit the penalty 'l1'", model='solver = "lbfgs"\npenalty = "l1"'
    ),
    "solver unknown": Case("space.solver: 'newton' is none of", space='solver = ["newton"]'),
    "rate of lbfgs": of_mlp("space.learning_rate", space=RATE, model='optimizer = "lbfgs"'),
    "schedule of lbfgs": of_mlp(
        "space.schedule", space='schedule = ["constant", "cosine"]', model='optimizer = "lbfgs"'
    ),
    "vocabulary without text": Case(
        "space.vocabulary is of columns of text, and the data have none (",
        "text = []",
        space="vocabulary = { low = 10, high = 20 }",
    ),
    "vocabulary_by unknown": Case("space.vocabulary_by: 'l2' is none of", space='vocabulary_by = ["l2"]'),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_sentence_and_nothing_written(
    folder: Path, case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.spoil()
    Path("s.toml").write_text(
        STUDY.format(data=f"{case.data}\n{case.more}", family=case.family, model=case.model, space=case.space)
    )
    before = sorted(path for path in folder.rglob("*") if path.is_file())
    with pytest.raises(SystemExit) as ended:
        main(["run", "s.toml"])
    out, told = capsys.readouterr()
    assert ended.value.code == 2, told
    assert out == ""
    assert told.startswith("satisfice: ")
    assert told.count("\n") == 1, told
    assert "Traceback" not in told
    assert case.says in told
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
