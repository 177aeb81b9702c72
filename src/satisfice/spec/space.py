"""The search space: parameters, their distributions, and on which choices of others they depend."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from satisfice.spec.distributions import raw_at_quantiles, step_count

Params = Mapping[str, Any]

_SQUARED = 1e150  # the square of a greater number is infinite (of its inverse: 0), and samplers square
EXACT = 2**53  # up to here a float holds every integer


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of the search space."""

    name: str
    distribution: BaseDistribution
    when: Mapping[str, tuple[Any, ...]] = field(
        default_factory=dict
    )  # parent -> values; several parents mean AND

    @cached_property
    def numeric(self) -> BaseDistribution:
        """The distribution of raw values, which are floats that may be squared.

        Integers beyond 2**53 are counted from `low`; floats near the greatest or the least are divided by a
        power of two.

        A range wider than 2**53 stays as it is: a raw value then stands for several integers. A narrower one
        so far from zero is searched evenly also where it is logarithmic: its ends differ by less than twice.
        """
        d = self.distribution
        if isinstance(d, FloatDistribution) and self._scale != 1.0:
            step = None if d.step is None else d.step / self._scale
            return FloatDistribution(d.low / self._scale, d.high / self._scale, step=step)
        if not isinstance(d, IntDistribution) or max(abs(d.low), abs(d.high)) <= EXACT:
            return d
        if d.log and d.low <= EXACT:
            return d
        return IntDistribution(0, d.high - d.low, step=d.step) if d.high - d.low <= EXACT else d

    @cached_property
    def _scale(self) -> float:
        d = self.distribution
        if not isinstance(d, FloatDistribution) or d.log:
            return 1.0
        most = max(abs(d.low), abs(d.high))
        return 1.0 if 1 / _SQUARED < most < _SQUARED or most == 0 else float(2.0 ** (math.frexp(most)[1] - 1))

    def to_raw(self, value: Any) -> float:
        """A value of the distribution as a float of `numeric`: the index of a choice, or a number."""
        d = self.distribution
        if self.numeric is d:
            return float(d.to_internal_repr(value))
        return float(value - d.low) if isinstance(d, IntDistribution) else float(value / self._scale)

    def from_raw(self, raw: float) -> Any:
        """The value of a raw value; an integer is one of the range, also where floats have gaps."""
        d = self.distribution
        if isinstance(d, FloatDistribution) and self.numeric is not d:
            return min(max(raw * self._scale, d.low), d.high)
        if not isinstance(d, IntDistribution):
            return d.to_external_repr(raw)
        return self._nearest_integer(int(raw) + (0 if self.numeric is d else d.low))

    def _nearest_integer(self, value: int) -> int:
        d = self.distribution
        assert isinstance(d, IntDistribution)
        inside = min(max(value, d.low), d.high) - d.low
        return d.low + d.step * ((2 * inside + d.step) // (2 * d.step)) if d.step > 1 else d.low + inside

    @property
    def cardinality(self) -> float:
        """Number of distinct values; ``math.inf`` for a continuous one."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return len(d.choices)
        assert isinstance(d, FloatDistribution | IntDistribution)
        if d.step is not None:
            return step_count(d)
        return 1 if d.single() else math.inf

    def draw(self, rng: np.random.Generator) -> Any:
        """A value drawn uniformly (in the logarithm where ``log``)."""
        return self.from_quantile(float(rng.random()))

    def from_quantile(self, quantile: float) -> Any:
        """The value at a quantile in [0, 1): the inverse of the uniform (or log-uniform) distribution."""
        return self.from_raw(float(raw_at_quantiles(self.numeric, np.array([quantile]))[0]))

    def clip(self, value: Any) -> Any:
        """The value of the distribution nearest to ``value``; for an unknown choice the first one."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return _nearest_choice(value, d.choices)
        if isinstance(d, IntDistribution):
            return self._nearest_integer(round(min(max(value, d.low), d.high)))
        assert isinstance(d, FloatDistribution)
        number = min(max(float(value), d.low), d.high)
        return number if d.step is None else d.low + d.step * round((number - d.low) / d.step)

    def contains(self, value: Any) -> bool:
        """Whether ``value`` belongs to the distribution (``True`` is not ``1``)."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return any(type(value) is type(c) and value == c for c in d.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        if isinstance(d, IntDistribution):
            whole = int(value)
            return whole == value and d.low <= whole <= d.high and (whole - d.low) % d.step == 0
        if float(value) != value:  # an integer that no float is
            return False
        return bool(d._contains(float(value)))  # noqa: SLF001  # the only spelling of "contains" that Optuna has


def _nearest_choice(value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    numbers = [c for c in choices if isinstance(c, int | float) and not isinstance(c, bool)]
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        return min(numbers, key=lambda c: abs(c - value))
    return choices[0]


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """Parameters in the order of the study file. Conditions name other parameters and make no circle."""

    parameters: tuple[Parameter, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Parameter]:
        """Parameters by name."""
        return {p.name: p for p in self.parameters}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the study file."""
        return tuple(p.name for p in self.parameters)

    @cached_property
    def ordered(self) -> tuple[Parameter, ...]:
        """Parameters so that parents come before those that depend on them."""
        done: dict[str, Parameter] = {}

        def add(p: Parameter) -> None:
            for parent in p.when:
                if parent not in done:
                    add(self.by_name[parent])
            done.setdefault(p.name, p)

        for p in self.parameters:
            add(p)
        return tuple(done.values())

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def is_active(self, parameter: Parameter, params: Params) -> bool:
        """Whether the parameter is active; a parent that is itself inactive deactivates it."""
        return all(parent in params and params[parent] in values for parent, values in parameter.when.items())

    def complete(self, params: Params, fill: Mapping[str, Any]) -> dict[str, Any]:
        """``params`` clipped to the space; missing active parameters come from ``fill`` or the middle."""
        out: dict[str, Any] = {}
        for p in self.ordered:
            if not self.is_active(p, out):
                continue
            given = params if p.name in params else fill
            known = given.get(p.name) is not None or (p.name in given and p.contains(None))
            out[p.name] = p.clip(given[p.name]) if known else p.from_quantile(0.5)
        return {name: out[name] for name in self.names if name in out}

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """One configuration drawn uniformly: active parameters only."""
        out: dict[str, Any] = {}
        for p in self.ordered:
            if self.is_active(p, out):
                out[p.name] = p.draw(rng)
        return {name: out[name] for name in self.names if name in out}

    def problem_with(self, params: Params) -> str | None:
        """Why ``params`` is no configuration of this space, or None."""
        for name in params:
            if name not in self.by_name:
                return f"{name!r} is not a parameter of the space"
        active: dict[str, Any] = {}
        for p in self.ordered:
            if not self.is_active(p, active):
                if p.name in params:
                    return f"{p.name!r} is not active here"
                continue
            if p.name not in params:
                return f"{p.name!r} is missing"
            if not p.contains(params[p.name]):
                return f"{p.name} = {params[p.name]!r} is outside its distribution"
            active[p.name] = params[p.name]
        return None

    def problem_with_part(self, params: Params) -> str | None:
        """Why no configuration of this space has all of ``params``, as far as they say; or None."""
        known = {p.name: p.from_quantile(0.0) for p in self if p.cardinality == 1} | dict(params)
        for name, value in params.items():
            if name not in self.by_name:
                return f"{name!r} is not a parameter of the space"
            p = self.by_name[name]
            if not p.contains(value):
                return f"{name} = {value!r} is outside its distribution"
            if not self.is_active(p, known):
                where = " and ".join(
                    f"{parent} = {' or '.join(map(repr, values))}" for parent, values in p.when.items()
                )
                return f"{name} is active only with {where}: name that too, or leave {name} out"
        return None
