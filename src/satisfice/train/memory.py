"""How much memory a training takes at its peak."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


@contextmanager
def peak_memory(found: dict[str, float]) -> Iterator[None]:
    """Put ``train_memory_bytes`` into ``found``: the peak of the process's resident memory inside the block.

    Linux keeps that peak and lets it be reset; elsewhere it is the resident memory at the end. A worker holds
    the interpreter, its libraries and the prepared data too: so does any machine that trains the model.
    """
    reset = _reset_peak()
    yield
    found["train_memory_bytes"] = float(_peak() if reset else psutil.Process().memory_info().rss)


def _reset_peak() -> bool:
    """Writing 5 sets the high-water mark to the present value (Linux, proc(5))."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int:
    match = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
    assert match is not None
    return 1024 * int(match[1])
