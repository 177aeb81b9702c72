"""What training code may change for the whole process, put back after each trial.

The next trial, and all that satisfice computes and writes between trials, must not depend on which trial ran
before. What a task sets up when it is imported or made stays: the state is recorded after that. Random
seeds are left alone: nothing here draws from global generators.
"""

from __future__ import annotations

import contextlib
import locale
import os
import signal
import sys
import threading
import warnings
from types import TracebackType
from typing import TextIO

import numpy as np

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2") if hasattr(signal, name)
)
_OURS = "SATISFICE_"  # environment variables that we read


class Surroundings:
    """The state of the process when it was made; leaving its context puts it back, as often as wanted.

    Working directory, umask, our environment variables, standard streams, signal handlers, warnings turned
    into errors, NumPy's error handling, the locale; torch's default type, gradients and threads.
    """

    def __init__(self) -> None:
        self._folder: str | None = None
        with contextlib.suppress(OSError):  # it was deleted
            self._folder = os.getcwd()  # noqa: PTH109  # as `os.chdir` takes it
        self._mask = os.umask(0o077)
        os.umask(self._mask)
        self._environment = _our_variables()
        self._streams = [_Stream("stdout", 1), _Stream("stderr", 2)]
        self._handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self._filters = list(warnings.filters)
        self._show = warnings.showwarning
        self._floating = np.geterr()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._torch = _TorchSettings() if "torch" in sys.modules else None

    def __enter__(self) -> None:
        """Nothing: the state was recorded before."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was changed."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(self._folder)
        os.umask(self._mask)
        for name in _our_variables().keys() - self._environment.keys():
            del os.environ[name]
        os.environ.update(self._environment)
        for stream in self._streams:
            stream.restore()
        self._restore_handlers()
        # Filters come with imports too, and stay; but no warning of ours may become an error.
        for each in [f for f in warnings.filters if f[0] == "error" and f not in self._filters]:
            warnings.filters.remove(each)  # type: ignore[attr-defined]  # a list, whatever the stub says
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  # as `catch_warnings` does
        warnings.showwarning = self._show
        np.seterr(**self._floating)
        if locale.setlocale(locale.LC_ALL) != self._locale:
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_ALL, self._locale)
        if self._torch is not None:
            self._torch.restore()
        elif "torch" in sys.modules:  # the first trial has loaded it
            self._torch = _TorchSettings()

    def _restore_handlers(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)

    def close(self) -> None:
        """Give back what was needed to restore."""
        for stream in self._streams:
            stream.close()


def _our_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_OURS)}


class _Stream:
    """A standard stream, with a descriptor of our own to the same place.

    Args:
        name: Its name in `sys`.
        descriptor: Its number.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self._name = name
        self._descriptor = descriptor
        self._stream: TextIO | None = getattr(sys, name)
        self._copy: int | None = None
        with contextlib.suppress(AttributeError, OSError, ValueError):  # one of a test or a notebook
            if self._stream is not None and self._stream.fileno() == descriptor:
                self._copy = os.dup(descriptor)

    def restore(self) -> None:
        """Make it the standard stream again, opened anew where training code has closed it."""
        if self._copy is not None and not _is_open(self._descriptor):
            os.dup2(self._copy, self._descriptor)
        if self._stream is not None and self._copy is not None and self._stream.closed:
            self._stream = open(  # noqa: SIM115  # lasts as long as the process
                self._descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
            )
            setattr(sys, f"__{self._name}__", self._stream)
        setattr(sys, self._name, self._stream)

    def close(self) -> None:
        """Close the descriptor of our own."""
        if self._copy is not None:
            os.close(self._copy)
            self._copy = None


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class _TorchSettings:
    """Those that decide what a module weighs, how fast it is, and whether it learns."""

    def __init__(self) -> None:
        import torch

        self._type = torch.get_default_dtype()
        self._gradients = torch.is_grad_enabled()
        self._threads = torch.get_num_threads()

    def restore(self) -> None:
        """Set them again."""
        import torch

        torch.set_default_dtype(self._type)
        torch.set_grad_enabled(self._gradients)
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
