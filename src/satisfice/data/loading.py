"""From a `[data]` table to prepared folds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data.catalog import DATASETS
from satisfice.data.features.image import ImageScaler, fit_images
from satisfice.data.features.ranges import ranges
from satisfice.data.features.scale import TargetScale, fit_target
from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.data.features.unused import unused
from satisfice.data.near_duplicates import groups_of, repeated
from satisfice.data.reading.columns import ColumnNote
from satisfice.data.reading.file import find_file, read_file
from satisfice.data.reading.pandas_columns import texts_of
from satisfice.data.reading.pictures import digest_pictures, of_pictures, read_pictures
from satisfice.data.reading.raw import Dataset, Kind, RawData, Task
from satisfice.data.reading.understand import understand
from satisfice.data.split import MINIMUM_ROWS, Folds, draw, split
from satisfice.data.target import encode_target
from satisfice.data.text.corpus import Corpus
from satisfice.errors import DataError
from satisfice.registry import did_you_mean
from satisfice.spec.study import FIRST_READING, RULES_READING, DataSpec

Preprocessor = TableEncoder | ImageScaler


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """Prepared items and their targets."""

    x: NDArray[np.float32]  # table: (n, d); images: (n, channels, height, width)
    y: NDArray[Any]  # classification: int64 codes; regression: float64, in the target's unit; shape (n,)
    z: NDArray[Any]  # what models learn: the codes; regression: y standardised by `Splits.target`, float64

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, kw_only=True, eq=False)
class Splits:
    """Data ready to train on. The preprocessor has seen the training fold only."""

    train: Fold
    valid: Fold
    test: Fold
    task: Task
    kind: Kind
    classes: tuple[Any, ...]  # by code; of two, the positive one is the second; empty for regression
    preprocessor: Preprocessor
    target: TargetScale | None  # of the training fold's target; None for classification
    raw_item: RawData  # one item of the validation fold, as it was read
    raw_train: RawData  # the folds as they were read
    raw_valid: RawData
    raw_test: RawData
    notes: tuple[ColumnNote, ...] = ()  # columns and values that are not simply used as they stand
    # By column: the least and the largest value of the training fold; of moments in seconds since 1970.
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    # Where there are columns of text: the folds and the preprocessor above lack their features, which depend
    # on hyperparameters; `with_texts` adds them.
    corpus: Corpus | None = None

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for regression."""
        return len(self.classes)

    def with_texts(self, values: tuple[NDArray[np.float32], ...], preprocessor: Preprocessor) -> Splits:
        """The data with further features in the three folds, (rows, k) each, and what prepares them all."""
        folds = [
            replace(fold, x=np.concatenate([fold.x, x], axis=1))
            for fold, x in zip((self.train, self.valid, self.test), values, strict=True)
        ]
        return replace(self, preprocessor=preprocessor, train=folds[0], valid=folds[1], test=folds[2])


def _where(spec: DataSpec, base_dir: Path) -> str:
    """Names the data in errors."""
    if spec.name is not None:
        return f"data set {spec.name}"
    key, path = ("file", spec.file) if spec.folder is None else ("folder", spec.folder)
    return f"data.{key}: {base_dir / (path or '')}"


def dataset_of(spec: DataSpec) -> Dataset | None:
    """The registered data set, or None for a file or folder.

    Raises:
        InputError: It is not registered.
    """
    return None if spec.name is None else DATASETS.get(spec.name)


