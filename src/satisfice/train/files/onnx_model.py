"""An ONNX file that ships, as it is measured and scored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.ship import runtime
from satisfice.train.files.fold_feeds import Feeds
from satisfice.train.loading import load

_CHUNK = 4096  # items at a time, to bound memory


def weights_beside(model: Path) -> Path:
    """Where the trained weights of a kept ``model*.onnx`` stand."""
    return model.with_name(model.name.replace("model", "weights", 1)).with_suffix(".safetensors")


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A file that ships, in memory."""

    content: bytes
    weights: Path | None = None  # the file with the trained weights, where they are kept

    @cached_property
    def core(self) -> Any:
        """The bare model that was trained, where its weights are kept beside the file.

        Raises:
            DataError: They are not.
        """
        return load(self.weights or Path()).core

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def _session(self) -> Any:
        return runtime.session(self.content)

    def answers(
        self, feeds: Feeds, classes: tuple[Any, ...]
    ) -> tuple[NDArray[np.int64] | None, NDArray[Any]]:
        """The file's own answers to n items.

        Args:
            feeds: Its inputs.
            classes: Labels by code; () for regression.

        Returns:
            Codes of the classes that it answers (n,) and probabilities (n, k); for regression None and values
            (n,).
        """
        session = self._session
        given = runtime.taken(session, feeds)
        n = len(next(iter(feeds.values())))
        texts = [name for name, tensor in given.items() if tensor.dtype == object]
        parts = [
            runtime.outputs(session, part)
            for at in range(0, n, _CHUNK)
            for part in runtime.parts_of({k: v[at : at + _CHUNK] for k, v in given.items()}, texts)
        ]
        if not classes:
            return None, np.concatenate([part["value"] for part in parts])
        codes = {label: code for code, label in enumerate(_written(classes))}
        labels = [label for part in parts for label in part["label"].tolist()]
        return np.array([codes[label] for label in labels]), np.concatenate(
            [p["probabilities"] for p in parts]
        )


def _written(classes: tuple[Any, ...]) -> list[Any]:
    """Labels as the file gives them: text where they are neither flags nor numbers throughout."""
    numbers = all(isinstance(label, int | float) for label in classes)
    flags = {isinstance(label, bool) for label in classes}
    return list(classes) if numbers and len(flags) == 1 else [str(label) for label in classes]
