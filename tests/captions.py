"""What a build reads, in memory."""

from __future__ import annotations

from typing import Any

from compoclip.data.report import Report
from compoclip.negatives.caption_db import Caption, CaptionDB
from compoclip.negatives.captions import caption_rows, left_out


def read_captions(inputs: Any, **options: str | None) -> tuple[list[Caption], dict[str, int]]:
    """All captions of one or more files, and how many rows were left out and why; options of `caption_rows`."""
    report = Report()
    with CaptionDB() as table:
        table.fill(caption_rows(inputs, report, **options))
        return table.part(0, len(table)), left_out(report)
