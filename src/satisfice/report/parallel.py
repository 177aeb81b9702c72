"""Parallel coordinates: what each axis shows, as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution

from satisfice.report.context import Absent, StudyView, finite
from satisfice.report.plot_data import show, wants_log
from satisfice.spec.trial import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One axis of the parallel coordinates."""

    name: str
    values: tuple[float, ...]  # as drawn: logarithms, positions of choices
    ticks: tuple[tuple[float, str], ...]  # empty: the axis labels itself


@dataclass(frozen=True, kw_only=True)
class ParallelPlot:
    """Every COMPLETE trial across all parameters and metrics."""

    dimensions: tuple[Dimension, ...]
    colour: Dimension  # the first objective
    better_high: bool  # whether more of it is better
    numbers: tuple[int, ...]


def parallel_plot(view: StudyView) -> ParallelPlot | Absent:
    """Parameters, then the metrics that the study names; one line a COMPLETE trial."""
    goal = view.objectives[0].metric
    rows = [r for r in view.complete if finite(r, goal) is not None]
    if len(rows) < 2:
        return Absent(title="Parallel coordinates", sentence="Fewer than two trials are complete.")
    parameters = [_parameter_dimension(view, name, rows) for name in view.space.names]
    metrics = []
    for metric in view.metric_names:  # the first is the goal, which every row has
        values = [finite(r, metric) for r in rows]
        known = [v for v in values if v is not None]
        if len(known) == len(rows):
            metrics.append(_number_dimension(metric, known, log=wants_log(metric, known)))
    fits = tuple({True: 1.0, False: 0.0, None: 0.5}[view.fits(r)] for r in rows)
    unknown = ((0.5, "not known"),) if 0.5 in fits else ()
    verdict = Dimension(name="fits", values=fits, ticks=((0.0, "no"), *unknown, (1.0, "yes")))
    return ParallelPlot(
        dimensions=(*(d for d in parameters if d is not None), *metrics, verdict),
        colour=metrics[0],
        better_high=view.objectives[0].direction == "maximize",
        numbers=tuple(r.number for r in rows),
    )


def _parameter_dimension(view: StudyView, name: str, rows: Sequence[TrialRecord]) -> Dimension | None:
    distribution = view.space.by_name[name].distribution
    raw = [r.params.get(name) for r in rows]
    present = [v for v in raw if v is not None or None in getattr(distribution, "choices", ())]
    if not present:
        return None
    if isinstance(distribution, CategoricalDistribution):
        at = {_identity(choice): float(i) for i, choice in enumerate(distribution.choices)}
        ticks = [(float(i), show(choice)) for i, choice in enumerate(distribution.choices)]
        values = [at.get(_identity(r.params[name]), -1.0) if name in r.params else -1.0 for r in rows]
    else:
        log = bool(getattr(distribution, "log", False))
        numbers = [_along(v, log=log) for v in present]
        # An inactive parameter has no value: it runs through a tick of its own below the axis.
        below = min(numbers) - 0.12 * ((max(numbers) - min(numbers)) or 1.0)
        values = [below if v is None else _along(v, log=log) for v in raw]
        ticks = _ticks(numbers, log=log)
        if below in values:
            return Dimension(name=name, values=tuple(values), ticks=((below, "not active"), *ticks))
    if -1.0 in values and isinstance(distribution, CategoricalDistribution):
        ticks = [(-1.0, "not active"), *ticks]
    return Dimension(name=name, values=tuple(values), ticks=tuple(ticks))


def _along(value: Any, *, log: bool) -> float:
    return math.log10(value) if log else float(value)


def _identity(choice: Any) -> tuple[str, Any]:
    """Keeps True apart from 1, which Python calls equal."""
    return type(choice).__name__, choice


def _number_dimension(name: str, values: Sequence[float], *, log: bool) -> Dimension:
    drawn = [math.log10(v) if log else v for v in values]
    return Dimension(name=name, values=tuple(drawn), ticks=tuple(_ticks(drawn, log=log)))


def _ticks(drawn: Sequence[float], *, log: bool) -> list[tuple[float, str]]:
    low, high = min(drawn), max(drawn)
    if low == high:
        return [(low, show(float(10**low if log else low)))]
    steps = [low + (high - low) * i / 4 for i in range(5)]
    return [(at, show(float(f"{10**at if log else at:.3g}"))) for at in steps]
