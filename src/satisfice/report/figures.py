"""Plot data drawn with plotly. Nothing is computed here but where ink goes.

Colour-blind readers tell the colours apart too (after Okabe and Ito 2008), and every kind has its own symbol.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from satisfice.errors import MissingExtra
from satisfice.report.parallel import ParallelPlot
from satisfice.report.plot_data import (
    CurvesPlot,
    HistoryPlot,
    Kind,
    ParetoPlot,
    Point,
    Span,
    show,
)
from satisfice.spec.constraint import Constraint

BLUE, SKY, ORANGE, GREY, GOLD, VIOLET = "#2f7ed8", "#86b6ec", "#e0592a", "#8a8f98", "#f2b01e", "#a05bc8"

# Kind: legend, colour, symbol, size
_LOOK: dict[Kind, tuple[str, str, str, int]] = {
    "infeasible": ("does not fit", ORANGE, "x-thin", 8),
    "unknown": ("not known whether it fits", GREY, "circle-open-dot", 8),
    "pruned": ("stopped early", GREY, "triangle-down-open", 7),
    "dominated": ("fits, dominated", SKY, "circle", 8),
    "other front": ("fits, on the front of all objectives", BLUE, "circle-open", 9),
    "front": ("fits, on the front", BLUE, "circle", 10),
}

Figure = Any  # plotly ships no types


def plotly_objects() -> Any:
    """Plotly's graph objects, imported on use.

    Raises:
        MissingExtra: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go  # an optional dependency
    except ModuleNotFoundError as missing:
        raise MissingExtra("plotly", "plots") from missing
    return go


def base_figure(traces: Sequence[Any], **layout: Any) -> Figure:
    """A figure on no background of its own, so that the page's theme shows through."""
    base = {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": GREY},
        "margin": {"l": 64, "r": 16, "t": 16, "b": 52},
        "hovermode": "closest",
        "showlegend": True,  # also where all trials are of one kind
        "hoverlabel": {"align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
    }
    return plotly_objects().Figure(data=list(traces), layout={**base, **layout})


def base_axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a faint grid."""
    line = {"gridcolor": "rgba(138,143,152,0.22)", "zeroline": False, "automargin": True, "showline": False}
    return {"title": {"text": plain(title), "standoff": 8}, **line, **more}


def plain(text: str, most: int = 60) -> str:
    """Text for plotly to show as it is, in at most so many characters: a plot does not wrap its words.

    Quotes stay: plotly reads no entities for them.
    """
    return html.escape(short(text, most), quote=False)


def short(text: str, most: int) -> str:
    """The text; of more than ``most`` characters, beginning and end: names often differ there."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def hover_html(text: str) -> str:
    """Lines of plain text as plotly's markup."""
    return "<br>".join(plain(line, 120) for line in text.split("\n"))


def _scatter(points: Sequence[Point], kind: Kind, labels: dict[Kind, str]) -> Any:
    name, colour, symbol, size = _LOOK[kind]
    return plotly_objects().Scatter(
        x=[p.x for p in points],
        y=[p.y for p in points],
        mode="markers",
        name=labels.get(kind, name),
        text=[hover_html(p.hover) for p in points],
        customdata=[p.number for p in points],
        hovertemplate="%{text}<extra></extra>",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": size,
            "line": {"color": colour, "width": 2 if "thin" in symbol or "open" in symbol else 0},
        },
    )


def _kinds(points: Sequence[Point], labels: dict[Kind, str] | None = None) -> list[Any]:
    groups = {kind: [p for p in points if p.kind == kind] for kind in _LOOK}
    return [_scatter(group, kind, labels or {}) for kind, group in groups.items() if group]


def special(points: Sequence[Any], number: int | None, name: str, symbol: str, colour: str) -> list[Any]:
    """A larger symbol over one trial, if it is among the points."""
    return [
        plotly_objects().Scatter(
            x=[p.x],
            y=[p.y],
            mode="markers",
            name=f"{name} (trial {p.number})",
            text=[hover_html(p.hover)],
            customdata=[p.number],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "symbol": symbol,
                "size": 17 if symbol == "star" else 15,
                "color": colour,
                "line": {
                    "color": "#1c1e21" if symbol == "star" else colour,
                    "width": 1 if symbol == "star" else 2,
                },
            },
        )
        for p in points
        if p.number == number
    ]


