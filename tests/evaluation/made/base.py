"""Pictures and captions whose truth is known, and rows of them in the shapes that benchmarks share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from tests.evaluation.fakes import png, write

AGAIN = " again"  # a caption and the same caption again get one feature from the models here: an exact tie
BOX = (2, 1, 3, 4)  # x, y, width, height of the region that shows a picture's number
MARK = 77

Name = Callable[[int], str]


def colour_number(image: Image.Image) -> int:
    """The number that `Made.picture` drew; a region that was not cut out shows none."""
    red, green, blue = image.getpixel((0, 0))  # type: ignore[misc]
    if blue != MARK:
        raise ValueError("this picture shows no number: its region was not cut out")
    return int(red + 256 * green)


@dataclass
class Made:
    """A benchmark's files below `root`: `rows` rows a subset, each with a picture of its own up to `pictures` of them.

    `trouble` adds to every subset what real files hold: a copy of a row, a row whose picture is missing, an exact tie,
    a caption far too long. `fits` maps a caption to the numbers of the pictures that it is true of, `second` holds the
    captions that say again what another says. `number` tells a picture's number from its pixels.
    """

    root: Path
    rows: int = 12
    trouble: bool = False
    pictures: int = 1000
    fits: dict[str, set[int]] = field(default_factory=dict)
    second: set[str] = field(default_factory=set)
    number: Callable[[Image.Image], int] = colour_number
    limit: int | None = None
    count: int = 0
    captions: int = 0

    def new(self) -> int:
        self.count += 1
        return self.count

    def picture(self, path: str, number: int, box: tuple[int, int, int, int] | None = None) -> None:
        """Draw `number` at `path` below the root: all over, or only inside `box`."""
        colour = (number % 256, number // 256, MARK)
        image = Image.new("RGB", (8, 8), colour if box is None else (255, 255, 255))
        if box is not None:
            x, y, width, height = box
            image.paste(colour, (x, y, x + width, y + height))
        write(self.root / path, png(image))

    def true(self, *numbers: int) -> str:
        """A new caption that fits these pictures and no other."""
        self.captions += 1
        text = f"a scene told {self.captions} ways"
        self.fits[text] = set(numbers)
        return text

    def false(self) -> str:
        return self.true()

    def long(self, number: int) -> str:
        """A caption of more words than any text tower takes."""
        text = self.true(number)
        self.fits[text + " and more" * 150] = {number}
        return text + " and more" * 150

    def write(self, path: str, data: Any) -> Path:
        return write(self.root / path, data)

    def lines(self, path: str, rows: list[dict[str, Any]]) -> Path:
        return self.write(path, "".join(json.dumps(row) + "\n" for row in rows))

    def table(self, path: str, rows: list[dict[str, Any]]) -> Path:
        """A CSV, or a TSV by its name."""
        import csv
        import io

        out = io.StringIO(newline="")
        tab = path.endswith(".tsv")
        writer = csv.DictWriter(out, list(rows[0]), dialect=csv.excel_tab if tab else csv.excel, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return self.write(path, out.getvalue())


Question = tuple[str, str, list[str]]


def questions(made: Made, folder: str, name: Name, false: int = 1, box: Any = None) -> list[Question]:
    """(image name, true caption, false captions) of one subset."""
    numbers, out = [made.new() for _ in range(min(made.rows, made.pictures))], []
    for number in numbers:
        made.picture(f"{folder}/{name(number)}", number, box)
    for i in range(made.rows):
        number = numbers[i % len(numbers)]
        out.append((name(number), made.true(number), [made.false() for _ in range(false)]))
    if made.trouble:
        image, text, wrong = out[1]
        out.append(out[0])
        out.append((name(made.new()), made.true(made.count), [made.false() for _ in range(false)]))
        out.append((image, text, [*wrong[1:], text + AGAIN]))
        out.append((image, made.long(numbers[1]), wrong))
        out.append((image, text, [made.long(0), *wrong[1:]]))
    return out


Quad = tuple[str, str, str, str]


def quads(made: Made, folder: str, name: Name) -> list[Quad]:
    """(image 0, image 1, caption 0, caption 1) of one subset of two-by-two rows."""
    half = min(made.rows, max(1, made.pictures // 2))
    numbers, out = [(made.new(), made.new()) for _ in range(half)], []
    for number in (n for both in numbers for n in both):
        made.picture(f"{folder}/{name(number)}", number)
    for i in range(made.rows):
        a, b = numbers[i % half]
        out.append((name(a), name(b), made.true(a), made.true(b)))
    if made.trouble:
        first, second, text, other = out[1]
        out.append(out[0])
        out.append((first, name(made.new()), text, made.true(made.count)))
        out.append((first, second, text, text + AGAIN))
        out.append((first, second, made.long(numbers[1][0]), other))
    return out


Pick = tuple[str, list[str]]


def picks(made: Made, folder: str, name: Name, false: int = 1) -> list[Pick]:
    """(caption, image names with the true one first) of one subset."""
    made_sets = max(1, min(made.rows, made.pictures // (1 + false)))
    sets, out = [[made.new() for _ in range(1 + false)] for _ in range(made_sets)], []
    for number in (n for row in sets for n in row):
        made.picture(f"{folder}/{name(number)}", number)
    for i in range(made.rows):
        row = sets[i % made_sets]
        turned = row[i % len(row) :] + row[: i % len(row)]
        out.append((made.true(turned[0]), [name(n) for n in turned]))
    if made.trouble:
        text, images = out[1]
        out.append(out[0])
        out.append((made.true(0), [*images[:-1], name(made.new())]))
        out.append((text, [images[0], *images[1:-1], images[0]]))
        out.append((made.long(0), images))
    return out


def parquet(made: Made, path: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    """A Parquet file with the images in its cells; an image that is not there is an empty cell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def cell(value: Any) -> Any:
        if not isinstance(value, Path):
            return value
        return {"bytes": value.read_bytes(), "path": value.name} if value.is_file() else None

    place = made.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    cells = [[cell(value) for value in column] for column in zip(*rows)]
    pq.write_table(pa.table(dict(zip(columns, cells))), place, row_group_size=5)
