"""Reading ``[space]`` and ``search.start``."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.registry import did_you_mean
from satisfice.spec.advice.habits import home_of, hyperparameter_advice
from satisfice.spec.advice.ranges import is_foreign, range_line
from satisfice.spec.grammar import RANGE
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study_file.parse_when import (
    check_circle,
    check_reachable,
    check_scalars,
    read_conditions,
    takes,
)
from satisfice.spec.study_file.read import Table, is_scalar, show

Start = tuple[Mapping[str, Any], ...]

_LONGEST_NAME = 200  # of a parameter or metric: Optuna's key columns hold 512 characters
_FORMS = "write { low = 0.0, high = 0.5 } or a list of choices"


def read_space(table: Table) -> SearchSpace:
    """The search space, of the parameters that are right; errors of the others are kept.

    Raises:
        SpecError: It has no parameter, or one whose name is none.
    """
    table.texts()
    if not table.content:
        raise table.error(
            "has no parameter",
            hint="name at least one, for instance learning_rate = { low = 1e-4, high = 1e-1, log = true }",
        )
    kept, attempt = table.problems.kept, table.problems.attempt
    for name, other in lookalikes(() if table.stored else table.content):
        with kept():
            raise table.error(
                "is the name of another parameter, in other characters", key=name, hint=f"rename {other}"
            )
    made = [attempt(partial(_parameter, table, name, value)) for name, value in table.content.items()]
    parameters = [p for p in made if p is not None]
    refused = frozenset(table.content) - {p.name for p in parameters}
    by_name = {p.name: p for p in parameters}
    parameters = [
        Parameter(name=p.name, distribution=p.distribution, when=read_conditions(table, p, by_name, refused))
        for p in parameters
    ]
    by_name = {p.name: p for p in parameters}
    before = len(table.problems)
    told: set[str] = set()
    for p in parameters:
        with kept():
            check_circle(table, p, by_name, told)
    for p in parameters if len(table.problems) == before else []:  # a circle has no end to walk to
        with kept():
            check_reachable(table, p, by_name)
    return SearchSpace(parameters=tuple(parameters))


def lookalikes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different names that are the same letters: é as one character, and as e with an accent."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            yield name, other


def _parameter(table: Table, name: str, value: Any) -> Parameter | None:
    """A parameter with its distribution, ``when`` still as written; None where errors were kept."""
    if len(name) > _LONGEST_NAME:
        raise table.error(f"the name is longer than {_LONGEST_NAME} characters", key=name, hint="shorten it")
    if isinstance(value, list | tuple):
        return Parameter(name=name, distribution=_categorical(table, name, value))
    if not isinstance(value, Mapping):
        line = range_line(name, value)
        elsewhere = home_of(name, value) if is_scalar(value) else ""
        raise table.error(
            f"must be a range or a list of choices, not {show(value)}",
            key=name,
            hint=f"write {line}" if line else elsewhere or f"{_FORMS}; a fixed value belongs in [model]",
        )
    entry = table.child(name)
    before = len(table.problems)
    if not set(value) - {"when"}:
        raise entry.error("has neither low and high nor choices", hint=_FORMS)
    if is_foreign(value):
        _refuse_foreign(entry, name, value)
    distribution: BaseDistribution | None = None
    if "choices" in value:
        for key in value:
            if key in RANGE:
                raise entry.error(
                    "stands beside `choices`", key=key, hint="give either choices or low and high"
                )
        entry.check_keys({}, ("choices", "when"))
        distribution = _categorical(table, f"{name}.choices", value["choices"])
    else:
        meant = entry.check_keys(RANGE, ("choices", "when"))
        if "choices" not in meant:
            distribution = _range(entry, meant)
    when = entry.child("when").content
    if distribution is None or len(table.problems) > before:
        return None
    return Parameter(name=name, distribution=distribution, when=when)


def _refuse_foreign(entry: Table, name: str, value: Mapping[str, Any]) -> None:
    """Refuse a parameter that is written as another tool has it, in one sentence."""
    line = range_line(name, value)
    foreign = next(str(key) for key in value if is_foreign({key: None}))
    if line:
        raise entry.error("unknown key", key=foreign, hint=f"write {line}")


def _categorical(table: Table, key: str, values: Any) -> CategoricalDistribution:
    if not isinstance(values, list | tuple):
        raise table.error(
            f"must be a list of choices, not {show(values)}", key=key, hint='write ["sgd", "adam"]'
        )
    if not values:
        raise table.error("has no choice", key=key, hint="name at least one value")
    line = "" if table.stored else range_line(key, values)
    if line:
        raise table.error("is a list of choices, not a range", key=key, hint=f"write {line}")
    check_scalars(table, key, values)
    return CategoricalDistribution(tuple(values))


def _range(entry: Table, meant: Collection[str] = ()) -> IntDistribution | FloatDistribution | None:
    """The range; None where errors were kept."""
    before = len(entry.problems)
    read = entry.section(RANGE, meant)
    low, high, step, log = read["low"], read["high"], read["step"], read["log"]
    if len(entry.problems) > before or low is None or high is None:
        return None
    if low > high:
        raise entry.error(f"low {low} is above high {high}", hint="swap them")
    if log and low <= 0:
        raise entry.error(
            f"log = true needs a low above 0, not {low}",
            key="low",
            hint="give a small positive low, or remove log",
        )
    if log and step is not None:
        raise entry.error("does not go with log = true", key="step", hint="remove one of the two")
    if math.isinf(float(high) - float(low)):
        raise entry.error(f"{low} to {high} is too wide", hint="bring the ends closer together")
    whole = isinstance(low, int) and isinstance(high, int)
    if whole and step is not None and step != int(step):
        raise entry.error(
            f"must be an integer where low and high are integers, not {step}",
            key="step",
            hint=f"write step = {max(1, round(step))}, or low = {float(low)} for a float parameter",
        )
    if step is not None:
        _check_step(entry, low, high, step)
    if whole:
        return IntDistribution(low, high, log=log, step=1 if step is None else int(step))
    return FloatDistribution(float(low), float(high), log=log, step=None if step is None else float(step))


def _check_step(entry: Table, low: float, high: float, step: float) -> None:
    """Refuse a step that does not reach ``high``: Optuna would silently lower it."""
    first, last, width = Decimal(str(low)), Decimal(str(high)), Decimal(str(step))
    try:
        reached = first + (last - first) // width * width
    except InvalidOperation:  # more steps than Decimal has digits for
        raise entry.error(f"{step} is too small for this range", key="step", hint="leave it out") from None
    if reached != last:
        raise entry.error(
            f"steps of {step} from {low} never reach high {high}",
            key="step",
            hint=f"write high = {reached} or high = {reached + width}",
        )


def read_start(table: Table, space: SearchSpace, entries: Sequence[Any], refused: Collection[str]) -> Start:
    """``search.start``: each entry checked against the space; what is wrong is kept.

    Args:
        table: [search].
        space: The parameters that are right.
        entries: What stands there.
        refused: Names of parameters that are not: nothing more is said of them.
    """
    out = []
    for i, content in enumerate(entries):
        with table.problems.kept():
            out.append(_start(table.at(content, f"{table.path}.start[{i}]"), space, refused))
    return tuple(out)


def _start(entry: Table, space: SearchSpace, refused: Collection[str]) -> dict[str, Any]:
    entry.texts()
    out: dict[str, Any] = {}
    for name, value in entry.content.items():
        if name in refused:
            continue
        with entry.problems.kept():
            out[name] = _start_value(entry, space, name, value)
    return out


def _start_value(entry: Table, space: SearchSpace, name: str, value: Any) -> Any:
    if name not in space.by_name:
        advice = hyperparameter_advice(name, value, space.names, "search")
        raise entry.error(
            "is not a parameter of the space",
            key=name,
            hint=advice or did_you_mean(name, list(space.by_name)),
        )
    p = space.by_name[name]
    if not (value is None or is_scalar(value)) or not p.contains(value):
        raise entry.error(f"{show(value)} is outside the parameter's range", key=name, hint=takes(p))
    for parent, values in p.when.items():
        if parent in entry.content and entry.content[parent] not in values:
            raise entry.error(
                f"is not active when {parent} is {show(entry.content[parent])}",
                key=name,
                hint="leave it out here",
            )
    is_float = isinstance(p.distribution, FloatDistribution)
    return float(value) if is_float else int(value) if isinstance(p.distribution, IntDistribution) else value