def _span(span: Span, bounds: Sequence[Constraint], *, log: bool) -> list[float]:
    """Axis range with air on both sides, in the axis' own coordinates; a bound that is near is taken in."""
    low, high = (math.log10(v) for v in span) if log else span
    reach = 0.6 * (high - low)
    for c in bounds:
        if c.bound > 0 or not log:
            at = math.log10(c.bound) if log else c.bound
            low, high = (min(low, at), max(high, at)) if low - reach <= at <= high + reach else (low, high)
    pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - pad, high + pad
    return [max(low, -323.0), min(high, 308.0)] if log else [low, high]  # 10 to more is no number


def _bounds(
    bounds: Sequence[Constraint], axis: str, span: Sequence[float], *, log: bool, end: int = 1
) -> tuple[list[Any], list[Any]]:
    """Lines of the bounds in view with shade over what they exclude, and their labels.

    Labels of vertical lines stand at ``end`` (1: top), on the side that has more room, each in its own row.
    """
    shapes: list[Any] = []
    labels: list[Any] = []
    for c in bounds:
        at = c.bound if not log else math.log10(c.bound) if c.bound > 0 else math.nan
        if not span[0] <= at <= span[1]:
            continue
        other = "y" if axis == "x" else "x"
        place = {f"{other}ref": "paper", f"{other}0": 0, f"{other}1": 1, f"{axis}ref": axis}
        edge = span[1] if c.is_upper else span[0]
        far = 10**edge if log else edge
        shade = {"fillcolor": ORANGE, "opacity": 0.07, "layer": "below", "line": {"width": 0}}
        line = {"line": {"color": ORANGE, "width": 1.5, "dash": "dash"}}
        shapes.append({"type": "rect", **place, f"{axis}0": c.bound, f"{axis}1": far, **shade})
        shapes.append({"type": "line", **place, f"{axis}0": c.bound, f"{axis}1": c.bound, **line})
        label = {"text": plain(c.key, 40), "showarrow": False, "font": {"color": ORANGE, "size": 12}}
        label |= {axis: at, f"{axis}ref": axis, f"{other}ref": "paper"}
        if axis == "x":
            rightwards = at - span[0] < span[1] - at
            label |= {
                "y": end,
                "yanchor": "top" if end else "bottom",
                "xanchor": "left" if rightwards else "right",
            }
            label |= {"xshift": 4 if rightwards else -4, "yshift": 16 * len(labels) * (-1 if end else 1)}
        else:
            label |= {"x": 0, "xanchor": "left", "xshift": 4, "yanchor": "bottom" if c.is_upper else "top"}
        labels.append(label)
    return shapes, labels


def pareto(plot: ParetoPlot) -> Figure:
    """Front, dominated and infeasible trials with the bounds on both axes."""
    traces = _kinds(plot.points)
    if len(plot.front) > 1:
        xs, ys = zip(*plot.front, strict=True)
        step = "hv" if plot.x.direction == "minimize" else "vh"
        line = {"color": BLUE, "width": 1.5, "shape": step}
        traces.append(
            plotly_objects().Scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", showlegend=False)
        )
    traces += special(plot.points, plot.default, "default configuration", "diamond-open", VIOLET)
    traces += special(plot.points, plot.chosen, "chosen", "star", GOLD)
    own_x, own_y = ([c for c in plot.bounds if c.metric == m] for m in (plot.x.metric, plot.y.metric))
    span_x, span_y = _span(plot.view[0], own_x, log=plot.log_x), _span(plot.view[1], own_y, log=plot.log_y)
    shapes, labels = _bounds(own_y, "y", span_y, log=plot.log_y)
    # Where labels of vertical lines are out of the way: of horizontal lines, else of the best trials.
    heights = [label["y"] for label in labels]
    top = plot.y.direction == "minimize"
    if heights:
        top = span_y[1] - max(heights) > min(heights) - span_y[0]
    upright, written = _bounds(own_x, "x", span_x, log=plot.log_x, end=int(top))
    return base_figure(
        traces,
        xaxis=base_axis(_worded(plot.x.metric, plot.x.direction), **scale(span_x, log=plot.log_x)),
        yaxis=base_axis(_worded(plot.y.metric, plot.y.direction), **scale(span_y, log=plot.log_y)),
        shapes=[*shapes, *upright],
        annotations=[*labels, *written],
        height=460,
    )


def _worded(metric: str, direction: str) -> str:
    return f"{metric} ({'more' if direction == 'maximize' else 'less'} is better)"


