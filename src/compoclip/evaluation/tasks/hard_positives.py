"""Hard positives (Kamath et al. 2024): does a model that tells true captions from false ones know a paraphrase?

Seen in the project's files: the three tables in `data/` (caption and hard negative) and `swapped_data/` (hard positive
and hard negative), row by row of the same image; the comparisons of its evaluation script, strict, both captions of a
row judged against the negative of `swapped_data/`; the names of its three figures (original and augmented test
accuracy, brittleness); that REPLACE is the mean of attributes and relations. Not seen: the paper's formula of
brittleness. It is taken here as the share of rows whose negative lies strictly between the two true captions, which is
what the script counts by two of its outcomes. The mean of SWAP and REPLACE in one figure is ours.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark, facts_of
from compoclip.evaluation.locations import box, rows_of, texts
from compoclip.evaluation.questions import Question, Row


def _name(path: str) -> str:
    """The image's name, with its Visual Genome folder where it has one: `VG_100K_2/1.jpg` of `data/VG_100K_2/1.jpg`."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return "/".join(parts[-2:]) if len(parts) > 1 and parts[-2].startswith("VG_100K") else parts[-1]


def rows(path: Path) -> list[tuple[str, Row]]:
    """The rows of a table of `data`, each with its counterpart of `swapped_data`, which goes row by row."""
    other = path.parent.parent / "swapped_data" / path.name
    if not other.is_file() or not path.is_file():
        there, gone = (path, other) if path.is_file() else (other, path)
        raise InputError(f"{there}: its counterpart {gone.parent.name}/{gone.name} is not there; each row needs both")
    first, second = rows_of(path), rows_of(other)
    if len(first) != len(second):
        raise InputError(f"{other}: {len(second)} rows for the {len(first)} of {path}; they must go row by row")
    return [(where, {"first": row, "second": (place, pair)}) for (where, row), (place, pair) in zip(first, second)]


def ask(where: str, row: Row) -> tuple[str, Question]:
    """(caption, hard positive, its negative, the original negative) of an image or a region of it."""
    first, (place, second) = row["first"], row["second"]
    image, caption, negative = texts(where, first, "image_path", "true_caption", "false_caption")
    image2, positive, negative2 = texts(place, second, "image_path", "true_caption", "false_caption")
    if _name(image) != _name(image2):
        table, _, number = place.rpartition(": ")
        raise InputError(f"{table}: {number} is of image {image2}, but {where.rpartition(': ')[0]} has {image} there")
    corner = box(where, first, "bbox_x", "bbox_y", "bbox_w", "bbox_h") if "bbox_x" in first else None
    return "", Question([_name(image)], (caption, positive, negative2, negative), corner)


def tables(root: Path) -> dict[str, list[Path]]:
    """The tables of `data`, also where only their counterparts are there (`rows` says which is missing)."""
    base = root / "hard_positives"
    there = {name: base / name for name in facts_of("hard_positives")["reads"]["files"]}
    return {n: [p] for n, p in there.items() if p.is_file() or (base / "swapped_data" / p.name).is_file()}


TASK = benchmark("hard_positives", ask=ask, rows=rows, find=tables)
