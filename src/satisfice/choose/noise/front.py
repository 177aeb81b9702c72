"""Points of a Pareto front that differ from another one by noise alone."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.choose.noise.difference import Noise
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.study import Objective


def same_within_noise(
    front: Sequence[TrialGroup], goals: Sequence[Objective], noise: Noise
) -> dict[int, int]:
    """By the number of each point that adds nothing beyond noise, the number of the one that covers it.

    A point covers another where that one is better than it in no objective by more than noise (95%, in
    pairs). Points are taken by how many they cover, most first, of equals the earlier on the front; what a
    taken point covers adds nothing to it.

    Args:
        front: Groups on the front, best on the first objective first.
        goals: The objectives.
        noise: Of the study.
    """
    covers = [
        {j for j, other in enumerate(front) if j != i and not _is_better(other, point, goals, noise)}
        for i, point in enumerate(front)
    ]
    left = set(range(len(front)))
    same: dict[int, int] = {}
    while left:
        i = max(left, key=lambda i: (len(covers[i] & left), -i))
        for j in covers[i] & left:
            same[front[j].trial.number] = front[i].trial.number
        left -= covers[i] | {i}
    return same


def _is_better(a: TrialGroup, b: TrialGroup, goals: Sequence[Objective], noise: Noise) -> bool:
    """Whether the one is better than the other in some objective by more than noise."""
    for goal in goals:
        found = noise.difference(a, b, goal.metric)
        if goal.sign * found.value < 0 and not found.is_noise():
            return True
    return False
