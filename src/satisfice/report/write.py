"""A report in a folder: one page, which opens offline and can be mailed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from satisfice.report.computed import ExactMetrics
from satisfice.report.context import StudyView
from satisfice.report.estimates import ModelSource
from satisfice.report.page import page_bytes
from satisfice.results.report_context import ReportContext
from satisfice.spec.influences import ReadInfluences
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord


def write_report(
    spec: StudySpec,
    records: Sequence[TrialRecord],
    context: ReportContext,
    directory: Path,
    exact: ExactMetrics | None = None,
    models: ModelSource | None = None,
    influences: ReadInfluences | None = None,
    whole: StudySpec | None = None,
) -> Path:
    """Write the report of a study.

    Args:
        spec: The study.
        records: All its trials, with ``reports`` for the learning curves.
        context: What the records do not tell.
        directory: Where to; made if missing. An earlier page is replaced whole or not at all, other files are
            left alone.
        exact: Metrics of a configuration that are computed and not measured; None: nothing can be here.
        models: The search's models of metrics that training decides; None: made from finished trials.
        influences: Reads the influence values of trials by number; None: there are none.
        whole: The study with its profiles, where ``spec`` is what one of them sees; None: the same.

    Returns:
        The page.

    Raises:
        OSError: The folder cannot be written.
    """
    view = StudyView.of(spec, records, context, influences, whole)
    page = page_bytes(spec.name, view, context, exact=exact, models=models)
    directory.mkdir(parents=True, exist_ok=True)
    part, path = directory / ".part-index.html", directory / "index.html"
    try:
        part.write_bytes(page)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path
