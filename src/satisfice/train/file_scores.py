"""Scores of a shipped file's own answers, with standard errors and intervals, and a digest of the rows.

Whoever ships a file and whoever verifies it compute them here, so that equal rows give equal figures.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.ship.folder.pipeline import Feeds, Pipeline
from satisfice.train.score import score_answers

_BATCH = 4096  # rows of one call of the file
_MOST, _LEAST = 1000, 100  # bootstrap samples
_DRAWN = 10_000_000  # rows in all samples together, about
_ENDS = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, kw_only=True)
class FileScores:
    """Scores on some rows. What means nothing there, as `roc_auc` where all are of one class, is left out."""

    rows: int
    metrics: dict[str, float]
    standard_errors: dict[str, float]  # of the bootstrap over the rows
    intervals: dict[str, tuple[float, float]]  # 95%, its percentiles
    digest: str  # of the rows as the file takes them and of their targets, in whatever order


class FileAnswers:
    """The file's answers to rows whose target is known, collected batch by batch.

    Args:
        pipeline: The file.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._codes = {str(label): code for code, label in enumerate(pipeline.described.classes)}
        self._truth: list[NDArray[Any]] = []
        self._labels: list[NDArray[Any]] = []  # of a regression the values
        self._probabilities: list[NDArray[np.float32]] = []
        self._names: tuple[str, ...] = ()
        self._digests: list[bytes] = []  # one a row

    def __len__(self) -> int:
        return len(self._digests)

    def add(self, feeds: Feeds, truth: NDArray[Any]) -> None:
        """Answer n rows.

        Args:
            feeds: As `Pipeline.feeds_of_columns` or `Pipeline.feeds_of_images` gives them.
            truth: Shape (n,): codes of classes in the order of the probabilities, or numbers.
        """
        for at in range(0, len(truth), _BATCH):
            part = {name: column[at : at + _BATCH] for name, column in feeds.items()}
            outputs = self._pipeline.outputs(part)
            if self._codes:
                labels = [self._codes[str(label)] for label in self._pipeline.labels(outputs)]
                self._labels.append(np.array(labels, dtype=np.int64))
                self._probabilities.append(outputs["probabilities"])
            else:
                self._labels.append(outputs["value"])
            self._digests += _digests(part, truth[at : at + _BATCH])
        self._truth.append(truth)
        self._names = tuple(sorted(feeds))

    def scores(self) -> FileScores:
        """The scores on all rows that were added, of which there is at least one."""
        truth, labels = np.concatenate(self._truth), np.concatenate(self._labels)
        proba = np.concatenate(self._probabilities) if self._probabilities else None
        metrics = {name: v for name, v in _metrics(truth, labels, proba).items() if math.isfinite(v)}
        errors: dict[str, float] = {}
        intervals: dict[str, tuple[float, float]] = {}
        drawn = list(_resampled(truth, labels, proba))
        for name, value in metrics.items():
            found = np.array([each[name] for each in drawn])
            found = found[np.isfinite(found)]
            errors[name] = float(found.std()) if len(found) else 0.0
            low, high = np.percentile(found, _ENDS).tolist() if len(found) else (value, value)
            intervals[name] = (min(low, value), max(high, value))
        every = hashlib.sha256("\0".join(self._names).encode("utf-8", "surrogatepass"))
        for each in sorted(self._digests):
            every.update(each)
        return FileScores(
            rows=len(truth),
            metrics=metrics,
            standard_errors=errors,
            intervals=intervals,
            digest=every.hexdigest(),
        )


def _resampled(
    truth: NDArray[Any],
    labels: NDArray[Any],
    proba: NDArray[np.float32] | None,
) -> Iterator[Mapping[str, float]]:
    draw = np.random.default_rng(0)
    for _ in range(max(_LEAST, min(_MOST, _DRAWN // len(truth)))):
        s = draw.integers(0, len(truth), len(truth))
        yield _metrics(truth[s], labels[s], None if proba is None else proba[s])


def _metrics(
    truth: NDArray[Any],
    labels: NDArray[Any],
    proba: NDArray[np.float32] | None,
) -> dict[str, float]:
    if proba is None:
        return score_answers("regression", truth, None, labels)
    return score_answers("classification", truth, labels, proba)


def _digests(feeds: Feeds, truth: NDArray[Any]) -> list[bytes]:
    """SHA-256 of each row: its numbers as float64 and its target, then its texts."""
    columns = [feeds[name] for name in sorted(feeds)]
    numbers = [column.reshape(len(truth), -1) for column in columns if column.dtype != object]
    block = np.hstack([*numbers, truth[:, None]]).astype(np.float64) + 0.0  # there is one zero only
    block[np.isnan(block)] = np.nan  # and one NaN
    texts = [column.ravel().tolist() for column in columns if column.dtype == object]
    words: Iterator[Sequence[str]] | repeat[Sequence[str]] = zip(*texts, strict=True) if texts else repeat(())
    rows = zip(block, words, strict=False)
    return [
        hashlib.sha256(row.tobytes() + "\0".join(text).encode("utf-8", "surrogatepass")).digest()
        for row, text in rows
    ]
