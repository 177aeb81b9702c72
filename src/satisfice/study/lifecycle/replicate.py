"""Training the top candidates again with other seeds: a winner that won by luck is no winner."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.choose import asked_by_each, best, pareto_front
from satisfice.errors import NoFeasibleTrial
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState

CANDIDATES = 3  # at least: there is one for the study itself and one for each of its profiles
_LARGEST_SHARE = 0.3  # of the budget


def is_for_replicates(spec: StudySpec, slot: int) -> bool:
    """Whether a slot is at the end of the budget, where candidates are trained again."""
    wanted = (spec.search.replicate - 1) * _count(spec)
    reserved = min(wanted, int(spec.budget.trials * _LARGEST_SHARE))
    return slot >= spec.budget.trials - reserved


def _count(spec: StudySpec) -> int:
    return max(CANDIDATES, 1 + len(spec.profiles))


def next_replicate(spec: StudySpec, records: Sequence[TrialRecord]) -> TrialRecord | None:
    """The candidate to train again, or None where all were trained often enough."""
    for candidate in _candidates(spec, [r for r in records if r.replicate_of is None]):
        trained = [
            r for r in records if r.replicate_of == candidate.number and r.state is not TrialState.FAIL
        ]
        if len(trained) < spec.search.replicate - 1:
            return candidate
    return None


def _candidates(spec: StudySpec, originals: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The study's best, the best of each profile, then the rest of the front."""
    first = spec.objectives[0]
    front = pareto_front(originals, (first, *spec.objectives[1:]), spec.constraints)
    front.sort(key=lambda r: first.sign * r.metrics[first.metric])
    answers = []
    for question in asked_by_each(spec):
        with contextlib.suppress(NoFeasibleTrial):
            answers.append(best(originals, question.objectives, question.constraints, order=question.order))
    chosen = {r.number: r for r in (*front[:1], *answers, *front[1:])}
    return list(chosen.values())[: _count(spec)]


def least_trained(spec: StudySpec, records: Sequence[TrialRecord]) -> TrialRecord | None:
    """What to train again when a finite space is exhausted; None where there is more, or nothing fits."""
    if not all(_is_finite(p.distribution) for p in spec.space):
        return None
    originals = [
        r
        for r in records
        if r.replicate_of is None and r.state is not TrialState.FAIL and r.feasible is not False
    ]
    repeated = Counter(r.replicate_of for r in records)
    return min(originals, key=lambda r: (repeated[r.number], r.number), default=None)


def _is_finite(distribution: BaseDistribution) -> bool:
    if isinstance(distribution, FloatDistribution):
        return distribution.step is not None or distribution.single()
    return isinstance(distribution, IntDistribution | CategoricalDistribution)
