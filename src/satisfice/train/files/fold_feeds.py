"""The folds of a study's data as inputs of an ONNX file, read once for all trials."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.data import Splits
from satisfice.data.reading.raw import RawData
from satisfice.ship.onnx_file import feeds_of

Feeds = dict[str, NDArray[Any]]


class FoldFeeds:
    """Inputs of every file that is trained on these data.

    Args:
        splits: The data.
    """

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    @property
    def byte_images(self) -> bool:
        """Whether the items are images of bytes."""
        return getattr(self._splits.raw_item.items, "dtype", None) == np.uint8

    @cached_property
    def train(self) -> Feeds:
        """Of the training fold, n rows."""
        return self._of(self._splits.raw_train)

    @cached_property
    def valid(self) -> Feeds:
        """Of the validation fold, n rows."""
        return self._of(self._splits.raw_valid)

    @cached_property
    def test(self) -> Feeds:
        """Of the test fold, n rows."""
        return self._of(self._splits.raw_test)

    def item(self, batch: int) -> Feeds:
        """One item of the validation fold, ``batch`` times."""
        return {name: np.repeat(tensor[:1], batch, axis=0) for name, tensor in self._single.items()}

    @cached_property
    def _single(self) -> Feeds:
        return self._of(self._splits.raw_item)

    def _of(self, raw: RawData) -> Feeds:
        return feeds_of(self._splits.preprocessor, raw.items, byte_images=self.byte_images)
