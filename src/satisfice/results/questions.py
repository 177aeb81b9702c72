"""What questions to finished trials return: `Study.compare`, `price_of`, `knee`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from satisfice.choose.questions import words
from satisfice.results.result import Result
from satisfice.results.trial import TrialSummary

if TYPE_CHECKING:
    import pandas as pd

    from satisfice.choose.questions.comparison import TrialPair
    from satisfice.choose.questions.knee import FrontKnee
    from satisfice.choose.questions.price import PriceList
    from satisfice.choose.questions.ranking import WeightedRanking
    from satisfice.choose.questions.unseen import Unseen


@dataclass(frozen=True, kw_only=True, eq=False)
class Unknown(Result):
    """Configurations beyond a bound that was enforced: none of them was trained to its end."""

    constraint: str  # key of the bound
    turned_away: int  # proposals, before training
    stopped: int  # trials, because they cannot meet it
    sentence: str

    @classmethod
    def each(cls, found: Sequence[Unseen]) -> list[Self]:
        """One for each bound."""
        return [
            cls(
                constraint=u.constraint.key,
                turned_away=u.turned_away,
                stopped=u.stopped,
                sentence=u.sentence,
            )
            for u in found
        ]


class Tabular(Result):
    """A result with a table: a row for each step, bound, metric or point."""

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """The table; all rows have the same columns."""

    def frame(self) -> pd.DataFrame:
        """The table as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.rows())


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricComparison(Result):
    """One metric of two trials."""

    metric: str
    a: float | None  # in the metric's unit; None: not recorded
    b: float | None
    difference: float | None  # b - a
    direction: str | None  # what is better: "maximize", "minimize"; None: not known
    better: str | None  # "a", "b", "equal"; None: a value is missing or NaN, or what is better is not known
    low: float | None  # ends of the 95% interval of the difference; None: its noise is not known
    high: float | None
    paired: bool  # whether the interval is from scores on the same rows
    within_noise: bool | None  # whether the interval has 0 in it, or both are equal; None: not known


