"""Reports and plots of a study. Reading goes one way: records to plot data to figures to pages."""

from satisfice.report.context import ReportContext
from satisfice.report.write import write_report

__all__ = ["ReportContext", "write_report"]
