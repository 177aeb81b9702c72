"""Fingerprints under which measurements are remembered: equal key and equal host, equal latency."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def architecture_key(
    architecture: Mapping[str, Any], *, family_or_task: str, threads: int, batch: int
) -> str:
    """Key of an architecture given by the parameters that latency depends on.

    Args:
        architecture: Parameter names and values, as `Predicts.architecture` gives them; the order does not
            matter.
        family_or_task: What gives those names their meaning: the family, or the task's entry point.
        threads: Threads of the measured call.
        batch: Items of the measured call.

    Returns:
        32 hexadecimal digits.
    """
    return _digest(
        [family_or_task, threads, batch, sorted((name, _plain(v)) for name, v in architecture.items())]
    )


def module_key(
    module: torch.nn.Module,
    *,
    threads: int = 1,
    batch: int = 1,
    example: torch.Tensor | tuple[torch.Tensor, ...] = (),
    predicts: bool = False,
) -> str:
    """Key of a torch module's structure: modules by class and setting, tensors by shape and type.

    Weights do not enter, nor does the device: a module on the meta device has the key of the real one. The
    order of the modules does enter, and so do the source text of classes that are not torch's own, and
    shapes and types of the ``example`` input.

    Args:
        module: The module; its weights may lie on the meta device.
        threads: Threads of the measured call.
        batch: Items of the measured call.
        example: One item, as the module takes it.
        predicts: It is timed in evaluation mode: what torch's layers use in training alone (the rate of a
            dropout, the momentum of a batch norm, the mode that the module was built in) does not enter.
    """
    inputs = example if isinstance(example, tuple) else (example,)
    content: list[Any] = [threads, batch, [[list(x.shape), str(x.dtype)] for x in inputs]]
    for name, part in module.named_modules():
        kind = _kind(type(part))  # type: ignore[arg-type]  # mypy doubts that classes are hashable
        settings = _of_prediction(*kind, part.extra_repr()) if predicts else part.extra_repr()
        content.append([name, *kind, settings, part.training and not predicts])
    tensors = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    content.append([[name, list(t.shape), str(t.dtype)] for name, t in tensors])
    return _digest(content)


def _of_prediction(name: str, source: str, settings: str) -> str:
    """The settings of a layer without those that only training uses."""
    if source or not name.startswith("torch."):
        return settings
    if "Dropout" in name:
        return ""
    return re.sub(r"(^|, )(dropout|momentum)=[^,]+", "", settings)


@functools.lru_cache(maxsize=256)
def _kind(kind: type) -> tuple[str, str]:
    """A class by name, and by its source text unless it is torch's: that has its version in the host."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name.startswith("torch."):
        return name, ""
    try:
        return name, inspect.getsource(kind)
    except (OSError, TypeError):  # made in a session without files
        return name, ""


def plain_numbers(value: Any) -> Any:
    """The value with whole numbers as ints and NumPy's as Python's: 2, 2.0 and np.int64(2) become equal."""
    if isinstance(value, Mapping):
        return {name: plain_numbers(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: Any) -> Any:
    """JSON content in which 1, 1.0 and True differ, and so do tuples of other lengths."""
    if isinstance(value, Mapping):
        return sorted((str(k), _plain(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return [type(value).__name__, repr(value)]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
