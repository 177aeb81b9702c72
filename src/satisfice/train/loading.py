"""Model files back to models: the family that a file names restores it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from satisfice.ship import safetensors_file
from satisfice.ship.model import ShippedModel, predict
from satisfice.train.catalog import TRAINERS


def load(path: str | Path) -> ShippedModel:
    """Open a model file, without the study that made it.

    Raises:
        DataError: The file is missing or is no model of satisfice.
    """
    header, arrays = safetensors_file.read(Path(path))
    return ShippedModel(header=header, core=TRAINERS.get(header.family).restore(header, arrays))


def exercise(path: str, batch: int = 1) -> Callable[[], object]:
    """Open a model file, and return a call that predicts ``batch`` prepared items."""
    model = load(path)
    header = model.header
    x = np.zeros((batch, *header.preprocessor.shape), np.float32)
    return lambda: predict(model.core, x, classify=header.task == "classification")
