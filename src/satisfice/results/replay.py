"""What `Study.replay` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from satisfice.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay(Result):
    """A stored trial and the same one trained again."""

    number: int
    stored: Mapping[str, float]  # metrics that are compared; those of a clock or of memory are left out
    metrics: Mapping[str, float]  # all of the second training
    same: bool  # to the bit
