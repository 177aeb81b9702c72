"""A trial as every command and every result shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from satisfice.results.result import Result, left_out_where_none

if TYPE_CHECKING:
    from satisfice.spec.trial import TrialRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialSummary(Result):
    """One trial."""

    number: int
    params: Mapping[str, Any]  # active parameters only
    metrics: Mapping[str, float]  # all recorded, in the units the study names
    feasible: bool | None  # None: not every constraint is known yet
    state: str  # Optuna's name of it: "COMPLETE", "PRUNED", ...
    estimated: Sequence[str] | None = left_out_where_none()  # metrics that were computed, not measured

    @classmethod
    def of(cls, record: TrialRecord) -> Self:
        """The summary of a trial read from the storage."""
        return cls(
            number=record.number,
            params=dict(record.params),
            metrics=dict(record.metrics),
            feasible=record.feasible,
            state=record.state.name,
            estimated=sorted(record.estimated) or None,
        )
