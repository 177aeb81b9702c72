"""What `Study.ship` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from satisfice.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class ShippedFolder(Result):
    """A folder that was written around the model of a trial."""

    directory: str
    study: str
    trial: int
    fits: bool | None  # whether the shipped file meets every bound of the study; None: not all are known
    files: Mapping[str, int]  # by name, in bytes
    promises: Sequence[Mapping[str, Any]]  # as `model.json` holds them
    scores: Sequence[Mapping[str, Any]]  # likewise
