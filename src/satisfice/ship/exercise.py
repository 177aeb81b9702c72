"""An ONNX file opened and called in a process of its own, where its memory is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satisfice.ship import runtime

_TYPES = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def exercise(path: str, threads: int = 1, batch: int = 1) -> Callable[[], object]:
    """Open the file, and return a call that answers ``batch`` rows of zeros and empty texts."""
    opened = runtime.session(path, threads)
    return runtime.call(opened, {each.name: _blank(each, batch) for each in opened.get_inputs()})


def _blank(given: Any, batch: int) -> NDArray[Any]:
    shape = (batch, *given.shape[1:])
    if given.type == "tensor(string)":
        return np.full(shape, "", dtype=object)
    return np.zeros(shape, _TYPES[given.type])