def load(spec: DataSpec, base_dir: Path, seed: int) -> Splits:
    """Read, split and prepare the data.

    Args:
        spec: Which data, and how it is split.
        base_dir: Where relative paths start.
        seed: Of the split: the same seed gives the same rows on every machine.

    Raises:
        DataError: The data is missing, empty, has a single class or too few rows, or lacks a named column.
    """
    where = _where(spec, base_dir)
    raw, task, positive = _read(spec, base_dir)
    if spec.reading != FIRST_READING and spec.folder is None:  # the names of folders are labels as they are
        infer = spec.reading > RULES_READING and spec.name is None
        raw = understand(raw, task, where, _texts_named(spec, infer=infer), infer=infer)
    target = encode_target(raw.target, task, positive, where)
    strata = target.values if target.task == "classification" else None
    values = target.values
    if spec.limit is not None:
        rows = draw(len(raw), spec.limit, seed, strata)
        raw, values = raw.take(rows), values[rows]
    if len(raw) < MINIMUM_ROWS:
        raise DataError(
            f"{where}: {len(raw)} rows are too few to split three ways",
            hint=f"at least {MINIMUM_ROWS} are needed{'' if spec.limit is None else ': raise data.limit'}",
        )
    groups = groups_of(raw, spec.near_duplicates, where)
    folds = split(
        len(raw),
        valid=spec.valid,
        test=spec.test,
        seed=seed,
        strata=None if target.task == "regression" else values,
        time=raw.time,
        groups=groups if spec.near_duplicates == "group" else None,
    )
    _check_classes(values, folds, len(target.classes), where)
    train = raw.take(folds.train)
    preprocessor = _fit(train, where)
    if isinstance(preprocessor, ImageScaler) and of_pictures(spec):
        preprocessor = replace(preprocessor, kept=preprocessor.shape[1:])
    scale = _fit_scale(values[folds.train], where) if target.task == "regression" else None

    def prepare(fold: RawData, rows: NDArray[np.int64]) -> Fold:
        items: Any = fold.items
        y = values[rows]
        return Fold(x=preprocessor.transform(items), y=y, z=y if scale is None else scale.standardise(y))

    valid, test = raw.take(folds.valid), raw.take(folds.test)
    notes = [] if spec.reading == FIRST_READING else unused(train, preprocessor)
    notes += repeated(groups, folds)
    return Splits(
        train=prepare(train, folds.train),
        valid=prepare(valid, folds.valid),
        test=prepare(test, folds.test),
        task=target.task,
        kind=raw.kind,
        classes=target.classes,
        preprocessor=preprocessor,
        target=scale,
        raw_item=raw.take(folds.valid[:1]),
        raw_train=train,
        raw_valid=valid,
        raw_test=test,
        notes=(*raw.notes, *notes),
        ranges=ranges(train, preprocessor),
        corpus=_corpus(
            (train, valid, test),
            values[folds.train] if scale is None else scale.standardise(values[folds.train]),
            classify=scale is None,
        ),
    )


def fingerprint(spec: DataSpec, base_dir: Path) -> str:
    """SHA-256 of the data's content and of the settings of the split; equal on every machine.

    Before it stands how cells are read, such as ``2:``; nothing where that is the first reading.

    Raises:
        DataError: The data is missing.
    """
    digest = hashlib.sha256()
    settings = {
        "target": spec.target,
        "drop": sorted(spec.drop),
        "positive": spec.positive,
        "task": spec.task,
        "time": spec.time,
        "valid": spec.valid,
        "test": spec.test,
        "limit": spec.limit,
        # Left out where they are: the fingerprints of studies from before there were such columns still hold.
        **({} if spec.text is None else {"text": sorted(spec.text)}),
        **({} if spec.near_duplicates is None else {"near_duplicates": spec.near_duplicates}),
    }
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    dataset = dataset_of(spec)
    if of_pictures(spec):
        digest.update(digest_pictures(spec, base_dir))
    elif dataset is None:
        with find_file(spec, base_dir).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    else:
        _digest_raw(dataset.read(), digest.update)
    return digest.hexdigest() if spec.reading == FIRST_READING else f"{spec.reading}:{digest.hexdigest()}"


