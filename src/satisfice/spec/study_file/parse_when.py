"""Reading ``when``: on which values of other parameters a parameter depends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.registry import did_you_mean
from satisfice.spec.grammar import LARGEST_INTEGER
from satisfice.spec.space import Parameter
from satisfice.spec.study_file.read import Table, is_scalar, show


def check_scalars(table: Table, key: str, values: list[Any] | tuple[Any, ...]) -> None:
    """Strings, finite numbers, bools or None, and none twice: ``1``, ``1.0`` and ``true`` are one."""
    for index, value in enumerate(values):
        if value is not None and not is_scalar(value):
            large = isinstance(value, int)
            raise table.error(
                f"{show(value)} is not a value",
                key=key,
                hint=f"integers end at {LARGEST_INTEGER}: write it as a string"
                if large
                else "use strings, finite numbers, true or false",
            )
        for earlier in values[:index]:
            if earlier == value:
                same = f"{show(value)} stands twice"
                if type(earlier) is not type(value):
                    same = f"{show(earlier)} and {show(value)} are the same value"
                raise table.error(same, key=key, hint="remove one of them")


def read_conditions(
    table: Table, p: Parameter, by_name: Mapping[str, Parameter], refused: Collection[str]
) -> dict[str, tuple[Any, ...]]:
    """``when``, checked against the parents; what is wrong is kept, and so is a parent that was refused."""
    conditions: dict[str, tuple[Any, ...]] = {}
    for parent, values in p.when.items():
        if parent in refused:
            continue
        with table.problems.kept():
            conditions[parent] = _condition(table, p.name, parent, values, by_name)
    return conditions


def _condition(
    table: Table, name: str, parent: Any, values: Any, by_name: Mapping[str, Parameter]
) -> tuple[Any, ...]:
    """The values of one parent."""
    key = f"{name}.when.{parent}"
    if parent not in by_name:
        raise table.error(
            f"{show(parent)} is not a parameter of the space",
            key=key,
            hint=did_you_mean(str(parent), list(by_name)),
        )
    if not isinstance(values, list | tuple) or not values:
        example = values if is_scalar(values) else "sgd"
        raise table.error(
            f"must be a list of values, not {show(values)}",
            key=key,
            hint=f"write {parent} = [{show(example)}]",
        )
    check_scalars(table, key, values)
    of = by_name[parent]
    if isinstance(of.distribution, FloatDistribution):
        raise table.error(
            f"{show(parent)} is a float, which hardly ever equals a listed value",
            key=key,
            hint=f"make {parent} a list of choices or an int",
        )
    for value in values:
        if not of.contains(value):
            raise table.error(f"{show(parent)} never takes the value {show(value)}", key=key, hint=takes(of))
    return tuple(of.clip(value) for value in values)


def takes(p: Parameter) -> str:
    """The values of a parameter in words."""
    d = p.distribution
    if isinstance(d, CategoricalDistribution):
        return "it takes " + ", ".join(show(choice) for choice in d.choices)
    assert isinstance(d, IntDistribution | FloatDistribution)
    steps = f" in steps of {d.step}" if d.step not in (None, 1) else ""
    kind = "integers" if isinstance(d, IntDistribution) else "numbers"
    return f"it takes {kind} from {d.low} to {d.high}{steps}"


def check_circle(table: Table, p: Parameter, by_name: Mapping[str, Parameter], told: set[str]) -> None:
    """Refuse a parameter that depends on itself, directly or not; ``told`` are those of a known circle."""

    def walk(path: tuple[str, ...]) -> None:
        for parent in by_name[path[-1]].when:
            if parent == p.name and not told & set(path):
                told.update(path)
                raise table.error(
                    f"depends on itself: {' -> '.join((*path, parent))}",
                    key=f"{p.name}.when",
                    hint="remove one of these conditions",
                )
            if parent not in path:
                walk((*path, parent))

    walk((p.name,))


def check_reachable(table: Table, p: Parameter, by_name: Mapping[str, Parameter]) -> None:
    """Refuse a parameter that no configuration activates, since its conditions exclude each other."""
    needed: dict[str, set[Any]] = {}

    def gather(name: str) -> None:
        for parent, values in by_name[name].when.items():
            needed[parent] = needed.get(parent, set(values)) & set(values)
            if not needed[parent]:
                raise table.error(
                    f"is never active: its conditions on {show(parent)} exclude each other",
                    key=f"{p.name}.when",
                    hint="change or remove one of them",
                )
            gather(parent)

    gather(p.name)
