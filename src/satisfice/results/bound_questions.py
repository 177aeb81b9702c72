"""What questions about bounds return: `Study.binding`, `nearest_feasible`, `explain_infeasible`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from satisfice.choose.questions import words
from satisfice.results.questions import Tabular, Unknown
from satisfice.results.result import Result
from satisfice.results.trial import TrialSummary

if TYPE_CHECKING:
    from satisfice.choose.questions.binding import BoundCost, BoundCosts
    from satisfice.choose.questions.infeasible import BoundInTheWay, InTheWay, NearestTrial


@dataclass(frozen=True, kw_only=True, eq=False)
class BindingBound(Result):
    """What one bound costs among the trials that are recorded."""

    constraint: str  # its key
    binding: bool | None  # a recorded trial is better without it; None: none is, but some were lost there
    number: int | None  # the best trial without it; None: nothing fits even then
    value: float | None  # its objective
    gain: float | None  # over the best with all bounds, >= 0; None where either is missing
    sentence: str
    unknown: Sequence[Unknown]

    @classmethod
    def of(cls, bound: BoundCost, found: BoundCosts) -> Self:
        """From what `satisfice.choose` found."""
        return cls(
            constraint=bound.constraint.key,
            binding=bound.binding,
            number=None if bound.without is None else bound.without.trial.number,
            value=bound.value,
            gain=bound.gain,
            sentence=words.bound_cost_words(bound, found),
            unknown=Unknown.each(bound.unseen),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Binding(Tabular):
    """What each bound costs: the best with all bounds, and with each of them dropped."""

    objective: str
    direction: str
    best: TrialSummary | None  # with all bounds; None: nothing fits
    value: float | None  # its objective, mean over its seeds
    bounds: Sequence[BindingBound]
    unknown: Sequence[Unknown]  # inside all bounds

    @classmethod
    def of(cls, found: BoundCosts) -> Self:
        """From what `satisfice.choose` found."""
        return cls(
            objective=found.objective.metric,
            direction=found.objective.direction,
            best=None if found.best is None else TrialSummary.of(found.best.trial),
            value=found.value,
            bounds=[BindingBound.of(bound, found) for bound in found.bounds],
            unknown=Unknown.each(found.unseen),
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each bound."""
        return [
            {
                "constraint": b.constraint,
                "binding": b.binding,
                "with": self.value,
                "without": b.value,
                "gain": b.gain,
                "trial": b.number,
                "turned_away": sum(u.turned_away for u in b.unknown),
                "stopped": sum(u.stopped for u in b.unknown),
            }
            for b in self.bounds
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class MissedBound(Result):
    """A bound that a trial misses."""

    constraint: str  # its key
    value: float | None  # of the trial; None: not known
    violation: float  # in units of the bound's size; infinite where the value is not known, or NaN


@dataclass(frozen=True, kw_only=True, eq=False)
class NearestFeasible(Result):
    """The finished trial that fits, or that needs the least relaxation."""

    trial: TrialSummary  # of a configuration with replicates, with their means
    feasible: bool  # it meets every bound asked
    missed: Sequence[MissedBound]
    where: Sequence[str]  # conditions under which it would fit; empty where it fits, or none is known
    sentence: str

    @classmethod
    def of(cls, found: NearestTrial) -> Self:
        """From what `satisfice.choose` found."""
        return cls(
            trial=TrialSummary.of(found.trial),
            feasible=found.fits,
            missed=[
                MissedBound(constraint=m.constraint.key, value=m.value, violation=m.violation)
                for m in found.missed
            ],
            where=list(found.conditions),
            sentence=words.nearest_words(found),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class InfeasibleBound(Result):
    """One bound among all that are asked."""

    constraint: str  # its key
    missed: int  # finished configurations that miss it
    fit_without: int  # that would fit if it alone were dropped, beside those that fit already
    turned_away_alone: tuple[int, int]  # proposals that missed no other bound then: at least, at most
    tightest: float | None  # bound on its side with a solution, all others as asked; None: no value has one
    solution: int | None  # number of that trial
    sentence: str
    unknown: Sequence[Unknown]

    @classmethod
    def of(cls, bound: BoundInTheWay) -> Self:
        """From what `satisfice.choose` found."""
        return cls(
            constraint=bound.constraint.key,
            missed=bound.missed,
            fit_without=bound.fit_without,
            turned_away_alone=bound.away_alone,
            tightest=bound.nearest_bound,
            solution=None if bound.solution is None else bound.solution.trial.number,
            sentence=words.bound_in_the_way_words(bound),
            unknown=Unknown.each(bound.unseen),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Infeasibility(Tabular):
    """Why nothing fits, or how much does."""

    finished: int  # configurations that are complete and have a verdict
    feasible: int  # of them
    bounds: Sequence[InfeasibleBound]
    nearest: NearestFeasible | None  # None: no trial is finished
    share_at_most: (
        float | None
    )  # 95% bound on the share that fits of configurations like these; None: some fit
    sentence: str
    notes: Sequence[str]
    unknown: Sequence[Unknown]  # inside all bounds

    @classmethod
    def of(cls, found: InTheWay) -> Self:
        """From what `satisfice.choose` found."""
        share = words.share_words(found)
        return cls(
            finished=found.finished,
            feasible=found.fitting,
            bounds=[InfeasibleBound.of(bound) for bound in found.bounds],
            nearest=None if found.nearest is None else NearestFeasible.of(found.nearest),
            share_at_most=found.share_at_most,
            sentence=words.in_the_way_words(found),
            notes=[share] if share else [],
            unknown=Unknown.each(found.unseen),
        )

    def rows(self) -> list[dict[str, Any]]:
        """A row for each bound."""
        return [
            {
                "constraint": b.constraint,
                "missed": b.missed,
                "fit_without": b.fit_without,
                "turned_away_alone_at_least": b.turned_away_alone[0],
                "turned_away_alone_at_most": b.turned_away_alone[1],
                "tightest": b.tightest,
                "solution": b.solution,
            }
            for b in self.bounds
        ]
