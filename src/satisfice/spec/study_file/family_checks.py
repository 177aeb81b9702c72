"""Checks that need the registries: names that exist, hyperparameters and metrics that a family has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.errors import SpecError
from satisfice.registry import did_you_mean
from satisfice.spec.advice.habits import hyperparameter_advice, known_value
from satisfice.spec.constraint import Constraint
from satisfice.spec.family import FamilyInfo, HyperparameterInfo
from satisfice.spec.metric import METRICS
from satisfice.spec.profile import Profile
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import DataSpec, ModelSpec, Objective, SearchOptions, ShipOptions, StudySpec
from satisfice.spec.study_file.read import number_in, show
from satisfice.spec.toml import assignment, toml_value

Known = Mapping[str, Collection[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What a family and the registries are asked about: of a study that may be wrong elsewhere."""

    data: DataSpec | None
    model: ModelSpec | None
    search: SearchOptions | None
    ship: ShipOptions
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    profiles: tuple[Profile, ...]
    space: SearchSpace


def _parts(spec: StudySpec) -> Parts:
    return Parts(**{name: getattr(spec, name) for name in Parts.__slots__})


def check_against(
    spec: StudySpec, info: FamilyInfo, data_task: str | None = None, *, file: str | None = None
) -> None:
    """Check what only the family can tell.

    Args:
        spec: A study with [model].
        info: Its family.
        data_task: "classification" or "regression" where the data is known; None leaves those checks out.
        file: How errors name the study file; by default the spec's source.

    Raises:
        SpecError: A hyperparameter is unknown or may take a value that the family does not allow; a metric is
            not measured by the family or does not go with the data. It tells all of these.
    """
    assert spec.model is not None
    file = file or (str(spec.source) if spec.source is not None else None)
    _tell(_problems(_parts(spec), spec.model, info, data_task), file)


def check_names(spec: StudySpec, known: Known, *, file: str | None = None) -> None:
    """Check names against registries that this package may not import.

    Args:
        spec: The study.
        known: What exists, by dotted key: "data.name", "model.family", "search.sampler", "search.pruner".
        file: How errors name the study file; by default the spec's source.

    Raises:
        SpecError: Names are not known; the hints name the nearest.
    """
    file = file or (str(spec.source) if spec.source is not None else None)
    _tell(_unknown_names(_parts(spec), known), file)


def check_parts(parts: Parts, info: FamilyInfo | None, known: Known, *, file: str | None = None) -> None:
    """`check_names` and, where the family is known, `check_against` for what is right so far.

    Raises:
        SpecError: As they do.
    """
    found = list(_unknown_names(parts, {k: v for k, v in known.items() if k != "model.family"}))
    if parts.model is not None and info is not None:
        found += _problems(parts, parts.model, info, None)
    _tell(found, file)


def _tell(found: Iterable[tuple[str, str, str]], file: str | None) -> None:
    """Raise the problems, if there are any, once for each key.

    Raises:
        SpecError: All of them.
    """
    errors = {
        key: SpecError(problem, key=key, file=file, hint=hint) for key, problem, hint in reversed(list(found))
    }
    if errors:
        raise SpecError.of(list(reversed(errors.values())))


def _unknown_names(parts: Parts, known: Known) -> Iterator[tuple[str, str, str]]:
    """Dotted key, problem and hint."""
    used = {
        "data.name": parts.data.name if parts.data is not None else None,
        "model.family": parts.model.family if parts.model is not None else None,
        "search.sampler": parts.search.sampler if parts.search is not None else None,
        "search.pruner": parts.search.pruner if parts.search is not None else None,
    }
    for key, names in known.items():
        name = used[key]
        if name is not None and name not in names:
            meant = known_value(name)
            hint = f'write {key.partition(".")[2]} = "{meant}"' if meant in names else None
            yield key, f"{show(name)} is not known", hint or did_you_mean(name, list(names))


def _problems(
    parts: Parts, model: ModelSpec, info: FamilyInfo, data_task: str | None
) -> Iterator[tuple[str, str, str]]:
    """Dotted key, problem and hint."""
    family = model.family
    for name, value in model.fixed.items():
        of = info.hyperparameters.get(name)
        unknown = of is None and _unknown(name, family, info, value, "model")
        problem = unknown or (_outside(value, of, name) if of is not None else None)
        if problem is not None:
            yield f"model.{name}", *problem
    for p in parts.space:
        of = info.hyperparameters.get(p.name)
        unknown = of is None and _unknown(p.name, family, info, _written(p), "space")
        problem = unknown or (_range_outside(p, of) if of is not None else None)
        if problem is not None:
            yield f"space.{p.name}", *problem
    yield from _of_another_file(parts, model, info)
    task = data_task or (parts.data.task if parts.data is not None else None)
    if task is not None and task not in info.tasks:
        hint = f"it learns {' and '.join(sorted(info.tasks))}"
        yield "model.family", f"{show(family)} does not learn {task}", hint
    for o in parts.objectives:
        yield from _metric(f"objectives.{o.metric}", o.metric, family, info, task)
    for c in parts.constraints:
        yield from _metric(f"constraints.{c.metric}", c.metric, family, info, task)
    for profile in parts.profiles:
        for c in profile.constraints:
            key = f"profiles.{profile.name}.constraints.{c.metric}"
            yield from _metric(key, c.metric, family, info, task)
        for criterion in profile.order:
            name = criterion.objective.metric
            for key, wrong, hint in _metric(f"profiles.{profile.name}", name, family, info, task):
                yield key, f"{name}: {wrong}", hint


