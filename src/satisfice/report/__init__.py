"""Reports and plots of a study. Reading goes one way: records to plot data to figures to pages."""

from satisfice.report.all_figures import figures_of
from satisfice.report.write import write_report
from satisfice.results.report_context import ReportContext

__all__ = ["ReportContext", "figures_of", "write_report"]
