"""Every figure of a study drawn with plotly, by name, for the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from satisfice.report import figures
from satisfice.report import response_figures as drawn
from satisfice.report.computed import Computed, ExactMetrics
from satisfice.report.context import Absent, StudyView
from satisfice.report.importance import Importances, feasibility_importances, importances, trust
from satisfice.report.parallel import parallel_plot
from satisfice.report.plot_data import curves_plots, history_plots, pareto_plots
from satisfice.report.slices import slices_of
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


def response_figures(view: StudyView, exact: ExactMetrics | None = None) -> list[Titled]:
    """Importances, then surfaces: one of each for each objective and each constrained metric.

    Args:
        view: The study.
        exact: What can be computed of a configuration; None: nothing can be here.
    """
    computed = None if exact is None else Computed(exact, view.space)
    ranked = {metric: importances(view, metric, computed) for metric in view.metric_names}
    bars = [_bars(f"What drives {metric}", found) for metric, found in ranked.items()]
    if view.constraints:
        bars.append(_bars("What decides whether a trial fits", feasibility_importances(view)))
    slices = slices_of(view, computed, ranked)
    maps = [_absent("contours", absent) for absent in slices.absent]
    for found in slices.surfaces:
        x, y = (slices.axes[i].parameter.name for i in slices.pairs[0])
        caption = f"{found.says} {slices.held}"
        figure = drawn.surface(found, slices, view)
        maps.append(
            Titled(group="contours", title=f"{found.metric} over {x} and {y}", caption=caption, figure=figure)
        )
    return [*bars, *maps]


def _bars(title: str, found: Importances | Absent) -> Titled:
    if isinstance(found, Absent):
        return _absent("importances", found)
    return Titled(group="importances", title=title, caption=trust(found), figure=drawn.importance(found))


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