def scale(span: Sequence[float], *, log: bool) -> dict[str, Any]:
    """Type, range and, on a logarithmic axis, few ticks that read as plain numbers."""
    if not log:
        return {"type": "linear", "range": list(span)}
    leads = (1,) if span[1] - span[0] > 2.2 else (1, 2, 5)
    decades = range(math.floor(span[0]), math.ceil(span[1]) + 1)
    at = [lead * 10.0**k for k in decades for lead in leads if span[0] <= math.log10(lead) + k <= span[1]]
    ticks = {"tickvals": at, "ticktext": [show(v) for v in at]} if len(at) > 1 else {}
    return {"type": "log", "range": list(span), **ticks}


def history(plot: HistoryPlot) -> Figure:
    """Every complete trial, and the best feasible one so far."""
    labels: dict[Kind, str] = {"front": "fits, best so far", "dominated": "fits"}
    traces = _kinds(plot.points, labels)
    if plot.best:
        xs, ys = zip(*plot.best, strict=True)
        line = {"color": BLUE, "width": 2, "shape": "hv"}
        name = "best that fits, so far"
        traces.append(
            plotly_objects().Scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", name=name)
        )
    traces += special(plot.points, plot.chosen, "chosen", "star", GOLD)
    span = _span(plot.view, plot.bounds, log=plot.log)
    shapes, written = _bounds(plot.bounds, "y", span, log=plot.log)
    return base_figure(
        traces,
        xaxis=base_axis("trial"),
        yaxis=base_axis(
            _worded(plot.objective.metric, plot.objective.direction), **scale(span, log=plot.log)
        ),
        shapes=shapes,
        annotations=written,
        height=380,
    )


def curves(plot: CurvesPlot) -> Figure:
    """One line a trial; those stopped early end in a cross."""
    look = {
        "other": ("still running or failed", GREY, 1.0),
        "unknown": ("not known whether it fits", GREY, "circle-open-dot", 8),
        "pruned": ("stopped early", ORANGE, 1.2),
        "complete": ("complete", SKY, 1.2),
        "chosen": ("chosen", GOLD, 3.5),
    }
    seen: set[str] = set()
    traces = []
    for curve in sorted(plot.curves, key=lambda c: list(look).index(c.kind)):
        name, colour, width = look[curve.kind]
        symbols = ["circle"] * (len(curve.steps) - 1) + ["x" if curve.kind == "pruned" else "circle"]
        sizes = [0] * (len(curve.steps) - 1) + [6]
        traces.append(
            plotly_objects().Scatter(
                x=curve.steps,
                y=curve.values,
                mode="lines+markers",
                name=name,
                legendgroup=curve.kind,
                showlegend=curve.kind not in seen,
                text=[hover_html(curve.hover)] * len(curve.steps),
                hovertemplate=plot.step + " %{x}: %{y:.4g}<br>%{text}<extra></extra>",
                line={"color": colour, "width": width},
                marker={"color": colour, "symbol": symbols, "size": sizes},
            )
        )
        seen.add(curve.kind)
    values = [v for c in plot.curves for v in c.values]
    span = _span((min(values), max(values)), (), log=plot.log)
    y = base_axis(plot.metric, **scale(span, log=plot.log))
    return base_figure(traces, xaxis=base_axis(plot.step), yaxis=y, height=420)


def parallel(plot: ParallelPlot) -> Figure:
    """Parallel coordinates; drag along an axis to keep only the trials that pass there."""
    dimensions = []
    for d in plot.dimensions:
        ticks = {
            "tickvals": [at for at, _ in d.ticks],
            "ticktext": [short(text, 12) for _, text in d.ticks],  # here plotly reads no markup
        }
        dimensions.append({"label": plain(d.name, 24), "values": d.values, **(ticks if d.ticks else {})})
    line = {
        "color": plot.colour.values,
        "colorscale": [[0, "#d08a55"], [0.5, "#9b98a6"], [1, BLUE]],  # seen on white and on black
        "reversescale": not plot.better_high,
        "showscale": True,
        "colorbar": {
            "title": {"text": plain(plot.colour.name, 40), "side": "right"},
            "thickness": 12,
            "tickvals": [at for at, _ in plot.colour.ticks],
            "ticktext": [text for _, text in plot.colour.ticks],
        },
    }
    trace = plotly_objects().Parcoords(line=line, dimensions=dimensions, labelangle=-20, labelside="top")
    margin = {"l": 70, "r": 20, "t": 90, "b": 24}
    return base_figure([trace], height=460, margin=margin)
