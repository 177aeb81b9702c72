"""Importances and surfaces drawn with plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from satisfice.report.context import StudyView, drawn
from satisfice.report.figures import (
    BLUE,
    GOLD,
    GREY,
    ORANGE,
    Figure,
    base_axis,
    base_figure,
    hover_html,
    plain,
    plotly_objects,
    scale,
    special,
)
from satisfice.report.importance import Importances
from satisfice.report.plot_data import hover_text, show
from satisfice.report.slices import GridAxis, Slices, Surface
from satisfice.spec.constraint import Constraint
from satisfice.spec.trial import TrialRecord

_LOOKS = (("#a3195b", "dash"), ("#0b6e6e", "dot"), ("#7a4a00", "dashdot"), ("#5b3fc4", "longdash"))
_OUTLYING = (2, 98)  # percentiles that the colours span: one outlier must not fill the scale


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One trial on a surface."""

    number: int
    x: float
    y: float
    fits: bool | None
    hover: str


def importance(plot: Importances) -> Figure:
    """Bars, the most important parameter on top."""
    names = [name for name, _ in reversed(plot.shares)]
    shares = [share for _, share in reversed(plot.shares)]
    bars = plotly_objects().Bar(
        x=shares,
        y=list(range(len(names))),
        orientation="h",
        marker={"color": BLUE},
        text=[f"{100 * s:.0f}%" for s in shares],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    x = base_axis("share of the importance", tickformat=".0%", range=[0, max(shares) * 1.15])
    words = [plain(n, 24) for n in names]
    y = base_axis("", tickvals=list(range(len(names))), ticktext=words, showgrid=False, ticksuffix="  ")
    return base_figure([bars], xaxis=x, yaxis=y, height=90 + 30 * len(names), showlegend=False)


def surface(plot: Surface, slices: Slices, view: StudyView, pair: int = 0) -> Figure:
    """The metric as colour over two parameters, the trials on it, and where each bound runs."""
    go = plotly_objects()
    x, y = (slices.axes[i] for i in slices.pairs[pair])
    values = plot.z[pair]
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.log10(values) if plot.log else values
    low, high = (float(v) for v in np.nanpercentile(z, _OUTLYING))
    about = "" if plot.exact else "about "
    common: dict[str, Any] = {
        "x": x.grid,
        "y": y.grid,
        "z": _listed(z),
        "customdata": _listed(values),
        "zmin": low,
        "zmax": high if high > low else low + 1.0,
        "colorscale": "Viridis",
        "colorbar": {
            "title": {"text": plain(plot.metric, 40), "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
            **(_log_ticks(low, high) if plot.log else {}),
        },
        "name": plain(plot.metric),
        "hovertemplate": f"%{{fullData.name}} {about}%{{customdata:.4g}}<extra></extra>",
    }
    stepped = bool(x.choices or y.choices)  # between two choices lies nothing to interpolate
    traces = [go.Heatmap(**common, zsmooth=False if stepped else "best")]
    if not stepped:
        for k, constraint in enumerate(view.constraints):
            found = next((s for s in slices.surfaces if s.metric == constraint.metric), None)
            if found is not None:
                over = constraint.violation_each(found.z[pair])
                over[np.isnan(found.z[pair])] = np.nan
                if np.nanmin(over) < 0 < np.nanmax(over):
                    traces.append(_edge(constraint, x, y, np.clip(over, -1e6, 1e6), *_LOOKS[k % len(_LOOKS)]))
    marks = [m for r in view.judged if (m := _mark(view, r, x, y)) is not None]
    kinds = (
        (False, "does not fit", "x-thin", ORANGE),
        (None, "not known whether it fits", "triangle-down", GREY),
        (True, "fits", "circle", "#ffffff"),
    )
    for fits, name, symbol, colour in kinds:
        own = [m for m in marks if m.fits is fits]
        if own:
            traces.append(_marks(own, name, symbol, colour))
    traces += special(marks, view.chosen, "chosen", "star", GOLD)
    return base_figure(traces, xaxis=_axis(x), yaxis=_axis(y), height=420)


def _listed(values: Any) -> list[list[float | None]]:
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]


def _mark(view: StudyView, record: TrialRecord, x: GridAxis, y: GridAxis) -> Mark | None:
    names = (x.parameter.name, y.parameter.name)
    if any(name not in record.params for name in names):
        return None
    at = [_place(axis, record.params[name]) for axis, name in zip((x, y), names, strict=True)]
    return Mark(
        number=record.number,
        x=at[0],
        y=at[1],
        fits=view.fits(record),
        hover=hover_text(record, view.metric_names),
    )


def _place(axis: GridAxis, value: Any) -> float:
    if axis.choices:
        return axis.grid[[repr(v) for v in axis.values].index(repr(value))]
    return math.log10(value) if axis.log else drawn(float(value))


def _edge(constraint: Constraint, x: GridAxis, y: GridAxis, over: Any, colour: str, dash: str) -> Any:
    """The level line where the violation is zero."""
    return plotly_objects().Contour(
        x=x.grid,
        y=y.grid,
        z=_listed(over),
        contours={"start": 0, "end": 0, "size": 1, "coloring": "none"},
        line={"color": colour, "width": 2.5, "dash": dash},
        name=plain(f"edge of {constraint.key}"),
        showlegend=True,
        showscale=False,
        hoverinfo="skip",
    )


def _marks(marks: Sequence[Mark], name: str, symbol: str, colour: str) -> Any:
    thin = "thin" in symbol
    return plotly_objects().Scatter(
        x=[m.x for m in marks],
        y=[m.y for m in marks],
        mode="markers",
        name=name,
        text=[hover_html(m.hover) for m in marks],
        hovertemplate="%{text}<extra></extra>",
        marker={
            "symbol": symbol,
            "size": 7,
            "color": colour,
            "line": {"color": colour if thin else "#1c1e21", "width": 1.5 if thin else 1},
        },
    )


def _axis(axis: GridAxis) -> dict[str, Any]:
    if axis.choices:
        words = [plain(c, 24) for c in axis.choices]
        return base_axis(axis.parameter.name, tickvals=axis.grid, ticktext=words)
    span = [axis.grid[0], axis.grid[-1]]
    if not axis.log:
        return base_axis(axis.parameter.name, **scale(span, log=False))
    told = scale(span, log=True)  # the grid is drawn in logarithms, on a linear axis
    ticks = (
        {"tickvals": [math.log10(v) for v in told["tickvals"]], "ticktext": told["ticktext"]}
        if ("tickvals" in told)
        else _log_ticks(*span)
    )
    return base_axis(axis.parameter.name, type="linear", range=span, **ticks)


def _log_ticks(low: float, high: float) -> dict[str, Any]:
    at = [low + (high - low) * i / 4 for i in range(5)]
    return {"tickvals": at, "ticktext": [show(float(f"{10**v:.3g}")) for v in at]}
