"""The feasible front in the order of a person's weights (TOPSIS)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from satisfice.choose.front import front_of
from satisfice.choose.questions.question import Question
from satisfice.choose.questions.scaling import scaled
from satisfice.choose.questions.unseen import Unseen
from satisfice.choose.trial_group import TrialGroup
from satisfice.errors import InputError, MissingExtra
from satisfice.registry import did_you_mean
from satisfice.spec.criterion import Objective, direction_of
from satisfice.spec.metric import METRICS


@dataclass(frozen=True, kw_only=True)
class RankedPoint:
    """A configuration on the front."""

    group: TrialGroup
    values: Sequence[float]  # of the metrics, in the order of their weights
    closeness: float  # 1 at the best of every metric, 0 at the worst of every metric


@dataclass(frozen=True, kw_only=True)
class WeightedRanking:
    """The front, best first."""

    metrics: Sequence[Objective]
    weights: Sequence[float]  # of the metrics, sum 1
    points: Sequence[RankedPoint]
    unseen: Sequence[Unseen]


def ranking_of(question: Question, weights: Mapping[str, float]) -> WeightedRanking:
    """The feasible front of some metrics, by how close each configuration is to the best of all of them.

    TOPSIS (Hwang & Yoon 1981, "Multiple Attribute Decision Making"): each metric is scaled to 0..1 over the
    front and weighed; the closeness is the distance to the worst corner, divided by the sum of the distances
    to the worst and to the best. The weights are shares of those ranges, not of the metrics' own units.
    Ties go to the lower number. Replicates are judged by their mean; values that are not finite are left out.

    Args:
        question: The trials and the bounds.
        weights: By metric, each above 0; their sum does not matter.

    Raises:
        InputError: No weight, one that is not positive, or a metric that no trial has or of which nobody
            knows what is better.
        MissingExtra: pyrepo-mcda is not installed.
    """
    goals = _goals(question, weights)
    question.check([o.metric for o in goals])
    total = math.fsum(weights.values())
    shares = [weights[o.metric] / total for o in goals]
    front = front_of(question.candidates(), goals, finite=True)
    closeness = _closeness([losses for losses, _ in front], shares)
    points = [
        RankedPoint(group=group, values=[group.mean(o.metric) for o in goals], closeness=value)
        for (_, group), value in zip(front, closeness, strict=True)
    ]
    points.sort(key=lambda p: (-p.closeness, p.group.trial.number))
    return WeightedRanking(metrics=goals, weights=shares, points=points, unseen=question.unseen())


def _goals(question: Question, weights: Mapping[str, float]) -> list[Objective]:
    if not weights:
        raise InputError("no weight is given", hint="for instance accuracy=2 and size_mb=1")
    goals = []
    for metric, weight in weights.items():
        if not (weight > 0 and math.isfinite(weight)):
            raise InputError(
                f"the weight of {metric} is {weight:g}", hint="give a number above 0, or leave the metric out"
            )
        direction = direction_of(metric, question.objectives, question.asked)
        if direction is None:
            known = sorted({*METRICS, *(o.metric for o in question.objectives)})
            raise InputError(
                f"whether more or less {metric!r} is better is not known", hint=did_you_mean(metric, known)
            )
        goals.append(Objective(metric=metric, direction=direction))
    return goals


def _closeness(losses: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    """Closeness of each point by its losses; 1 where all points are equal."""
    if not losses:
        return []
    try:
        from pyrepo_mcda.mcda_methods.topsis import TOPSIS
    except ModuleNotFoundError as error:
        raise MissingExtra("pyrepo-mcda", "ranking") from error
    matrix = np.array(scaled(losses))
    if not matrix.any():
        return [1.0] * len(losses)
    costs = np.full(len(weights), -1)
    return [float(value) for value in TOPSIS()(matrix, np.array(weights), costs)]
