"""Branches of a conditional space: the parameters that a choice activates.

A space with a choice of learners, each with its own parameters, is several spaces in one. The first
trials may miss some of them by chance, especially if one meets the constraints far more often than another.
A few bad trials may also make a model give up a branch whose good configurations are rare. So each branch has
its own initial design, and is visited from time to time, less often the more trials it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satisfice.surrogate.encoding import Array, Encoder

_STARTUP = 6.0  # initial trials of a branch, if all parameters are its own
_MOST, _VISITS = 0.5, 4.0  # such a branch of n trials is visited with probability _VISITS / (n + 1), or _MOST
_LEAST_OWN = 0.2
_REFUSED = 0.1  # weight of a configuration that was turned away, in trials


@dataclass(frozen=True)
class Branch:
    """The part of a space in which a parameter that others depend on has one value."""

    column: int
    value: float  # raw
    above: tuple[tuple[int, tuple[float, ...]], ...]  # raw values of columns that it depends on itself
    own: float  # share of the parameters active in it that the choice switches on, `_LEAST_OWN` at least

    def holds(self, raw: Array) -> NDArray[np.bool_]:
        """Which raw rows are in the branch, shape [n]."""
        return np.asarray(raw[:, self.column] == self.value)

    def is_new(self, tried: Array) -> bool:
        """Whether the branch contains too few of these raw rows to model it."""
        return bool(self.holds(tried).sum() < _STARTUP * self.own)

    def moved_into(self, encoder: Encoder, quantiles: Array, rng: np.random.Generator) -> Array:
        """Quantile rows with the values that the branch requires; other columns stay. Shape [n, d]."""
        quantiles = quantiles.copy()
        for column, values in (*self.above, (self.column, (self.value,))):
            raw = np.full((len(values), quantiles.shape[1]), np.nan)
            raw[:, column] = values
            there = encoder.quantiles(raw, raw)[:, column]
            outside = ~np.isin(encoder.values(quantiles)[:, column], values)
            quantiles[outside, column] = there[rng.integers(len(there), size=int(outside.sum()))]
        return quantiles


def branches(encoder: Encoder) -> tuple[Branch, ...]:
    """One branch for each value of each parameter that others depend on; for a number, each value they name.

    Branches that a random draw cannot reach, such as one value of a continuous parameter, are left out.
    """
    values: dict[int, set[float]] = {}
    above: dict[int, dict[int, tuple[float, ...]]] = {}
    for j in encoder.order:
        above[j] = {}
        for column, wanted in encoder.conditions[j].items():
            for c, allowed in {**above[column], column: wanted}.items():
                above[j][c] = tuple(v for v in above[j].get(c, allowed) if v in allowed)
            values.setdefault(column, set()).update(encoder.choices(column) or wanted)
    free = [int(j) for j in encoder.free]
    found = (
        Branch(column, value, tuple(above[column].items()), _own(column, value, above, free))
        for column in sorted(values)
        if encoder.parameters[column].cardinality > 1
        for value in sorted(values[column])
    )
    rng = np.random.default_rng(0)
    return tuple(
        branch
        for branch in found
        if all(wanted for _, wanted in branch.above)
        and branch.holds(
            encoder.raw_from_quantiles(branch.moved_into(encoder, encoder.draw(8, rng), rng))
        ).all()
    )


def _own(column: int, value: float, above: dict[int, dict[int, tuple[float, ...]]], free: list[int]) -> float:
    here = {**above[column], column: (value,)}
    active = [
        j for j in free if all(set(here[c]) & set(wanted) for c, wanted in above[j].items() if c in here)
    ]
    return max(_LEAST_OWN, sum(column in above[j] for j in active) / len(active))


@dataclass(frozen=True)
class Visit:
    """A proposal in one branch, whatever the acquisition is there."""

    branch: Branch
    probability: float  # that the proposal is made there


def draw_visit(branches: tuple[Branch, ...], tried: Array, refused: Array, rng: np.random.Generator) -> Visit:
    """The branch that was visited least for the number of its own parameters.

    Args:
        branches: Of the space, at least one.
        tried: Raw rows of all trials, shape [n, d].
        refused: Raw rows of what was turned away, shape [k, d].
        rng: Generator.
    """
    seen = np.array(
        [branch.holds(tried).sum() + _REFUSED * branch.holds(refused).sum() for branch in branches]
    )
    priority = np.array([branch.own for branch in branches]) / (seen + 1.0)
    first = int(rng.choice(np.flatnonzero(priority == priority.max())))
    return Visit(branches[first], min(_MOST, _VISITS * priority[first]))
