"""Published rows again: what has to be had, done and measured for one, and whether it comes out."""

from compoclip.reproduce.rows import PublishedRow, find, rows
from compoclip.reproduce.run import reproduce

__all__ = ["PublishedRow", "find", "reproduce", "rows"]
