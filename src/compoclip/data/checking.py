"""`data check`.

What is missing from a copy of a named set, or what is in a table, a tar or a folder of somebody's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.catalog import Entry, Expected, entries, entry
from compoclip.data.images import open_store
from compoclip.data.report import Report
from compoclip.data.sources import open_source
from compoclip.data.sources.base import Source
from compoclip.data.tokens import context_length, is_cut
from compoclip.data.unpacked import unfinished
from compoclip.errors import InputError
from compoclip.progress import track

NAMED = 5  # missing files that are named


def check_entry(name: str | Entry, root: str | Path, _above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Which expected files of a named set lie below `root`.

    {name, root, complete, present: [{path, found, wanted}], missing: [...], needs: [{name, complete}], hint}. What is
    missing has `names`, the first few of the files where they are known; an archive that was unpacked in part is a row
    of its own. A folder of photos may also be a `.tar` or `.zip` of that name. Unknown names raise InputError.
    """
    chosen, root = name if isinstance(name, Entry) else entry(name), Path(root)
    rows: list[dict[str, Any]] = [
        {"path": item.path, "found": _count(root, item), "wanted": _wanted(root, item)} for item in chosen.files
    ]
    missing = [row for row in rows if row["found"] < row["wanted"]]
    broken_off = [row for download in chosen.fetch if (row := unfinished(download, root)) is not None]
    for row in missing:
        if names := _names(chosen, root, row["path"]):
            row["names"] = names[:NAMED]
    rows, missing = rows + broken_off, missing + broken_off
    needs = [
        {"name": other, "complete": check_entry(other, root, (*_above, chosen.name))["complete"]}
        for other in chosen.needs
        if other in entries() and other not in _above
    ]
    hint = ""
    if missing:
        way = f"compoclip data get {chosen.name}" if chosen.how == "get" else f"{chosen.gate}; see {chosen.home}"
        hint = f"{len(missing)} of {len(rows)} parts are incomplete: {way}"
    return {
        "name": chosen.name,
        "root": str(root),
        "complete": not missing,
        "present": [row for row in rows if row not in missing],
        "missing": missing,
        "needs": needs,
        "hint": hint,
    }


def _wanted(root: Path, item: Expected) -> int:
    """How many files there should be: the catalogue's number, or what CLIP_benchmark's `nshards.txt` says of tars."""
    told = root / PurePosixPath(item.path).parent / "nshards.txt"
    text = told.read_text("utf-8").strip() if item.path.endswith("/*.tar") and told.is_file() else ""
    return int(text) if text.isascii() and text.isdigit() else item.count


def _names(chosen: Entry, root: Path, pattern: str) -> list[str]:
    """Files of a pattern that are not there, where the catalogue names them one by one."""
    if not any(mark in pattern for mark in "*?["):
        return [pattern]
    listed = [d.to for d in chosen.fetch if d.unpack is None and PurePosixPath(d.to).match(pattern)]
    return [name for name in listed if not (root / name).is_file()]


def _count(root: Path, item: Expected) -> int:
    if not any(mark in item.path for mark in "*?["):
        return int((root / item.path).is_file())
    found = sum(path.is_file() for path in root.glob(item.path)) if root.is_dir() else 0
    if found:
        return found
    folder = PurePosixPath(item.path).parent
    for suffix in (".zip", ".tar"):
        archive = root / folder.with_suffix(suffix) if "*" not in str(folder) else None
        if archive is not None and archive.is_file():
            return _members(archive, PurePosixPath(item.path).name)
    return 0


def _members(archive: Path, pattern: str) -> int:
    try:
        return sum(PurePosixPath(name).match(pattern) for name in open_store(archive, report=Report()).names())
    except InputError:
        return 0


def check_path(
    path: str | Path,
    image_root: str | Path | None = None,
    image_key: str | None = None,
    caption_key: str | None = None,
    split: str | None = None,
    images: int | None = None,
    tokenizer: Any = None,
) -> dict[str, Any]:
    """Open training data and tell what is in it; `images` is how many images to decode (all by default, 0 for none).

    {path, samples, captions, rows, skipped, examples, fingerprint, captions_an_image, words, long_captions,
    repeated_captions, negatives, images: {decoded, broken, examples, width, height}}. Long captions are those that
    `tokenizer` (CLIP's own by default) cuts. Raises InputError as `open_source` does.
    """
    source = open_source(path, image_root, image_key, caption_key, split)
    words: list[int] = []
    texts: Counter[int] = Counter()
    counts: Counter[int] = Counter()
    negatives = without = long = 0
    if tokenizer is None:
        from open_clip.tokenizer import SimpleTokenizer

        tokenizer = SimpleTokenizer()
    for sample in source:
        counts[len(sample.captions)] += 1
        words += [len(caption.split()) for caption in sample.captions]
        long += sum(is_cut(tokenizer, caption) for caption in sample.captions)
        texts.update(hash(caption) for caption in sample.captions)
        for k in range(len(sample.captions)):
            own = len(sample.negatives[k]) if sample.negatives is not None else 0
            negatives, without = negatives + own, without + (own == 0)
    return {
        "path": str(path),
        **source.report.as_dict(),
        "fingerprint": source.fingerprint,
        "captions_an_image": dict(sorted(counts.items())),
        "words": _spread(words),
        "long_captions": long,
        "tokens": context_length(tokenizer),
        "repeated_captions": sum(texts.values()) - len(texts),
        "negatives": {"total": negatives, "captions_without": without} if negatives else None,
        "images": _decode(source, images),
    }


def _decode(source: Source, wanted: int | None) -> dict[str, Any]:
    """Decode `wanted` images spread evenly over the source."""
    count = len(source) if wanted is None else min(wanted, len(source))
    broken: list[str] = []
    widths, heights = [], []
    for k in track(range(count), "decoding"):
        try:
            size = source[k * len(source) // count].image.load().size
        except InputError as error:
            broken.append(str(error))
        else:
            widths.append(size[0])
            heights.append(size[1])
    return {
        "decoded": count,
        "broken": len(broken),
        "examples": broken[:5],
        "width": _spread(widths),
        "height": _spread(heights),
    }


def _spread(values: Sequence[int]) -> dict[str, int] | None:
    if not values:
        return None
    ranked = sorted(values)
    last = len(ranked) - 1
    return {"min": ranked[0], "median": ranked[last // 2], "p95": ranked[round(0.95 * last)], "max": ranked[-1]}


def is_named(target: str) -> bool:
    return target in entries() or target.replace("_", "-") in entries()


def check(target: str, root: str | Path, **options: Any) -> dict[str, Any]:
    """`check_path` where `target` is a path that exists, else `check_entry` of the set of that name."""
    if is_named(target) and not Path(target).exists():
        return check_entry(target, root)
    if Path(target).exists() or any(mark in target for mark in "*{:/."):
        return check_path(target, **options)
    return check_entry(target, root)
