"""Configurations as rows of numbers.

Three forms, all float64 of shape [n, d] with one column per parameter in the order of the space:

- *quantile* rows in [0, 1): sampled and mutated;
- *raw* rows: Optuna's internal representation (number, or index of the choice), NaN where inactive. Exact;
- *scaled* rows: the input of surrogates. Numbers scaled to [0, 1] (in the logarithm where ``log``), ordered
  choices by their position, other choices by index, and a fixed fill where inactive.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from satisfice.spec.distributions import quantiles_of_raw, raw_at_quantiles, scaled_raw
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.surrogate.choice_counts import SharedChoices

Array = NDArray[np.float64]

_DRAWN = 1024  # sample for the number of parameters that are active
INACTIVE = 0.5  # scaled value of an inactive number; a choice gets -1


def is_ordered(parameter: Parameter) -> bool:
    """Whether a parameter's values have an order: numbers, and choices that are sorted numbers."""
    d = parameter.distribution
    if not isinstance(d, CategoricalDistribution):
        return True
    numbers = [c for c in d.choices if isinstance(c, int | float) and not isinstance(c, bool)]
    if len(numbers) < max(3, len(d.choices)):
        return False
    steps = np.diff(np.array(numbers, dtype=float))
    return bool((steps > 0).all() or (steps < 0).all())


@dataclass(frozen=True)
class Layout:
    """Properties of the columns of scaled rows that a surrogate uses.

    Attributes:
        ordered: Which columns are numbers, shape [d].
        dimensions: For each column, how many parameters are active on average where it is.
        shared_choices: Groups of parameters that share their choices.
    """

    ordered: NDArray[np.bool_]
    dimensions: tuple[float, ...]
    shared_choices: tuple[SharedChoices, ...] = ()


class Encoder:
    """Translates between parameters and rows of numbers, for whole pools at once."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.parameters = tuple(space)
        self.column = {p.name: j for j, p in enumerate(self.parameters)}
        # A parameter with one value is neither drawn nor modelled.
        self.free = np.array([j for j, p in enumerate(self.parameters) if p.cardinality > 1], dtype=int)
        self.ordered = np.array([is_ordered(p) for p in self.parameters], dtype=bool)
        self.order = [self.column[p.name] for p in space.ordered]  # parents before what depends on them
        # By column: raw values of other columns at which it is active; all must hold.
        self.conditions = tuple(self._conditions_of(p) for p in self.parameters)

    # -- one configuration ---------------------------------------------------------------------------------
    def raw(self, params: Mapping[str, Any]) -> Array:
        """Raw row of one configuration; a parameter that is missing or outside its distribution gives NaN."""
        row = np.full(len(self.parameters), np.nan)
        for j, p in enumerate(self.parameters):
            if p.name in params and p.contains(params[p.name]):
                row[j] = p.to_raw(params[p.name])
        return row

    def params(self, row: Array) -> dict[str, Any]:
        """The active parameters of a raw row."""
        out: dict[str, Any] = {}
        for j, p in enumerate(self.parameters):
            if not math.isnan(row[j]):
                out[p.name] = p.from_raw(float(row[j]))
        return out

    # -- pools ---------------------------------------------------------------------------------------------
    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Quantile rows drawn uniformly, 0.5 for parameters with one value. Shape [n, d]."""
        quantiles = np.full((n, len(self.parameters)), 0.5)
        quantiles[:, self.free] = rng.random((n, len(self.free)))
        return quantiles

    def raw_from_quantiles(self, quantiles: Array) -> Array:
        """Raw rows at the quantiles, inactive parameters NaN."""
        return self.deactivated(self.values(quantiles))

    def values(self, quantiles: Array) -> Array:
        """Raw values at the quantiles, of all parameters, as if each were active."""
        values = np.empty_like(quantiles)
        for j, p in enumerate(self.parameters):
            values[:, j] = raw_at_quantiles(p.numeric, quantiles[:, j])
        return values

    def quantiles(self, raw: Array, fill: Array) -> Array:
        """Quantile rows that decode to the raw rows; ``fill`` (same shape) where inactive."""
        quantiles = np.empty_like(raw)
        for j, p in enumerate(self.parameters):
            quantiles[:, j] = quantiles_of_raw(p.numeric, raw[:, j])
        return np.where(np.isnan(quantiles), fill, quantiles)

    def scaled(self, raw: Array) -> Array:
        """Scaled rows of the free parameters, shape [n, n_free]."""
        columns = [_scaled(self.parameters[j], raw[:, j], ordered=bool(self.ordered[j])) for j in self.free]
        return np.column_stack(columns) if columns else np.zeros((len(raw), 0))

    def deactivated(self, values: Array) -> Array:
        """Set inactive parameters to NaN, in place, and return the raw rows."""
        for j in self.order:
            for column, wanted in self.conditions[j].items():
                values[~np.isin(values[:, column], wanted), j] = np.nan
        return values

    @cached_property
    def layout(self) -> Layout:
        """The layout of scaled rows. ``dimensions`` is averaged over a random sample."""
        active = active_mask(self, self.raw_from_quantiles(self.draw(_DRAWN, np.random.default_rng(0))))
        count = active.sum(axis=1)
        dimensions = (float(count[here].mean()) if here.any() else len(self.free) for here in active.T)
        return Layout(self.ordered[self.free], tuple(map(float, dimensions)), self._shared_choices())

    def _shared_choices(self) -> tuple[SharedChoices, ...]:
        """Groups of unordered choices, of three or more parameters with three or more choices in common."""
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, j in enumerate(self.free):
            d = self.parameters[j].distribution
            if isinstance(d, CategoricalDistribution) and not self.ordered[j] and len(d.choices) > 2:
                groups[repr(d.choices), tuple(sorted(self.conditions[j].items()))].append(i)
        found = (np.array(group) for group in groups.values() if len(group) > 2)
        return tuple(SharedChoices(g, len(self.choices(int(self.free[g[0]])))) for g in found)

    # -- conditions ----------------------------------------------------------------------------------------
    def choices(self, j: int) -> range:
        """Raw values of a choice; none of a number."""
        d = self.parameters[j].distribution
        return range(len(d.choices)) if isinstance(d, CategoricalDistribution) else range(0)

    def _conditions_of(self, parameter: Parameter) -> Mapping[int, tuple[float, ...]]:
        out = {}
        for name, values in parameter.when.items():
            parent = self.parameters[self.column[name]]
            out[self.column[name]] = tuple(parent.to_raw(v) for v in values if parent.contains(v))
        return out


