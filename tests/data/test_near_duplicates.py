"""Near-duplicate rows: found, told, and kept in one split."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.data import load
from satisfice.data.near_duplicates import near_duplicate_groups
from satisfice.data.partition import grouped_split
from satisfice.errors import DataError
from satisfice.spec.study import DataSpec

WORDS = [f"word{i}" for i in range(400)]


def _text(rng: random.Random, n: int = 60) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(n))


def _table(path: Path, *, copies: int = 4, originals: int = 30) -> Path:
    """Every text several times, with another word at its end."""
    rng = random.Random(3)
    rows = ["body,origin,y"]
    for origin in range(originals):
        text = _text(rng)
        rows += [f"{text} {rng.choice(WORDS)},{origin},{'ab'[origin % 2]}" for _ in range(copies)]
    path.write_text("\n".join(rows))
    return path


def test_copies_with_a_changed_word_are_one_group() -> None:
    rng = random.Random(0)
    originals = [_text(rng) for _ in range(50)]
    texts = [f"{text} {rng.choice(WORDS)}".upper() for text in originals for _ in range(3)]
    groups = near_duplicate_groups(texts).reshape(50, 3)
    assert (groups == groups[:, :1]).all()
    assert len(np.unique(groups)) == 50


def test_different_texts_stay_apart_and_empty_ones_are_no_copies() -> None:
    rng = random.Random(1)
    texts = [_text(rng) for _ in range(200)] + ["", "", " ... "]
    assert near_duplicate_groups(texts).tolist() == list(range(203))


def test_short_texts_are_alike_only_where_they_are_equal() -> None:
    assert near_duplicate_groups(["buy now", "Buy now!", "buy later", "now"]).tolist() == [0, 0, 2, 3]


def test_groups_stay_in_one_split(tmp_path: Path) -> None:
    _table(tmp_path / "d.csv")
    spec = DataSpec(file="d.csv", target="y", drop=("origin",), text=("body",), near_duplicates="group")
    splits = load(spec, tmp_path, 5)
    raws = (splits.raw_train, splits.raw_valid, splits.raw_test)
    folds = [{text.rsplit(" ", 1)[0] for text in pd.DataFrame(raw.items)["body"]} for raw in raws]
    assert not folds[0] & folds[1]
    assert not folds[0] & folds[2]
    assert not folds[1] & folds[2]
    assert [len(splits.train), len(splits.valid), len(splits.test)] == [72, 24, 24]
    assert not [note for note in splits.notes if "nearly repeat" in str(note)]


def test_copies_across_splits_are_told(tmp_path: Path) -> None:
    _table(tmp_path / "d.csv")
    splits = load(DataSpec(file="d.csv", target="y", drop=("origin",)), tmp_path, 5)
    told = [str(note) for note in splits.notes if "nearly repeat" in str(note)]
    assert len(told) == 1
    assert "of 24 validation rows" in told[0]
    assert 'near_duplicates = "group" in [data] keeps such rows in one split' in told[0]
    silent = DataSpec(file="d.csv", target="y", drop=("origin",), near_duplicates="ignore")
    assert not [note for note in load(silent, tmp_path, 5).notes if "nearly repeat" in str(note)]


@given(
    st.lists(st.integers(0, 12), min_size=12, max_size=80),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_no_group_is_in_two_folds(groups: list[int], seed: int, stratified: bool) -> None:
    of = np.array(groups)
    strata = np.arange(len(of)) % 2 if stratified else None
    codes = np.unique(of, return_inverse=True)[1]
    try:
        folds = grouped_split(codes, valid=0.2, test=0.2, seed=seed, strata=strata)
    except DataError as error:
        assert "groups cannot be divided so that each of 3 splits" in str(error)  # noqa: PT017  # of some draws only
        return
    assert len(np.unique(of)) >= 3
    parts = [set(of[rows].tolist()) for rows in (folds.train, folds.valid, folds.test)]
    assert sum(map(len, parts)) == len(set(groups))
    rows = np.concatenate([folds.train, folds.valid, folds.test])
    assert sorted(rows.tolist()) == list(range(len(of)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"text": ()}, "data.near_duplicates: .* has no column of text to compare rows by"),
        ({"text": ("body",), "time": "origin"}, "data.near_duplicates: .* is split by time"),
    ],
    ids=["no text", "time"],
)
def test_what_cannot_be_grouped_is_refused(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    _table(tmp_path / "d.csv")
    spec = DataSpec(file="d.csv", target="y", near_duplicates="group", **settings)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        load(spec, tmp_path, 0)
