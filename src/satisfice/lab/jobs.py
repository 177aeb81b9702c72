"""One visitor's trainings, from the queue to their last event."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from satisfice.lab.settings import LabRequest

_LISTENS_S = 1.0  # between two looks at whether the page is still there
ENDS = ("done", "failed", "cancelled")  # after one of these nothing comes


class LabJob:
    """What a visitor asked for, and what was told about it. Used from several threads.

    Args:
        number: Its name in addresses.
        request: What was asked for.
    """

    def __init__(self, number: str, request: LabRequest) -> None:
        self.number = number
        self.request = request
        self.cancelled = False
        self._events: list[Mapping[str, Any]] = []
        self._changed = threading.Condition()
        self._listeners = 0
        self._left_at = time.monotonic()  # when nobody listened last

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        with self._changed:
            return bool(self._events) and self._events[-1]["event"] in ENDS

    @property
    def alone_s(self) -> float:
        """For how long nobody has listened."""
        with self._changed:
            return 0.0 if self._listeners else time.monotonic() - self._left_at

    def tell(self, event: Mapping[str, Any]) -> None:
        """Add an event; after the last one nothing is added."""
        with self._changed:
            if not self._events or self._events[-1]["event"] not in ENDS:
                self._events.append(event)
            self._changed.notify_all()

    def listen(self, first: int = 0) -> Iterator[tuple[int, Mapping[str, Any]] | None]:
        """Events with their numbers, from ``first`` on; None about once a second while nothing happens."""
        with self._changed:
            self._listeners += 1
        try:
            at = first
            while True:
                with self._changed:
                    if at >= len(self._events):
                        self._changed.wait(_LISTENS_S)
                    new = self._events[at:]
                if not new:
                    yield None
                for event in new:
                    yield at, event
                    at += 1
                    if event["event"] in ENDS:
                        return
        finally:
            with self._changed:
                self._listeners -= 1
                self._left_at = time.monotonic()
