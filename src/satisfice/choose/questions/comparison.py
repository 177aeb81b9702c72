"""Two trials side by side: metrics, parameters, bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from satisfice.choose.bounds import metric_value, trial_violations
from satisfice.choose.noise.difference import Difference
from satisfice.choose.questions.question import Question
from satisfice.choose.trial_group import TrialGroup, configurations
from satisfice.errors import InputError
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import direction_of
from satisfice.spec.metric import Direction, one_unit
from satisfice.spec.trial import TrialRecord

Side = Literal["a", "b"]


@dataclass(frozen=True, kw_only=True)
class MetricPair:
    """One metric of both."""

    metric: str
    a: float | None  # None: not recorded
    b: float | None
    direction: Direction | None  # what is better; None: not known
    noise: Difference | None = None  # of `a - b`; None where a value is missing

    @property
    def difference(self) -> float | None:
        """``b - a`` in the metric's unit; None where a value is missing."""
        if self.a is None or self.b is None:
            return None
        return 0.0 if self.a == self.b else self.b - self.a

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of `difference`; None where its noise is not known."""
        if self.noise is None or self.noise.low is None or self.noise.high is None:
            return None
        return -self.noise.high + 0.0, -self.noise.low + 0.0

    @property
    def within_noise(self) -> bool | None:
        """Whether the interval has 0 in it, or both are equal; None where nobody knows."""
        if self.noise is None or math.isnan(self.noise.value):
            return None
        if self.noise.error is None and self.noise.value:
            return None
        return self.noise.is_noise()

    @property
    def better(self) -> Side | Literal["equal"] | None:
        """Which is better; None where a value is missing or NaN, or nobody knows what is better."""
        if self.a is None or self.b is None or math.isnan(self.a) or math.isnan(self.b):
            return None
        if self.a == self.b:
            return "equal"
        if self.direction is None:
            return None
        return "b" if (self.b > self.a) == (self.direction == "maximize") else "a"


@dataclass(frozen=True, kw_only=True)
class BoundPair:
    """One bound and how both stand to it, in units of the bound's size: at most 0 where it is met."""

    constraint: Constraint
    a: float  # infinite where the value is not known
    b: float


@dataclass(frozen=True, kw_only=True)
class TrialPair:
    """Two trials."""

    a: TrialRecord
    b: TrialRecord
    metrics: Sequence[MetricPair]  # the study's first, then all others by name
    params: Mapping[str, tuple[Any, Any]]  # that differ; None where a parameter is not active
    bounds: Sequence[BoundPair]
    dominates: Side | None  # on the study's objectives
    seeds: tuple[
        TrialGroup | None, TrialGroup | None
    ]  # the configuration of each, where it has several seeds


def compare(question: Question, a: int, b: int) -> TrialPair:
    """Two trials by what is recorded of them, each by itself, and how much of each difference is noise.

    Trials that were scored on the same rows are compared on them. Where a configuration was trained with
    several seeds, the answer holds their group, by whose mean `best` judges.

    Args:
        question: The trials and the bounds.
        a: Number of the one.
        b: Number of the other.

    Raises:
        InputError: There is no such trial, or both are one.
    """
    by_number = {r.number: r for r in question.records}
    for number in (a, b):
        if number not in by_number:
            raise InputError(f"there is no trial {number}", hint=_numbers(by_number))
    if a == b:
        raise InputError(f"trial {a} is named twice", hint="name two trials")
    question.check()
    one, other = by_number[a], by_number[b]

    def pair(name: str) -> MetricPair:
        direction = direction_of(name, question.objectives, question.asked)
        mine, theirs = metric_value(one, name), metric_value(other, name)
        return MetricPair(
            metric=name,
            a=mine,
            b=theirs,
            direction=direction,
            noise=None
            if mine is None or theirs is None
            else question.noise.difference(_alone(one), _alone(other), name),
        )

    missed, missed_by_other = (trial_violations(r, question.asked) for r in (one, other))
    groups = configurations(question.records, question.asked)
    return TrialPair(
        a=one,
        b=other,
        metrics=[pair(name) for name in _metrics(question, one, other)],
        params={
            name: (one.params.get(name), other.params.get(name))
            for name in dict.fromkeys([*one.params, *other.params])
            if one.params.get(name) != other.params.get(name)
        },
        bounds=[BoundPair(constraint=c, a=missed[c.key], b=missed_by_other[c.key]) for c in question.asked],
        dominates=_dominates([pair(o.metric) for o in question.objectives]),
        seeds=(_several(groups, a), _several(groups, b)),
    )


def _alone(record: TrialRecord) -> TrialGroup:
    return TrialGroup(trial=record, members=(record,))


def _metrics(question: Question, one: TrialRecord, other: TrialRecord) -> list[str]:
    named = [*(o.metric for o in question.objectives), *(c.metric for c in question.asked)]
    return one_unit(named, sorted({*one.metrics, *other.metrics} - {*named}))


def _dominates(objectives: Sequence[MetricPair]) -> Side | None:
    """Which is no worse in every objective and better in one; None: neither, or a value is missing."""
    found = {pair.better for pair in objectives}
    if None in found or {"a", "b"} <= found:
        return None
    return "a" if "a" in found else "b" if "b" in found else None


def _several(groups: Sequence[TrialGroup], number: int) -> TrialGroup | None:
    own = next((g for g in groups if number in [m.number for m in g.members]), None)
    return own if own is not None and len(own.members) > 1 else None


def _numbers(known: Mapping[int, TrialRecord]) -> str:
    return f"trials are numbered {min(known)} to {max(known)}" if known else "no trial has begun"
