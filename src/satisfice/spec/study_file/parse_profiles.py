"""Reading ``[profiles.NAME]``: further bounds, and what is preferred within them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from satisfice.errors import InputError
from satisfice.registry import did_you_mean
from satisfice.spec import grammar
from satisfice.spec.advice.bounds import bound_line
from satisfice.spec.constraint import Constraint
from satisfice.spec.criterion import Criterion, Objective, parse_order
from satisfice.spec.profile import TEMPLATES, Profile
from satisfice.spec.study_file.parse_metrics import contradiction_between, read_constraints
from satisfice.spec.study_file.read import Table, show

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_FOR_INSTANCE = 'write for instance constraints = { size_mb = "<= 1" }, or objective = "f1"'
_CHOICE = ("objective", "order", "template")


def read_profiles(
    table: Table,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    allowed: Collection[str] | None,
) -> tuple[Profile, ...]:
    """The profiles that are right, in the order of the file; errors of the others are kept.

    Args:
        table: ``[profiles]``.
        objectives: The study's.
        constraints: The study's.
        allowed: Metric names that exist; None where a task of one's own may name any.

    Raises:
        SpecError: A key is no string.
    """
    table.texts()
    found: list[Profile] = []
    for name in table.content:
        with table.problems.kept():
            profile = _profile(table, name, objectives, constraints, allowed)
            found += [] if profile is None else [profile]
    return tuple(found)


def _profile(
    table: Table,
    name: str,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    allowed: Collection[str] | None,
) -> Profile | None:
    """None where something is wrong, which is told."""
    if not _NAME.fullmatch(name):
        raise table.error(
            f"{show(name)} is not a name of a profile", hint='at most 100 letters, digits, "-" and "_"'
        )
    before = len(table.problems)
    own = table.child(name)
    _check_no_bare_bounds(own)
    own.check_keys(grammar.PROFILE, ("constraints",))
    bounds: tuple[Constraint, ...] = ()
    with table.problems.kept():
        bounds = read_constraints(own.child("constraints"), allowed)
        _check_beside(own.child("constraints"), bounds, constraints)
    order = _order(own, objectives, (*constraints, *bounds), allowed) if objectives else ()
    if len(table.problems) > before:
        return None
    if not bounds and not order and objectives:
        raise own.error("says nothing", hint=_FOR_INSTANCE)
    return Profile(name=name, constraints=bounds, order=order)


def _check_no_bare_bounds(own: Table) -> None:
    """Refuse ``size_mb = "<= 1"`` beside the keys.

    Raises:
        SpecError: A bound stands there.
    """
    for key, value in own.content.items():
        if key in grammar.PROFILE or not isinstance(value, str) or value.strip()[:1] not in ("<", ">"):
            continue
        line = bound_line(key, value)
        raise own.error(
            "is a bound, which belongs in constraints",
            key=key,
            hint=f"write constraints = {{ {line} }}" if line else "write it in constraints = { ... }",
        )


def _check_beside(table: Table, bounds: Sequence[Constraint], constraints: Sequence[Constraint]) -> None:
    """Refuse bounds that exclude one of the study's, which always hold.

    Raises:
        SpecError: Nothing could ever fit the profile.
    """
    for own in bounds:
        for other in constraints:
            upper, lower = (own, other) if own.is_upper else (other, own)
            if upper.is_upper and not lower.is_upper and contradiction_between(upper, lower):
                raise table.error(
                    f"{own.key} and {other.key} of [constraints], which always holds, exclude each other",
                    key=own.metric,
                    hint="change one of the two",
                )


def _order(
    own: Table,
    objectives: Sequence[Objective],
    bounds: Sequence[Constraint],
    allowed: Collection[str] | None,
) -> tuple[Criterion, ...]:
    """What is chosen by; empty where the study's objectives are, or where it is wrong, which is told."""
    before = len(own.problems)
    read = own.section(grammar.PROFILE)
    if len(own.problems) > before:
        return ()
    return own.problems.attempt(lambda: _said(own, read, objectives, bounds, allowed)) or ()


def _said(
    own: Table,
    read: Mapping[str, Any],
    objectives: Sequence[Objective],
    bounds: Sequence[Constraint],
    allowed: Collection[str] | None,
) -> tuple[Criterion, ...]:
    """The order that is said, as a template, an order or an objective.

    Args:
        own: The profile's table.
        read: Its keys, read.
        objectives: The study's.
        bounds: All that hold.
        allowed: Metric names that exist.

    Raises:
        SpecError: Several are said, or the one is wrong.
    """
    said = [key for key in _CHOICE if key in own.content]
    if len(said) > 1:
        raise own.error(
            f"{' and '.join(said)} each say what is chosen by", key=said[1], hint="keep one of them"
        )
    if read["template"] is not None:
        return TEMPLATES[read["template"]].order(objectives)
    if not said:
        return ()
    key = said[0]
    if not read[key]:
        raise own.error("names no criterion", key=key, hint=f"write {key} = {grammar.PROFILE[key].example}")
    found = _criteria(own, key, read[key], objectives, bounds)
    for criterion in found:
        _check_exists(own, key, criterion.objective.metric, allowed)
    return found


def _criteria(
    own: Table,
    key: str,
    texts: str | Sequence[str],
    objectives: Sequence[Objective],
    bounds: Sequence[Constraint],
) -> tuple[Criterion, ...]:
    try:
        found = parse_order(texts, objectives, bounds)
    except InputError as error:
        raise own.error(error.message, key=key, hint=error.hint) from None
    if key == "objective" and found[0].tolerance:
        raise own.error("takes no tolerance", key=key, hint=f'write order = ["{texts}", "size_mb"]')
    return found


def _check_exists(own: Table, key: str, metric: str, allowed: Collection[str] | None) -> None:
    if allowed is not None and metric not in allowed:
        raise own.error(f"unknown metric {show(metric)}", key=key, hint=did_you_mean(metric, sorted(allowed)))
