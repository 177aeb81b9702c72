"""Fingerprints under which measurements are remembered: equal key and equal host, equal latency."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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


def module_key(module: torch.nn.Module, *, threads: int = 1, batch: int = 1) -> str:
    """Key of a torch module's structure: modules by class and setting, tensors by shape and type.

    Weights do not enter, nor does the device: a module on the meta device has the key of the real one. The
    order of the modules does enter. What ``forward`` does beyond its modules is known by the class's name
    only.
    """
    content: list[Any] = [threads, batch]
    for name, part in module.named_modules():
        kind = f"{type(part).__module__}.{type(part).__qualname__}"
        content.append([name, kind, part.extra_repr(), part.training])
    tensors = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    content.append([[name, list(t.shape), str(t.dtype)] for name, t in tensors])
    return _digest(content)


def _plain(value: Any) -> Any:
    """JSON content in which 1, 1.0 and True differ, and so do tuples of other lengths."""
    if isinstance(value, Mapping):
        return sorted((str(k), _plain(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return [type(value).__name__, repr(value)]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
