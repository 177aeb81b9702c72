"""A report in a folder: an index, a page for each kind of plot, and plotly beside them: it opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from satisfice.report import pages
from satisfice.report.all_figures import all_figures
from satisfice.report.context import StudyView
from satisfice.report.figures import plotly_script
from satisfice.results.report_context import ReportContext
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord


def write_report(
    spec: StudySpec, records: Sequence[TrialRecord], context: ReportContext, directory: Path
) -> Path:
    """Write the report of a study.

    Args:
        spec: The study.
        records: All its trials, with ``reports`` for the learning curves.
        context: What the records do not tell.
        directory: Where to; made if missing. Files of an earlier report are replaced, others are left alone.

    Returns:
        The index page.

    Raises:
        MissingExtra: plotly is not installed.
        OSError: The folder cannot be written.
    """
    script = plotly_script()  # before anything is written
    view = StudyView.of(spec, records, context)
    figures = all_figures(view)
    footer = f"Measured on {context.host}." if context.host else ""
    texts = {"plotly.min.js": script}
    for name, (_, heading, group) in pages.PAGES.items():
        if name == "index":
            body = pages.index_body(view, context, figures)
        elif name == "trials":
            body = pages.trials_body(view)
        else:
            sections = "\n".join(pages.figure_section(f) for f in figures if f.group == group)
            body = f"<h1>{heading}</h1>\n{sections}"
        page = pages.render(name, body, study=spec.name, footer=footer, plots='class="plot' in body)
        texts[f"{name}.html"] = page
    _write_all(directory, texts)
    return directory / "index.html"


def _write_all(directory: Path, texts: Mapping[str, str]) -> None:
    """Write every file or none: a disk that runs full leaves an earlier report as it was."""
    directory.mkdir(parents=True, exist_ok=True)
    parts = {directory / f".part-{name}": directory / name for name in texts}
    try:
        for part, path in parts.items():
            part.write_text(texts[path.name], encoding="utf-8")
        for part, path in parts.items():
            part.replace(path)
    except BaseException:
        for part in parts:
            part.unlink(missing_ok=True)
        raise
