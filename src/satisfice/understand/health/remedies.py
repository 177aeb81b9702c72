"""Pieces of study file: what to write instead of what is there."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from satisfice.errors import SpecError
from satisfice.spec.study import StudySpec
from satisfice.spec.study_file.render import to_dict
from satisfice.spec.toml import toml_key, toml_value

_CHANGEABLE = {"budget", "constraints"}  # of a stored study
_COUNTED = re.compile(r"(.*?)(?:-(\d+))?$")


def piece(spec: StudySpec, **tables: Mapping[str, Any]) -> str:
    """The text of a piece of study file.

    What a stored study cannot take over is for a new one: the piece then begins with another name.

    Args:
        spec: The study.
        tables: By name, the keys that change.
    """
    lines = []
    if not tables.keys() <= _CHANGEABLE:
        lines = [f"name = {toml_value(_next_name(spec.name))}"]
    for table, values in tables.items():
        lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        try:
            lines += [f"{toml_key(k)} = {toml_value(v)}" for k, v in values.items()]
        except SpecError:  # a choice is None: such a study is kept as a Python dict
            lines.append(f"# {', '.join(values)}: {values!r}")
    return "\n".join(lines) + "\n"


def _next_name(name: str) -> str:
    """``digits-2`` after ``digits``, ``digits-3`` after that."""
    found = _COUNTED.fullmatch(name)
    base, count = (name, None) if found is None else found.groups()
    return f"{base}-{int(count) + 1 if count else 2}"


def parameter(spec: StudySpec, name: str) -> dict[str, Any]:
    """A numeric parameter as the study file has it."""
    found: dict[str, Any] = dict(to_dict(spec)["space"][name])
    return found


def rounded(value: float, *, up: bool, digits: int = 2) -> float:
    """To so many digits, away from the side that counts."""
    if value == 0 or not math.isfinite(value):
        return value
    # In decimals, since the power of ten may be beyond the floats.
    unit = Decimal((0, (1,), math.floor(math.log10(abs(value))) - digits + 1))
    slack = unit * Decimal("1e-9")
    kept = Decimal(value) - slack if up else Decimal(value) + slack
    out = float(kept.quantize(unit, rounding=ROUND_CEILING if up else ROUND_FLOOR))
    return out if math.isfinite(out) else value


def bound(operator: str, value: float) -> str:
    """A bound as the study file says it."""
    return (
        f"{operator} {int(value) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))}"
    )


def bounds_with(spec: StudySpec, key: str, value: float) -> dict[str, Any]:
    """All bounds on the metric of one of them, with another number in that one."""
    changed = next(c for c in spec.constraints if c.key == key)
    said = [
        bound(c.operator, value if c.key == key else c.bound)
        for c in spec.constraints
        if c.metric == changed.metric
    ]
    return {changed.metric: said[0] if len(said) == 1 else said}
