"""The file that ships, as a study's training sees it: a format is replaced by replacing this part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from satisfice.data import Splits
from satisfice.ship import safetensors_file
from satisfice.ship.model import ShippedModel
from satisfice.ship.onnx_file import CoreWriter, Options
from satisfice.ship.safetensors_file import Arrays, Header
from satisfice.spec.task import Params, Reload
from satisfice.train.answer_rule import AnswerRule
from satisfice.train.files.fold_feeds import FoldFeeds
from satisfice.train.files.onnx_model import OnnxModel
from satisfice.train.loading import load

Call = Callable[[], object]


class Shippable(Protocol):
    """What a file needs of the family's task."""

    @property
    def splits(self) -> Splits:
        """The study's data."""

    def feeds_of(self, params: Params) -> FoldFeeds:
        """The same as inputs of an ONNX file."""

    @property
    def threads(self) -> int:
        """Threads of the runtime while a call is timed."""

    def answer_rule(self, params: Params) -> AnswerRule:
        """How the configuration's models answer."""

    def splits_of(self, params: Params) -> Splits:
        """The same as a configuration prepares them."""

    def header(self, params: Params) -> Header:
        """All of a model but its tensors."""

    def arrays(self, core: Any) -> dict[str, NDArray[Any]]:
        """The tensors of a bare model."""

    def untrained(self, params: Params) -> Any:
        """A bare model as slow as a trained one; None where that is known only after fitting."""

    def writer(self) -> CoreWriter:
        """What writes the bare model into an ONNX graph."""

    def options(self, params: Params, threshold: float | None = None) -> Options:
        """How the ONNX file is written."""

    def native_call(self, core: Any, x: NDArray[np.float32]) -> Call:
        """A call that predicts prepared items with a bare model in the library that trained it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """What is kept of a training."""

    file: Path  # that ships
    weights: Path | None = None  # trained weights, where they are not in the file as they were trained
    model: Any  # the file's model, to be scored
    metrics: Mapping[str, float] = field(default_factory=dict)  # what was decided when it was written


class ShippedFile(Protocol):
    """One format. Without a state of its own: ``task`` is the family bound to its data."""

    name: str  # of the file, with the format's suffix
    libraries: tuple[str, ...]  # that loading it imports

    by_shapes: bool  # whether the length follows from types and shapes of any family's tensors

    def length(self, task: Shippable, params: Params, arrays: Arrays) -> int:
        """Bytes of the file, exact; where they follow from types and shapes, the tensors need no numbers."""

    def keep(
        self, task: Shippable, params: Params, core: Any, folder: Path, threshold: float | None = None
    ) -> Kept:
        """Write a fitted bare model into ``folder``.

        Args:
            task: The family bound to its data.
            params: The configuration.
            core: The bare model.
            folder: Where the file is written.
            threshold: Decision threshold that was fitted elsewhere; None: it is fitted here, if one is to be.
        """

    def load(self, path: Path) -> Any:
        """The model in a file, ready to predict.

        Raises:
            DataError: The file is missing or is no model of satisfice.
        """

    def call(self, task: Shippable, params: Params, model: Any, batch: int) -> Call | None:
        """A call that predicts ``batch`` items as whoever uses the file does; it is timed.

        None where the model is None, an untrained one, and it is known only after fitting.
        """

    def pipeline(self, task: Shippable, params: Params, model: Any) -> Call | None:
        """A call that takes one raw item through preprocessing and model."""

    def reload(self, task: Shippable, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """How a fresh process loads the file, written into ``folder``, and predicts ``batch`` items."""


def bare(model: Any) -> Any:
    """The family's own model in what a file was loaded to."""
    return model.core if isinstance(model, ShippedModel | OnnxModel) else model


class SafetensorsFile:
    """Weights and preprocessing in one safetensors file; the library that trained the model predicts."""

    name = "model.safetensors"
    libraries: tuple[str, ...] = ("safetensors.numpy",)
    by_shapes = True

    def __init__(self, libraries: tuple[str, ...] = ()) -> None:
        self._predicting = libraries  # that predicting with a loaded model imports

    def length(self, task: Shippable, params: Params, arrays: Arrays) -> int:
        """See `ShippedFile`."""
        shapes = {name: (array.dtype, array.shape) for name, array in arrays.items()}
        return safetensors_file.file_bytes(task.header(params), shapes)

    def keep(
        self, task: Shippable, params: Params, core: Any, folder: Path, threshold: float | None = None
    ) -> Kept:
        """See `ShippedFile`. Whoever predicts with it decides by the threshold themselves."""
        del threshold
        path = folder / self.name
        safetensors_file.write(task.header(params), task.arrays(core), path)
        return Kept(file=path, model=core)

    def load(self, path: Path) -> ShippedModel:
        """See `ShippedFile`."""
        return load(path)

    def call(self, task: Shippable, params: Params, model: Any, batch: int) -> Call | None:
        """See `ShippedFile`."""
        core = task.untrained(params) if model is None else bare(model)
        if core is None:
            return None
        x = task.splits_of(params).valid.x
        return task.native_call(core, np.ascontiguousarray(np.resize(x[:1], (batch, *x.shape[1:]))))

    def pipeline(self, task: Shippable, params: Params, model: Any) -> Call | None:
        """See `ShippedFile`."""
        core = task.untrained(params) if model is None else bare(model)
        if core is None:
            return None
        preprocessor, item = task.header(params).preprocessor, task.splits.raw_item.items

        def call() -> object:
            x = preprocessor.transform(item)  # type: ignore[arg-type]  # of the matching kind
            return task.native_call(core, x)()

        return call

    def reload(self, task: Shippable, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """See `ShippedFile`."""
        core = task.untrained(params) if model is None else bare(model)
        if core is None:
            return None
        path = self.keep(task, params, core, folder).file
        options: Mapping[str, Any] = {"path": str(path), "batch": batch}
        return Reload(
            entry="satisfice.train.loading:exercise",
            options=options,
            imports=(*self.libraries, *self._predicting),
        )
