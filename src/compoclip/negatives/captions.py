"""Caption files in, one caption at a time: everything that training reads, and plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compoclip.data.report import Report
from compoclip.data.sources.opening import open_input
from compoclip.data.sources.rows import Input, Options, Reading
from compoclip.data.sources.shards import expand, is_pattern
from compoclip.errors import InputError
from compoclip.negatives.caption_db import Caption, CaptionDB

Inputs = str | Path | Sequence[str | Path]


def read_captions(
    inputs: Inputs, caption_key: str | None = None, split: str | None = None, image_key: str | None = None
) -> tuple[list[Caption], dict[str, int]]:
    """All captions of one or more files, for sets that fit in memory, and how many rows were left out and why.

    Raises what `caption_rows` raises.
    """
    report = Report()
    with CaptionDB() as table:
        table.fill(caption_rows(inputs, report, caption_key, split, image_key))
        return table.part(0, len(table)), left_out(report)


def caption_rows(
    inputs: Inputs,
    report: Report,
    caption_key: str | None = None,
    split: str | None = None,
    image_key: str | None = None,
) -> Iterator[tuple[str, str, str]]:
    """(id or "", caption, image or "") of every caption in the files, in order; `report` counts what is left out.

    Ids, images and captions are those that training finds in the same files. Files are read as they go, but a JSON file
    is read whole. Raises InputError for a missing file, an unknown form, a file without a caption column, one without
    captions, and one of which more than half of the rows cannot be used.
    """
    reading = Reading(Options(image_key=image_key, caption_key=caption_key, split=split), report, images=False)
    names = _names(inputs)
    for opened in _opened(names, reading.options):
        for record in opened.records(reading):
            image = reading.spelt(record.name) if record.name else ""
            for caption_id, text in zip(record.ids, record.captions):
                report.captions += 1
                yield caption_id, text, image
    if not report.captions:
        why = report.why or "the file has no rows"
        raise InputError(f"{', '.join(names[:5])}: no captions ({why})")
    report.check(names[0])


def left_out(report: Report) -> dict[str, int]:
    """Rows that gave no caption, by reason."""
    other = {"other split": report.other_splits} if report.other_splits else {}
    return {**report.skipped, **other}


def _names(inputs: Inputs) -> list[str]:
    return [str(name) for name in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]


def _opened(names: Sequence[str], options: Options) -> Iterator[Input]:
    """Several tars are one data set, as training has them; other files are read one after the other."""
    if len(names) > 1 and _all_tars(names):
        names = ["::".join(names)]
    for name in names:
        yield open_input(name, options, images=False)


def _all_tars(names: Sequence[str]) -> bool:
    """Are the inputs webdataset tars? Raises InputError where some are and some are not."""
    others = [name for name in names if not name.lower().endswith(".tar")]
    if others and len(others) < len(names):
        raise InputError(f"{others[0]}: tars and other files do not go together; build them into two folders")
    return not others


def tars_of(inputs: Inputs) -> list[Path]:
    """The tars that names, patterns and folders stand for. Raises InputError for other files and for missing tars."""
    found: list[Path] = []
    names = _names(inputs)
    _all_tars([name for name in names if not Path(name).is_dir()])
    for name in names:
        path = Path(name).expanduser()
        tars = sorted(path.glob("*.tar")) if path.is_dir() else expand(name) if is_pattern(name) else [path]
        if not tars or any(tar.suffix.lower() != ".tar" for tar in tars):
            raise InputError(f"{name}: --into-tars copies webdataset tars; for other files leave it out")
        found += tars
    return found
