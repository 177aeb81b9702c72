"""A study as it stands at a moment, for who follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord

Curve = Mapping[int, float]  # by step


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Trials and their curves; what did not change since the last time is the same object."""

    spec: StudySpec
    records: Sequence[TrialRecord]  # by number, without reports, times and workers
    curves: Mapping[int, Curve]  # by number: reports of the first objective that is reported
