"""What people look at: a table for the terminal and a self-contained page, from results of `evaluate`."""

from compoclip.report.gains import gains_table
from compoclip.report.page import write_report
from compoclip.report.pool import load_results
from compoclip.report.terminal import table

__all__ = ["gains_table", "load_results", "table", "write_report"]
