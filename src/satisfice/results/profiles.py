"""What is told of deployment profiles: what each asks for, and which trial answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from satisfice.results.result import Result
from satisfice.results.trial import TrialSummary

if TYPE_CHECKING:
    from satisfice.choose.asked import Asked
    from satisfice.spec.constraint import Constraint
    from satisfice.spec.criterion import Criterion, Objective


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectiveSummary(Result):
    """A metric to optimise."""

    metric: str
    direction: str  # "maximize" or "minimize"

    @classmethod
    def of(cls, objective: Objective) -> Self:
        """Its summary."""
        return cls(metric=objective.metric, direction=objective.direction)


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundSummary(Result):
    """A metric with its bound."""

    metric: str
    operator: str  # "<=", "<", ">=" or ">"
    bound: float
    constraint: str  # its key: "size_mb <= 1"

    @classmethod
    def of(cls, constraint: Constraint) -> Self:
        """Its summary."""
        return cls(
            metric=constraint.metric,
            operator=constraint.operator,
            bound=constraint.bound,
            constraint=constraint.key,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CriterionSummary(Result):
    """A criterion of an order of preference."""

    metric: str
    direction: str  # "maximize" or "minimize"
    tolerance: float  # trials so near to the best that is left are as good; 0: only equal ones
    relative: bool  # the tolerance is a share of the best value's size, else it is in the metric's unit
    text: str  # as a study file writes it

    @classmethod
    def of(cls, criterion: Criterion) -> Self:
        """Its summary."""
        return cls(
            metric=criterion.objective.metric,
            direction=criterion.objective.direction,
            tolerance=criterion.tolerance,
            relative=criterion.relative,
            text=criterion.text,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileQuestion(Result):
    """What a profile asks for."""

    profile: str | None  # None: the study itself
    objectives: Sequence[ObjectiveSummary]  # of the front
    constraints: Sequence[BoundSummary]  # all that hold: the study's, then the profile's
    order: Sequence[CriterionSummary]  # what is chosen by; empty: the objectives in their order

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """Its summary."""
        return cls(
            profile=asked.profile,
            objectives=[ObjectiveSummary.of(o) for o in asked.objectives],
            constraints=[BoundSummary.of(c) for c in asked.constraints],
            order=[CriterionSummary.of(c) for c in asked.order],
        )

    @property
    def preference(self) -> str:
        """What is chosen by, in words: ``maximize f1 within 0.005, then minimize size_mb``."""
        by = [c.text for c in self.order] or [f"{o.direction} {o.metric}" for o in self.objectives]
        return ", then ".join(by)


@dataclass(frozen=True, kw_only=True, eq=False)
class ProfileAnswer(Result):
    """Which trial answers a profile."""

    profile: str
    best: TrialSummary | None  # None: no finished trial fits
    sentence: str  # the answer, or why there is none
