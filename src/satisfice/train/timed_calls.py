"""The calls whose latency is measured: prepared items through the model, a raw one through all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from satisfice.data import Splits
from satisfice.spec.task import Params
from satisfice.train.shipped_file import Shippable, ShippedFile


@dataclass(frozen=True)
class TimedCalls:
    """Calls for the models of a family on its data."""

    task: Shippable
    file: ShippedFile
    splits: Splits

    def predictor(self, params: Params, core: Any, batch: int) -> Callable[[], object]:
        """A call that predicts ``batch`` prepared items."""
        x = self.splits.valid.x
        items = np.ascontiguousarray(np.resize(x[:1], (batch, *x.shape[1:])))
        return self.file.call(self.task, params, core, items)

    def pipeline(self, params: Params, core: Any) -> Callable[[], object]:
        """A call that takes one raw item through preprocessing and model."""
        preprocessor, item = self.splits.preprocessor, self.splits.raw_item.items

        def call() -> object:
            x = preprocessor.transform(item)  # type: ignore[arg-type]  # of the matching kind
            return self.file.call(self.task, params, core, x)()

        return call
