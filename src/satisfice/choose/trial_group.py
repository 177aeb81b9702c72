"""A configuration to choose: one trial, or a trial with its replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from satisfice.choose.bounds import meets, metric_value, trial_violations
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import TrialRecord, TrialState

_SUMMABLE = 1e300


@dataclass(frozen=True, kw_only=True)
class TrialGroup:
    """One configuration, judged by the mean over the seeds it was trained with."""

    trial: TrialRecord  # handed out: the earliest that meets every constraint by itself, else the earliest
    members: tuple[TrialRecord, ...]  # COMPLETE ones only, by number

    def mean(self, metric: str) -> float:
        """Mean of a metric over the members that have it; NaN if none has."""
        known = (metric_value(m, metric) for m in self.members)
        values = [v for v in known if v is not None and not math.isnan(v)]
        if len(values) < 2:
            return values[0] if values else math.nan
        if all(map(math.isfinite, values)) and max(map(abs, values)) < _SUMMABLE:
            return math.fsum(values) / len(values)
        return sum(v / len(values) for v in values)  # infinities, or a sum beyond what a float holds


def configurations(records: Sequence[TrialRecord], constraints: Sequence[Constraint]) -> list[TrialGroup]:
    """Every configuration with COMPLETE trials, feasible or not, by the trial that stands for it.

    A trial whose latency is yet to be measured has no verdict, and is left out. Where no member meets every
    constraint, the earliest stands for all.
    """
    groups: dict[int, list[TrialRecord]] = {}
    for r in sorted(records, key=lambda r: r.number):
        if r.state == TrialState.COMPLETE and not r.pending:
            groups.setdefault(r.number if r.replicate_of is None else r.replicate_of, []).append(r)
    found = [
        TrialGroup(
            trial=next((m for m in members if meets(m, constraints)), members[0]), members=tuple(members)
        )
        for members in groups.values()
    ]
    return sorted(found, key=lambda c: c.trial.number)


def candidates(records: Sequence[TrialRecord], constraints: Sequence[Constraint]) -> list[TrialGroup]:
    """Feasible configurations, by the number of the trial that stands for each.

    A configuration with replicates is feasible if the means meet the constraints, and so does the trial
    whose model would ship.
    """
    return [
        c
        for c in configurations(records, constraints)
        if meets(c.trial, constraints)
        and (len(c.members) == 1 or all(_mean_meets(c, constraint) for constraint in constraints))
    ]


def averaged(records: Sequence[TrialRecord], constraints: Sequence[Constraint]) -> list[TrialRecord]:
    """The trials as they are judged: of a configuration with replicates one, with the means; by number."""
    found = configurations(records, constraints)
    members = {m.number for c in found for m in c.members}
    rest = [r for r in records if r.number not in members]
    return sorted([*rest, *(_averaged(c, constraints) for c in found)], key=lambda r: r.number)


def _averaged(configuration: TrialGroup, constraints: Sequence[Constraint]) -> TrialRecord:
    trial = configuration.trial
    if len(configuration.members) == 1:
        return trial
    metrics = {name: configuration.mean(name) for name in trial.metrics}
    found = trial_violations(trial, constraints)
    for c in constraints:
        mean = configuration.mean(c.metric)
        if not math.isnan(mean):  # else the verdict of the trial itself stands
            found[c.key] = max(found[c.key], c.violation(mean))
    return replace(trial, metrics=metrics, violations={**trial.violations, **found}, replicate_of=None)


def _mean_meets(candidate: TrialGroup, constraint: Constraint) -> bool:
    mean = candidate.mean(constraint.metric)
    # A constraint known only by its verdict has no metric to average: the verdict of the trial itself stands.
    return True if math.isnan(mean) else constraint.satisfied(mean)
