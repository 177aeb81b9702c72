"""The ONNX file that ships, as a study's training sees it: ONNX Runtime predicts from raw items."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import DataError
from satisfice.ship import onnx_file, runtime
from satisfice.ship.safetensors_file import Arrays
from satisfice.spec.task import Params, Reload
from satisfice.train.files.onnx_model import OnnxModel, weights_beside
from satisfice.train.files.shipped_file import Call, Kept, SafetensorsFile, Shippable, bare

FITTED_THRESHOLD = "decision_threshold"  # a trial's metric, where its training fitted the threshold
_CALIBRATION = 1024  # training items on which static quantization calibrates at most


class OnnxFile:
    """Preprocessing, model, decision and labels in one ONNX file; ONNX Runtime predicts."""

    name = "model.onnx"
    libraries: tuple[str, ...] = ("numpy", "onnxruntime")
    by_shapes = False

    def length(self, task: Shippable, params: Params, arrays: Arrays) -> int:
        """See `ShippedFile`."""
        return onnx_file.length_with(task.header(params), arrays, task.writer(), task.options(params))

    def content(self, task: Shippable, params: Params, core: Any, threshold: float | None = None) -> bytes:
        """The file for a fitted bare model.

        Args:
            task: The family bound to its data.
            params: The configuration.
            core: The bare model.
            threshold: Fitted for it, where the configuration leaves that to the training.
        """
        return self._written(task, params, task.arrays(core), threshold)

    def keep(
        self, task: Shippable, params: Params, core: Any, folder: Path, threshold: float | None = None
    ) -> Kept:
        """See `ShippedFile`: the trained weights are kept beside."""
        rule, told = task.answer_rule(params), dict[str, float]()
        model = OnnxModel(self.content(task, params, core, threshold))
        if rule.fitted and threshold is None:
            _, proba = model.answers(task.feeds_of(params).valid, task.splits.classes)
            threshold = rule.fit(task.splits.valid.y, proba)
            model = OnnxModel(self.content(task, params, core, threshold))
        if rule.fitted and threshold is not None:
            told[FITTED_THRESHOLD] = threshold
        path = folder / self.name
        path.write_bytes(model.content)
        weights = SafetensorsFile().keep(task, params, core, folder).file
        return Kept(file=path, weights=weights, model=model, metrics=told)

    def load(self, path: Path) -> OnnxModel:
        """See `ShippedFile`."""
        try:
            return OnnxModel(path.read_bytes(), weights_beside(path))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None

    def call(self, task: Shippable, params: Params, model: Any, batch: int) -> Call | None:
        """See `ShippedFile`."""
        content = self._of(task, params, model)
        if content is None:
            return None
        session = runtime.session(content, task.threads)
        return runtime.call(session, runtime.taken(session, task.feeds_of(params).item(batch)))

    def pipeline(self, task: Shippable, params: Params, model: Any) -> Call | None:
        """See `ShippedFile`: the file is the whole pipeline."""
        return self.call(task, params, model, 1)

    def reload(self, task: Shippable, params: Params, model: Any, folder: Path, batch: int) -> Reload | None:
        """See `ShippedFile`."""
        content = self._of(task, params, model)
        if content is None:
            return None
        path = folder / self.name
        path.write_bytes(content)
        options: Mapping[str, Any] = {"path": str(path), "threads": task.threads, "batch": batch}
        return Reload(entry="satisfice.ship.exercise:exercise", options=options, imports=self.libraries)

    def _of(self, task: Shippable, params: Params, model: Any) -> bytes | None:
        if isinstance(model, OnnxModel):
            return model.content
        arrays = untrained_arrays(task, params) if model is None else task.arrays(bare(model))
        return None if arrays is None else self._written(task, params, arrays, None)

    def _written(self, task: Shippable, params: Params, arrays: Arrays, threshold: float | None) -> bytes:
        options = task.options(params, threshold)
        calibrates = options.precision == "int8_static"
        items = task.splits_of(params).train.x[:_CALIBRATION] if calibrates else None
        return onnx_file.content(task.header(params), arrays, task.writer(), options, items)


def untrained_arrays(task: Shippable, params: Params) -> dict[str, NDArray[Any]] | None:
    """Tensors of a model as slow as a trained one; None where their shapes are known only after fitting.

    Numbers are of the size that training begins with: many operators take longer for numbers near zero.
    """
    shapes = task.writer().blank_arrays(task.header(params))
    if shapes is None:
        return None
    draw = np.random.default_rng(0)
    return {name: _drawn(draw, name, array) for name, array in shapes.items()}


def _drawn(draw: np.random.Generator, name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim < 2:  # biases; scales and variances of batch normalisation
        of_norm = name.endswith(("running_var", "weight"))
        return np.full(array.shape, 1.0 if of_norm else 0.01, array.dtype)
    spread = 1 / np.sqrt(np.prod(array.shape[1:]))
    return draw.uniform(-spread, spread, array.shape).astype(array.dtype)
