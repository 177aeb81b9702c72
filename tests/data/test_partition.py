"""Folds and groups: whose rows are where, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.data import fingerprint, fold_of, load
from satisfice.data.partition import assign, grouped_partition, grouped_split, partition
from satisfice.data.split import split
from satisfice.errors import DataError
from satisfice.spec.study import DataSpec

LARGE = settings(max_examples=40, deadline=None)


@LARGE
@given(
    counts=st.lists(st.integers(12, 60), min_size=1, max_size=4),
    folds=st.integers(2, 6),
    seed=st.integers(0, 1000),
)
def test_folds_divide_each_class_evenly(counts: list[int], folds: int, seed: int) -> None:
    strata = np.repeat(np.arange(len(counts)), counts)
    got = partition(len(strata), folds=folds, test=0.2, seed=seed, strata=strata)
    assert got.parts is not None
    np.testing.assert_array_equal(np.sort(np.r_[got.train, got.test]), np.arange(len(strata)))
    for code in range(len(counts)):
        of = np.bincount(got.parts[strata[got.train] == code], minlength=folds)
        assert of.max() - of.min() <= 1
    whole = np.bincount(got.parts, minlength=folds)
    assert whole.max() - whole.min() <= 1
    plain = split(len(strata), valid=0.3, test=0.2, seed=seed, strata=strata)
    np.testing.assert_array_equal(got.test, np.sort(plain.test))  # the test rows do not depend on folds


@LARGE
@given(sizes=st.lists(st.integers(1, 9), min_size=30, max_size=60), seed=st.integers(0, 1000))
def test_no_group_is_in_two_parts(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)[rng.permutation(sum(sizes))]
    strata = rng.integers(0, 2, len(groups))
    whole = grouped_partition(groups, folds=4, test=0.2, seed=seed, strata=strata)
    assert whole.parts is not None
    place = np.full(len(groups), 4)
    place[whole.train] = whole.parts
    assert all(len(np.unique(place[groups == g])) == 1 for g in range(len(sizes)))
    shares = np.bincount(place) / len(groups)
    assert np.abs(shares - 0.2).max() < 0.12
    three = grouped_split(groups, valid=0.2, test=0.2, seed=seed, strata=None)
    np.testing.assert_array_equal(
        np.sort(np.r_[three.train, three.valid, three.test]), np.arange(len(groups))
    )
    assert not set(groups[three.train]) & {*groups[three.valid], *groups[three.test]}
    assert not set(groups[three.valid]) & set(groups[three.test])


def test_classes_keep_their_shares_as_groups_allow() -> None:
    groups = np.repeat(np.arange(200), 3)
    strata = (groups % 10 == 0).astype(np.int64)
    place = assign(groups, strata, [0.25] * 4, np.random.default_rng(0))
    assert [int(strata[place == p].sum()) for p in range(4)] == [15, 15, 15, 15]


def table(path: Path, **columns: object) -> DataSpec:
    rng = np.random.default_rng(1)
    n = 120
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "kind": np.where(np.arange(n) % 3 == 0, "rare", "usual"),
            "patient": [f"p{i // 4}" for i in range(n)],
            "day": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
        }
        | columns
    )
    frame.to_csv(path / "t.csv", index=False)
    return DataSpec(file="t.csv", target="kind")


def spec_with(base: DataSpec, **keys: object) -> DataSpec:
    from dataclasses import replace

    return replace(base, **keys)  # type: ignore[arg-type]  # keys of a DataSpec


def test_a_group_stays_together_and_is_no_feature(tmp_path: Path) -> None:
    base = table(tmp_path)
    data = load(spec_with(base, groups="patient", drop=("day",)), tmp_path, 1)
    of = [set(raw.groups) for raw in (data.raw_train, data.raw_valid, data.raw_test)]  # type: ignore[arg-type]
    assert not of[0] & of[1]
    assert not of[0] & of[2]
    assert not of[1] & of[2]
    assert data.preprocessor.n_features == 1
    folded = load(spec_with(base, groups="patient", folds=3, drop=("day",)), tmp_path, 1)
    for k in range(3):
        fold = fold_of(folded, k)
        assert not set(fold.raw_train.groups) & set(fold.raw_valid.groups)  # type: ignore[arg-type]
        assert len(fold.train) + len(fold.valid) == len(folded.train)


def test_preprocessing_is_fitted_inside_each_fold(tmp_path: Path) -> None:
    whole = load(spec_with(table(tmp_path), folds=4, drop=("patient", "day")), tmp_path, 1)
    seen: set[Any] = set()
    for k in range(4):
        fold = fold_of(whole, k)
        x = fold.raw_train.items["x"]
        assert fold.train.x[:, 0].mean() == pytest.approx(0.0, abs=1e-6)
        again = fold.preprocessor.transform(whole.raw_train.items)  # type: ignore[arg-type]  # a table
        assert not np.array_equal(again, whole.train.x)
        seen.update(fold.raw_valid.target.index)
        assert len(x) == len(fold.train)
    assert seen == set(whole.raw_train.target.index)
    assert not seen & set(whole.raw_test.target.index)


def test_fingerprints_of_studies_without_folds_stay(tmp_path: Path) -> None:
    base = table(tmp_path)
    plain = fingerprint(base, tmp_path)
    assert fingerprint(spec_with(base, folds=None, groups=None), tmp_path) == plain
    assert len({plain, *(fingerprint(spec_with(base, folds=k), tmp_path) for k in (2, 3))}) == 3


REFUSED = [
    ({"folds": 5}, {"kind": ["odd"] * 5 + ["usual"] * 115}, "fewer than 5 folds (write folds = 4, or"),
    ({"folds": 60}, {"kind": np.arange(120) * 1.5}, "too few for 60 folds (at most 48 folds)"),
    ({"folds": 5, "groups": "patient"}, {"patient": ["a", "b"] * 60}, "2 groups cannot be divided"),
    ({"groups": "patient"}, {"patient": ["a", "b"] * 60}, "2 groups cannot be divided"),
    ({"groups": "patient"}, {"patient": [""] + ["a", "b", "c"] * 39 + ["d", "e"]}, "1 row has no value in"),
    ({"groups": "patien"}, {}, "has no column 'patien' (did you mean 'patient'?)"),
    ({"groups": "patient", "time": "day"}, {"patient": ["a", "b", "c"] * 40}, "the group 'a' of 'patient'"),
    (
        {"folds": 4, "groups": "g", "drop": ("day", "patient")},
        {"g": [f"r{i % 3}" if i % 3 else f"one{i % 2}" for i in range(120)]},
        "groups cannot be divided",
    ),
]


@pytest.mark.parametrize(("keys", "columns", "said"), REFUSED, ids=[said[:40] for _, _, said in REFUSED])
def test_what_cannot_be_divided_is_refused(
    keys: dict[str, object], columns: dict[str, object], said: str, tmp_path: Path
) -> None:
    base = table(tmp_path, **columns)
    with pytest.raises(DataError) as caught:
        load(spec_with(base, **keys), tmp_path, 1)
    assert said in str(caught.value)


def test_classes_that_groups_leave_out_are_named(tmp_path: Path) -> None:
    kind = ["rare" if i < 8 else "usual" for i in range(120)]
    base = table(tmp_path, kind=kind, patient=[f"p{max(i - 4, 3) // 4}" for i in range(120)])
    with pytest.raises(DataError, match=r"fold \d has [12] of 2 classes|has 1 of 2 classes"):
        load(spec_with(base, folds=4, groups="patient", drop=("day",)), tmp_path, 1)
