"""Importances and surfaces drawn with plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

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
from satisfice.report.plot_data import show
from satisfice.report.response import Axis, Importances, Mark, Surface
from satisfice.spec.constraint import Constraint


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


def surface(plot: Surface) -> Figure:
    """The metric as colour over two parameters, the trials on it, and where each bound runs."""
    go = plotly_objects()
    shown = [[10**v for v in row] for row in plot.z] if plot.log_z else plot.z
    common: dict[str, Any] = {
        "x": plot.x.positions,
        "y": plot.y.positions,
        "z": plot.z,
        "customdata": shown,
        "colorscale": "Viridis",
        "colorbar": {
            "title": {"text": plain(plot.metric, 40), "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
        },
        "name": plain(plot.metric),
        "hovertemplate": "%{fullData.name} about %{customdata:.4g}<extra></extra>",
    }
    if plot.log_z:
        common["colorbar"] |= _log_ticks(plot.z)
    stepped = bool(plot.x.choices or plot.y.choices)  # between two choices lies nothing to interpolate
    traces = [go.Heatmap(**common) if stepped else go.Contour(**common, line={"width": 0}, ncontours=24)]
    if not stepped:
        traces += [_frontier(plot, c, over) for c, over in plot.bounds if _crosses(over)]
    kinds = (
        (False, "does not fit", "x-thin", ORANGE),
        (None, "not known whether it fits", "triangle-down", GREY),
        (True, "fits", "circle", "#ffffff"),
    )
    for fits, name, symbol, colour in kinds:
        marks = [m for m in plot.marks if m.fits is fits]
        if marks:
            traces.append(_marks(marks, name, symbol, colour))
    traces += special(plot.marks, plot.chosen, "chosen", "star", GOLD)
    return base_figure(traces, xaxis=_parameter(plot.x), yaxis=_parameter(plot.y), height=420)


def _crosses(over: Sequence[Sequence[float]]) -> bool:
    return min(map(min, over)) < 0 < max(map(max, over))


def _frontier(plot: Surface, constraint: Constraint, over: Sequence[Sequence[float]]) -> Any:
    """The level line where the violation is zero."""
    return plotly_objects().Contour(
        x=plot.x.positions,
        y=plot.y.positions,
        z=over,
        contours={"start": 0, "end": 0, "size": 1, "coloring": "none"},
        line={"color": ORANGE, "width": 2.5, "dash": "dash"},
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


def _parameter(axis: Axis) -> dict[str, Any]:
    if axis.choices:
        words = [plain(c, 24) for c in axis.choices]
        return base_axis(axis.name, tickvals=axis.positions, ticktext=words)
    low, high = axis.positions[0], axis.positions[-1]
    span = [math.log10(low), math.log10(high)] if axis.log else [low, high]
    edge = 0.03 * (span[1] - span[0])  # so that a trial on the edge is seen whole
    span = [span[0] - edge, span[1] + edge]
    return base_axis(axis.name, **scale(span, log=axis.log))


def _log_ticks(z: Sequence[Sequence[float]]) -> dict[str, Any]:
    low, high = min(map(min, z)), max(map(max, z))
    at = [low + (high - low) * i / 4 for i in range(5)]
    return {"tickvals": at, "ticktext": [show(float(f"{10**v:.3g}")) for v in at]}
