"""What is asked of a study: by the study itself, or by one of its profiles."""

from __future__ import annotations

from dataclasses import dataclass

from satisfice.choose.best import Order
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion, Objective
from satisfice.spec.profile import Profile
from satisfice.spec.study import StudySpec


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
