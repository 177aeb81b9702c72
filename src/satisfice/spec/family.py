"""What a study spec needs to know of a family of models, and the checks that need it.

The families themselves live in `satisfice.train`, which this package may not import.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.errors import SpecError
from satisfice.registry import did_you_mean
from satisfice.spec.metric import METRICS
from satisfice.spec.read import is_number, show
from satisfice.spec.space import Parameter
from satisfice.spec.study import StudySpec


class HyperparameterInfo(Protocol):
    """One hyperparameter of a family."""

    @property
    def kind(self) -> str:
        """One of "float", "int", "choice", "bool"."""

    @property
    def low(self) -> float | None:
        """Smallest allowed number, included; None: no limit."""

    @property
    def high(self) -> float | None:
        """Largest allowed number, included; None: no limit."""

    @property
    def choices(self) -> tuple[Any, ...]:
        """Allowed values of a "choice"; also of a number that has only a few."""

    @property
    def default(self) -> Any:
        """What a practitioner would start with."""


class FamilyInfo(Protocol):
    """A family of models as the spec sees it."""

    @property
    def name(self) -> str:
        """As [model] names it."""

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
    file = file or (str(spec.source) if spec.source is not None else None)
    assert spec.model is not None
    for name, value in spec.model.fixed.items():
        problem, hint = _unknown(name, info) or _outside(value, info.hyperparameters[name])
        if problem:
            raise SpecError(problem, key=f"model.{name}", file=file, hint=hint)
    for p in spec.space:
        problem, hint = _unknown(p.name, info) or _range_outside(p, info.hyperparameters[p.name])
        if problem:
            raise SpecError(problem, key=f"space.{p.name}", file=file, hint=hint)
    task = data_task or (spec.data.task if spec.data is not None else None)
    if task is not None and task not in info.tasks:
        raise SpecError(
            f"{show(info.name)} does not learn a {task}",
            key="model.family",
            file=file,
            hint=f"it learns {' and '.join(sorted(info.tasks))}",
        )
    for section, metrics in (
        ("objectives", [o.metric for o in spec.objectives]),
        ("constraints", [c.metric for c in spec.constraints]),
    ):
        for metric in metrics:
            problem, hint = _metric_problem(metric, info, task)
            if problem:
                raise SpecError(problem, key=f"{section}.{metric}", file=file, hint=hint)


def _unknown(name: str, info: FamilyInfo) -> tuple[str, str] | None:
    if name in info.hyperparameters:
        return None
    return f"is not a hyperparameter of {show(info.name)}", did_you_mean(name, list(info.hyperparameters))


def _allowed(of: HyperparameterInfo) -> str:
    """What a hyperparameter takes, for hints."""
    if of.choices:
        return "it takes " + ", ".join(show(choice) for choice in of.choices)
    if of.kind == "bool":
        return "it takes true or false"
    low, high = of.low, of.high
    noun = "an integer" if of.kind == "int" else "a number"
    if low is not None and high is not None:
        return f"it takes {noun} from {low:g} to {high:g}"
    if low is not None:
        return f"it takes {noun} of at least {low:g}"
    return f"it takes {noun}" + (f" of at most {high:g}" if high is not None else "")


def _outside(value: Any, of: HyperparameterInfo) -> tuple[str, str]:
    """Problem and hint of one value; empty if it is allowed."""
    if of.choices:
        ok = any(
            value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in of.choices
        )
    elif of.kind == "bool":
        ok = isinstance(value, bool)
    elif of.kind in ("int", "float"):
        ok = is_number(value) and (of.kind == "float" or value == int(value))
        ok = ok and (of.low is None or value >= of.low) and (of.high is None or value <= of.high)
    else:
        ok = isinstance(value, str)
    return ("", "") if ok else (f"{show(value)} is not allowed", _allowed(of))


def _range_outside(p: Parameter, of: HyperparameterInfo) -> tuple[str, str]:
    """Problem and hint of a searched parameter: every value that it may take must be allowed."""
    d = p.distribution
    if isinstance(d, CategoricalDistribution):
        problems = (_outside(value, of) for value in d.choices)
        return next((problem for problem in problems if problem[0]), ("", ""))
    assert isinstance(d, IntDistribution | FloatDistribution)
    if of.kind not in ("int", "float") or of.choices:
        return (
            f"a range of {'integers' if isinstance(d, IntDistribution) else 'numbers'} does not fit",
            _allowed(of),
        )
    if isinstance(d, FloatDistribution) and of.kind == "int" and not d.single():
        return "a range of floats does not fit", f"{_allowed(of)}; write low and high without a decimal point"
    for end in (d.low, d.high):
        problem = _outside(end, of)
        if problem[0]:
            return problem
    return "", ""


def _metric_problem(metric: str, info: FamilyInfo, task: str | None) -> tuple[str, str]:
    known = METRICS.get(metric)
    if known is not None and task is not None and known.task not in ("any", task):
        fitting = [m.name for m in METRICS.values() if m.task == task]
        return f"is a metric of {known.task}, and the data is a {task}", "use one of " + ", ".join(fitting)
    quantities = {METRICS[name].quantity for name in info.measures if name in METRICS}
    if metric in info.measures or (known is not None and known.quantity in quantities):
        return "", ""
    return f"{show(info.name)} never measures it", did_you_mean(metric, sorted(info.measures))
