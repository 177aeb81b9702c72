"""Training the top candidates again with other seeds: a winner that won by luck is no winner."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.choose import pareto_front
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState

CANDIDATES = 3
_LARGEST_SHARE = 0.3  # of the budget


def next_replicate(spec: StudySpec, records: Sequence[TrialRecord], slot: int) -> TrialRecord | None:
    """The candidate to train again in this slot, or None while the budget is for searching."""
    wanted = (spec.search.replicate - 1) * CANDIDATES
    reserved = min(wanted, int(spec.budget.trials * _LARGEST_SHARE))
    if slot < spec.budget.trials - reserved:
        return None
    originals = [r for r in records if r.replicate_of is None]
    first = spec.objectives[0]
    front = pareto_front(originals, (first, *spec.objectives[1:]), spec.constraints)
    front.sort(key=lambda r: first.sign * r.metrics[first.metric])
    for candidate in front[:CANDIDATES]:
        trained = [
            r for r in records if r.replicate_of == candidate.number and r.state is not TrialState.FAIL
        ]
        if len(trained) < spec.search.replicate - 1:
            return candidate
    return None
