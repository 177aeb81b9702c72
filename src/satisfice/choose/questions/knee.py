"""The knee of the feasible front: where a little more of one objective begins to cost much of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from satisfice.choose.front import front_of, resolve_objectives
from satisfice.choose.questions.question import Question
from satisfice.choose.questions.scaling import scaled
from satisfice.choose.questions.unseen import Unseen
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.study import Objective

_DIGITS = 12  # of a distance; what differs beyond them is rounding

KneeRule = Literal["only objective", "farthest from the line", "nearest to the ideal"]


@dataclass(frozen=True, kw_only=True)
class ScaledPoint:
    """A configuration on the front."""

    group: TrialGroup
    values: Sequence[float]  # of the objectives, in their order
    scaled: Sequence[float]  # 0 at the front's best value of the objective, 1 at its worst
    distance: float  # by the rule, in scaled units


@dataclass(frozen=True, kw_only=True)
class FrontKnee:
    """The knee, the front it is on, and by which rule it was found."""

    objectives: Sequence[Objective]
    rule: KneeRule
    chosen: ScaledPoint | None  # None: the front has no knee, or nothing fits
    points: Sequence[ScaledPoint]  # best on the first objective first
    unseen: Sequence[Unseen]


def knee_of(question: Question, objectives: Sequence[str | Objective] | None = None) -> FrontKnee:
    """The configuration of the front at which trading any further pays least.

    Two objectives: the point farthest from the line between the front's ends, on the side of the ideal, after
    both objectives are scaled to 0..1 over the front (Das 1999, "On characterizing the knee of the Pareto
    curve based on Normal-Boundary Intersection"). A front that nowhere bends towards the ideal has no knee;
    one with a single point (equal ones count once) has that point. More objectives: the point with the
    smallest Euclidean distance to the ideal, scaled likewise (compromise programming, Zeleny 1973). One
    objective: its best. Ties go to the better on the first objective, then to the lower number.

    Replicates are judged by their mean. Values that are not finite are left out.

    Args:
        question: The trials and the bounds.
        objectives: Names or objectives, see `resolve_objectives`; None means the study's own.

    Raises:
        InputError: A metric that no trial has, or whose direction is not known.
    """
    goals = resolve_objectives(objectives, question.objectives)
    question.check([o.metric for o in goals])
    front = front_of(question.candidates(), goals, finite=True)
    rule: KneeRule = ("only objective", "farthest from the line", "nearest to the ideal")[
        min(len(goals), 3) - 1
    ]
    points = _scaled(front, goals)
    return FrontKnee(
        objectives=goals,
        rule=rule,
        chosen=_chosen(points, rule),
        points=points,
        unseen=question.unseen(),
    )


def _scaled(
    front: Sequence[tuple[tuple[float, ...], TrialGroup]], goals: Sequence[Objective]
) -> list[ScaledPoint]:
    points = []
    rows = scaled([losses for losses, _ in front])
    for (losses, group), row in zip(front, rows, strict=True):
        distance = (1 - row[0] - row[1]) / math.sqrt(2) if len(goals) == 2 else math.hypot(*row)
        points.append(
            ScaledPoint(
                group=group,
                values=[o.sign * loss for o, loss in zip(goals, losses, strict=True)],
                scaled=row,
                distance=round(distance, _DIGITS),
            )
        )
    return points


def _chosen(points: Sequence[ScaledPoint], rule: KneeRule) -> ScaledPoint | None:
    if not points:
        return None
    if rule != "farthest from the line":
        return min(points, key=lambda p: p.distance)
    if all(tuple(p.values) == tuple(points[0].values) for p in points):
        return points[0]
    farthest = max(points, key=lambda p: p.distance)
    return farthest if farthest.distance > 0 else None
