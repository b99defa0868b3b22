"""What people look at: a table for the terminal and a self-contained page, from results of `evaluate`."""

from compoclip.report.page import write_report
from compoclip.report.pool import load_results
from compoclip.report.terminal import table

__all__ = ["load_results", "table", "write_report"]
