"""Calls that are waited for only so long, in threads that are kept for the next call."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Answer = tuple[Any, BaseException | None]
_Inbox = SimpleQueue["tuple[Callable[[], Any], SimpleQueue[_Answer]] | None"]


class DeadlineCalls:
    """Runs calls in threads of its own, which do not keep the process alive.

    A thread that has answered takes the next call: starting one costs more than a statement does. One that
    does not answer is left to itself, and comes back when it does.
    """

    def __init__(self) -> None:
        self._idle: list[_Inbox] = []  # one for each thread that waits for a call
        self._dismiss = weakref.finalize(self, _dismiss, self._idle)
        self._dismiss.atexit = False

    def call(self, action: Callable[[], T], *, within_s: float) -> T:
        """What ``action`` returns or raises, if it does within so many seconds.

        Raises:
            TimeoutError: There is no answer yet. It may still be done, unheard.
        """
        answer: SimpleQueue[_Answer] = SimpleQueue()
        self._thread().put((action, answer))
        try:
            result, error = answer.get(timeout=within_s)
        except Empty:
            raise TimeoutError from None
        if error is not None:
            raise error
        returned: T = result
        return returned

    def _thread(self) -> _Inbox:
        try:
            return self._idle.pop()
        except IndexError:
            inbox: _Inbox = SimpleQueue()
            threading.Thread(target=_serve, args=(inbox, self._idle), daemon=True, name="aside").start()
            return inbox

    def close(self) -> None:
        """Let the threads end that wait."""
        _dismiss(self._idle)


def _serve(inbox: _Inbox, idle: list[_Inbox]) -> None:
    while (call := inbox.get()) is not None:
        action, answer = call
        try:
            outcome: _Answer = (action(), None)
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            outcome = (None, error)
        idle.append(inbox)  # before the answer: who hears it may call again at once
        answer.put(outcome)
        del call, action, answer, outcome  # a thread that waits keeps nothing alive


def _dismiss(idle: list[_Inbox]) -> None:
    while idle:
        idle.pop().put(None)
