"""Several criteria in order, each with a tolerance: "f1 within 0.005 of the best, then the smallest"."""

from __future__ import annotations

from collections.abc import Sequence

from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.criterion import Criterion


def first_by(groups: Sequence[TrialGroup], criteria: Sequence[Criterion]) -> TrialGroup:
    """The group that is chosen: each criterion in turn keeps those within its tolerance of the best left.

    What remains equal goes to the trial with the lowest number. Where a metric has no value in any group
    that is left, it keeps all of them.

    Args:
        groups: At least one.
        criteria: The lexicographic order with tolerances (lexicographic semiorder, Tversky 1969).
    """
    left = list(groups)
    for criterion in criteria:
        losses = [criterion.loss(g) for g in left]
        least = min(losses)
        left = [g for g, loss in zip(left, losses, strict=True) if criterion.as_good(loss, least)]
    return min(left, key=lambda g: g.trial.number)
