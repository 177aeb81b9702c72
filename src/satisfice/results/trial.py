"""A trial as every command and every result shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from satisfice.results.result import Result, left_out_where_none

if TYPE_CHECKING:
    from satisfice.choose.chosen import BestTrial
    from satisfice.spec.trial import TrialRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialSummary(Result):
    """One trial."""

    number: int
    params: Mapping[str, Any]  # active parameters only
    metrics: Mapping[str, float]  # all recorded, in the units the study names
    standard_errors: Mapping[str, float]  # by metric; of what is exact, or not known, there is none
    feasible: bool | None  # None: not every constraint is known yet
    state: str  # Optuna's name of it: "COMPLETE", "PRUNED", ...
    estimated: Sequence[str] | None = left_out_where_none()  # metrics that were computed, not measured
    folds: int | None = left_out_where_none()  # scores are cross-validated: means over so many

    @classmethod
    def of(cls, record: TrialRecord) -> Self:
        """The summary of a trial read from the storage."""
        return cls(
            number=record.number,
            params=dict(record.params),
            metrics=dict(record.metrics),
            standard_errors=dict(record.standard_errors),
            feasible=record.feasible,
            state=record.state.name,
            estimated=sorted(record.estimated) or None,
            folds=record.folds,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpectedScore(Result):
    """The score to expect on new data, corrected for having chosen the best of many."""

    metric: str
    value: float
    low: float  # ends of the 95% interval
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class BestSummary(TrialSummary):
    """The chosen trial."""

    rule: str  # "value" or "one-standard-error"
    tied: Sequence[int]  # numbers of the trials that cannot be told from it on the metric it was chosen by
    expected: ExpectedScore | None  # None: the noise of its score is not known

    @classmethod
    def of_best(cls, best: BestTrial) -> Self:
        """The summary of what `satisfice.choose` chose."""
        e = best.expected
        return cls(
            **TrialSummary.of(best),
            rule=best.rule,
            tied=list(best.tied),
            expected=None
            if e is None
            else ExpectedScore(metric=e.metric, value=e.value, low=e.low, high=e.high),
        )
