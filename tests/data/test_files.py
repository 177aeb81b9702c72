"""A person's own files, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from satisfice.data import fingerprint, reading_of
from satisfice.data import load as load_splits
from satisfice.errors import DataError, InputError
from satisfice.spec.study import READING, DataSpec

load: Any = load_splits  # of tables: their preprocessor has names


def _frame(n: Any = 60) -> Any:
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    return pd.DataFrame(
        {
            "size": size,
            "color": rng.choice(["red", "green", "blue"], n),
            "seen": pd.date_range("2024-01-01", periods=n, freq="7h"),
            "flag": rng.random(n) < 0.5,
            "label": np.where(size + rng.normal(size=n) > 0.8, "yes", "no"),
            "price": 100 + 10 * size,
        }
    )


@pytest.fixture
def csv(tmp_path: Any) -> Any:
    _frame().to_csv(tmp_path / "data.csv", index=False)
    return tmp_path


def _spec(**settings: Any) -> Any:
    return DataSpec(**({"file": "data.csv", "target": "label"} | settings))


def test_types_are_inferred(csv: Any) -> None:
    splits = load(_spec(), csv, 0)
    assert splits.task == "classification"
    assert splits.classes == ("no", "yes")  # the rarer one is positive
    names = splits.preprocessor.feature_names
    assert {
        "size",
        "color=red",
        "color=green",
        "color=blue",
        "seen.days",
        "seen.hour",
        "flag",
        "price",
    } <= set(names)
    assert load(_spec(target="price"), csv, 0).task == "regression"
    assert load(_spec(positive="no"), csv, 0).classes == ("yes", "no")


def test_parquet_reads_the_same(csv: Any) -> None:
    pytest.importorskip("pyarrow")
    pd.read_csv(csv / "data.csv").to_parquet(csv / "data.parquet")
    one, two = load(_spec(), csv, 0), load(_spec(file="data.parquet"), csv, 0)
    assert np.array_equal(one.train.x, two.train.x)
    assert np.array_equal(one.test.y, two.test.y)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(separator: Any, tmp_path: Any) -> None:
    _frame().to_csv(tmp_path / "data.csv", index=False, sep=separator)
    assert load(_spec(), tmp_path, 0).preprocessor.n_features > 5


def test_columns_can_be_dropped(csv: Any) -> None:
    dropped = load(_spec(drop=("seen", "color")), csv, 0)
    assert not any(name.startswith(("seen", "color")) for name in dropped.preprocessor.feature_names)


def test_a_split_by_time_trains_on_the_past(csv: Any) -> None:
    frame = _frame().sample(frac=1, random_state=1)
    frame.to_csv(csv / "data.csv", index=False)
    splits = load(_spec(target="price", time="seen", task="regression"), csv, 0)
    ordered = frame.sort_values("seen")["price"].to_numpy(dtype=np.float64)
    assert np.array_equal(np.concatenate([splits.train.y, splits.valid.y, splits.test.y]), ordered)
    assert not any(name.startswith("seen") for name in splits.preprocessor.feature_names)


def test_a_limit_keeps_every_class(csv: Any) -> None:
    splits = load(_spec(limit=20), csv, 0)
    total = len(splits.train) + len(splits.valid) + len(splits.test)
    assert 18 <= total <= 22
    assert all(len(np.unique(fold.y)) == 2 for fold in (splits.train, splits.valid, splits.test))


def test_a_changed_file_has_another_fingerprint(csv: Any) -> None:
    before = fingerprint(_spec(), csv)
    assert fingerprint(_spec(), csv) == before
    text = (csv / "data.csv").read_text()
    (csv / "data.csv").write_text(text.replace("red", "rod", 1))
    assert fingerprint(_spec(), csv) != before


def test_where_the_file_lies_does_not_change_the_fingerprint(csv: Any, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "data.csv").write_bytes((csv / "data.csv").read_bytes())
    assert fingerprint(_spec(), csv) == fingerprint(_spec(), other)


def _write(folder: Path, text: str) -> None:
    (folder / "data.csv").write_text(text)


def _rows(*values: str) -> str:
    return "a,label\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values))


def _times(*zones: str, day: str = "-01") -> str:
    times = [f"2024-01{day}T10:00:00{zone}" for zone in zones]
    return "a,when,label\n" + "".join(f"{i},{t},{'xy'[i % 2]}\n" for i, t in enumerate(times * 20))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_in_another_encoding_says_how_to_convert_it(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes("größe,label\n1,x\n".encode(encoding))
    with pytest.raises(DataError, match=r"data.csv is not text in UTF-8 \(save it as UTF-8"):
        load(_spec(), tmp_path, 0)


def test_times_in_several_zones_are_one_order(tmp_path: Path) -> None:
    rows = [f"{i},{i},2024-01-01T10:00:00{zone}\n" for i, zone in enumerate(["+01:00", "-05:00"] * 20)]
    _write(tmp_path, "".join(["a,label,when\n", *rows]))
    splits = load(_spec(time="when", valid=0.25, test=0.25), tmp_path, 0)
    assert all(splits.train.y % 2 == 0)  # the eastern ones are earlier


@pytest.mark.parametrize(
    ("text", "settings", "says"),
    [
        (None, {"file": "other.csv"}, "other.csv does not exist (the path is relative to the study file)"),
        (None, {"target": "lable"}, "has no column 'lable' (did you mean 'label'?)"),
        (None, {"drop": ("colour",)}, "has no column 'colour' (did you mean 'color'?)"),
        (None, {"time": "sean"}, "has no column 'sean' (did you mean 'seen'?)"),
        (None, {"time": "color"}, "holds neither times nor numbers"),
        (None, {"positive": "maybe"}, "the positive class 'maybe' is not in the target 'label'"),
        (None, {"target": "color", "positive": "red"}, "has 3 classes"),
        (None, {"task": "regression"}, "holds values that are no numbers"),
        (None, {"valid": 0.6, "test": 0.5}, "leave no rows to train on"),
        ("", {}, "is empty"),
        ("a,label\n", {}, "holds no rows"),
        (_rows(*["x"] * 20), {}, "has the single class 'x'"),
        (_rows(*["x"] * 20, "y", "y"), {}, "class 'y' of the target 'label' has 2 rows"),
        (_rows("x", "x", "x", "y", "y", "y"), {}, "data.csv: 6 rows are too few"),
        (
            None,
            {"limit": 5},
            "7 rows are too few to split three ways (at least 10 are needed: raise data.limit)",
        ),
        ("a,a,label\n" + "1,1,x\n2,2,y\n" * 10, {}, "data.csv has 2 columns named 'a'"),
        ("label,label\n" + "x,x\ny,y\n" * 10, {}, "data.csv has 2 columns named 'label'"),
        ("a,label\n" + "1,x,1\n2,y,2\n" * 10, {}, "Expected 2 fields in line 2, saw 3"),
        (_times("", "+01:00"), {"time": "when"}, "data.csv has a time zone in 20 of 40 rows"),
        (_times("Z", "", day="-31"), {"time": "when"}, "data.csv has a time zone in 20 of 40 rows"),
        (
            _times("", "", day="-33"),
            {"time": "when"},
            "holds '2024-01-33T10:00:00', which is no time",
        ),
        (_times(" ago", ""), {"time": "when"}, "holds neither times nor numbers"),
        (_rows(*["x"] * 20, *["y"] * 20, ""), {}, "1 rows have no value in the target 'label'"),
        (_rows(*["1.5"] * 20), {"task": "regression"}, "has the same value in every row"),
        ("label\n" + "x\ny\n" * 10, {}, "has no column left to learn from"),
        ("a,label\n" + "1,x\n1,y\n" * 10, {}, "has no column to learn from"),
        ('a,label\n1,"x\n2,y\n', {}, "cannot be read"),
    ],
)
def test_bad_files_are_told_in_one_sentence(text: Any, settings: Any, says: Any, csv: Any) -> None:
    if text is not None:
        _write(csv, text)
    with pytest.raises(DataError) as error:
        load(_spec(**settings), csv, 0)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "digitz"}, "did you mean 'digits'?"),
        ({"name": "wine", "task": "regression"}, "is for classification, not regression"),
        ({"name": "wine", "drop": ("alkohol",)}, "did you mean 'alcohol'?"),
        ({"name": "digits", "drop": ("pixel",)}, "holds images, which have no columns"),
    ],
)
def test_bad_settings_of_a_registered_set(settings: Any, says: Any, tmp_path: Any) -> None:
    with pytest.raises(InputError) as error:
        load(DataSpec(**settings), tmp_path, 0)
    assert says in str(error.value)


def test_a_time_split_without_a_class_in_the_past_is_refused(tmp_path: Any) -> None:
    _write(tmp_path, "a,when,label\n" + "".join(f"{i},{i},{'x' if i < 20 else 'y'}\n" for i in range(30)))
    with pytest.raises(DataError, match="the training fold has 1 of 2 classes"):
        load(_spec(time="when"), tmp_path, 0)


def test_a_target_that_is_constant_while_training_is_refused(csv: Any) -> None:
    frame = _frame()
    frame["price"] = np.where(frame["seen"] < frame["seen"].quantile(0.7, "lower"), 7.3, frame["price"])
    frame.to_csv(csv / "data.csv", index=False)
    with pytest.raises(DataError, match=r"the same value in all \d+ rows of the training fold"):
        load(_spec(target="price", time="seen", task="regression"), csv, 0)


def test_a_file_without_a_target_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(
        DataError, match=r"data\.target is missing \(name the column of .*rows\.csv to predict\)"
    ):
        load_splits(DataSpec(file="rows.csv"), tmp_path, 0)


def test_data_read_by_a_newer_satisfice_are_refused() -> None:
    assert [reading_of(stored) for stored in (None, "ab12", "2:ab12", "3:ab12")] == [1, 1, 2, READING]
    with pytest.raises(DataError, match=r"read by a newer satisfice \(reading 4\) \(upgrade satisfice\)"):
        reading_of(f"{READING + 1}:ab12")
