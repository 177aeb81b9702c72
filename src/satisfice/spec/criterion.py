"""What is to be optimised: an objective, and criteria in order with tolerances."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from satisfice.errors import InputError
from satisfice.registry import did_you_mean
from satisfice.spec.constraint import Constraint
from satisfice.spec.metric import METRICS, Direction

_NUMBER = r"(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CRITERION = re.compile(
    r"^\s*(?:(maximize|minimize)\s+)?([^\s<>=]+(?:\s+(?!within\s)[^\s<>=]+)*)"
    rf"(?:\s+within\s+({_NUMBER})\s*(%)?)?\s*$"
)
_ROUNDING = 4 * math.ulp(1.0)  # 0.8 - 0.7 is more than 0.1 in floats: the value at the tolerance counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """A metric to optimise."""

    metric: str
    direction: Direction

    @property
    def sign(self) -> float:
        """Factor that makes the metric one to minimise."""
        return -1.0 if self.direction == "maximize" else 1.0


class Averaged(Protocol):
    """Whatever has a mean of each metric: a trial with its replicates."""

    def mean(self, metric: str, /) -> float:
        """The mean, NaN where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """A metric to optimise, and how much worse than the best is as good as the best."""

    objective: Objective
    tolerance: float = 0.0  # in the metric's own unit; 0: only equal values are as good
    relative: bool = False  # the tolerance is a share of the best value's size

    @property
    def text(self) -> str:
        """How it is written, its direction included: ``maximize f1 within 0.005``."""
        within = f" within {_written(self.tolerance, self.relative)}" if self.tolerance else ""
        return f"{self.objective.direction} {self.objective.metric}{within}"

    def loss(self, group: Averaged) -> float:
        """The group's mean, signed so that less is better; infinite where it is NaN."""
        mean = group.mean(self.objective.metric)
        return math.inf if math.isnan(mean) else self.objective.sign * mean

    def as_good(self, loss: float, least: float) -> bool:
        """Whether a loss is within the tolerance of the least one."""
        if loss == least or not self.tolerance or math.isinf(loss) or math.isinf(least):
            return loss == least
        tolerance = self.tolerance * abs(least) if self.relative else self.tolerance
        return loss - least <= tolerance + _ROUNDING * max(abs(loss), abs(least))


def _written(tolerance: float, relative: bool) -> str:
    """A tolerance as the shortest text that is read as the same float."""
    unit, size = (100, 100 * tolerance) if relative else (1, tolerance)
    near = (size, math.nextafter(size, math.inf), math.nextafter(size, 0.0))  # not each float is a hundredth
    texts = [f"{size:.12g}", *map(repr, near)]
    text = next((t for t in texts if float(t) / unit == tolerance), texts[1])
    return f"{text}%" if relative else text


def parse_order(
    order: str | Criterion | Sequence[str | Criterion],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
) -> tuple[Criterion, ...]:
    """Read ``["f1 within 0.005", "size_mb"]``: metrics in order, each with how much of it may be given up.

    A tolerance is in the metric's own unit; with ``%`` it is a share of the best value (``"f1 within 1%"``).
    The direction of a metric is the study's, else the metric's natural one, else the side that a bound on it
    leaves; ``maximize`` or ``minimize`` before the metric says another.

    Args:
        order: One criterion or several.
        objectives: The study's.
        constraints: Those of the question.

    Raises:
        InputError: Nothing is named, a metric is named twice, its direction is not known, or the text is no
            criterion.
    """
    texts = [order] if isinstance(order, str | Criterion) else list(order)
    if not texts:
        raise InputError("the order names no criterion", hint='for instance ["f1 within 0.005", "size_mb"]')
    found = tuple(
        text if isinstance(text, Criterion) else _parse(text, objectives, constraints) for text in texts
    )
    names = [c.objective.metric for c in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"the order names {twice!r} twice", hint="name each metric once")
    return found


def metric_in(text: str) -> str | None:
    """The metric that a criterion names; None where the text is no criterion."""
    match = _CRITERION.match(text)
    return None if match is None else match[2]


def _parse(text: str, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> Criterion:
    match = _CRITERION.match(text)
    if match is None:
        raise InputError(f"{text!r} is no criterion", hint="write it as 'f1 within 0.005' or 'size_mb'")
    relative = match[4] is not None
    tolerance = float(match[3]) / (100 if relative else 1) if match[3] else 0.0
    if not math.isfinite(tolerance):
        raise InputError(f"{match[3]} is more than a number can be", hint="give a smaller tolerance")
    metric = match[2]
    said: Direction | None = match[1]  # type: ignore[assignment]  # by the regex
    direction = said or direction_of(metric, objectives, constraints)
    if direction is None:
        known = sorted({*(o.metric for o in objectives), *(c.metric for c in constraints), *METRICS})
        hint = f"{did_you_mean(metric, known)}; else write 'maximize {metric}' or 'minimize {metric}'"
        raise InputError(f"whether more or less {metric!r} is better is not known", hint=hint)
    return Criterion(
        objective=Objective(metric=metric, direction=direction), tolerance=tolerance, relative=relative
    )


def direction_of(
    metric: str, objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> Direction | None:
    """What is better of a metric: by the study's objectives, by its nature, by a bound on it; else None."""
    own = next((o.direction for o in objectives if o.metric == metric), None)
    if own is not None or metric in METRICS:
        return own or METRICS[metric].direction
    sides = {c.is_upper for c in constraints if c.metric == metric}
    if len(sides) != 1:
        return None
    return "minimize" if sides.pop() else "maximize"
