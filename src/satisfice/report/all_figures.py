"""Every figure of a study, by name: the same for the report's pages and for the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from satisfice.report import figures
from satisfice.report import response_figures as drawn
from satisfice.report.context import Absent, StudyView
from satisfice.report.parallel import parallel_plot
from satisfice.report.plot_data import curves_plots, history_plots, pareto_plots
from satisfice.report.response import Importances, importances, surface
from satisfice.results.report_context import ReportContext
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord

Group = Literal["pareto", "history", "importances", "contours", "parallel", "curves"]


@dataclass(frozen=True, kw_only=True)
class Titled:
    """A figure with its heading, or the sentence that stands in its place."""

    group: Group
    title: str
    caption: str  # how to read it, or why there is nothing to read
    figure: figures.Figure | None


def all_figures(view: StudyView) -> list[Titled]:
    """Every figure of the study, in reading order.

    Raises:
        MissingExtra: plotly is not installed.
    """
    return [
        *pareto_figures(view),
        *history_figures(view),
        *response_figures(view),
        *_parallel(view),
        *_curves(view),
    ]


def figures_of(
    spec: StudySpec, records: Sequence[TrialRecord], context: ReportContext
) -> dict[str, figures.Figure]:
    """Every figure that can be drawn, by its title.

    Args:
        spec: The study.
        records: All its trials, with their reports.
        context: What the records do not tell.

    Raises:
        MissingExtra: plotly is not installed.
    """
    drawable = all_figures(StudyView.of(spec, records, context))
    return {each.title: each.figure for each in drawable if each.figure is not None}


def pareto_figures(view: StudyView) -> list[Titled]:
    """One for each pair of objectives."""
    caption = (
        "Each point is a finished trial. The line is the front: what fits and is not beaten on both axes. "
        "The shaded side of a dashed line does not fit."
    ) + _averaged(view)
    out = []
    for plot in pareto_plots(view):
        if isinstance(plot, Absent):
            out.append(_absent("pareto", plot))
        else:
            title = f"{plot.y.metric} against {plot.x.metric}"
            text = caption + _outside(plot.outside)
            out.append(Titled(group="pareto", title=title, caption=text, figure=figures.pareto(plot)))
    return out


def _averaged(view: StudyView) -> str:
    several = any(r.replicate_of is not None for r in view.complete)
    return " What was trained with several seeds is one point, at its mean." if several else ""


def _outside(n: int) -> str:
    if not n:
        return ""
    trials = "One trial lies" if n == 1 else f"{n:,} trials lie"
    return f" {trials} outside this view; double-click to see all."


def history_figures(view: StudyView) -> list[Titled]:
    """One for each objective."""
    out = []
    for plot in history_plots(view):
        if isinstance(plot, Absent):
            out.append(_absent("history", plot))
        else:
            title = f"{plot.objective.metric} over the trials"
            caption = "" if plot.best else "No trial fits yet, so there is no best so far."
            caption = (caption + _averaged(view) + _outside(plot.outside)).strip()
            out.append(Titled(group="history", title=title, caption=caption, figure=figures.history(plot)))
    return out


def response_figures(view: StudyView) -> list[Titled]:
    """Importances, then surfaces: one of each for each objective and each constrained metric."""
    ranked = [(metric, importances(view, metric)) for metric in view.metric_names]
    bars, maps = [], []
    for metric, importance in ranked:
        if isinstance(importance, Absent):
            bars.append(_absent("importances", importance))
        else:
            caption = f"From {importance.n_trials} trials. " + _trust(importance.explained)
            title = f"What drives {metric}"
            figure = drawn.importance(importance)
            bars.append(Titled(group="importances", title=title, caption=caption, figure=figure))
        plot = surface(view, metric, importance)
        if isinstance(plot, Absent):
            maps.append(_absent("contours", plot))
        else:
            title = f"{metric} over {plot.x.name} and {plot.y.name}"
            caption = "Colour is a smooth estimate; what the other parameters do is averaged over."
            if isinstance(importance, Importances) and importance.explained <= 0:
                caption = f"The parameters tell nothing about {metric} here: read this as noise."
            if plot.bounds and not (plot.x.choices or plot.y.choices):
                caption += " A dashed line is the estimated edge of a constraint, where one runs through."
            maps.append(Titled(group="contours", title=title, caption=caption, figure=drawn.surface(plot)))
    return [*bars, *maps]


def _trust(explained: float) -> str:
    share = f"{explained:.0%}"
    if explained <= 0:
        return "The parameters predict trials held out no better than the mean does: read this as noise."
    if explained < 0.3:
        return f"The parameters explain only {share} of the spread on trials held out: the order is a guess."
    return f"The parameters explain {share} of the spread on trials held out."


def _parallel(view: StudyView) -> list[Titled]:
    plot = parallel_plot(view)
    if isinstance(plot, Absent):
        return [_absent("parallel", plot)]
    caption = "One line a complete trial. Drag along an axis to keep only the trials that pass there."
    return [
        Titled(group="parallel", title="Parallel coordinates", caption=caption, figure=figures.parallel(plot))
    ]


def _curves(view: StudyView) -> list[Titled]:
    out = []
    for plot in curves_plots(view):
        if isinstance(plot, Absent):
            out.append(_absent("curves", plot))
        else:
            trials = "One earlier trial is" if plot.left_out == 1 else f"{plot.left_out} earlier trials are"
            caption = f"{trials} not drawn." if plot.left_out else ""
            title = f"{plot.metric} while training"
            out.append(Titled(group="curves", title=title, caption=caption, figure=figures.curves(plot)))
    return out


def _absent(group: Group, absent: Absent) -> Titled:
    return Titled(group=group, title=absent.title, caption=absent.sentence, figure=None)
