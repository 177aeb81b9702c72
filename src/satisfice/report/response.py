"""How metrics respond to parameters: which parameters matter, and the surface over the two that matter most.

Importance is the permutation importance (Breiman 2001) of a random forest fitted to the trials; surfaces are
the mean of a Gaussian process with a noise term, so that what the other parameters do is smoothed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from satisfice.report.context import FARTHEST, Absent, StudyView, finite
from satisfice.report.plot_data import hover_text, show, wants_log
from satisfice.report.smoothing import smooth
from satisfice.spec.constraint import Constraint
from satisfice.spec.distributions import scaled_raw
from satisfice.spec.space import Parameter
from satisfice.spec.trial import TrialRecord
from satisfice.surrogate.encoding import INACTIVE, is_ordered

Floats = NDArray[np.float64]

_FEWEST = 8  # trials below which neither importances nor a surface mean anything
_MOST = 400  # trials that a Gaussian process is fitted to; the latest are taken
_GRID = 40


@dataclass(frozen=True, kw_only=True)
class Importances:
    """How much of a metric's spread each parameter explains."""

    metric: str
    shares: tuple[tuple[str, float], ...]  # largest first, summing to 1
    explained: float  # out-of-bag R2 of the forest: below about 0.3 the order is a guess
    n_trials: int


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One parameter as an axis."""

    name: str
    log: bool
    positions: tuple[float, ...]  # of the grid, in the parameter's own unit; 0, 1, ... for choices
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One trial on a surface."""

    number: int
    x: float
    y: float
    fits: bool | None  # None: no constraint is known to be missed, but not every one is known
    hover: str


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A metric over two parameters."""

    metric: str
    x: Axis
    y: Axis
    z: tuple[tuple[float, ...], ...]  # by row of y, then x; logarithms to base 10 where log_z
    log_z: bool
    marks: tuple[Mark, ...]
    bounds: tuple[
        tuple[Constraint, tuple[tuple[float, ...], ...]], ...
    ]  # each with its violation over the same grid
    chosen: int | None


def encode(parameter: Parameter, values: Iterable[Any]) -> Floats:
    """Values of one parameter as places along its range, from 0 to 1; choices in their order. Shape [n]."""
    d = parameter.distribution
    raw = [
        _choice_index(d, v) if isinstance(d, CategoricalDistribution) else parameter.to_raw(v) for v in values
    ]
    return scaled_raw(parameter.numeric, np.array(raw, dtype=float))


def design(view: StudyView, rows: Sequence[TrialRecord]) -> Floats:
    """Encoded parameters, shape (trials, parameters); 0.5 where one is not active."""
    # The middle tells nothing: a split on another value would take its parent's credit.
    out = np.full((len(rows), len(view.space)), INACTIVE)
    for j, p in enumerate(view.space):
        active = [i for i, r in enumerate(rows) if p.name in r.params]
        out[active, j] = encode(p, (rows[i].params[p.name] for i in active))
    return out


def importances(view: StudyView, metric: str) -> Importances | Absent:
    """Permutation importances of the parameters for one metric."""
    from sklearn.ensemble import RandomForestRegressor  # a second to import
    from sklearn.inspection import permutation_importance

    rows = view.measured(metric)
    title = f"What drives {metric}"
    if len(rows) < _FEWEST:
        return Absent(title=title, sentence=_too_few(metric, len(rows)))
    y, _ = _target(metric, rows)
    if np.ptp(y) == 0:
        return Absent(title=title, sentence=f"{metric} is the same in every trial.")
    x, y = design(view, rows), y / _scale_of(y)
    forest = RandomForestRegressor(n_estimators=100, min_samples_leaf=2, oob_score=True, random_state=0)
    forest.fit(x, y)  # with 100 trees every trial is out of some bag
    raw = permutation_importance(forest, x, y, n_repeats=5, random_state=0).importances_mean
    positive = np.maximum(raw, 0.0)
    total = positive.sum()
    if total == 0:
        return Absent(title=title, sentence=f"No parameter explains the spread of {metric}.")
    order = np.argsort(-positive, kind="stable")
    names = view.space.names
    return Importances(
        metric=metric,
        shares=tuple((names[i], float(positive[i] / total)) for i in order),
        explained=float(forest.oob_score_),
        n_trials=len(rows),
    )


def _too_few(metric: str, n: int) -> str:
    have = {0: "No trial has", 1: "Only one trial has"}.get(n, f"Only {n} trials have")
    return f"{have} a value of {metric}; at least {_FEWEST} are needed."


def _scale_of(values: Floats) -> float:
    """What to divide values by, so that they can be squared; 1 where they can as they are."""
    most = float(np.abs(values).max(initial=0.0))
    return most if most > 1e150 else 1.0


def _smooth(x: Floats, y: Floats, grid: Floats, ordered: NDArray[np.bool_]) -> Floats:
    """`smooth`, also of values that cannot be squared."""
    scale = _scale_of(y)
    return np.asarray(
        np.clip(smooth(x, y / scale, grid, ordered), -FARTHEST / scale, FARTHEST / scale) * scale
    )


def _target(metric: str, rows: Sequence[TrialRecord]) -> tuple[Floats, bool]:
    values = np.array([finite(r, metric) for r in rows], dtype=float)
    if wants_log(metric, values.tolist()):
        return np.log10(values), True
    return values, False


def surface(view: StudyView, metric: str, ranked: Importances | Absent) -> Surface | Absent:
    """The metric over the two parameters that matter most to it and are active together often enough."""
    title = f"{metric} over its two most important parameters"
    if isinstance(ranked, Absent):
        return Absent(title=title, sentence=ranked.sentence)
    if len(ranked.shares) < 2:
        return Absent(title=title, sentence="The space has a single parameter.")
    names = [name for name, _ in ranked.shares]
    for second in names[1:]:
        pair = (view.space.by_name[names[0]], view.space.by_name[second])
        rows = [r for r in view.measured(metric) if all(p.name in r.params for p in pair)]
        if len(rows) >= _FEWEST and all(len({str(r.params[p.name]) for r in rows}) > 1 for p in pair):
            return _surface(view, metric, *pair, rows[-_MOST:])
    sentence = f"No second parameter was varied together with {names[0]} in at least {_FEWEST} trials."
    return Absent(title=title, sentence=sentence)


def _surface(
    view: StudyView, metric: str, px: Parameter, py: Parameter, rows: Sequence[TrialRecord]
) -> Surface:
    axis_x, axis_y = _axis(px), _axis(py)
    y, log = _target(metric, rows)
    grid = _grid(px, py, axis_x, axis_y)
    ordered = np.array([is_ordered(px), is_ordered(py)])
    shape = (len(axis_y.positions), len(axis_x.positions))
    z = _smooth(_pair(px, py, rows), y, grid, ordered).reshape(shape)
    z = np.clip(z, -300.0, 300.0) if log else z  # 10 to the power of it is a number
    bounds = []
    for constraint in view.constraints:
        judged = [r for r in rows if finite(r, constraint.metric) is not None]
        values, log_bound = _target(constraint.metric, judged)
        if len(judged) < _FEWEST or np.ptp(values) == 0:
            continue
        at = _smooth(_pair(px, py, judged), values, grid, ordered).reshape(shape)
        over = np.vectorize(constraint.violation)(10 ** np.minimum(at, 300.0) if log_bound else at)
        bounds.append((constraint, tuple(map(tuple, over.tolist()))))
    marks = tuple(
        Mark(
            number=r.number,
            x=_position(px, r.params[px.name]),
            y=_position(py, r.params[py.name]),
            fits=view.fits(r),
            hover=hover_text(r, view.metric_names),
        )
        for r in rows
    )
    return Surface(
        metric=metric,
        x=axis_x,
        y=axis_y,
        z=tuple(map(tuple, z.tolist())),
        log_z=log,
        marks=marks,
        bounds=tuple(bounds),
        chosen=view.chosen,
    )


def _axis(parameter: Parameter) -> Axis:
    d = parameter.distribution
    if isinstance(d, CategoricalDistribution):
        positions = tuple(float(i) for i in range(len(d.choices)))
        return Axis(
            name=parameter.name, log=False, positions=positions, choices=tuple(show(c) for c in d.choices)
        )
    log = bool(getattr(d, "log", False))
    low, high = float(getattr(d, "low", 0.0)), float(getattr(d, "high", 1.0))
    spaced = np.geomspace(low, high, _GRID) if log else np.linspace(low, high, _GRID)
    return Axis(name=parameter.name, log=log, positions=tuple(spaced.tolist()))


def _position(parameter: Parameter, value: Any) -> float:
    d = parameter.distribution
    return float(_choice_index(d, value) if isinstance(d, CategoricalDistribution) else value)


def _choice_index(d: CategoricalDistribution, value: Any) -> int:
    """Place of a choice; Optuna's own look-up takes ``True`` for ``1``."""
    return next(i for i, c in enumerate(d.choices) if type(c) is type(value) and c == value)


def _grid(px: Parameter, py: Parameter, axis_x: Axis, axis_y: Axis) -> Floats:
    """Encoded grid points, shape (rows of y times columns of x, 2)."""
    encoded = []
    for parameter, axis in ((px, axis_x), (py, axis_y)):
        d = parameter.distribution
        values = d.choices if isinstance(d, CategoricalDistribution) else axis.positions
        encoded.append(encode(parameter, values))
    x, y = np.meshgrid(encoded[0], encoded[1])
    return np.column_stack([x.ravel(), y.ravel()])


def _pair(px: Parameter, py: Parameter, rows: Sequence[TrialRecord]) -> Floats:
    return np.column_stack([encode(p, (r.params[p.name] for r in rows)) for p in (px, py)])
