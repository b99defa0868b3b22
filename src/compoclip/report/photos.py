"""A user's own photos in the report: of every kind a row that was won and one that was lost, with its image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from compoclip.data.images import open_store
from compoclip.decode import open_image
from compoclip.errors import InputError

Row = dict[str, Any]
Rows = Mapping[tuple[str, int], Row]
MOST = 12  # cards
_ARCHIVE = re.compile(r"^(.*\.(?:tar|zip)):(.*)$", re.IGNORECASE)


def photo_examples(logs: Mapping[str, Rows]) -> list[dict[str, Any]]:
    """Cards as `write_report` takes them, from row logs by method, the base first.

    Of each kind: the first row that the base has wrong and most of the others right, and the first the other way round,
    of photos not shown yet where there are some.
    Photos are read where the log says they lie; a row whose photo is not there any more is left out.
    """
    base, *others = logs.values()
    shared = [k for k in base if others and all(o.get(k, {}).get("captions") == base[k]["captions"] for o in others)]
    out: list[dict[str, Any]] = []
    shown: set[str] = set()
    for kind in dict.fromkeys(kind for kind, _ in shared):
        rows = [key for key in shared if key[0] == kind]
        for word, before in (("won", 0.0), ("lost", 1.0)):
            new = [key for key in rows if str(base[key]["images"][0]) not in shown]
            found = _first(new, base, others, before) or _first(rows, base, others, before)
            if found is None or len(out) >= MOST:
                continue
            row, image = found
            shown.add(str(base[row]["images"][0]))
            choices = {label: float(log[row]["scores"][0] - log[row]["scores"][1]) for label, log in logs.items()}
            true, false = base[row]["captions"]
            card = {"image": image, "caption": true, "negative": false, "choices": choices, "kind": f"{kind}: {word}"}
            out.append(card)
    return out


def _first(
    keys: Sequence[tuple[str, int]], base: Rows, others: Sequence[Rows], before: float
) -> tuple[tuple[str, int], Image.Image] | None:
    for key in keys:
        turned = sum(log[key]["correct"] != before for log in others)
        if base[key]["correct"] == before and 2 * turned > len(others):
            image = read_image(str(base[key]["images"][0]))
            if image is not None:
                return key, image
    return None


def read_image(where: str) -> Image.Image | None:
    """The photo at a path or in an archive (`ARCHIVE:MEMBER`), turned as its EXIF tag says; None where it is gone."""
    try:
        if Path(where).is_file():
            return open_image(where, rotate=True)
        if (archive := _ARCHIVE.match(where)) and Path(archive[1]).is_file():
            found = open_store(archive[1]).exact(archive[2])
            return None if found is None else found.load()
    except (InputError, OSError):
        return None
    return None
