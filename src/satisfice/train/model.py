"""A model that shipped, with its preprocessing: from raw items to predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfice.data import ImageScaler
from satisfice.errors import InputError
from satisfice.train import shipping
from satisfice.train.shipping import Header

_CHUNK = 1024  # items at a time, to bound memory


@dataclass(frozen=True, kw_only=True, eq=False)
class ShippedModel:
    """What `load_model` gives back.

    Called with prepared items it is the bare model; `predict` takes raw ones.
    """

    header: Header
    core: Any  # torch module, or a callable from arrays to arrays

    @property
    def classes(self) -> tuple[Any, ...]:
        """By column of `predict_proba`; empty for regression."""
        return self.header.classes

    def __call__(self, items: Any) -> Any:
        """The bare model's output for prepared items; of a regression in spreads from the target's centre."""
        return self.core(items)

    def outputs(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (n, k), or values (n,) in the target's unit, for at least one prepared item."""
        out = predict(self.core, x, classify=self.header.task == "classification")
        return out if self.header.target is None else self.header.target.restore(out)

    def prepare(self, items: pd.DataFrame | NDArray[Any]) -> NDArray[np.float32]:
        """Raw items (rows of a table; images (n, [channels,] height, width)) to model input.

        Raises:
            InputError: A column is missing, or images have another shape than those that it was trained on.
        """
        preprocessor = self.header.preprocessor
        if isinstance(preprocessor, ImageScaler):
            images = np.asarray(items)
            images = images[:, None] if images.ndim == 3 else images
            if images.shape[1:] != preprocessor.shape:
                wanted = " x ".join(map(str, preprocessor.shape))
                raise InputError(
                    f"images of shape {np.shape(items)}; the model takes n x {wanted}",
                    hint="channels first; one channel may be left out",
                )
            return preprocessor.transform(images)
        frame = pd.DataFrame(items)
        lacking = [c.name for c in preprocessor.columns if c.name not in frame]
        if lacking:
            raise InputError(
                f"the items lack {', '.join(map(repr, dict.fromkeys(lacking)))}",
                hint="give rows with the columns that the model was trained on",
            )
        return preprocessor.transform(frame)

    def predict_proba(self, items: pd.DataFrame | NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities, shape (n, k), in the order of `classes`."""
        x = self.prepare(items)
        return predict(self.core, x, classify=True) if len(x) else np.empty((0, len(self.classes)))

    def predict(self, items: pd.DataFrame | NDArray[Any]) -> NDArray[Any]:
        """Class labels, or values for regression; shape (n,)."""
        if self.header.task == "regression":
            x = self.prepare(items)
            return self.outputs(x) if len(x) else np.empty(0)
        labels = np.empty(len(self.classes), dtype=object)
        labels[:] = self.classes
        chosen: NDArray[Any] = labels[self.predict_proba(items).argmax(axis=1)]
        return chosen


def load(path: str | Path) -> ShippedModel:
    """Open a model file, without the study that made it.

    Raises:
        DataError: The file is missing or is no model of satisfice.
    """
    from satisfice.train.catalog import TRAINERS  # the families import this module

    header, arrays = shipping.read(Path(path))
    return ShippedModel(header=header, core=TRAINERS.get(header.family).restore(header, arrays))


def exercise(path: str, batch: int = 1) -> Callable[[], object]:
    """Open a model file, and return a call that predicts ``batch`` prepared items."""
    model = load(path)
    header = model.header
    x = np.zeros((batch, *header.preprocessor.shape), np.float32)
    return lambda: predict(model.core, x, classify=header.task == "classification")


def predict(core: Any, x: NDArray[np.float32], *, classify: bool) -> NDArray[np.float64]:
    """Probabilities (n, k), or values (n,), from a bare model of any family."""
    if hasattr(core, "state_dict"):
        from satisfice.train.network import predict as predict_torch  # imports torch

        return predict_torch(core, x, classify=classify)
    parts = [core(x[at : at + _CHUNK]) for at in range(0, len(x), _CHUNK)]
    out: NDArray[np.float64] = np.concatenate(parts)
    return out
