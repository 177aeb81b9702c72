"""The access log on standard error: one line for each request."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

_WAIT_S = 0.1  # that a line waits for others at most
# What is written at once: more may be torn apart by what other workers write to the same pipe (PIPE_BUF).
_CHUNK_BYTES = 4096


class AccessLog:
    """Lines that are written together: a system call for each one costs as much as a small model."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._length = 0
        self._second = -1
        self._prefix = ""

    def add(self, client: str, method: str, path: str, status: int, seconds: float, rows: int) -> None:
        """Add one request; called in the event loop."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        told = f"{client} {method} {path} {status} {seconds * 1e3:.2f} ms {rows} rows"
        line = f"{self._prefix}.{int((now - second) * 1e3):03d}+00:00 {told}\n"
        if self._length + len(line) > _CHUNK_BYTES:
            self.flush()
        if not self._lines:
            asyncio.get_running_loop().call_later(_WAIT_S, self.flush)
        self._lines.append(line)
        self._length += len(line)

    def flush(self) -> None:
        """Write what waits."""
        content = "".join(self._lines)
        self._lines.clear()
        self._length = 0
        if content:
            with contextlib.suppress(OSError):  # whoever read it is gone: requests are answered all the same
                sys.stderr.write(content)
                sys.stderr.flush()
