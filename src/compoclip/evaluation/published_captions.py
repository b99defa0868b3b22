"""Retrieval sets in files of their own: captions in other languages (XTD10, Crossmodal-3600), and long ones.

Layouts as their makers give them out: XTD10's repository (a line a caption, in the order of `test_image_names.txt`),
Crossmodal-3600's `captions.jsonl`, DOCCI's `docci_descriptions.jsonlines`, Urban-1k's `caption/NAME.txt`.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.captioned import Known, captions_of
from compoclip.evaluation.tables import read_table

XTD10 = {
    **dict.fromkeys(("en", "es", "it", "ko", "pl", "ru", "tr", "zh"), "XTD10"),
    **dict.fromkeys(("de", "fr"), "MIC"),
    "jp": "STAIR",
}
CROSSMODAL = (
    "ar bn cs da de el en es fa fi fil fr he hi hr hu id it ja ko mi nl no pl pt quz ro ru sv sw te th tr uk vi zh"
)


def _lines(path: Path) -> list[str]:
    """All lines: the place of a caption among them says which image it is of."""
    try:
        return path.read_text("utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from None


def read_xtd10(path: Path) -> dict[str, list[str]]:
    """A caption an image; the images' names stand in the folder XTD10 beside."""
    names, captions = _lines(path.parent.parent / "XTD10" / "test_image_names.txt"), _lines(path)
    if len(names) != len(captions):
        raise InputError(f"{path}: {len(captions)} captions for {len(names)} images; fetch it again")
    rows = enumerate(zip(names, captions), 1)
    return {name.strip(): captions_of(f"{path}: line {number}", text) for number, (name, text) in rows}


@lru_cache(maxsize=1)
def _crossmodal(path: Path, changed: int) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path}: line {number}", row) for number, row in read_table(path)]


def read_crossmodal(language: str, path: Path) -> dict[str, list[str]]:
    """The first caption of each image in a language, as CLIP_benchmark takes it."""
    out = {}
    for where, row in _crossmodal(path, path.stat().st_mtime_ns):
        own = row.get(language)
        listed = own.get("caption") if isinstance(own, dict) else None
        if not isinstance(row.get("image/key"), str) or not isinstance(listed, list) or not listed:
            raise InputError(f"{where} needs image/key, and {language} with a list caption")
        out[f"{row['image/key']}.jpg"] = captions_of(where, listed[0])
    return out


def read_urban(folder: Path) -> dict[str, list[str]]:
    """The first line of each text; the image has its name."""
    files = sorted(folder.glob("*.txt"))
    return {f"{file.stem}.jpg": captions_of(str(file), _lines(file)[0]) for file in files}


_xtd10 = partial(
    Known,
    folders=("xtd10", "Cross-lingual-Test-Dataset-XTD10"),
    images=("xtd10/images", "coco/train2014", "coco/val2014", "train2014", "val2014"),
    read=read_xtd10,
)
_crossmodal3600 = partial(
    Known,
    folders=("crossmodal3600", "xm3600"),
    files=("captions.jsonl",),
    images=("crossmodal3600/images", "xm3600/images"),
)
LANGUAGES = (
    *(_xtd10(f"xtd10/{code}", files=(f"{folder}/test_1kcaptions_{code}.txt",)) for code, folder in XTD10.items()),
    *(_crossmodal3600(f"crossmodal3600/{code}", read=partial(read_crossmodal, code)) for code in CROSSMODAL.split()),
)
LONG = (
    Known("docci", ("docci", "DOCCI"), ("docci_descriptions.jsonlines",), ("docci/images", "DOCCI/images")),
    Known("urban1k", ("Urban1k", "urban1k"), ("caption",), ("Urban1k/image", "urban1k/image"), read_urban),
)
