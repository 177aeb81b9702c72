"""From a `StudySpec` back to a study file's content: canonical, without what equals its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.spec import grammar
from satisfice.spec.constraint import Constraint
from satisfice.spec.profile import Profile
from satisfice.spec.space import Parameter
from satisfice.spec.study import StudySpec
from satisfice.spec.toml import toml_key, toml_value


def to_dict(spec: StudySpec) -> dict[str, Any]:
    """The content of a study file that parses to ``spec`` again; JSON-able, in the order of a study file.

    The source path is left out. The order of keys matters: the first objective is the default for `best`.
    """
    out: dict[str, Any] = {"name": spec.name}
    if spec.seed != grammar.TOP["seed"].default:
        out["seed"] = spec.seed
    if spec.data is not None:
        out["data"] = _section(spec.data, grammar.DATA)
    if spec.model is not None:
        out["model"] = {"family": spec.model.family, **spec.model.fixed}
    if spec.task is not None:
        out["task"] = {"entry": spec.task.entry, **spec.task.options}
    out["objectives"] = {o.metric: o.direction for o in spec.objectives}
    if spec.constraints:
        out["constraints"] = _constraints(spec.constraints)
    out["space"] = {p.name: _parameter(p) for p in spec.space}
    out["budget"] = _section(spec.budget, {k: v for k, v in grammar.BUDGET.items() if k != "timeout"})
    if spec.budget.timeout_s is not None:
        out["budget"]["timeout"] = spec.budget.timeout_s
    measure = _section(spec.measure, {k: v for k, v in grammar.MEASURE.items() if k != "runtime"})
    if spec.model is not None:  # whatever the defaults will be, a study keeps what it was made with
        measure["runtime"] = spec.measure.runtime
    rest = {
        "search": _section(spec.search, grammar.SEARCH),
        "measure": measure,
        "ship": {"format": spec.ship.format} if spec.model is not None else {},
        "profiles": {profile.name: _profile(profile) for profile in spec.profiles},
        "choose": _section(spec.choose, grammar.CHOOSE),
    }
    return out | {name: table for name, table in rest.items() if table}


def _profile(profile: Profile) -> dict[str, Any]:
    """A profile with its order, also where a template said it; each direction is written."""
    out: dict[str, Any] = {}
    if profile.constraints:
        out["constraints"] = _constraints(profile.constraints)
    texts = [criterion.text for criterion in profile.order]
    if len(texts) == 1 and not profile.order[0].tolerance:
        out["objective"] = texts[0]
    elif texts:
        out["order"] = texts
    return out


def _section(record: Any, keys: grammar.Keys) -> dict[str, Any]:
    """What differs from the defaults."""
    out: dict[str, Any] = {}
    for name, key in keys.items():
        value = getattr(record, name)
        if value is None or (value == key.default and not key.required):
            continue
        out[name] = (
            [dict(v) if isinstance(v, Mapping) else v for v in value] if isinstance(value, tuple) else value
        )
    return out


def _constraints(constraints: tuple[Constraint, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for c in constraints:
        text = f"{c.operator} {_number(c.bound)}"
        earlier = out.get(c.metric)
        out[c.metric] = (
            text if earlier is None else [*(earlier if isinstance(earlier, list) else [earlier]), text]
        )
    return out


def _number(value: float) -> str:
    """Exact, and without a trailing ``.0``."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def _parameter(p: Parameter) -> Any:
    d = p.distribution
    when = {"when": {parent: list(values) for parent, values in p.when.items()}} if p.when else {}
    if isinstance(d, CategoricalDistribution):
        return {"choices": list(d.choices), **when} if when else list(d.choices)
    assert isinstance(d, IntDistribution | FloatDistribution)
    out: dict[str, Any] = {"low": d.low, "high": d.high}
    if d.step is not None and not (isinstance(d, IntDistribution) and d.step == 1):
        out["step"] = d.step
    if d.log:
        out["log"] = True
    return out | when


def to_toml(spec: StudySpec) -> str:
    """The text of a study file that parses to ``spec`` again.

    Raises:
        SpecError: A choice is None, which TOML cannot say.
    """
    lines: list[str] = []
    for name, value in to_dict(spec).items():
        if name == "profiles":
            for each, content in value.items():
                lines += [
                    "",
                    f"[profiles.{each}]",
                    *(f"{toml_key(k)} = {toml_value(v)}" for k, v in content.items()),
                ]
        elif isinstance(value, Mapping):
            lines += ["", f"[{name}]", *(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())]
        else:
            lines.append(f"{name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"
