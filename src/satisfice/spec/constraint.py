"""Constraints on satisficing metrics: the one place that judges feasibility.

`Constraint.violation` (and `violation_each`), `violated`, `feasibility` and `verdict` judge; everyone else
reads what they say.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from satisfice.errors import InputError

Operator = Literal["<=", "<", ">=", ">"]

# A strict bound met with equality is violated, by an amount that no measurement confuses with another.
_STRICT_EQUALITY = 1e-12

_LARGEST = sys.float_info.max

_NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
_BOUND = re.compile(rf"^\s*(<=|>=|<|>)\s*({_NUMBER})\s*$")
_CLAUSE = re.compile(rf"^\s*([^\s<>=](?:[^<>=]*[^\s<>=])?)\s*(<=|>=|<|>)\s*({_NUMBER})\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """One bound on one metric, in the metric's own unit."""

    metric: str  # as the study names it, for instance "size_mb"
    operator: Operator
    bound: float  # finite

    @property
    def key(self) -> str:
        """How the constraint is written; also its key in Optuna's tables."""
        return f"{self.metric} {self.operator} {self.bound:.12g}"

    @property
    def is_upper(self) -> bool:
        """Whether the metric must stay below the bound."""
        return self.operator in ("<=", "<")

    def violation(self, value: float) -> float:
        """How far the value misses the bound: satisfied exactly if <= 0.

        The difference is divided by the bound's size (by 1 for a bound of zero), so that violations of
        different metrics compare. NaN violates by infinity; a finite value by a finite number.
        """
        if math.isnan(value):
            return math.inf
        value, scale, sign = float(value), abs(self.bound) or 1.0, 1.0 if self.is_upper else -1.0
        excess = sign * (value - self.bound)
        if excess == 0 and self.operator in ("<", ">"):
            return _STRICT_EQUALITY
        if math.isinf(value):
            return excess
        if math.isinf(excess):  # of finite numbers far from each other
            return min(max(sign * (value / scale - self.bound / scale), -_LARGEST), _LARGEST)
        return min(max(excess / scale, -_LARGEST), _LARGEST)

    def violation_each(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """`violation` of each of many values, in their shape."""
        scale, sign = abs(self.bound) or 1.0, 1.0 if self.is_upper else -1.0
        with np.errstate(over="ignore", invalid="ignore"):
            excess = sign * (values - self.bound)
            far = np.isinf(excess)
            shares = np.where(far, sign * (values / scale - self.bound / scale), excess / scale)
        found = np.where(np.isinf(values), excess, np.clip(shares, -_LARGEST, _LARGEST))
        if self.operator in ("<", ">"):
            found[excess == 0] = _STRICT_EQUALITY
        found[np.isnan(values)] = math.inf
        return found

    def satisfied(self, value: float) -> bool:
        """Whether the value meets the bound."""
        return self.violation(value) <= 0


def parse_bound(metric: str, text: str) -> Constraint:
    """Read ``"<= 0.5"``.

    Raises:
        InputError: It is no bound.
    """
    match = _BOUND.match(text)
    if match is not None and not math.isfinite(float(match[2])):
        raise InputError(f"{match[2]} is more than a number can be", hint="give a smaller bound, or none")
    if match is not None and _loses(match[2]):
        raise InputError(
            f"{match[2]} is not {float(match[2]):.17g}, which is the nearest number that can be kept",
            hint="give a bound of at most 15 digits that is 0 or at least 1e-300",
        )
    if match is None:
        raise InputError(
            f"{text!r} is not a bound",
            hint=f"write an operator ({', '.join(get_args(Operator))}) and a number, for instance '<= 0.5'",
        )
    return Constraint(metric=metric, operator=match[1], bound=float(match[2]))  # type: ignore[arg-type]  # by the regex


def _loses(number: str) -> bool:
    """Whether a float is another number altogether: 0 instead of a tiny one, or a neighbouring integer."""
    digits = number.lower().partition("e")[0]
    if float(number) == 0.0:
        return any(digit in "123456789" for digit in digits)
    return number.lstrip("+-").replace("_", "").isdigit() and int(number) != int(float(number))


def parse_clause(text: str) -> Constraint:
    """Read ``"size_mb <= 8"``.

    Raises:
        InputError: It is no clause.
    """
    match = _CLAUSE.match(text)
    if match is None:
        raise InputError(f"{text!r} is not a condition", hint="write it as 'size_mb <= 8'")
    return parse_bound(match[1], f"{match[2]} {match[3]}")


def violations(constraints: Iterable[Constraint], metrics: Mapping[str, float]) -> dict[str, float]:
    """Violation by constraint key, for those whose metric is known."""
    return {c.key: c.violation(metrics[c.metric]) for c in constraints if c.metric in metrics}


def violated(found: Mapping[str, float]) -> list[str]:
    """Keys of the constraints that are missed, in the order of ``found``: violations by key."""
    return [key for key, violation in found.items() if violation > 0]


def none_violated(found: Mapping[str, float]) -> bool:
    """Whether every constraint of ``found``, violations by key, is met."""
    return not violated(found)


def feasibility(found: Mapping[str, float], constraints: int) -> bool | None:
    """Whether a configuration is feasible; None where that is not known.

    A violation is final. While none is known, all constraints must be.

    Args:
        found: Violations by constraint key, of those that are known.
        constraints: How many there are.
    """
    if not none_violated(found):
        return False
    return True if len(found) == constraints else None


def verdict(
    constraints: Sequence[Constraint], metrics: Mapping[str, float]
) -> tuple[dict[str, float], bool | None]:
    """Violation by constraint key, in their order, and whether all hold: see `feasibility`."""
    found = violations(constraints, metrics)
    return found, feasibility(found, len(constraints))


def stored_violations(constraints: Sequence[Constraint], found: Mapping[str, float]) -> dict[str, float]:
    """What Optuna's tables hold of a verdict: every constraint in one order, each finite; or none.

    Optuna's GPSampler reads constraints by position.
    """
    if len(found) < len(constraints):
        return {}
    return {c.key: max(min(found[c.key], 1e300), -1e300) for c in constraints}
