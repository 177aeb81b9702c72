"""What `Study.diagnose` and `Study.health` return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from satisfice.results.result import Result

if TYPE_CHECKING:
    from satisfice.understand.health.state import HealthFinding
    from satisfice.understand.training.labels import Diagnosis


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingLabel(Result):
    """One thing that a training shows."""

    label: str  # "healthy", "diverged", ...: see `satisfice.understand.training.labels.LABELS`
    evidence: str  # a sentence without a full stop
    steps: Sequence[int] | None  # first and last of the stretch of the curve that shows it
    params: Sequence[str]  # parameters that most likely caused it, the likeliest first


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingDiagnosis(Result):
    """What one training shows."""

    number: int  # of the trial
    labels: Sequence[TrainingLabel]  # empty where it reported nothing to judge by

    @classmethod
    def of(cls, found: Diagnosis) -> Self:
        """From what `satisfice.understand` found."""
        return cls(
            number=found.number,
            labels=[
                TrainingLabel(
                    label=f.label,
                    evidence=f.evidence,
                    steps=None if f.steps is None else list(f.steps),
                    params=list(f.params),
                )
                for f in found.labels
            ],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class HealthNote(Result):
    """One thing that is wrong with a study, and what to write instead."""

    finding: str  # "range_edge", ...
    subject: str  # a parameter, a bound, a column, a key of the study file
    evidence: str  # a sentence without a full stop
    remedy: str  # a piece of study file: its keys stand in place of those of the study

    @classmethod
    def of(cls, found: HealthFinding) -> Self:
        """From what `satisfice.understand` found."""
        return cls(finding=found.finding, subject=found.subject, evidence=found.evidence, remedy=found.remedy)
