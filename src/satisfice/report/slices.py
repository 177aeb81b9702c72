"""Metrics over two parameters, the others held at the chosen trial.

What can be computed is computed at every point of the grid. Other metrics come from the surrogate that the
search fits too: its transform and kernel over all parameters, with stopped trials counted by what their
reports predict. Such an estimate stays inside the range of the values seen, and says where it is far from any
trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from satisfice.choose.endings import joined
from satisfice.report.computed import Computed
from satisfice.report.context import Absent, StudyView, is_early
from satisfice.report.estimates import ModelSource, SurfaceEstimate, SurfaceEstimates
from satisfice.report.importance import Importances, too_few
from satisfice.report.plot_data import show, wants_log
from satisfice.spec.metric import METRICS
from satisfice.spec.space import Parameter
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.surrogate.encoding import Encoder

Floats = NDArray[np.float64]

PARAMETERS = 5  # whose pairs are drawn: the most important ones
_GRID = 24  # points along a number
_DIGITS = 5  # of an estimate; what is computed keeps all
_SURE = "0123456789abcdefghijklmnopqrstuvwxyz"  # classes of certainty, as digits


@dataclass(frozen=True, kw_only=True)
class GridAxis:
    """One parameter as an axis."""

    parameter: Parameter
    values: tuple[Any, ...]  # at the points of the grid; several points may share one
    grid: tuple[float, ...]  # where they are drawn, evenly: numbers, their logarithms, or places of choices
    log: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A metric over each pair of axes."""

    metric: str
    exact: bool
    log: bool
    z: tuple[
        Floats, ...
    ]  # by pair, shape [rows of y, columns of x]; NaN where there is no such configuration
    sure: tuple[Floats, ...] | None  # the same, from 0 (as far as can be from any trial) to 1; None: computed
    says: str


@dataclass(frozen=True, kw_only=True)
class Slices:
    """All surfaces, on one set of grids."""

    axes: tuple[GridAxis, ...]
    pairs: tuple[tuple[int, int], ...]  # of axes: x, y
    surfaces: tuple[Surface, ...]
    absent: tuple[Absent, ...]
    held: str  # at what the other parameters are held
    which: str  # which pairs there are

    def to_json(self) -> dict[str, Any]:
        """As the page reads it."""
        return {
            "axes": [
                {
                    "name": a.parameter.name,
                    "log": a.log,
                    "grid": [float(f"{v:.9g}") for v in a.grid],
                    **({"choices": list(a.choices)} if a.choices else {}),
                }
                for a in self.axes
            ],
            "pairs": [list(p) for p in self.pairs],
            "surfaces": {s.metric: _surface_json(s) for s in self.surfaces},
            "held": self.held,
        }


def _surface_json(surface: Surface) -> dict[str, Any]:
    def number(value: float) -> float | None:
        if not np.isfinite(value):
            return None
        short = float(f"{value:.{_DIGITS}g}")
        return float(value) if surface.exact or not np.isfinite(short) else short

    sure = surface.sure
    return {
        "exact": surface.exact,
        "log": surface.log,
        "z": [[number(v) for v in grid.ravel()] for grid in surface.z],
        "sure": None
        if sure is None
        else ["".join(_SURE[round(35 * float(v))] for v in grid.ravel()) for grid in sure],
        "says": surface.says,
    }


def slices_of(
    view: StudyView,
    computed: Computed | None,
    ranked: Mapping[str, Importances | Absent],
    models: ModelSource | None = None,
) -> Slices:
    """Every metric that the study names over each pair of its most important parameters.

    Args:
        view: The study.
        computed: What can be computed; None: nothing.
        ranked: Importances by metric, which decide on the parameters.
        models: The search's models of other metrics; None: made from finished trials.
    """
    held = _held(view)
    encoder = Encoder(view.space)
    axes = () if held is None else _axes(view, held, ranked, computed)
    pairs = tuple(combinations(range(len(axes)), 2))
    if held is None or not pairs:
        sentence = "No trial is complete yet." if held is None else "Fewer than two parameters were varied."
        absent = Absent(title="Surfaces", sentence=sentence)
        return Slices(axes=(), pairs=(), surfaces=(), absent=(absent,), held="", which="")
    grids = [_rows(encoder, held.params, axes[i], axes[j]) for i, j in pairs]
    estimates = SurfaceEstimates(view, models)
    surfaces: list[Surface] = []
    absences: list[Absent] = []
    for metric in view.metric_names:
        found = _surface(view, metric, encoder, grids, computed, estimates)
        if isinstance(found, Absent):
            absences.append(found)
        else:
            surfaces.append(found)
    names = [a.parameter.name for a in axes]
    which = f"Any two of the parameters that matter most: {joined(names)}."
    if len(view.space) > len(axes):
        which += " The others drive these metrics less, or are not active in the trial that is shown."
    what = "the chosen trial" if held.number == view.chosen else f"trial {held.number}"
    return Slices(
        axes=axes,
        pairs=pairs,
        surfaces=tuple(surfaces),
        absent=tuple(absences),
        held=f"Every other parameter is held at its value in {what}.",
        which=which,
    )


def _held(view: StudyView) -> TrialRecord | None:
    """The trial at which parameters are held: the chosen, else the default, else the latest complete one."""
    numbers = [view.chosen, view.default]
    found = [r for n in numbers for r in view.complete if r.number == n]
    return next(iter([*found, *reversed(view.complete)]), None)