def _read(spec: DataSpec, base_dir: Path) -> tuple[RawData, Task | None, Any]:
    """The raw data, its task if stated, and its positive class if stated."""
    dataset = dataset_of(spec)
    if of_pictures(spec):
        task = "classification" if spec.folder is not None else spec.task
        return read_pictures(spec, base_dir), task, spec.positive  # type: ignore[return-value]  # checked by the parser
    if dataset is None:
        return read_file(spec, base_dir), spec.task, spec.positive  # type: ignore[return-value]  # checked by the parser
    if spec.task not in (None, dataset.task):
        raise DataError(
            f"data set {dataset.name} is for {dataset.task}, not {spec.task}", hint="leave out data.task"
        )
    raw = dataset.read()
    if spec.drop:
        if not isinstance(raw.items, pd.DataFrame):
            raise DataError(f"data.drop: data set {dataset.name} holds images, which have no columns")
        known = [str(c) for c in raw.items.columns]
        for name in spec.drop:
            if name not in known:
                raise DataError(
                    f"data.drop: data set {dataset.name} has no column {name!r}",
                    hint=did_you_mean(name, known),
                )
        raw = replace(raw, items=raw.items.drop(columns=list(spec.drop)))
    positive = dataset.positive if spec.positive is None else spec.positive
    return raw, dataset.task, positive


def _texts_named(spec: DataSpec, *, infer: bool) -> tuple[str, ...] | None:
    """The columns of text as the study or the data set states them; None where they are inferred."""
    dataset = dataset_of(spec)
    if spec.text is not None or dataset is None:
        return spec.text if spec.text is not None or infer else ()
    return tuple(name for name in dataset.text if name not in spec.drop)


def _corpus(
    folds: tuple[RawData, RawData, RawData], target: NDArray[Any], *, classify: bool
) -> Corpus | None:
    """The columns of text of all folds; None where there are none."""
    names = folds[0].texts
    if not names:
        return None
    frames = [fold.items for fold in folds if isinstance(fold.items, pd.DataFrame)]
    texts = {name: [cell for frame in frames for cell in texts_of(frame[name])] for name in names}
    lengths = (len(folds[0]), len(folds[1]), len(folds[2]))
    return Corpus(texts, lengths, target, classify=classify)


def _fit(train: RawData, where: str) -> Preprocessor:
    if not isinstance(train.items, pd.DataFrame):
        return fit_images(train.items)
    encoder = fit_table(train.items, train.rules)
    if encoder.n_features == 0 and encoder.texts is None:
        raise DataError(
            f"{where} has no column to learn from", hint="every column is constant or different in every row"
        )
    return encoder


def _fit_scale(target: NDArray[np.float64], where: str) -> TargetScale:
    scale = fit_target(target)
    if scale.spread == 0:
        raise DataError(
            f"{where}: the target has the same value in all {len(target)} rows of the training fold",
            hint="choose other shares, or do not split by time",
        )
    return scale


def _check_classes(codes: NDArray[Any], folds: Folds, n_classes: int, where: str) -> None:
    """A split by time may leave classes out of a fold: training needs all, scoring at least two."""
    if n_classes == 0:
        return
    for name, rows, least in (
        ("training", folds.train, n_classes),
        ("validation", folds.valid, 2),
        ("test", folds.test, 2),
    ):
        found = len(np.unique(codes[rows]))
        if found < least:
            raise DataError(
                f"{where}: the {name} fold has {found} of {n_classes} classes",
                hint="choose other shares, or do not split by time",
            )


def _digest_raw(raw: RawData, update: Callable[[bytes], object]) -> None:
    if isinstance(raw.items, pd.DataFrame):
        for name in raw.items.columns:
            update(f"\x1e{name}\x1e".encode())
            update(_column_bytes(raw.items[name]))
    else:
        update(str(raw.items.shape).encode())
        update(np.ascontiguousarray(raw.items, dtype="<f4").tobytes())
    update(_column_bytes(raw.target))


def _column_bytes(series: pd.Series[Any]) -> bytes:
    """The same bytes under every release of pandas: numbers as float64, all else as text."""
    if pd.api.types.is_numeric_dtype(series):
        return series.to_numpy(dtype="<f8", na_value=np.nan).tobytes()
    return "\x1f".join("" if pd.isna(value) else str(value) for value in series.tolist()).encode()
