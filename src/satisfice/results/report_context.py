"""What a report says beside the trials: the study builds it, the report draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from satisfice.results.importance import Ablation
from satisfice.results.result import Result
from satisfice.results.understanding import HealthNote, TrainingDiagnosis


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportContext(Result):
    """What the records alone do not tell."""

    # `Counts` or `Status`, or a mapping with the keys name, states, budget {trials, used}, workers,
    # turned_away and turned_away_by_constraint.
    status: Mapping[str, Any]
    chosen: int | None  # number of the chosen trial
    default: int | None = None  # number of the trial of the family's default configuration
    default_reason: str = ""  # why there is no such trial: "its size_mb of 1.2 misses size_mb <= 0.1"
    test_metrics: Mapping[str, float] = field(default_factory=dict)  # of the chosen model, scored once
    default_test: Mapping[str, float] = field(default_factory=dict)  # of the default configuration's model
    test_errors: Mapping[str, float] = field(default_factory=dict)  # standard errors of `test_metrics`
    default_test_errors: Mapping[str, float] = field(default_factory=dict)  # of `default_test`
    has_test: bool = False  # whether there is a test split to score
    # whether the chosen trial cannot be told from the default one on the first objective; None: not known
    default_within_noise: bool | None = None
    notes: Sequence[str] = ()  # sentences for the reader, plain text
    data_notes: Sequence[str] = ()  # what became of columns and values of the data, a sentence each
    folds: int | None = None  # trials are cross-validated, with so many; None: on one validation split
    host: str = ""  # where latencies were measured, in words; empty where none was
    diagnoses: Sequence[TrainingDiagnosis] = ()  # what trainings show
    health: Sequence[HealthNote] = ()  # what is wrong with the study
    ablation: Ablation | None = None  # what each technique of the chosen trial is worth
    profile: str | None = None  # that the report is for; None: the study's own question
    rule: str | None = None  # of choice; None: the study's