def keys(raw: Array) -> list[bytes]:
    """One hashable key per raw row; equal configurations have equal keys."""
    clean = np.ascontiguousarray(np.where(np.isnan(raw), -np.inf, raw) + 0.0)
    return [row.tobytes() for row in clean]


def _scaled(p: Parameter, raw: Array, *, ordered: bool) -> Array:
    if ordered:
        return np.where(np.isnan(raw), INACTIVE, scaled_raw(p.numeric, raw))
    return np.where(np.isnan(raw), -1.0, raw)


def active_mask(encoder: Encoder, raw: Array) -> NDArray[np.bool_]:
    """Which free parameters are active, shape [n, n_free]."""
    return ~np.isnan(raw[:, encoder.free])


def neighbours(
    encoder: Encoder, starts: Array, partners: Array, scales: Sequence[float], rng: np.random.Generator
) -> Array:
    """Quantile rows near ``starts``: some parameters taken from ``partners``, some moved or redrawn.

    Args:
        encoder: The space.
        starts: Quantile rows, shape [n, d].
        partners: Quantile rows for crossover, same shape.
        scales: Standard deviations of a move, in quantiles; one is drawn per row.
        rng: Random generator.

    Returns:
        Quantile rows, shape [n, d]. At least one free parameter of each row is moved or redrawn.
    """
    n, free = len(starts), encoder.free
    child = starts.copy()
    if len(free) == 0:
        return child
    a, b = starts[:, free], partners[:, free]
    crossed = np.where(rng.random(a.shape) < 0.3 * (rng.random((n, 1)) < 0.5), b, a)
    scale = np.asarray(scales)[rng.integers(len(scales), size=n)][:, None]
    moved = crossed + scale * rng.standard_normal(a.shape)
    # Half of the moves that leave the range stop at its bound, where optima often lie; others are reflected.
    inward = np.clip(np.where(moved < 0, -moved, 2.0 - moved), 0.0, 1.0)
    outside = (moved < 0) | (moved > 1)
    moved = np.where(outside & (rng.random(a.shape) < 0.5), inward, moved)
    redrawn = rng.random(a.shape)
    moved = np.where(encoder.ordered[free], moved, redrawn)
    share = np.maximum(rng.random((n, 1)) ** 2, 1.0 / len(free))
    chosen = rng.random(a.shape) < share
    chosen[np.arange(n), rng.integers(len(free), size=n)] = True
    child[:, free] = np.clip(np.where(chosen, moved, crossed), 0.0, 1.0 - 1e-12)
    return child
