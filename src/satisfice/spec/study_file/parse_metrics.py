"""Reading ``[objectives]`` and ``[constraints]``: metric names, units, and bounds that cannot be met."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from satisfice.errors import InputError, SpecError
from satisfice.registry import did_you_mean
from satisfice.spec.advice.bounds import bound_line, clause_lines, meant_metric
from satisfice.spec.advice.habits import home_of, objective_advice, objective_line
from satisfice.spec.constraint import Constraint, parse_bound
from satisfice.spec.grammar import DIRECTIONS
from satisfice.spec.metric import METRICS, Metric
from satisfice.spec.standard_error import metric_named
from satisfice.spec.study import Objective
from satisfice.spec.study_file.read import Table, is_number, show
from satisfice.spec.toml import assignment, toml_key

_LONGEST_NAME = 200
_NUMBER_WITH_UNIT = re.compile(
    r"\s*(<=|>=|<|>)\s*([+-]?[\d._]+(?:[eE][+-]?\d+)?)\s*(?![eE][+-]?\d)([A-Za-z%µμ].*?)\s*"
)
_AS_WRITTEN = 'it as size_mb = "<= 8"'
# Quantities that exist in several units, longest name first so that "train_memory" is not taken for "memory".
_QUANTITIES = sorted({m.quantity for m in METRICS.values() if m.name != m.quantity}, key=len, reverse=True)
# Anything that ships or runs has more than nothing of these.
_POSITIVE = {*_QUANTITIES, "n_parameters", "flops", "train_seconds"}


def read_objectives(table: Table, allowed: Collection[str] | None) -> tuple[Objective, ...]:
    """The objectives that are right, in the order of the file; errors of the others are kept.

    Args:
        table: ``[objectives]``.
        allowed: Metric names that exist; None where a task of one's own may name any.

    Raises:
        SpecError: It names no metric, or is written in another way altogether.
    """
    table.texts()
    if not table.content:
        raise table.error("names no metric", hint='name at least one, for instance accuracy = "maximize"')
    _check_not_reversed(table)
    objectives: list[Objective] = []
    for metric, direction in table.content.items():
        with table.problems.kept():
            objectives.append(_objective(table, metric, direction, allowed))
    if allowed is not None:
        with table.problems.kept():
            _check_one_unit(table, [o.metric for o in objectives])
    return tuple(objectives)


def _check_not_reversed(table: Table) -> None:
    """Refuse ``maximize = "accuracy"`` and ``metric = "accuracy"``, where the metric is the value."""
    for key, value in table.content.items():
        names = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) and name not in DIRECTIONS for name in names) or not names:
            continue
        lower = key.lower()
        if lower in DIRECTIONS or lower in ("max", "min"):
            lines = [objective_line(name, lower) for name in names]
            raise table.error(
                f"{show(value)} is not a direction", key=key, hint=f"write {' and '.join(lines)}"
            )
        if lower in ("metric", "metrics", "name", "names", "objective"):
            advice = objective_advice(table.content, lower).removesuffix(" under [objectives]")
            raise table.error(f"{show(value)} is not a direction", key=key, hint=advice)


def _objective(table: Table, metric: str, direction: Any, allowed: Collection[str] | None) -> Objective:
    _check_metric(table, metric, allowed, direction)
    if not isinstance(direction, str) or direction not in DIRECTIONS:
        hint = home_of(metric, direction) if metric not in METRICS and is_number(direction) else ""
        raise table.error(
            f"{show(direction)} is not a direction",
            key=metric,
            hint=hint or _direction_hint(metric, direction),
        )
    return Objective(metric=metric, direction=direction)  # type: ignore[arg-type]  # checked above


def read_constraints(table: Table, allowed: Collection[str] | None) -> tuple[Constraint, ...]:
    """The constraints that are right, in the order of the file; ``allowed`` as for the objectives.

    Errors are kept: what is wrong of one metric, a bound that no model can meet, and then, of those that are
    left, what contradicts itself.

    Raises:
        SpecError: A key is no string.
    """
    table.texts()
    constraints: list[Constraint] = []
    for metric, value in table.content.items():
        with table.problems.kept():
            read = _bounds(table, metric, value, allowed)
            for c in read:
                _check_possible(table, c, own=allowed is None)
            _check_sides(table, read)
            constraints += read
    with table.problems.kept():
        _check_contradiction(table, tuple(constraints))
    return tuple(constraints)


def _bounds(table: Table, metric: str, value: Any, allowed: Collection[str] | None) -> list[Constraint]:
    """The bounds on one metric."""
    _check_metric(table, metric, allowed, value)
    bounds = value if isinstance(value, list | tuple) else [value]
    if not bounds:
        raise table.error("names no bound", key=metric, hint=f"write {_example(metric)}")
    line = bound_line(metric, value) if isinstance(value, list) else ""
    if line and not all(isinstance(bound, str) and bound[:1] in "<>" for bound in bounds):
        raise table.error(f"{show(value)} is not a bound", key=metric, hint=f"write {line}")
    return [_bound(table, metric, bound) for bound in bounds]


def _direction_hint(metric: str, direction: Any) -> str:
    word = str(direction).lower()
    if isinstance(direction, str) and word[:3] in ("max", "min"):
        return f'write {metric} = "{word[:3]}imize"'
    known = METRICS.get(metric)
    usual = f"write {assignment(metric, known.direction)}" if known else 'write "maximize" or "minimize"'
    if isinstance(direction, str) and direction.strip()[:1] in ("<", ">"):
        line = bound_line(metric, direction)
        return f"{usual}, and the bound under [constraints]{f': {line}' if line else ''}"
    return usual


def _check_metric(table: Table, metric: str, allowed: Collection[str] | None, value: Any) -> None:
    """Check the name of a metric; ``value`` is its direction or bound, for the advice."""
    if len(metric) > _LONGEST_NAME:
        raise table.error(
            f"the name is longer than {_LONGEST_NAME} characters", key=metric, hint="shorten it"
        )
    if re.search(r"[<>=\x00-\x1f\x7f]", metric):
        line = next(iter(clause_lines(metric)), "")
        raise table.error(
            "a metric's name holds no <, > or =", key=metric, hint=f"write {line or _AS_WRITTEN}"
        )
    named = metric_named(metric)
    if named is not None and not table.stored:
        raise table.error("is a standard error, not a metric", key=metric, hint=f"name {named} itself")
    if allowed is None or metric in allowed:
        return
    line = _meant(table, metric, value, allowed)
    for quantity in _QUANTITIES:
        if metric == quantity or metric.startswith(f"{quantity}_"):
            units = [m.name for m in METRICS.values() if m.quantity == quantity]
            unit = metric.removeprefix(quantity).removeprefix("_")
            lacks = f"{quantity} is not measured in {show(unit)}" if unit else f"{show(metric)} names no unit"
            named = f"the unit belongs to the metric's name: {', '.join(units[:-1])} or {units[-1]}"
            raise table.error(lacks, key=metric, hint=f"{named}; write {line}" if line else named)
    hint = f"write {line}" if line else home_of(metric, value) or did_you_mean(metric, sorted(allowed))
    raise table.error("unknown metric", key=metric, hint=hint)


def _meant(table: Table, metric: str, value: Any, allowed: Collection[str]) -> str:
    """The line that another tool's name of a metric means; empty where none is known."""
    meant = meant_metric(metric)
    if meant is None or meant[0] not in allowed:
        return ""
    if table.path == "objectives":
        known = METRICS.get(meant[0])
        return assignment(meant[0], known.direction if known is not None else value)
    return bound_line(metric, value) or assignment(meant[0], value)


