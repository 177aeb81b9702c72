"""The fresh process in which the memory of prediction is measured.

``python -m satisfice.measure.memory_probe`` reads one JSON object from standard input (``entry``,
``options``, ``threads``, ``path``, ``imports``) and writes one to standard output (``bytes``, ``step``,
``calls``).
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import mmap
import sys
from typing import Any

from satisfice.measure.latency.conditions import still
from satisfice.measure.memory import peak_resident, resident

_CALLS = 5  # the first allocates, the others show that it stays so


def main() -> None:
    """Measure and answer."""
    request = json.loads(sys.stdin.read())
    sys.path[:0] = request["path"]
    for name in request["imports"]:
        importlib.import_module(name)
    module, _, attribute = request["entry"].partition(":")
    load = getattr(importlib.import_module(module), attribute)
    with still(request["threads"]):
        _exercise()
        gc.collect()
        _give_back()
        before = resident()
        with peak_resident() as peak:
            call = load(**request["options"])
            for _ in range(_CALLS):
                call()
        used = max(0, peak[0] - before)
    device = _device_peak()
    answer = {"bytes": device or used, "step": mmap.PAGESIZE, "calls": _CALLS}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


def _exercise() -> None:
    """Have the libraries allocate what they allocate once for any model: thread pools, kernels, buffers."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        square = numpy.ones((64, 64), dtype="float32")
        square @ square
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.nn.Linear(8, 8)(torch.zeros(1, 8))
        torch.nn.Conv2d(1, 8, 3)(torch.zeros(1, 1, 8, 8))


def _give_back() -> None:
    """Return to the system what imports left free: a model that used it would seem to weigh less (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _device_peak() -> int:
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    main()
