"""ONNX Runtime as satisfice uses it: one thread count, no spinning, no surprises in what is logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ERRORS_ONLY = 3
_CHARACTERS = 2_000_000  # of the texts of one call, had all the longest one's length


def session(model: bytes | str | Path, threads: int = 1) -> Any:
    """An ``onnxruntime.InferenceSession`` on the CPU.

    Args:
        model: A file, or its content.
        threads: That compute one call.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # A thread that spins between calls takes the core from whoever works beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def taken(opened: Any, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The feeds that the file takes: a column that became no feature is no input."""
    names = {entry.name for entry in opened.get_inputs()}
    return {name: tensor for name, tensor in feeds.items() if name in names}


def call(opened: Any, feeds: Mapping[str, NDArray[Any]]) -> Callable[[], object]:
    """A call that runs the session on these inputs."""
    held = dict(feeds)
    return lambda: opened.run(None, held)


def parts_of(feeds: Mapping[str, NDArray[Any]], texts: Iterable[str]) -> Iterator[dict[str, NDArray[Any]]]:
    """The rows of the feeds, so many at a time that their tokens stay in memory.

    The runtime fills the tokens of all rows up to those of the longest text.

    Args:
        feeds: Tensors of n rows.
        texts: Names of those that hold long texts.
    """
    n = len(next(iter(feeds.values()))) if feeds else 0
    longest = [
        max(max(map(len, row)) for row in rows) for rows in zip(*(feeds[t] for t in texts), strict=True)
    ]
    begin = 0
    while begin < len(longest):
        end, most = begin, 0
        while end < n and (end == begin or max(most, longest[end]) * (end - begin + 1) <= _CHARACTERS):
            most = max(most, longest[end])
            end += 1
        yield {name: tensor[begin:end] for name, tensor in feeds.items()}
        begin = end
    if not longest:
        yield dict(feeds)


def version() -> str:
    """Of ONNX Runtime."""
    import onnxruntime

    return str(onnxruntime.__version__)


def outputs(opened: Any, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The session's outputs by name."""
    names = [output.name for output in opened.get_outputs()]
    return dict(zip(names, map(np.asarray, opened.run(names, dict(feeds))), strict=True))
