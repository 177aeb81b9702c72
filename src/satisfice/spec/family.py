"""What a study spec needs to know of a family of models, and the checks that need it.

The families themselves live in `satisfice.train`, which this package may not import.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.errors import SpecError
from satisfice.registry import did_you_mean
from satisfice.spec.metric import METRICS
from satisfice.spec.read import show
from satisfice.spec.space import Parameter
from satisfice.spec.study import StudySpec


class HyperparameterInfo(Protocol):
    """One hyperparameter of a family."""

    @property
    def kind(self) -> str:
        """One of "float", "int" and "categorical"."""

    @property
    def allowed(self) -> str:
        """The allowed values in words."""

    def problem_with(self, value: Any) -> str | None:
        """Why the value is not allowed, or None."""


class FamilyInfo(Protocol):
    """A family of models as the spec sees it."""

    @property
    def hyperparameters(self) -> Mapping[str, HyperparameterInfo]:
        """By name."""

    @property
    def measures(self) -> Collection[str]:
        """Names of the metrics it measures."""

    @property
    def tasks(self) -> Collection[str]:
        """Of "classification" and "regression", those it can learn."""


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
            not measured by the family or does not go with the data.
    """
    assert spec.model is not None
    file = file or (str(spec.source) if spec.source is not None else None)
    family = spec.model.family
    for key, problem, hint in _problems(spec, family, info, data_task):
        raise SpecError(problem, key=key, file=file, hint=hint)


def check_names(spec: StudySpec, known: Mapping[str, Collection[str]], *, file: str | None = None) -> None:
    """Check names against registries that this package may not import.

    Args:
        spec: The study.
        known: What exists, by dotted key: "data.name", "model.family", "search.sampler", "search.pruner".
        file: How errors name the study file; by default the spec's source.

    Raises:
        SpecError: A name is not known; the hint names the nearest.
    """
    used = {
        "data.name": spec.data.name if spec.data is not None else None,
        "model.family": spec.model.family if spec.model is not None else None,
        "search.sampler": spec.search.sampler,
        "search.pruner": spec.search.pruner,
    }
    file = file or (str(spec.source) if spec.source is not None else None)
    for key, names in known.items():
        name = used[key]
        if name is not None and name not in names:
            raise SpecError(
                f"{show(name)} is not known", key=key, file=file, hint=did_you_mean(name, list(names))
            )


def _problems(
    spec: StudySpec, family: str, info: FamilyInfo, data_task: str | None
) -> Iterator[tuple[str, str, str]]:
    """Dotted key, problem and hint."""
    assert spec.model is not None
    for name, value in spec.model.fixed.items():
        of = info.hyperparameters.get(name)
        problem = _unknown(name, family, info) if of is None else _outside(value, of)
        if problem is not None:
            yield f"model.{name}", *problem
    for p in spec.space:
        of = info.hyperparameters.get(p.name)
        problem = _unknown(p.name, family, info) if of is None else _range_outside(p, of)
        if problem is not None:
            yield f"space.{p.name}", *problem
    task = data_task or (spec.data.task if spec.data is not None else None)
    if task is not None and task not in info.tasks:
        hint = f"it learns {' and '.join(sorted(info.tasks))}"
        yield "model.family", f"{show(family)} does not learn {task}", hint
    for o in spec.objectives:
        yield from _metric(f"objectives.{o.metric}", o.metric, family, info, task)
    for c in spec.constraints:
        yield from _metric(f"constraints.{c.metric}", c.metric, family, info, task)


def _unknown(name: str, family: str, info: FamilyInfo) -> tuple[str, str]:
    return f"is not a hyperparameter of {show(family)}", did_you_mean(name, list(info.hyperparameters))


def _outside(value: Any, of: HyperparameterInfo) -> tuple[str, str] | None:
    """Problem and hint of one value."""
    problem = of.problem_with(value)
    return None if problem is None else (problem, f"it takes {of.allowed}")


def _range_outside(p: Parameter, of: HyperparameterInfo) -> tuple[str, str] | None:
    """Problem and hint of a searched parameter: every value that it may take must be allowed."""
    d = p.distribution
    if isinstance(d, CategoricalDistribution):
        return next((problem for value in d.choices if (problem := _outside(value, of))), None)
    assert isinstance(d, IntDistribution | FloatDistribution)
    if of.kind == "categorical":
        return "does not take a range", f"list its choices: {of.allowed}"
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