def _check_one_unit(table: Table, metrics: Iterable[str]) -> None:
    """Refuse two objectives that are one quantity in two units."""
    seen: dict[str, str] = {}
    for name in metrics:
        metric = METRICS.get(name)
        if metric is not None and metric.quantity in seen:
            raise table.error(
                f"is the same quantity as {seen[metric.quantity]}",
                key=name,
                hint="keep one of the two objectives",
            )
        if metric is not None:
            seen[metric.quantity] = name


def _bound(table: Table, metric: str, value: Any) -> Constraint:
    line = bound_line(metric, value)
    if is_number(value):
        hint = home_of(metric, value) if metric not in METRICS else ""
        other = '", or "<="' if '">=' in line else '", or ">="'
        raise table.error(
            f"{show(value)} is not a bound",
            key=metric,
            hint=hint or (f"write {line}{other[1:]}" if line else f"write {_example(metric)}"),
        )
    if not isinstance(value, str):
        raise table.error(
            f"must be a bound, not {show(value)}", key=metric, hint=f"write {line or _example(metric)}"
        )
    try:
        return parse_bound(metric, value)
    except InputError as error:
        unit = _NUMBER_WITH_UNIT.fullmatch(value)
        if unit is None:
            hint = f"write {line}" if line and error.message.endswith("is not a bound") else error.hint
            raise table.error(error.message, key=metric, hint=hint) from None
        hint = _unit_hint(metric, unit[1], unit[2], unit[3])
        if line:
            count = unit[3].lower() in ("%", "k", "m", "b", "g", "t")
            hint = f"write {line}" if count else f"the unit belongs to the metric's name: write {line}"
        raise table.error(f"{show(value)} holds a unit", key=metric, hint=hint) from None


