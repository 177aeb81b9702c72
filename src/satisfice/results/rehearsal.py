"""What `Study.rehearse` and `Study.replay` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from satisfice.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class Rehearsal(Result):
    """What came of one tiny training."""

    params: Mapping[str, Any] | None  # None: nothing fits, and nothing was trained
    ended: str  # "finished", "stopped", "pruned", "out of time", "failed", "not trained"
    steps: int = 0  # reports
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    kept_model: bool = False
    problem: str | None = None  # what would fail every trial, or leave none feasible
    traceback: str | None = None
    notes: tuple[str, ...] = ()  # what is worth knowing


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay(Result):
    """A stored trial and the same one trained again."""

    number: int
    stored: Mapping[str, float]  # metrics that are compared; those of a clock or of memory are left out
    metrics: Mapping[str, float]  # all of the second training
    same: bool  # to the bit
