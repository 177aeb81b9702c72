"""Why nothing fits: which bound is in the way, how far it would have to move, which trial is nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from satisfice.choose.best import nearest_miss
from satisfice.choose.bounds import meets, metric_value, trial_violations
from satisfice.choose.criteria import first_by
from satisfice.choose.questions.question import Question
from satisfice.choose.questions.unseen import Unseen
from satisfice.choose.trial_group import TrialGroup, averaged, configurations
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import TrialRecord, TrialState


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A bound that a trial misses."""

    constraint: Constraint
    value: float | None  # None: not known
    violation: float  # in units of the bound's size; infinite where the value is not known, or NaN


@dataclass(frozen=True, kw_only=True)
class NearestTrial:
    """The finished trial that needs the least relaxation."""

    trial: TrialRecord  # with the means of its replicates
    fits: bool
    missed: Sequence[Missed]
    conditions: Sequence[str]  # bounds at which it would fit; empty where none is known, or it fits


@dataclass(frozen=True, kw_only=True)
class BoundInTheWay:
    """One bound among all that are asked."""

    constraint: Constraint
    missed: int  # finished configurations that miss it
    fit_without: int  # configurations that would fit if it alone were dropped, beside those that fit already
    # proposals turned away that missed it alone, of the bounds enforced then: at least, at most
    away_alone: tuple[int, int]
    nearest_bound: float | None  # the tightest on this metric that has a solution; None: no value has one
    solution: TrialGroup | None  # that solution
    unseen: Sequence[Unseen]  # what was turned away or stopped at a bound on this quantity and side


@dataclass(frozen=True, kw_only=True)
class InTheWay:
    """Every bound of a question."""

    finished: int  # configurations that are complete and have a verdict
    fitting: int  # of them
    bounds: Sequence[BoundInTheWay]
    nearest: NearestTrial | None
    share_at_most: float | None  # see `share_below`
    unseen: Sequence[Unseen]  # inside all bounds


def nearest_feasible(question: Question) -> NearestTrial | None:
    """The trial that fits, or misses least; None where no trial is finished.

    Where some fit, the best of them by the study's objectives; else the nearest miss, see `nearest_miss`.
    """
    question.check()
    asked, fitting = question.asked, question.candidates()
    if fitting:
        chosen = first_by(fitting, question.criteria(question.objectives[0]))
        (mean,) = averaged(chosen.members, asked)
        return NearestTrial(trial=mean, fits=True, missed=(), conditions=())
    nearest = nearest_miss(question.records, asked)
    if nearest is None:
        return None
    found = trial_violations(nearest, asked)
    missed = [
        Missed(constraint=c, value=metric_value(nearest, c.metric), violation=found[c.key])
        for c in asked
        if found[c.key] > 0
    ]
    return NearestTrial(
        trial=nearest, fits=False, missed=missed, conditions=_conditions(question, nearest, missed)
    )


def _conditions(question: Question, nearest: TrialRecord, missed: Sequence[Missed]) -> list[str]:
    """Bounds at which a complete trial would fit, in the order of those that it misses."""
    if nearest.state != TrialState.COMPLETE:
        return []
    group = next(
        g for g in configurations(question.records, question.asked) if g.trial.number == nearest.number
    )
    bounds = [_needed(group, group.trial, m.constraint) for m in missed]
    if any(bound is None for bound in bounds):
        return []
    return [
        clause_at(m.constraint, bound) for m, bound in zip(missed, bounds, strict=True) if bound is not None
    ]


def clause_at(constraint: Constraint, bound: float) -> str:
    """The condition that lets a value pass: ``size_mb <= 10.4``, with every digit of it."""
    return f"{constraint.metric} {'<=' if constraint.is_upper else '>='} {bound!r}"


def in_the_way(question: Question) -> InTheWay:
    """For each bound: how many miss it, how many miss it alone, and the tightest one that has a solution.

    Replicates are judged by their mean, and so is the trial whose model would ship.
    """
    question.check()
    asked = question.asked
    finished = configurations(question.records, asked)
    fitting = question.candidates()
    means = averaged([m for g in finished for m in g.members], asked)
    return InTheWay(
        finished=len(finished),
        fitting=len(fitting),
        bounds=[_in_the_way(question, c, means, len(fitting)) for c in asked],
        nearest=nearest_feasible(question),
        share_at_most=share_below(len(finished)) if finished and not fitting else None,
        unseen=question.unseen(),
    )


def _in_the_way(
    question: Question, constraint: Constraint, means: Sequence[TrialRecord], fitting: int
) -> BoundInTheWay:
    without = question.candidates(without=constraint)
    others = [c for c in question.asked if c != constraint]
    bound, solution = _tightest(without, constraint, others)
    return BoundInTheWay(
        constraint=constraint,
        missed=sum(trial_violations(mean, [constraint])[constraint.key] > 0 for mean in means),
        fit_without=len(without) - fitting,
        away_alone=_away_alone(question, constraint),
        nearest_bound=bound,
        solution=solution,
        unseen=question.lost_at(constraint),
    )


def _away_alone(question: Question, constraint: Constraint) -> tuple[int, int]:
    keys = [u.constraint.key for u in question.lost_at(constraint)]
    ranges = [each.missing_only(keys) for each in question.refusals]
    return sum(low for low, _ in ranges), sum(high for _, high in ranges)


def _tightest(
    groups: Sequence[TrialGroup], constraint: Constraint, others: Sequence[Constraint]
) -> tuple[float | None, TrialGroup | None]:
    """The tightest bound in the constraint's place that some group meets, which meets all others."""
    sign = 1.0 if constraint.is_upper else -1.0
    found = []
    for group in groups:
        needed = [_needed(group, m, constraint) for m in group.members if meets(m, others)]
        bounds = [sign * bound for bound in needed if bound is not None]
        if bounds:
            found.append((min(bounds), group.trial.number, group))
    if not found:
        return None, None
    least, _, group = min(found, key=lambda each: each[:2])
    return sign * least, group


def _needed(group: TrialGroup, member: TrialRecord, constraint: Constraint) -> float | None:
    """The bound that lets the member and the mean of its seeds pass; None where a value is not finite."""
    value, mean = metric_value(member, constraint.metric), group.mean(constraint.metric)
    if value is None or not math.isfinite(value) or not math.isfinite(mean):
        return None
    return max(value, mean) if constraint.is_upper else min(value, mean)


def share_below(tried: int, confidence: float = 0.95) -> float:
    """The largest share of fitting configurations that none among ``tried`` is still compatible with.

    For configurations drawn independently and alike: the exact bound behind the rule of three (about 3 / n;
    Hanley and Lippman-Hand 1983). A search draws where it expects success, so the share of the whole space
    is, if anything, smaller.

    >>> round(share_below(30), 3)
    0.095
    """
    return 1.0 - float((1.0 - confidence) ** (1.0 / tried))
