"""What each bound costs: the best with it and without it, among the trials that are recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from satisfice.choose.criteria import first_by
from satisfice.choose.questions.question import Question
from satisfice.choose.questions.unseen import Unseen
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion, Objective


@dataclass(frozen=True, kw_only=True)
class BoundCost:
    """One bound."""

    constraint: Constraint
    without: TrialGroup | None  # the best where this bound alone is dropped; None: nothing fits even then
    value: float | None  # its objective
    gain: float | None  # of the objective, at least 0; None where nothing fits with the bound, or without
    unseen: Sequence[Unseen]  # what was turned away or stopped at a bound on this quantity and side

    @property
    def binding(self) -> bool | None:
        """Whether a recorded trial is better without the bound; None: none is, but some were lost there."""
        if self.without is not None and (self.gain is None or self.gain > 0):
            return True
        return None if self.unseen else False


@dataclass(frozen=True, kw_only=True)
class BoundCosts:
    """Every bound of a question."""

    objective: Objective
    best: TrialGroup | None  # with all bounds; None: nothing fits
    value: float | None
    bounds: Sequence[BoundCost]
    unseen: Sequence[Unseen]  # inside all bounds


def bound_costs(question: Question, maximize: str | None = None, minimize: str | None = None) -> BoundCosts:
    """The best of the first objective with all bounds, and with each of them dropped.

    Replicates are judged by their mean.

    Args:
        question: The trials and the bounds.
        maximize: Metric to maximise instead of the first objective.
        minimize: Metric to minimise instead of the first objective.
    """
    goal = question.goal(maximize, minimize)
    order = question.criteria(goal)
    chosen = _best(question.candidates(), order)
    value = None if chosen is None else chosen.mean(goal.metric)
    bounds = []
    for constraint in question.asked:
        without = _best(question.candidates(without=constraint), order)
        reached = None if without is None else without.mean(goal.metric)
        bounds.append(
            BoundCost(
                constraint=constraint,
                without=without,
                value=reached,
                gain=None if value is None or reached is None else _gain(goal, value, reached),
                unseen=question.lost_at(constraint),
            )
        )
    return BoundCosts(objective=goal, best=chosen, value=value, bounds=bounds, unseen=question.unseen())


def _best(groups: Sequence[TrialGroup], order: Sequence[Criterion]) -> TrialGroup | None:
    scored = [g for g in groups if not math.isnan(g.mean(order[0].objective.metric))]
    return first_by(scored, order) if scored else None


def _gain(goal: Objective, value: float, reached: float) -> float:
    return 0.0 if value == reached else goal.sign * (value - reached)
