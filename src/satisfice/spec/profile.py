"""Deployment profiles: several ways to choose from one study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from satisfice.spec.constraint import Constraint, violated
from satisfice.spec.criterion import Criterion, Objective
from satisfice.spec.metric import METRICS, Known


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Where a model is to run: further bounds, and what is preferred within them."""

    name: str
    constraints: tuple[Constraint, ...] = ()  # beside the study's, which always hold
    order: tuple[Criterion, ...] = ()  # what is chosen by; empty: the study's objectives

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that the profile names, each once."""
        return tuple(
            dict.fromkeys([*(c.objective.metric for c in self.order), *(c.metric for c in self.constraints)])
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A profile's order that has a name: a little of the score is given up for something else."""

    favours: str  # in words
    tolerance: float  # share of the best score
    metric: str  # what counts within the tolerance

    def order(self, objectives: Sequence[Objective]) -> tuple[Criterion, ...]:
        """The order for a study with these objectives, of which there is at least one."""
        score = next((o for o in objectives if _is_score(o.metric)), objectives[0])
        first = Criterion(objective=score, tolerance=self.tolerance, relative=True)
        known = METRICS[self.metric]
        if score.metric in METRICS and METRICS[score.metric].quantity == known.quantity:
            return (first,)
        return (first, Criterion(objective=Objective(metric=self.metric, direction=known.direction)))


def _is_score(metric: str) -> bool:
    return metric not in METRICS or METRICS[metric].known is Known.AFTER


TEMPLATES: Mapping[str, Template] = {
    "edge": Template(
        favours="the smallest file among the models within 1% of the best score",
        tolerance=0.01,
        metric="size_mb",
    ),
    "realtime": Template(
        favours="the lowest latency of one item among the models within 1% of the best score",
        tolerance=0.01,
        metric="latency_ms",
    ),
    "batch": Template(
        favours="the highest throughput among the models within 0.2% of the best score",
        tolerance=0.002,
        metric="throughput",
    ),
}


def turned_away_by(own: Mapping[str, float], of_each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Violations, by key, for which a configuration is turned away; empty: somebody can use it.

    It is turned away if it misses one of the study's constraints, or, where there are profiles, bounds of
    every profile.

    Args:
        own: Violations of the study's constraints, as far as they are known.
        of_each: The same of each profile's own bounds.
    """
    missed = _missed(own)
    if missed or not of_each:
        return missed
    found = [_missed(each) for each in of_each]
    return {key: v for each in found for key, v in each.items()} if all(found) else {}


def _missed(found: Mapping[str, float]) -> dict[str, float]:
    return {key: found[key] for key in violated(found)}
