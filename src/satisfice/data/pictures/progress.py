"""What is said while pictures are read: nothing in the first two seconds, then a line every few seconds."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)  # the command line shows what is logged here
_FIRST_S, _EVERY_S = 2.0, 5.0


class Telling:
    """Counts what is done.

    Args:
        what: Such as "decoding pictures".
        total: How many there are.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = 0
        self._next = time.monotonic() + _FIRST_S
        self._said = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say the end where a beginning was said."""
        del error, trace
        if self._said and kind is None:
            logger.info("%s: done, %d", self._what, self._total)

    def one(self) -> None:
        """One more is done."""
        self._done += 1
        if time.monotonic() >= self._next:
            logger.info("%s: %d of %d", self._what, self._done, self._total)
            self._next = time.monotonic() + _EVERY_S
            self._said = True
