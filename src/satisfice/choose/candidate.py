"""A configuration to choose: one trial, or a trial with its replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from satisfice.choose.bounds import meets, metric_value
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import TrialRecord, TrialState


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One configuration, judged by the mean over the seeds it was trained with."""

    trial: TrialRecord  # the one that is handed out: the earliest that meets every constraint by itself
    members: tuple[TrialRecord, ...]  # COMPLETE ones only, by number

    def mean(self, metric: str) -> float:
        """Mean of a metric over the members that have it; NaN if none has."""
        values = [v for v in (metric_value(m, metric) for m in self.members) if v is not None]
        return math.fsum(values) / len(values) if values else math.nan


def candidates(records: Sequence[TrialRecord], constraints: Sequence[Constraint]) -> list[Candidate]:
    """Feasible configurations, by the number of the trial that stands for each.

    A trial whose latency is yet to be measured has no verdict, and is left out.

    A configuration with replicates is feasible if the means meet the constraints, and so does the trial
    whose model would ship.
    """
    groups: dict[int, list[TrialRecord]] = {}
    for r in sorted(records, key=lambda r: r.number):
        if r.state == TrialState.COMPLETE and not r.pending:
            groups.setdefault(r.number if r.replicate_of is None else r.replicate_of, []).append(r)
    found = []
    for members in groups.values():
        fitting = next((m for m in members if meets(m, constraints)), None)
        if fitting is None:
            continue
        candidate = Candidate(trial=fitting, members=tuple(members))
        if len(members) == 1 or all(_mean_meets(candidate, c) for c in constraints):
            found.append(candidate)
    return sorted(found, key=lambda c: c.trial.number)


def _mean_meets(candidate: Candidate, constraint: Constraint) -> bool:
    mean = candidate.mean(constraint.metric)
    # A constraint known only by its verdict has no metric to average: the verdict of the trial itself stands.
    return True if math.isnan(mean) else constraint.satisfied(mean)
