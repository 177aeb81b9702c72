"""Losses of training and validation rows that can be compared: the curves by which a training is judged.

Both are of one kind: evaluation mode, without penalties, class weights and teachers. Mean cross-entropy in
nats for classes, mean squared error of the standardised target for numbers. Training rows are a fixed sample,
so that an epoch costs little more: at most a tenth of the fold, but 256 rows of a small one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data import Splits
from satisfice.train.score import cross_entropy

_LEAST = 256  # training rows in the sample, where there are so many
_MOST = 2048
_SHARE = 10  # one training row in so many


@dataclass(frozen=True, eq=False)
class CurveLosses:
    """The losses of one training's epochs."""

    splits: Splits

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Training rows of the sample, ascending: the same for every trial of a study."""
        n = len(self.splits.train)
        size = min(n, max(_LEAST, min(n // _SHARE, _MOST)))
        return np.sort(np.random.default_rng(0).permutation(n)[:size])

    @cached_property
    def train_x(self) -> NDArray[np.float32]:
        """Prepared items of the sample."""
        return self.splits.train.x[self.rows]

    @cached_property
    def _train_z(self) -> NDArray[Any]:
        return self.splits.train.z[self.rows]

    def of(self, train: NDArray[Any], valid: NDArray[Any]) -> dict[str, float]:
        """The losses of a model's outputs: probabilities (n, k), or standardised values (n,).

        Args:
            train: For `train_x`.
            valid: For the validation fold.
        """
        return {
            "train_loss": short(self._loss(train, self._train_z)),
            "validation_loss": short(self._loss(valid, self.splits.valid.z)),
        }

    @cached_property
    def guess(self) -> dict[str, float]:
        """The validation loss of who knows only how often the training rows have which target."""
        train, valid = self.splits.train, self.splits.valid
        k = self.splits.n_classes
        if not k:
            return {"guess_loss": short(self._loss(np.full(len(valid), train.z.mean()), valid.z))}
        # A class that no training row has counts as half a row.
        shares = np.maximum(np.bincount(train.z, minlength=k), 0.5) / len(train)
        return {"guess_loss": short(self._loss(np.tile(shares, (len(valid), 1)), valid.z))}

    def _loss(self, out: NDArray[Any], z: NDArray[Any]) -> float:
        with np.errstate(over="ignore", invalid="ignore"):  # a model that diverges is told by its loss
            if not self.splits.n_classes:
                return float(np.mean((out - z) ** 2))
            return cross_entropy(z, out)


def short(value: float) -> float:
    """Six digits: what a sample of rows tells, and half the length in the storage."""
    rounded = float(f"{value:.6g}")
    return rounded if math.isfinite(rounded) else value  # the largest numbers would be rounded to infinity
