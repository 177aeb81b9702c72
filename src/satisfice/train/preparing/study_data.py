"""The data that a family learns from: prepared on first use, and refused where they do not go with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from satisfice.data import ColumnNote, Fold, Splits, TableEncoder, dataset_of, fingerprint, load
from satisfice.errors import DataError
from satisfice.spec.study import DataSpec, StudySpec

_FEW_ROWS = 256  # of a fold, for a first try
_MOST_CACHED = 4  # prepared data sets kept in one process

_cache: OrderedDict[tuple[str, int], Splits] = OrderedDict()


class StudyData:
    """A study's data, bound to a family.

    Args:
        spec: The study, which names data.
        family: Name of the family.
        kinds: Kinds of data that it learns from.

    Raises:
        DataError: They are known to be of another kind before they are loaded.
    """

    def __init__(self, spec: StudySpec, family: str, kinds: Set[str]) -> None:
        assert spec.data is not None
        self._data, self._base_dir, self._seed = spec.data, spec.base_dir, spec.seed
        self._family, self._kinds = family, kinds
        dataset = dataset_of(spec.data)
        if dataset is not None:
            self._refuse_kind(dataset.kind)
        else:
            pictures = spec.data.folder is not None or spec.data.images is not None
            self._refuse_kind("image" if pictures else "table")

    @cached_property
    def splits(self) -> Splits:
        """The prepared data, loaded on first use.

        Raises:
            DataError: They cannot be loaded, or are not what the family learns from.
        """
        splits = load_cached(self._data, self._base_dir, self._seed)
        self._refuse_kind(splits.kind)
        return splits if "text" in self._kinds else self._without_texts(splits)

    def _without_texts(self, splits: Splits) -> Splits:
        """The same data for a family that cannot learn from text."""
        encoder = splits.preprocessor
        if splits.corpus is None or not isinstance(encoder, TableEncoder):
            return splits
        names = splits.corpus.columns
        if self._data.text is not None:
            raise DataError(
                f"data.text: {self._family} cannot learn from text, as in column {names[0]!r}",
                hint="choose linear or mlp, or remove text",
            )
        if encoder.n_features == 0:
            raise DataError(
                f"model.family: {self._family} cannot learn from text, and the data hold nothing else",
                hint="choose linear or mlp",
            )
        notes = tuple(
            ColumnNote(
                column=note.column,
                what="ignored",
                reason=f"is ignored: it holds text, from which {self._family} cannot learn",
                count=note.count,
                remedy="choose linear or mlp",
            )
            if note.column in names
            else note
            for note in splits.notes
        )
        return replace(splits, corpus=None, notes=notes, preprocessor=encoder.without_texts())

    def _refuse_kind(self, kind: str) -> None:
        if kind not in self._kinds:
            name = self._data.name or self._data.file or self._data.folder
            raise DataError(
                f"model.family: {self._family} cannot learn from {name}, which is a {kind}",
                hint="choose mlp, linear, forest or boosting",
            )


def load_cached(spec: DataSpec, base_dir: Path, seed: int) -> Splits:
    """The prepared data; read once per process. A file is read again when its content has changed."""
    key = (repr(spec) if spec.name is not None else fingerprint(spec, base_dir), seed)
    if key not in _cache:
        _cache[key] = load(spec, base_dir, seed)
        while len(_cache) > _MOST_CACHED:
            _cache.popitem(last=False)
    return _cache[key]


def few_rows(splits: Splits) -> Splits:
    """The same data with little to train and validate on."""
    train, valid = _few(splits.train), _few(splits.valid)
    return replace(
        splits,
        train=_taken(splits.train, train),
        valid=_taken(splits.valid, valid),
        corpus=None if splits.corpus is None else splits.corpus.of_rows(train, valid),
        raw_train=splits.raw_train.take(train),
        raw_valid=splits.raw_valid.take(valid),
    )


def _taken(fold: Fold, rows: NDArray[np.int64]) -> Fold:
    return Fold(x=fold.x[rows], y=fold.y[rows], z=fold.z[rows])


def _few(fold: Fold) -> NDArray[np.int64]:
    """The first rows, and the first two of every class."""
    if len(fold) <= _FEW_ROWS:
        return np.arange(len(fold))
    rows = set(range(_FEW_ROWS))
    if fold.y.dtype.kind == "i":
        rows |= {int(row) for code in np.unique(fold.y) for row in np.flatnonzero(fold.y == code)[:2]}
    return np.array(sorted(rows))
