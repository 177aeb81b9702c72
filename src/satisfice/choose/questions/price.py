"""What the next step of a cost buys, along the feasible front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from satisfice.choose.front import front_of
from satisfice.choose.questions.question import Question
from satisfice.choose.questions.unseen import Unseen
from satisfice.choose.trial_group import TrialGroup
from satisfice.errors import InputError
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import direction_of
from satisfice.spec.study import Objective


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """A configuration on the front of the cost and the objective, and what it buys over the cheaper one."""

    group: TrialGroup
    cost: float  # in the metric's own unit
    value: float  # of the objective
    more: float | None  # paid over the cheaper point, above 0; None at the cheapest
    gain: float | None  # of the objective, above 0

    @property
    def rate(self) -> float | None:
        """Gain by one unit of the cost; None at the cheapest."""
        return None if self.more is None or self.gain is None else self.gain / self.more


@dataclass(frozen=True, kw_only=True)
class PriceList:
    """The front from its cheapest point to its best."""

    cost: Objective
    objective: Objective
    points: Sequence[FrontPoint]  # empty where nothing fits
    unseen: Sequence[Unseen]  # inside the question's bounds, or beyond the end of the cost


def price_of(
    question: Question, metric: str, maximize: str | None = None, minimize: str | None = None
) -> PriceList:
    """What more of a cost buys of the objective, step by step along the feasible front of the two.

    Replicates are judged by their mean; of configurations with equal values the lowest number stands. Values
    that are not finite are left out.

    Args:
        question: The trials and the bounds.
        metric: The cost, for instance ``size_mb``.
        maximize: Metric to maximise instead of the first objective.
        minimize: Metric to minimise instead of the first objective.

    Raises:
        InputError: No trial has the metric, its better direction is not known, or it is the objective.
    """
    goal, asked = question.goal(maximize, minimize), question.asked
    if metric == goal.metric:
        raise InputError(
            f"{metric!r} is what is bought, not what is paid",
            hint="name a cost, for instance size_mb, or another objective",
        )
    question.check([metric])
    direction = direction_of(metric, question.objectives, asked)
    if direction is None:
        raise InputError(
            f"whether more or less {metric!r} is better is not known",
            hint="the study has no objective and no bound on it",
        )
    cost = Objective(metric=metric, direction=direction)
    points: list[FrontPoint] = []
    for (paid, loss), group in front_of(question.candidates(), (cost, goal), finite=True):
        if points and loss == goal.sign * points[-1].value:
            continue  # equal in both
        more = gain = None
        if points:
            more, gain = paid - cost.sign * points[-1].cost, goal.sign * points[-1].value - loss
        points.append(
            FrontPoint(group=group, cost=cost.sign * paid, value=goal.sign * loss, more=more, gain=gain)
        )
    edge = Constraint(metric=metric, operator="<=" if direction == "minimize" else ">=", bound=0.0)
    return PriceList(cost=cost, objective=goal, points=points, unseen=question.unseen(also=[edge]))
