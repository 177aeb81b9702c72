"""What a diagnosis says of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Label = Literal[
    "healthy",
    "diverged",
    "oscillating",
    "no_progress",
    "overfitting",
    "underfitting",
    "over_regularised",
    "stopped_early",
    "budget_limited",
]
LABELS: tuple[Label, ...] = (
    "healthy",
    "diverged",
    "oscillating",
    "no_progress",
    "overfitting",
    "underfitting",
    "over_regularised",
    "stopped_early",
    "budget_limited",
)


@dataclass(frozen=True, kw_only=True)
class TrainingFinding:
    """One label of a training."""

    label: Label
    evidence: str  # a sentence without a full stop
    steps: tuple[int, int] | None = None  # first and last of the stretch of the curve that shows it
    params: tuple[str, ...] = ()  # that most likely caused it, the likeliest first


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One training."""

    number: int  # of the trial
    labels: Sequence[TrainingFinding]  # empty where it reported nothing to judge by
