"""What is asked of a study: by the study itself, or by one of its profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from satisfice.choose.best import Order
from satisfice.choose.bounds import beside, metric_value
from satisfice.choose.questions.unseen import as_tight, same_side
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion, Objective
from satisfice.spec.metric import one_unit
from satisfice.spec.profile import Profile
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Objectives, bounds and an order of preference: the arguments of `best` and `pareto_front`."""

    profile: str | None  # its name; None: the study itself
    objectives: tuple[Objective, ...]  # of the front: those of the order first, then the study's others
    constraints: tuple[Constraint, ...]  # the study's, then the profile's
    order: tuple[Criterion, ...]  # what is chosen by; empty: the objectives in their order

    def preference(
        self,
        order: Order = (),
        maximize: str | None = None,
        minimize: str | None = None,
    ) -> Order:
        """The order that a question goes by: its own, none where it names one metric, else the profile's."""
        return order or (() if maximize is not None or minimize is not None else self.order)


def asked(spec: StudySpec, profile: str | None = None) -> Asked:
    """The question of a profile, or of the study itself.

    Args:
        spec: The study.
        profile: Name of a profile; None: the study's own objectives and constraints.

    Raises:
        InputError: There is no such profile.
    """
    return _asked(spec, None if profile is None else spec.profile(profile))


def asked_by_each(spec: StudySpec) -> tuple[Asked, ...]:
    """The question of every profile, in the order of the study file; none for the study itself."""
    return tuple(_asked(spec, profile) for profile in spec.profiles)


def _asked(spec: StudySpec, profile: Profile | None) -> Asked:
    if profile is None:
        return Asked(profile=None, objectives=spec.objectives, constraints=spec.constraints, order=())
    wanted = [c.objective for c in profile.order]
    named = {o.metric for o in wanted}
    return Asked(
        profile=profile.name,
        objectives=(*wanted, *(o for o in spec.objectives if o.metric not in named)),
        constraints=tuple(dict.fromkeys([*spec.constraints, *profile.constraints])),
        order=profile.order,
    )


def as_asked(spec: StudySpec, profile: str) -> StudySpec:
    """The study as one profile sees it: with its objectives and bounds, and no other profile.

    Raises:
        InputError: There is no such profile.
    """
    question = asked(spec, profile)
    return replace(
        spec,
        objectives=question.objectives,
        constraints=without_implied(question.constraints),
        profiles=(),
    )


def without_implied(bounds: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """The bounds without those that others make superfluous: of two on one side of a quantity the looser."""
    return tuple(
        c for i, c in enumerate(bounds) if not any(_implies(o, c, j < i) for j, o in enumerate(bounds))
    )


def _implies(other: Constraint, bound: Constraint, earlier: bool) -> bool:
    """Whether another bound makes one superfluous; of two that are alike the earlier one stays."""
    return other != bound and as_tight(other, bound) and (earlier or not as_tight(bound, other))


def answer_words(question: Asked, trial: TrialRecord) -> str:
    """A trial by the metrics that a question names: ``trial 12: f1 0.912, size_mb 0.84``."""
    by = [c.objective.metric for c in question.order] or [question.objectives[0].metric]
    parts = []
    for name in one_unit(by, [c.metric for c in question.constraints]):
        value = metric_value(trial, name)
        if value is not None:
            parts.append(f"{name} {beside(value, [c for c in question.constraints if c.metric == name])}")
    return f"trial {trial.number}: {', '.join(parts)}"


def common_bounds(profiles: Sequence[Profile]) -> tuple[Constraint, ...]:
    """Bounds that hold for whatever some profile can use: the loosest where all bound one quantity alike."""
    if not profiles:
        return ()
    found = []
    for bound in profiles[0].constraints:
        each = [next((c for c in p.constraints if same_side(c, bound)), None) for p in profiles]
        alike = [c for c in each if c is not None]
        if len(alike) == len(profiles):
            found.append(next(c for c in alike if all(as_tight(other, c) for other in alike)))
    return tuple(found)
