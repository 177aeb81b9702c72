"""Standard output, kept for one JSON document, whatever else a process prints.

Training code prints, C libraries write to descriptor 1, loggers keep the stream that they found. So the real
output moves to a descriptor of our own, and descriptor 1 and ``sys.stdout`` lead to standard error until the
process ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import TextIO

import click


@dataclass(frozen=True, kw_only=True)
class _Reserved:
    stream: TextIO | None  # `sys.stdout` as it was; None where the process has none
    descriptor: int | None  # the real standard output; None where it was closed
    direct: bool  # whether the stream writes to it

    def give(self, text: str) -> None:
        if not self.direct or self.descriptor is None:
            if self.stream is not None:
                self.stream.write(text)
                self.stream.flush()
            return
        left = memoryview(text.encode())
        while left:
            left = left[os.write(self.descriptor, left) :]


_reserved: _Reserved | None = None


def reserve() -> None:
    """From here on only `give` writes to standard output; all else goes to standard error."""
    global _reserved  # as the process has one standard output
    if _reserved is not None:
        return
    stream = sys.stdout
    descriptor = None
    with contextlib.suppress(AttributeError, OSError, ValueError):
        stream.flush()
    with contextlib.suppress(OSError):
        descriptor = os.dup(1)
    _reserved = _Reserved(stream=stream, descriptor=descriptor, direct=_is_descriptor_1(stream))
    if not _leads_to(2):
        _leads_to(os.open(os.devnull, os.O_WRONLY))
    if _reserved.direct:
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    else:
        sys.stdout = sys.stderr


def give(text: str) -> None:
    """Write to the real standard output."""
    if _reserved is None:
        click.echo(text, nl=False)
    else:
        _reserved.give(text)


def release() -> None:
    """Undo `reserve`, for a program that goes on after a command."""
    global _reserved
    if _reserved is None:
        return
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stdout.flush()
    sys.stdout = _reserved.stream  # None where it was None
    if _reserved.descriptor is not None:
        os.dup2(_reserved.descriptor, 1)
        os.close(_reserved.descriptor)
    _reserved = None


def _is_descriptor_1(stream: TextIO | None) -> bool:
    """A test or a notebook may have put another stream there."""
    try:
        return stream is not None and stream.fileno() == 1
    except (AttributeError, OSError, ValueError):
        return False


def _leads_to(descriptor: int) -> bool:
    try:
        os.dup2(descriptor, 1)
    except OSError:  # standard error is closed
        return False
    return True
