"""The encoder of tables: what it learns, and that it learns it from the training fold only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.data.split import split
from satisfice.data.target import encode_target, infer_task
from satisfice.errors import DataError

cells = st.one_of(st.none(), st.floats(-1e6, 1e6), st.floats())  # 5e-324, 1.8e308 and infinity included
words = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d e", "ä"]))


@st.composite
def frames(draw: Any) -> Any:
    n = draw(st.integers(5, 30))
    return pd.DataFrame(
        {
            "x": pd.array(draw(st.lists(cells, min_size=n, max_size=n)), dtype="Float64"),
            "word": pd.Series(draw(st.lists(words, min_size=n, max_size=n)), dtype=object),
            "count": draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n)),
        }
    )


@settings(max_examples=60, deadline=None)
@given(frames(), frames())
def test_any_table_becomes_finite_numbers_and_survives_the_file(train: Any, other: Any) -> None:
    encoder = fit_table(train)
    again = TableEncoder.restore(encoder.describe(), encoder.arrays())
    for frame in (train, other):
        x = encoder.transform(frame)
        assert x.shape == (len(frame), encoder.n_features)
        assert np.isfinite(x).all()
        assert np.array_equal(x, again.transform(frame))


def test_numbers_are_scaled_and_missing_ones_marked() -> None:
    train = pd.DataFrame({"x": [1.0, 2.0, np.nan, 3.0, 6.0]})
    encoder = fit_table(train)
    assert encoder.feature_names == ["x", "x is missing"]
    x = encoder.transform(train)
    assert x[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert x[:, 0].std() == pytest.approx(1, rel=1e-6)
    assert x[:, 1].tolist() == [0, 0, 1, 0, 0]
    assert x[2, 0] == encoder.transform(pd.DataFrame({"x": [2.5]}))[0, 0]  # the median


def test_skewed_numbers_are_taken_in_the_logarithm() -> None:
    encoder = fit_table(pd.DataFrame({"x": [0.0] * 50 + [1e6], "y": np.linspace(0, 1, 51)}))
    assert [column.skewed for column in encoder.columns] == [True, False]
    assert np.isfinite(encoder.transform(pd.DataFrame({"x": [-5.0], "y": [0.0]}))).all()


def _features(values: Any) -> Any:
    return fit_table(pd.DataFrame({"x": values})).transform(pd.DataFrame({"x": values}))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["normal", "right", "left", "gaps"]),
    power=st.integers(-290, 290),
    shift=st.sampled_from([0.0, 1.0, -1e3, 1e6]),
    seed=st.integers(0, 1000),
)
def test_a_columns_unit_and_zero_change_no_feature(kind: str, power: int, shift: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=60)
    if kind in ("right", "left"):
        values = np.exp(2.5 * values) * (1 if kind == "right" else -1)
    if kind == "gaps":
        values[::6] = np.nan
    expected = _features(values)
    assert expected.shape[1] == 1 + (kind == "gaps")
    assert _features((values + shift) * 10.0**power) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("flip", [1, -1])
def test_the_logarithm_of_a_skewed_column_has_little_skewness_left(flip: int) -> None:
    values = flip * np.exp(3.0 * np.random.default_rng(0).normal(size=400))
    x = _features(values)[:, 0].astype(float)
    assert abs((x**3).mean()) < 1.0
    assert np.array_equal(np.argsort(x), np.argsort(values))  # values keep their order


def test_one_huge_cell_leaves_the_others_apart() -> None:
    """Standardised alone, all others would share one float32."""
    values = np.r_[np.random.default_rng(0).normal(size=200), 1e40]
    x = _features(values)[:-1, 0]
    assert len(np.unique(x)) > 190


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([5e-13, 6e-13, 4e-13], True),  # farads
        ([1e8, 1e8 + 1, 1e8 - 1], True),
        ([1.7e18, 1.7e18 + 1e9, 1.7e18 + 2e9], True),  # nanoseconds since 1970
        ([1e300, 1.1e300, 0.9e300], True),
        ([-1.7e308, 1.7e308, 0.0], True),
        ([0.0, 5e-320, 1e-319], True),
        ([True, False, True], True),
        ([2**62, 2**62 + 2**20, 2**62 + 2**21], True),
        ([0.3, 0.1 + 0.2, 0.3], False),  # they differ by rounding
        ([0.0, 0.0, 0.0], False),
        ([7e-300, 7e-300, 7e-300], False),
        ([np.inf, np.nan, -np.inf], False),
    ],
)
def test_what_is_constant_goes_by_the_columns_own_size(values: list[Any], kept: bool) -> None:
    x = _features(np.array(values * 4))
    assert x.shape[1] == kept
    if kept:
        assert x.mean() == pytest.approx(0, abs=1e-3)
        assert x.std() == pytest.approx(1, rel=1e-3)


def test_infinite_cells_count_as_missing() -> None:
    encoder = fit_table(pd.DataFrame({"x": [1.0, 2.0, np.inf, -np.inf, 3.0]}))
    assert encoder.feature_names == ["x", "x is missing"]
    x = encoder.transform(pd.DataFrame({"x": [np.inf, 2.0]}))
    assert x[:, 1].tolist() == [1, 0]
    assert x[0, 0] == x[1, 0]  # the median


def test_a_number_far_out_stays_within_float32() -> None:
    encoder = fit_table(pd.DataFrame({"x": [5e-13, 6e-13, 4e-13]}))
    x = encoder.transform(pd.DataFrame({"x": [1e300, -1e300]}))
    assert x.dtype == np.float32
    assert x.ravel().tolist() == pytest.approx([1e15, -1e15])


def test_what_was_constant_or_missing_says_only_whether_it_is_missing() -> None:
    encoder = fit_table(pd.DataFrame({"x": [7e6, np.nan, 7e6]}))
    assert encoder.feature_names == ["x", "x is missing"]
    assert encoder.transform(pd.DataFrame({"x": [7e6, 9e9, np.nan]})).tolist() == [[0, 0], [0, 0], [0, 1]]


def test_rare_unknown_and_missing_categories() -> None:
    train = pd.DataFrame({"c": ["a"] * 50 + ["b"] * 40 + ["z"] * 2 + [None] * 8})
    encoder = fit_table(train)
    assert encoder.feature_names == ["c=a", "c=b", "c=missing", "c=other"]
    found = encoder.transform(pd.DataFrame({"c": ["a", "z", "never seen", None]}, dtype=object))
    assert found.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0]]


def test_names_and_constants_become_nothing() -> None:
    n = 200
    encoder = fit_table(
        pd.DataFrame({"id": [f"person {i}" for i in range(n)], "one": [1] * n, "x": range(n)})
    )
    assert encoder.feature_names == ["x"]
    assert encoder.ignored == ("id", "one")


@pytest.mark.parametrize("as_text", [True, False])
def test_moments_become_days_and_their_parts(as_text: Any) -> None:
    when = pd.Series(pd.date_range("2023-12-25", periods=40, freq="9h"), name="when")
    encoder = fit_table(pd.DataFrame({"when": when.dt.strftime("%Y-%m-%dT%H:%M:%S") if as_text else when}))
    assert encoder.feature_names == ["when.days", "when.month", "when.day_of_week", "when.hour"]


def test_only_the_training_fold_is_learnt_from() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "c": ["a", "b", "b"]})
    encoder = fit_table(frame)
    before = encoder.transform(frame)
    encoder.transform(pd.DataFrame({"x": [1e9, np.nan], "c": ["q", "r"]}))
    assert np.array_equal(before, encoder.transform(frame))
    assert before[:, 0].mean() == pytest.approx(0, abs=1e-6)


@settings(deadline=None)
@given(
    n=st.integers(10, 200),
    valid=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    seed=st.integers(0, 2**32),
    k=st.integers(0, 3),
)
def test_a_split_puts_every_row_into_one_fold(n: Any, valid: Any, test: Any, seed: Any, k: Any) -> None:
    strata = np.arange(n) % k if k else None
    folds = split(n, valid=valid, test=test, seed=seed, strata=strata)
    rows = np.concatenate([folds.train, folds.valid, folds.test])
    assert sorted(rows) == list(range(n))
    assert min(len(folds.train), len(folds.valid), len(folds.test)) >= 1
    if strata is not None:
        assert all(set(strata[fold]) == set(range(k)) for fold in (folds.train, folds.valid, folds.test))


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="9 rows are too few"):
        split(9, valid=0.2, test=0.2, seed=0, strata=None)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 1, 2], "classification"),
        ([0.0, 1.0], "classification"),
        ([0.5, 1.0], "regression"),
        (list(range(30)), "regression"),
    ],
)
def test_the_task_is_inferred(values: Any, task: Any) -> None:
    assert infer_task(pd.Series(values)) == task


def test_the_positive_class_gets_code_one() -> None:
    target = pd.Series(["spam"] * 6 + ["ham"] * 4, name="kind")
    rarer = encode_target(target, None, None, "data")
    assert rarer.classes == ("spam", "ham")
    named = encode_target(target, None, "spam", "data")
    assert named.classes == ("ham", "spam")
    assert named.values.tolist() == [1] * 6 + [0] * 4
    numbers = encode_target(pd.Series([0] * 5 + [1] * 5, name="n"), None, "1", "data")
    assert numbers.classes == (0, 1)
