"""Fingerprints under which measurements are remembered: equal key and equal host, equal latency."""

from __future__ import annotations

import functools
import hashlib
import inspect
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


def module_key(
    module: torch.nn.Module,
    *,
    threads: int = 1,
    batch: int = 1,
    example: torch.Tensor | tuple[torch.Tensor, ...] = (),
) -> str:
    """Key of a torch module's structure: modules by class and setting, tensors by shape and type.

    Weights do not enter, nor does the device: a module on the meta device has the key of the real one. The
    order of the modules does enter, and so do the source text of classes that are not torch's own, and
    shapes and types of the ``example`` input.
    """
    inputs = example if isinstance(example, tuple) else (example,)
    content: list[Any] = [threads, batch, [[list(x.shape), str(x.dtype)] for x in inputs]]
    for name, part in module.named_modules():
        kind = _kind(type(part))  # type: ignore[arg-type]  # mypy doubts that classes are hashable
        content.append([name, *kind, part.extra_repr(), part.training])
    tensors = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    content.append([[name, list(t.shape), str(t.dtype)] for name, t in tensors])
    return _digest(content)


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


def _plain(value: Any) -> Any:
    """JSON content in which 1, 1.0 and True differ, and so do tuples of other lengths."""
    if isinstance(value, Mapping):
        return sorted((str(k), _plain(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return [type(value).__name__, repr(value)]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