def _of_another_file(parts: Parts, model: ModelSpec, info: FamilyInfo) -> Iterator[tuple[str, str, str]]:
    """What only an ONNX file has, where another one ships."""
    if parts.ship.format == "onnx":
        return
    for name in ("compression", "threshold"):
        of = info.hyperparameters.get(name)
        if of is None:
            continue
        fixed, searched = model.fixed.get(name, of.default), parts.space.by_name.get(name)
        if fixed != of.default or searched is not None:
            table = "model" if searched is None else "space"
            hint = 'remove it, or start another study with format = "onnx" under [ship]'
            yield f"{table}.{name}", f"needs a file that is ONNX, and {parts.ship.format} ships", hint


def _unknown(name: str, family: str, info: FamilyInfo, value: Any, table: str) -> tuple[str, str]:
    hint = hyperparameter_advice(name, value, info.hyperparameters, table)
    return (
        f"is not a hyperparameter of {show(family)}",
        hint or did_you_mean(name, list(info.hyperparameters)),
    )


def _written(p: Parameter) -> Any:
    """A parameter as the study file says it."""
    d = p.distribution
    if isinstance(d, CategoricalDistribution):
        return list(d.choices)
    assert isinstance(d, IntDistribution | FloatDistribution)
    return {"low": d.low, "high": d.high} | ({"log": True} if d.log else {})


def _outside(value: Any, of: HyperparameterInfo, name: str = "") -> tuple[str, str] | None:
    """Problem and hint of one value; with ``name`` the hint is the line to write, where one is meant."""
    problem = of.problem_with(value)
    if problem is None:
        return None
    meant = known_value(value) if isinstance(value, str) else value
    if isinstance(value, str) and of.problem_with(meant) is not None:
        meant = {"true": True, "false": False}.get(value.lower(), number_in(value))
    if isinstance(value, int) and value in (0, 1) and of.problem_with(bool(value)) is None:
        meant = bool(value)
    if isinstance(value, list) and value and name and all(of.problem_with(v) is None for v in value):
        return problem, f"choices belong in [space]: write {assignment(name, value)} there"
    if of.problem_with(meant) is None:
        line = assignment(name, meant) if name else toml_value(meant)
        return problem, f"write {line}; it takes {of.allowed}"
    return problem, f"it takes {of.allowed}"


def _range_outside(p: Parameter, of: HyperparameterInfo) -> tuple[str, str] | None:
    """Problem and hint of a searched parameter: every value that it may take must be allowed."""
    d = p.distribution
    if isinstance(d, CategoricalDistribution):
        return next((problem for value in d.choices if (problem := _outside(value, of))), None)
    assert isinstance(d, IntDistribution | FloatDistribution)
    if of.kind == "categorical":
        return "does not take a range", f"list its choices: {of.allowed}"
    if of.kind == "text":
        return "does not take a range", f"list its choices, each {of.allowed}"
    if isinstance(d, FloatDistribution) and of.kind == "int":
        return "takes whole numbers", "write low and high without a decimal point"
    if isinstance(d, IntDistribution) and of.kind == "float" and d.high - d.low == 1:
        fix = f"write {{ low = {d.low}.0, high = {d.high}.0 }}"
        return f"would be searched at {d.low} and {d.high} only, since both are integers", fix
    return _outside(d.low, of) or _outside(d.high, of)


def _metric(
    key: str, metric: str, family: str, info: FamilyInfo, task: str | None
) -> Iterator[tuple[str, str, str]]:
    """The metric must go with the data, and be measured in some unit."""
    known = METRICS.get(metric)
    if known is not None and task is not None and known.task not in ("any", task):
        fitting = [m.name for m in METRICS.values() if m.task == task]
        yield key, f"is a metric of {known.task}, and the data is for {task}", f"use {' or '.join(fitting)}"
        return
    quantities = {METRICS[name].quantity for name in info.measures if name in METRICS}
    if metric not in info.measures and (known is None or known.quantity not in quantities):
        yield key, f"{show(family)} never measures it", did_you_mean(metric, sorted(info.measures))
