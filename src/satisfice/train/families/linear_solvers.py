"""Which solver of the linear family goes with which penalty, and what scikit-learn calls it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution

from satisfice.errors import SpecError
from satisfice.spec.study import StudySpec
from satisfice.train.hyperparameter import AUTO

SOLVERS = (AUTO, "lbfgs", "newton_cholesky", "saga", "coordinate_descent")

_EVERY = ("l2", "l1", "elastic_net", "none")
# By task and solver the penalties that it can fit.
_FITS: Mapping[str, Mapping[str, Collection[str]]] = {
    "classification": {
        AUTO: _EVERY,
        "lbfgs": ("l2", "none"),
        "newton_cholesky": ("l2",),  # without a penalty the Hessian of one-hot features is singular
        "saga": _EVERY,
        "coordinate_descent": (),
    },
    "regression": {
        AUTO: _EVERY,
        "lbfgs": (),
        "newton_cholesky": ("l2",),
        "saga": ("l2",),
        "coordinate_descent": ("l1", "elastic_net"),
    },
}


def logistic_solver(solver: str, l1_ratio: float) -> str:
    """What `sklearn.linear_model.LogisticRegression` calls it."""
    if solver == AUTO:
        return "saga" if l1_ratio > 0 else "lbfgs"
    return solver.replace("_", "-")


def ridge_solver(solver: str) -> str:
    """What `sklearn.linear_model.Ridge` calls it; with squares one step of Newton's method is exact."""
    return "cholesky" if solver == "newton_cholesky" else solver


def check_solvers(spec: StudySpec, task: str) -> None:
    """Refuse a study in which a solver can meet a penalty that it cannot fit.

    Args:
        spec: The study.
        task: Of its data.

    Raises:
        SpecError: It tells the solver, the penalty and the way out.
    """
    for solver in _possible(spec, "solver", AUTO):
        fits = _FITS[task].get(solver, _EVERY)
        wrong = [p for p in _possible(spec, "penalty", "l2") if p not in fits and _meet(spec, solver, p)]
        if wrong:
            searched = "solver" in spec.space.by_name
            raise SpecError(
                f"{solver!r} cannot fit the penalty {wrong[0]!r} of a {task}",
                key=f"{'space' if searched else 'model'}.solver",
                file=str(spec.source) if spec.source is not None and spec.source.is_file() else None,
                hint=_way_out(solver, fits),
            )


def _way_out(solver: str, fits: Collection[str]) -> str:
    if not fits:
        return f"leave {solver!r} out"
    told = ", ".join(f'"{penalty}"' for penalty in fits)
    return f"it fits {told}: let a penalty of these alone go with it, by when = {{ penalty = [{told}] }}"


def _possible(spec: StudySpec, name: str, default: str) -> Iterator[str]:
    """Values that a hyperparameter may take."""
    assert spec.model is not None
    parameter = spec.space.by_name.get(name)
    if parameter is None:
        yield spec.model.fixed.get(name, default)
        return
    assert isinstance(parameter.distribution, CategoricalDistribution)  # the family allows no range
    yield from parameter.distribution.choices  # type: ignore[misc]  # texts
    if parameter.when:
        yield default


def _meet(spec: StudySpec, solver: str, penalty: str) -> bool:
    """Whether a configuration may have both, as far as the conditions on each other tell."""
    values = {"solver": solver, "penalty": penalty}
    for name, other in (("solver", "penalty"), ("penalty", "solver")):
        parameter = spec.space.by_name.get(name)
        if parameter is None or other not in parameter.when:
            continue
        active = values[other] in parameter.when[other]
        of: Any = parameter.distribution
        idle = values[name] == (AUTO if name == "solver" else "l2")
        if not (active and values[name] in of.choices) and (active or not idle):
            return False
    return True
