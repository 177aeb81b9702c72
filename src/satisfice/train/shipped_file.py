"""The file that ships, as a study's training sees it: a format is replaced by replacing this part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from satisfice.ship import safetensors_file
from satisfice.ship.model import ShippedModel
from satisfice.ship.safetensors_file import Header, Shapes
from satisfice.spec.task import Params, Reload
from satisfice.train.loading import load


class Shippable(Protocol):
    """What a file needs of the family's task."""

    libraries: tuple[str, ...]  # that predicting with a loaded model imports

    def header(self, params: Params) -> Header:
        """All of a model but its tensors."""

    def arrays(self, core: Any) -> dict[str, NDArray[Any]]:
        """The tensors of a bare model."""

    def native_call(self, core: Any, x: NDArray[np.float32]) -> Callable[[], object]:
        """A call that predicts prepared items with a bare model in the library that trained it."""


class ShippedFile(Protocol):
    """One format. Without a state of its own: ``task`` is the family bound to its data."""

    name: str  # of the file, with the format's suffix
    libraries: tuple[str, ...]  # that loading it imports

    def length(self, header: Header, shapes: Shapes) -> int:
        """Bytes of the file, exact, before anything is trained: from types and shapes of the tensors."""

    def save(self, task: Shippable, params: Params, core: Any, path: Path) -> int:
        """Write it; returns its length in bytes."""

    def load(self, path: Path) -> ShippedModel:
        """The model in a file, ready to predict.

        Raises:
            DataError: The file is missing or is no model of satisfice.
        """

    def call(
        self, task: Shippable, params: Params, core: Any, x: NDArray[np.float32]
    ) -> Callable[[], object]:
        """A call that predicts prepared items (n, ...) as whoever uses the file does; it is timed."""

    def reload(self, task: Shippable, params: Params, core: Any, folder: Path, batch: int) -> Reload:
        """How a fresh process loads the file, written into ``folder``, and predicts ``batch`` items."""


class SafetensorsFile:
    """Weights and preprocessing in one safetensors file; the library that trained the model predicts."""

    name = "model.safetensors"
    libraries: tuple[str, ...] = ("safetensors.numpy",)

    def length(self, header: Header, shapes: Shapes) -> int:
        """See `ShippedFile`."""
        return safetensors_file.file_bytes(header, shapes)

    def save(self, task: Shippable, params: Params, core: Any, path: Path) -> int:
        """See `ShippedFile`."""
        return safetensors_file.write(task.header(params), task.arrays(core), path)

    def load(self, path: Path) -> ShippedModel:
        """See `ShippedFile`."""
        return load(path)

    def call(
        self, task: Shippable, params: Params, core: Any, x: NDArray[np.float32]
    ) -> Callable[[], object]:
        """See `ShippedFile`."""
        return task.native_call(core, x)

    def reload(self, task: Shippable, params: Params, core: Any, folder: Path, batch: int) -> Reload:
        """See `ShippedFile`."""
        path = folder / self.name
        self.save(task, params, core, path)
        options: Mapping[str, Any] = {"path": str(path), "batch": batch}
        return Reload(
            entry="satisfice.train.loading:exercise",
            options=options,
            imports=(*self.libraries, *task.libraries),
        )
