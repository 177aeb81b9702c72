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
from satisfice.data.dividing import divide
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
from satisfice.data.split import MINIMUM_ROWS, draw
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
    """Data ready to train on. The preprocessor has seen the training fold only.

    With cross-validation, all rows outside the test split are both `train` and `valid`: each validates in one
    fold, whose data `satisfice.data.cross_validation.fold_of` gives.
    """

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
    # With cross-validation, the number from 0 of the fold that each row of `train` validates in; shape (n,).
    parts: NDArray[np.int64] | None = None

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
    alike = groups_of(raw, spec.near_duplicates, where)
    folds = divide(raw, values, target, spec, seed, where, alike)
    train = raw.take(folds.train)
    preprocessor = fit_preprocessor(train, where)
    if isinstance(preprocessor, ImageScaler) and of_pictures(spec):
        preprocessor = replace(preprocessor, kept=preprocessor.shape[1:])
    scale = fit_scale(values[folds.train], where) if target.task == "regression" else None
    test = raw.take(folds.test)
    trains = prepare(train, values[folds.train], preprocessor, scale)
    valid, validates = train, trains
    if folds.parts is None:
        valid = raw.take(folds.valid)
        validates = prepare(valid, values[folds.valid], preprocessor, scale)
    notes = [] if spec.reading == FIRST_READING else unused(train, preprocessor)
    notes += repeated(alike, folds)
    return Splits(
        train=trains,
        valid=validates,
        test=prepare(test, values[folds.test], preprocessor, scale),
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
        corpus=corpus_of((train, valid, test), trains.z, classify=scale is None),
        parts=folds.parts,
    )


def prepare(
    raw: RawData, values: NDArray[Any], preprocessor: Preprocessor, scale: TargetScale | None
) -> Fold:
    """Rows with their targets as numbers, shape (n,), prepared."""
    items: Any = raw.items
    return Fold(
        x=preprocessor.transform(items), y=values, z=values if scale is None else scale.standardise(values)
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
        # Left out where they are not given: fingerprints of studies from before there were such keys hold.
        **({} if spec.text is None else {"text": sorted(spec.text)}),
        **({} if spec.near_duplicates is None else {"near_duplicates": spec.near_duplicates}),
        **({} if spec.folds is None else {"folds": spec.folds}),
        **({} if spec.groups is None else {"groups": spec.groups}),
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
        where = _where(spec, base_dir)

        def accept(labels: pd.Series[Any]) -> None:
            encode_target(labels, "classification", spec.positive, where)

        return read_pictures(spec, base_dir, accept), task, spec.positive  # type: ignore[return-value]  # checked by the parser
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


def corpus_of(
    folds: tuple[RawData, RawData, RawData], target: NDArray[Any], *, classify: bool
) -> Corpus | None:
    """The columns of text of all folds; None where there are none.

    Args:
        folds: Training, validation and test rows.
        target: What models learn, of the training rows.
        classify: Whether those are codes of classes.
    """
    names = folds[0].texts
    if not names:
        return None
    frames = [fold.items for fold in folds if isinstance(fold.items, pd.DataFrame)]
    texts = {name: [cell for frame in frames for cell in texts_of(frame[name])] for name in names}
    lengths = (len(folds[0]), len(folds[1]), len(folds[2]))
    return Corpus(texts, lengths, target, classify=classify)


def fit_preprocessor(train: RawData, where: str) -> Preprocessor:
    """What turns items into numbers, as these rows teach it.

    Raises:
        DataError: No column is left to learn from.
    """
    if not isinstance(train.items, pd.DataFrame):
        return fit_images(train.items)
    encoder = fit_table(train.items, train.rules)
    if encoder.n_features == 0 and encoder.texts is None:
        raise DataError(
            f"{where} has no column to learn from", hint="every column is constant or different in every row"
        )
    return encoder


def fit_scale(target: NDArray[np.float64], where: str) -> TargetScale:
    """The scale of a regression's target, shape (n,).

    Raises:
        DataError: It has the same value throughout.
    """
    scale = fit_target(target)
    if scale.spread == 0:
        raise DataError(
            f"{where}: the target has the same value in all {len(target)} rows of the training fold",
            hint="choose other shares, or do not split by time",
        )
    return scale


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