def _axes(
    view: StudyView,
    held: TrialRecord,
    ranked: Mapping[str, Importances | Absent],
    computed: Computed | None,
) -> tuple[GridAxis, ...]:
    """The parameters with the greatest share of what is explained, over all metrics; in that order."""
    weight = dict.fromkeys(view.space.names, 0.0)
    for found in ranked.values():
        if isinstance(found, Importances):
            for name, share in found.shares:
                weight[name] += share * max(found.explained, 0.01)
    free = [
        p for p in view.space if p.name in held.params and p.cardinality > 1 and _varied(view, p, computed)
    ]
    order = sorted(free, key=lambda p: -weight[p.name])
    return tuple(_axis(p) for p in order[:PARAMETERS])


def _varied(view: StudyView, parameter: Parameter, computed: Computed | None) -> bool:
    """Whether trials tell anything along the parameter."""
    seen = {repr(r.params[parameter.name]) for r in view.records if parameter.name in r.params}
    return len(seen) > 1 or computed is not None


def _axis(parameter: Parameter) -> GridAxis:
    d = parameter.distribution
    if isinstance(d, CategoricalDistribution):
        places = tuple(float(i) for i in range(len(d.choices)))
        said = tuple(show(c) for c in d.choices)
        return GridAxis(parameter=parameter, values=tuple(d.choices), grid=places, log=False, choices=said)
    log = bool(getattr(d, "log", False))
    low, high = float(getattr(d, "low", 0.0)), float(getattr(d, "high", 1.0))
    few = parameter.cardinality
    count = int(few) if few <= _GRID and not log else _GRID
    even = np.linspace(np.log10(low), np.log10(high), count) if log else np.linspace(low, high, count)
    at = 10**even if log else even
    values = tuple(parameter.clip(_whole(parameter, v)) for v in np.clip(at, low, high).tolist())
    return GridAxis(parameter=parameter, values=values, grid=tuple(even.tolist()), log=log)


def _whole(parameter: Parameter, value: float) -> Any:
    return round(value) if type(getattr(parameter.distribution, "low", 0.0)) is int else value


def _rows(encoder: Encoder, held: Mapping[str, Any], x: GridAxis, y: GridAxis) -> Floats:
    """Raw rows of the grid, shape [rows of y * columns of x, d]; all NaN where an axis is not active."""
    base = encoder.quantiles(encoder.raw(held)[None], np.full((1, len(encoder.parameters)), 0.5))
    raw = np.repeat(encoder.values(base), len(y.values) * len(x.values), axis=0)
    i, j = encoder.column[x.parameter.name], encoder.column[y.parameter.name]
    raw[:, i] = np.tile([x.parameter.to_raw(v) for v in x.values], len(y.values))
    raw[:, j] = np.repeat([y.parameter.to_raw(v) for v in y.values], len(x.values))
    raw = encoder.deactivated(raw)
    raw[np.isnan(raw[:, [i, j]]).any(axis=1)] = np.nan
    return raw.reshape(len(y.values), len(x.values), -1)


def points_of(slices: Slices, view: StudyView, pair: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Row, column and configuration of each point of a pair's grid, where there is one."""
    held = _held(view)
    assert held is not None
    encoder = Encoder(view.space)
    i, j = slices.pairs[pair]
    rows = _rows(encoder, held.params, slices.axes[i], slices.axes[j])
    for r, c in np.ndindex(rows.shape[:2]):
        if not np.isnan(rows[r, c]).all():
            yield r, c, encoder.params(rows[r, c])


def _surface(
    view: StudyView,
    metric: str,
    encoder: Encoder,
    grids: Sequence[Floats],
    computed: Computed | None,
    estimates: SurfaceEstimates,
) -> Surface | Absent:
    title = f"{metric} over two parameters"
    if computed is not None and metric in computed.names:
        return _computed(metric, encoder, grids, computed)
    known = METRICS.get(metric)
    if is_early(metric) and known is not None and not view.measured(metric):
        return Absent(title=title, sentence=too_few(metric, 0))
    estimate = estimates.of(metric)
    if isinstance(estimate, int):
        return Absent(title=title, sentence=too_few(metric, estimate))
    return _estimated(view, metric, encoder, grids, estimate)


def _computed(metric: str, encoder: Encoder, grids: Sequence[Floats], computed: Computed) -> Surface:
    z = []
    for rows in grids:
        values = np.full(rows.shape[:2], np.nan)
        for r, c in np.ndindex(rows.shape[:2]):
            if computed.is_spent:
                break
            if not np.isnan(rows[r, c]).all():
                values[r, c] = computed.at(encoder.params(rows[r, c])).get(metric, np.nan)
        z.append(values)
    seen = [float(v) for values in z for v in values.ravel() if np.isfinite(v)]
    says = "Computed for every point: nothing is estimated."
    if computed.is_spent:
        says = "Computed, as far as time allowed; what is left empty was not computed."
    return Surface(metric=metric, exact=True, log=wants_log(metric, seen), z=tuple(z), sure=None, says=says)


def _estimated(
    view: StudyView, metric: str, encoder: Encoder, grids: Sequence[Floats], estimate: SurfaceEstimate
) -> Surface:
    z, sure = [], []
    for rows in grids:
        flat = rows.reshape(-1, rows.shape[-1])
        there = ~np.isnan(flat).all(axis=1)
        values, certain = np.full(len(flat), np.nan), np.zeros(len(flat))
        values[there], certain[there] = estimate.at(encoder.scaled(flat[there]))
        z.append(values.reshape(rows.shape[:2]))
        sure.append(certain.reshape(rows.shape[:2]))
    seen = [v for v in (r.metrics.get(metric) for r in view.records if r.state == TrialState.COMPLETE) if v]
    return Surface(
        metric=metric,
        exact=False,
        log=wants_log(metric, [v for v in seen if np.isfinite(v)]),
        z=tuple(z),
        sure=tuple(sure),
        says=f"Estimated from {estimate.trials:,} trials by a Gaussian process; "
        "paler where it is far from any of them.",
    )
