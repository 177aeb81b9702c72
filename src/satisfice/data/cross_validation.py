"""One fold of a cross-validation as data of its own: what validates there was seen by nothing before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from satisfice.data.features.image import ImageScaler
from satisfice.data.features.table import TableEncoder
from satisfice.data.loading import Preprocessor, Splits, corpus_of, fit_preprocessor, fit_scale, prepare
from satisfice.data.reading.raw import RawData


def fold_of(splits: Splits, fold: int) -> Splits:
    """The data of one fold: all that is learnt from data is learnt from its training rows alone.

    That is preprocessing, the target's scale, and the vocabulary of columns of text.

    Args:
        splits: Of a study with folds, see `Splits.parts`.
        fold: From 0 on.

    Raises:
        DataError: No column is left to learn from, or a target has the same value throughout.
    """
    assert splits.parts is not None
    where = f"fold {fold + 1}"
    rows, valid = np.flatnonzero(splits.parts != fold), np.flatnonzero(splits.parts == fold)
    raw_train, raw_valid = splits.raw_train.take(rows), splits.raw_train.take(valid)
    preprocessor = _fitted(raw_train, splits, where)
    y = splits.train.y
    scale = None if splits.target is None else fit_scale(y[rows], where)
    train = prepare(raw_train, y[rows], preprocessor, scale)
    test = prepare(splits.raw_test, splits.test.y, preprocessor, scale)
    texts = None
    if splits.corpus is not None:
        texts = corpus_of((raw_train, raw_valid, splits.raw_test), train.z, classify=scale is None)
    return replace(
        splits,
        train=train,
        valid=prepare(raw_valid, y[valid], preprocessor, scale),
        test=test,
        preprocessor=preprocessor,
        target=scale,
        raw_item=raw_valid.take(np.arange(1)),
        raw_train=raw_train,
        raw_valid=raw_valid,
        corpus=texts,
        parts=None,
    )


def _fitted(train: RawData, splits: Splits, where: str) -> Preprocessor:
    """What the training rows teach, for models of the same inputs as the study's."""
    found, whole = fit_preprocessor(train, where), splits.preprocessor
    if isinstance(found, ImageScaler) and isinstance(whole, ImageScaler):
        return replace(found, kept=whole.kept)
    if isinstance(found, TableEncoder) and splits.corpus is None and train.texts:
        return found.without_texts()
    return found
