"""What a question is put to: the records, the bounds that are asked, what was turned away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from satisfice.choose.best import optimizing
from satisfice.choose.bounds import Clause, check_metrics, merge_constraints
from satisfice.choose.noise.difference import Noise
from satisfice.choose.questions.unseen import Refusals, Unseen, as_tight, beyond_bounds, same_side
from satisfice.choose.trial_group import TrialGroup, candidates
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion, Objective
from satisfice.spec.trial import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every question is put to."""

    records: Sequence[TrialRecord]  # all trials of the study
    objectives: Sequence[Objective]  # the study's; the first is what `best` means
    constraints: Sequence[Constraint]  # the study's
    refusals: Sequence[Refusals] = ()  # of all its asks
    where: Clause | Sequence[Clause] = ()  # see `merge_constraints`
    order: tuple[Criterion, ...] = ()  # of a profile: what the first objective means
    noise: Noise = field(default_factory=Noise)  # with the influence values of the trials it is about

    @cached_property
    def asked(self) -> tuple[Constraint, ...]:
        """All bounds of the question."""
        return merge_constraints(self.constraints, self.where)

    def goal(self, maximize: str | None = None, minimize: str | None = None) -> Objective:
        """The metric to optimise, where some trial has it; see `best.optimizing`."""
        found = optimizing(self.objectives, maximize, minimize)
        self.check([found.metric])
        return found

    def check(self, metrics: Iterable[str] = ()) -> None:
        """Refuse metrics that no trial has, also those of the question's own bounds.

        Raises:
            InputError: Says the nearest name.
        """
        named = [*(o.metric for o in self.objectives), *(c.metric for c in self.constraints)]
        check_metrics(self.records, [*metrics, *(c.metric for c in self.asked)], known=named)

    def candidates(self, without: Constraint | None = None) -> list[TrialGroup]:
        """Configurations that meet every bound asked, or every one but ``without``."""
        return candidates(self.records, [c for c in self.asked if c != without])

    def criteria(self, goal: Objective) -> tuple[Criterion, ...]:
        """One metric, or the order of which it is the first, then the other objectives: as `best` chooses."""
        own = self.order and self.order[0].objective == goal
        first = self.order if own else (Criterion(objective=goal),)
        named = {c.objective.metric for c in first}
        return (*first, *(Criterion(objective=o) for o in self.objectives if o.metric not in named))

    def lost_at(self, constraint: Constraint) -> list[Unseen]:
        """What was turned away or stopped at a bound on the quantity and side of ``constraint``."""
        return [u for u in self._beyond if same_side(u.constraint, constraint)]

    @cached_property
    def _beyond(self) -> list[Unseen]:
        return beyond_bounds(self.records, self.refusals)

    def unseen(self, also: Iterable[Constraint] = ()) -> list[Unseen]:
        """What the question admits and was turned away or stopped, so that the answer does not know of it.

        Args:
            also: Bounds whose quantity and side the answer is about: what was lost there is told too,
                although the question does not admit it.
        """
        near = list(also)
        return [
            u
            for u in self._beyond
            if any(same_side(u.constraint, c) for c in near)
            or not any(as_tight(c, u.constraint) for c in self.asked)
        ]