def _example(metric: str) -> str:
    return f'{toml_key(metric)} = "<= 0.5"'


def _unit_hint(metric: str, operator: str, number: str, unit: str) -> str:
    """Where the unit goes: ``latency_ms = "<= 5"``."""
    known = METRICS.get(metric)
    name = metric
    if known is not None:
        other = f"{known.quantity}_{unit.lower()}"
        name = other if other in METRICS else metric
    return f'the unit belongs to the metric\'s name: write {name} = "{operator} {number}"'


def _check_possible(table: Table, c: Constraint, *, own: bool) -> None:
    """Refuse a bound that no value of a known metric meets.

    A task of one's own may mean something else by ``accuracy`` (per cent), hardly by ``size_mb``: only
    negative sizes, times and counts are refused there.
    """
    metric = METRICS.get(c.metric)
    if metric is None or (own and metric.quantity not in _POSITIVE):
        return
    positive = metric.quantity in _POSITIVE and not own
    limit = metric.lower if c.is_upper else metric.upper
    strict = c.operator in ("<", ">") or (c.is_upper and positive)
    beyond = c.bound < limit if c.is_upper else c.bound > limit
    if beyond or (strict and c.bound == limit):
        word = "above" if c.is_upper else "below"
        at_least = "" if strict or positive else " or equal to"
        domain = _domain(metric, positive=positive)
        raise table.error(
            f"no model can meet {c.operator} {c.bound:.12g}",
            key=c.metric,
            hint=f"{c.metric} is {domain}; give a bound {word}{at_least} {limit:g}",
        )


def _domain(metric: Metric, *, positive: bool) -> str:
    if metric.lower > float("-inf") and metric.upper < float("inf"):
        return f"between {metric.lower:g} and {metric.upper:g}"
    if metric.upper < float("inf"):
        return f"at most {metric.upper:g}"
    return "always above 0" if positive else f"at least {metric.lower:g}"


def _check_sides(table: Table, constraints: Iterable[Constraint]) -> None:
    """Refuse two bounds on the same side of one metric: the tighter one is all that counts."""
    seen: dict[tuple[str, bool], Constraint] = {}
    for c in constraints:
        other = seen.setdefault((c.metric, c.is_upper), c)
        if other is not c:
            side = "upper" if c.is_upper else "lower"
            raise table.error(f"has two {side} bounds", key=c.metric, hint="keep the tighter one")


def _base(c: Constraint) -> tuple[str, float]:
    """Quantity and bound in its base unit."""
    metric = METRICS.get(c.metric)
    return (metric.quantity, c.bound * metric.scale) if metric is not None else (c.metric, c.bound)


def _check_contradiction(table: Table, constraints: tuple[Constraint, ...]) -> None:
    """Refuse an upper bound below a lower one, also across units (``size_mb`` against ``size_kb``)."""
    for upper in (c for c in constraints if c.is_upper):
        for lower in (c for c in constraints if not c.is_upper):
            if contradiction_between(upper, lower):
                raise contradiction(table, upper, lower)


def contradiction_between(upper: Constraint, lower: Constraint) -> bool:
    """Whether no value of their quantity meets both bounds."""
    (quantity, high), (other, low) = _base(upper), _base(lower)
    strict = upper.operator == "<" or lower.operator == ">"
    return quantity == other and (high < low or (high == low and strict))


def contradiction(table: Table, upper: Constraint, lower: Constraint) -> SpecError:
    """The error for two bounds that exclude each other."""
    return table.error(
        f"{upper.key} and {lower.key} exclude each other",
        key=lower.metric,
        hint="lower the one or raise the other",
    )
