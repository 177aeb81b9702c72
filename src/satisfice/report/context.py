"""What a report and its plots are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from satisfice.choose import trial_violations
from satisfice.choose.asked import Asked, asked_by_each
from satisfice.choose.bounds import metric_value
from satisfice.choose.trial_group import averaged
from satisfice.results.report_context import ReportContext
from satisfice.spec.constraint import Constraint, none_violated, violated
from satisfice.spec.influences import ReadInfluences
from satisfice.spec.metric import METRICS, Known
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Objective, Rule, StudySpec
from satisfice.spec.trial import TrialRecord, TrialState


@dataclass(frozen=True, kw_only=True)
class Preference:
    """One criterion of a profile's order."""

    objective: Objective
    tolerance: float = 0.0
    relative: bool = False  # the tolerance is a share of the best value's size


@dataclass(frozen=True, kw_only=True)
class ProfileView:
    """The question of a deployment profile, as the page asks it."""

    name: str
    objectives: tuple[Objective, ...]  # of the front: those of the order first, then the study's others
    constraints: tuple[Constraint, ...]  # the study's, then the profile's
    order: tuple[Preference, ...]  # what is chosen by; empty: the objectives in their order


def _profile(question: Asked) -> ProfileView:
    order = [
        Preference(objective=c.objective, tolerance=c.tolerance, relative=c.relative) for c in question.order
    ]
    return ProfileView(
        name=str(question.profile),
        objectives=question.objectives,
        constraints=question.constraints,
        order=tuple(order),
    )


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A study as the plots see it."""

    records: Sequence[TrialRecord]  # by number
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    space: SearchSpace
    chosen: int | None = None
    default: int | None = None
    profiles: tuple[ProfileView, ...] = ()
    ships: bool = False  # whether `satisfice ship` writes its models: those of a built-in family
    folds: int | None = None  # of the cross-validation
    rule: Rule = "value"  # of choice, unless a question names another
    influences: ReadInfluences | None = None  # what scored rows did to the metrics; None: nobody knows
    # The study's own question, where the view is of a profile's: its objectives and its constraints.
    own: tuple[tuple[Objective, ...], tuple[Constraint, ...]] | None = None

    @property
    def step(self) -> str:
        """What the steps of a training are called."""
        return "epoch" if self.folds is None else "fold"

    @classmethod
    def of(
        cls,
        spec: StudySpec,
        records: Sequence[TrialRecord],
        context: ReportContext,
        influences: ReadInfluences | None = None,
        whole: StudySpec | None = None,
    ) -> Self:
        """The view of a study.

        Args:
            spec: The study.
            records: All its trials, in any order.
            context: What the records do not tell.
            influences: Reads the influence values of trials by number; None: there are none.
            whole: The study with its profiles, where ``spec`` is what one of them sees; None: the same.
        """
        return cls(
            records=sorted(records, key=lambda r: r.number),
            objectives=spec.objectives,
            constraints=spec.constraints,
            space=spec.space,
            chosen=context.chosen,
            default=context.default,
            ships=spec.model is not None,
            folds=spec.folds,
            rule=spec.choose.rule,
            profiles=tuple(map(_profile, asked_by_each(whole or spec))),
            own=None if whole is None else (whole.objectives, whole.constraints),
            influences=influences,
        )

    @cached_property
    def complete(self) -> list[TrialRecord]:
        """COMPLETE trials."""
        return [r for r in self.records if r.state == TrialState.COMPLETE]

    @cached_property
    def judged(self) -> list[TrialRecord]:
        """The trials as `best` judges them: what was trained with several seeds is one, with the means."""
        return averaged(self.records, self.constraints)

    @cached_property
    def fitting(self) -> frozenset[int]:
        """Numbers of the COMPLETE trials among ``judged`` that meet every constraint."""
        return frozenset(r.number for r in self.judged if self.fits(r))

    def trainings(self, number: int | None) -> int:
        """How many COMPLETE trials share the configuration of that one."""
        of = {r.number: r.number if r.replicate_of is None else r.replicate_of for r in self.complete}
        return list(of.values()).count(of[number]) if number in of else 0

    @cached_property
    def feasible(self) -> frozenset[int]:
        """Numbers of the COMPLETE trials that meet every constraint."""
        return frozenset(r.number for r in self.complete if self.fits(r))

    def fits(self, record: TrialRecord) -> bool | None:
        """Whether a trial fits; None where it has no verdict: see `fits`."""
        return fits(record, self.constraints)

    def measured(self, metric: str) -> list[TrialRecord]:
        """Trials whose value of the metric is final and finite.

        What is known before training is final in any trial; a score of one that was stopped midway is not.
        """
        rows = self.records if is_early(metric) else self.complete
        return [r for r in rows if finite(r, metric) is not None]

    @cached_property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics that the study names: objectives, then constraints, each once."""
        names = [o.metric for o in self.objectives] + [c.metric for c in self.constraints]
        return tuple(dict.fromkeys(names))

    def record(self, number: int | None) -> TrialRecord | None:
        """The trial of that number, if there is one, as it is judged."""
        return next((r for r in (*self.judged, *self.records) if r.number == number), None)


def fits(record: TrialRecord, constraints: Sequence[Constraint]) -> bool | None:
    """Whether a trial fits; None where it has no verdict.

    Only a complete trial fits. One that was stopped, failed or still runs misses a bound for certain where
    the bound is on a metric that training does not change; that it meets all those says nothing of the model
    that it would have become.
    """
    found = trial_violations(record, constraints)
    if record.state == TrialState.COMPLETE and not record.pending:
        missed = [found[key] for key in violated(found)]
        unknown = record.feasible is None and all(math.isinf(v) for v in missed)
        return None if missed and unknown else not missed
    fixed = [c for c in constraints if is_early(c.metric)]
    known = {c.key: found[c.key] for c in fixed if found[c.key] < math.inf}
    return None if none_violated(known) else False


def is_early(metric: str) -> bool:
    """Whether the metric is known before training, and final."""
    known = METRICS.get(metric)
    return known is not None and known.known is not Known.AFTER


FARTHEST = 1e300


def finite(record: TrialRecord, metric: str) -> float | None:
    """The metric if it is known and finite, as it is drawn: one beyond ``FARTHEST`` stands there."""
    value = metric_value(record, metric)
    return drawn(value) if value is not None and math.isfinite(value) else None


def drawn(value: float) -> float:
    """The value where a plot shows it: two of them must have a difference. Labels say what it really is."""
    return min(max(value, -FARTHEST), FARTHEST)


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A plot that cannot be drawn, and why, in one sentence."""

    title: str
    sentence: str
