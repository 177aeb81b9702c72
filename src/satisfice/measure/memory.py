"""Peak memory: of prediction, in a fresh process and with the weights; of training, in this process."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from satisfice.errors import SatisficeError
from satisfice.measure.host import host
from satisfice.measure.result import Measurement

_POLL_S = 0.01


class ProbeFailed(SatisficeError):
    """The process that measures memory ended without an answer."""


def memory_mb(
    entry: str,
    options: Mapping[str, Any],
    *,
    threads: int = 1,
    batch: int = 1,
    timeout_s: float = 120.0,
    path: Sequence[str] = (),
    imports: Sequence[str] = (),
) -> Measurement:
    """Peak memory while predicting, in MB (10^6 bytes), weights included.

    A fresh process imports the entry, exercises its libraries once, and notes its memory; then it loads the
    model and predicts. The difference is the model's. On an accelerator it is torch's own counter.

    Args:
        entry: ``"module:function"``; called with ``options`` as keyword arguments it returns a call that
            predicts.
        options: JSON-able, for instance the path of the file that ships.
        threads: CPU threads of the process.
        batch: Items a call predicts; recorded only.
        timeout_s: For the process; the time that it waits for a core of a busy machine comes on top (Linux).
        path: Folders in which modules are looked for, before the usual ones.
        imports: Modules that the entry imports only when it is called, and that are not the model's own.

    Returns:
        A measurement whose interval spans one step of the counter, the page.

    Raises:
        ProbeFailed: The process failed or took too long.
    """
    request = json.dumps(
        {
            "entry": entry,
            "options": dict(options),
            "threads": threads,
            "path": list(path),
            "imports": list(imports),
        }
    )
    command = [sys.executable, "-m", "satisfice.measure.memory_probe"]
    begin = datetime.now(UTC)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            said = _answer(process, request, timeout_s)
        finally:
            process.kill()  # nothing happens to one that has ended
    if said is None:
        raise ProbeFailed(f"measuring the memory of {entry} took longer than {timeout_s:g} s")
    out, err = said
    if process.returncode:
        last = (err.strip().splitlines() or ["no message"])[-1]
        raise ProbeFailed(f"measuring the memory of {entry} failed: {last}")
    answer = json.loads(out.splitlines()[-1])
    value, step = answer["bytes"] / 1e6, answer["step"] / 1e6
    ended = datetime.now(UTC)
    return Measurement(
        metric="memory_mb",
        value=value,
        low=max(0.0, value - step),
        high=value + step,
        samples=answer["calls"],
        seconds=(ended - begin).total_seconds(),
        host=host().fingerprint,
        threads=threads,
        batch=batch,
        quality="precise",
        measured_at=ended,
    )


def _answer(process: subprocess.Popen[str], request: str, timeout_s: float) -> tuple[str, str] | None:
    """What the process says to a request; None where it took too long, although it had a core."""
    begin = time.monotonic()
    unsent: str | None = request
    while (left := begin + timeout_s + waited_for_core(process.pid) - time.monotonic()) > 0:
        try:
            return process.communicate(unsent, timeout=max(left, 0.5))
        except subprocess.TimeoutExpired:
            unsent = None  # whoever asks again sends the rest
    return None


def waited_for_core(pid: int) -> float:
    """Seconds that a process was ready to run and had no core (its first thread); 0 where nobody counts."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


@dataclass(kw_only=True)
class MemoryUse:
    """Peak growth of memory inside `train_memory`; NaN until it has ended."""

    megabytes: float = math.nan  # 10^6 bytes


@contextlib.contextmanager
def train_memory() -> Iterator[MemoryUse]:
    """Peak growth of this process's memory inside the block; on an accelerator, of torch's own counter.

    One training at a time in a process: the peak is the process's.
    """
    use = MemoryUse()
    accelerator = _cuda()
    if accelerator is not None:
        accelerator.reset_peak_memory_stats()
        allocated = int(accelerator.memory_allocated())
    before = resident()
    with peak_resident() as peak:
        yield use
    grown = max(0, peak[0] - before)
    if accelerator is None:
        accelerator = _cuda()  # initialised inside the block
        allocated = 0
    if accelerator is not None:
        on_device = int(accelerator.max_memory_allocated()) - allocated
        grown = on_device if on_device > 0 else grown
    use.megabytes = grown / 1e6


def resident() -> int:
    """Bytes of this process in memory now."""
    return int(psutil.Process().memory_info().rss)


@contextlib.contextmanager
def peak_resident() -> Iterator[list[int]]:
    """The peak bytes of this process in memory inside the block: the list's only element, after the block.

    Linux keeps the peak and lets it be reset (`proc(5)`, ``clear_refs``, ``VmHWM``); elsewhere a thread looks
    every 10 ms.
    """
    peak = [resident()]
    if _reset_peak():
        try:
            yield peak
        finally:
            peak[0] = max(peak[0], _kernel_peak())
        return
    done = threading.Event()

    def look() -> None:
        while not done.wait(_POLL_S):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=look, name="satisfice-memory", daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
        peak[0] = max(peak[0], resident())


@contextlib.contextmanager
def peak_allocated() -> Iterator[list[int]]:
    """The most bytes that torch allocates on an accelerator inside the block; 0 where it uses none."""
    peak = [0]
    used = _cuda()
    if used is not None:
        used.reset_peak_memory_stats()
    try:
        yield peak
    finally:
        cuda = _cuda()
        if cuda is not None:
            peak[0] = int(cuda.max_memory_allocated())


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # no Linux, or a container that forbids it
        return False
    return _kernel_peak() > 0


def _kernel_peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _cuda() -> Any:
    """The part of torch if this process uses it, else None."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None