@dataclass(frozen=True, kw_only=True, eq=False)
class ParamComparison(Result):
    """A parameter that differs between two trials."""

    param: str
    a: Any  # None: not active
    b: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundComparison(Result):
    """One bound and two trials."""

    constraint: str  # its key
    a: float  # violation in units of the bound's size: met if <= 0, infinite where the value is not known
    b: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialComparison(Tabular):
    """Two trials side by side, each by what is recorded of it alone."""

    a: TrialSummary
    b: TrialSummary
    metrics: Sequence[MetricComparison]  # the study's first, then all others by name
    params: Sequence[ParamComparison]  # those that differ
    bounds: Sequence[BoundComparison]
    dominates: str | None  # "a" or "b", on the study's objectives; None: neither, or a value is missing
    sentence: str
    notes: Sequence[str]  # what to know before a difference is believed

    @classmethod
    def of(cls, found: TrialPair) -> Self:
        """From what `satisfice.choose` found."""
        return cls(
            a=TrialSummary.of(found.a),
            b=TrialSummary.of(found.b),
            metrics=[
                MetricComparison(
                    metric=m.metric,
                    a=m.a,
                    b=m.b,
                    difference=m.difference,
                    direction=m.direction,
                    better=m.better,
                    low=None if m.interval is None else m.interval[0],
                    high=None if m.interval is None else m.interval[1],
                    paired=m.noise is not None and m.noise.paired,
                    within_noise=m.within_noise,
                )
                for m in found.metrics
            ],
            params=[ParamComparison(param=name, a=a, b=b) for name, (a, b) in found.params.items()],
            bounds=[BoundComparison(constraint=p.constraint.key, a=p.a, b=p.b) for p in found.bounds],
            dominates=found.dominates,
            sentence=words.comparison_words(found),
            notes=words.comparison_notes(found),
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each metric."""
        return [dict(m) for m in self.metrics]


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceStep(Result):
    """A point of the front of a cost and an objective, and what it buys over the next cheaper one."""

    number: int  # of the trial
    cost: float  # mean over its seeds, in the metric's unit
    value: float  # of the objective, likewise
    more: float | None  # paid over the cheaper point, > 0; None at the cheapest
    gain: float | None  # bought with it, > 0
    gain_per_unit: float | None  # gain / more


@dataclass(frozen=True, kw_only=True, eq=False)
class Price(Tabular):
    """What the next step of a cost buys, from the cheapest trial that fits to the best."""

    metric: str  # the cost
    metric_direction: str  # what is better of it
    objective: str
    objective_direction: str
    steps: Sequence[PriceStep]
    sentence: str
    unknown: Sequence[Unknown]

    @classmethod
    def of(cls, found: PriceList) -> Self:
        """From what `satisfice.choose` found."""
        return cls(
            metric=found.cost.metric,
            metric_direction=found.cost.direction,
            objective=found.objective.metric,
            objective_direction=found.objective.direction,
            steps=[
                PriceStep(
                    number=p.group.trial.number,
                    cost=p.cost,
                    value=p.value,
                    more=p.more,
                    gain=p.gain,
                    gain_per_unit=p.rate,
                )
                for p in found.points
            ],
            sentence=words.price_words(found),
            unknown=Unknown.each(found.unseen),
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each point; cost and value are named by their metrics."""
        return [
            {
                "number": s.number,
                self.metric: s.cost,
                self.objective: s.value,
                "more": s.more,
                "gain": s.gain,
                "gain_per_unit": s.gain_per_unit,
            }
            for s in self.steps
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class KneePoint(Result):
    """A trial on the front."""

    number: int
    metrics: Mapping[str, float]  # by objective, means over its seeds
    scaled: Mapping[str, float]  # 0 at the front's best value, 1 at its worst
    distance: float  # from the line between the ends, or to the ideal, in scaled units


@dataclass(frozen=True, kw_only=True, eq=False)
class Knee(Tabular):
    """Where a little more of one objective begins to cost much of another."""

    trial: TrialSummary | None  # None: the front has no knee
    objectives: Mapping[str, str]  # their directions
    rule: str  # "farthest from the line" (two objectives), "nearest to the ideal" (more), "only objective"
    front: Sequence[KneePoint]  # best on the first objective first
    sentence: str
    unknown: Sequence[Unknown]

    @classmethod
    def of(cls, found: FrontKnee) -> Self:
        """From what `satisfice.choose` found."""
        names = [o.metric for o in found.objectives]
        return cls(
            trial=None if found.chosen is None else TrialSummary.of(found.chosen.group.trial),
            objectives={o.metric: o.direction for o in found.objectives},
            rule=found.rule,
            front=[
                KneePoint(
                    number=p.group.trial.number,
                    metrics=dict(zip(names, p.values, strict=True)),
                    scaled=dict(zip(names, p.scaled, strict=True)),
                    distance=p.distance,
                )
                for p in found.points
            ],
            sentence=words.knee_words(found),
            unknown=Unknown.each(found.unseen),
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each point of the front."""
        return [
            {
                "number": p.number,
                **p.metrics,
                "distance": p.distance,
                "knee": self.trial is not None and p.number == self.trial.number,
            }
            for p in self.front
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedTrial(Result):
    """A trial on the front, by weights."""

    rank: int  # from 1
    number: int
    metrics: Mapping[str, float]  # those that have a weight, means over its seeds
    closeness: float  # 1 at the best of every metric over the front, 0 at the worst of every one


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking(Tabular):
    """The feasible front in the order of weights."""

    weights: Mapping[str, float]  # by metric, sum 1
    objectives: Mapping[str, str]  # directions of these metrics
    trials: Sequence[RankedTrial]  # best first
    sentence: str
    unknown: Sequence[Unknown]

    @classmethod
    def of(cls, found: WeightedRanking) -> Self:
        """From what `satisfice.choose` found."""
        names = [o.metric for o in found.metrics]
        return cls(
            weights=dict(zip(names, found.weights, strict=True)),
            objectives={o.metric: o.direction for o in found.metrics},
            trials=[
                RankedTrial(
                    rank=i,
                    number=p.group.trial.number,
                    metrics=dict(zip(names, p.values, strict=True)),
                    closeness=p.closeness,
                )
                for i, p in enumerate(found.points, start=1)
            ],
            sentence=words.ranking_words(found),
            unknown=Unknown.each(found.unseen),
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each trial of the front."""
        return [
            {"rank": t.rank, "number": t.number, **t.metrics, "closeness": t.closeness} for t in self.trials
        ]
