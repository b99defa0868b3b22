"""Image-text retrieval over any set of photos with captions: which caption, which image, among all of the set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.sources import Source, open_source
from compoclip.data.sources.opening import TABLE_SUFFIXES, open_input
from compoclip.data.sources.rows import NoSample, NoSplit, Options
from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark, facts_of
from compoclip.evaluation.captioned import Known
from compoclip.evaluation.images import ImageRef, is_image, open_store
from compoclip.evaluation.locations import Finder, find_images, note_absent
from compoclip.evaluation.scoring import Retrieval
from compoclip.evaluation.task import DataMissing, Loaded, TaskOptions, look
from compoclip.progress import say

Samples = list[tuple[ImageRef | None, list[str]]]
KNOWN = [
    Known(name, **dict[str, Any]((key, tuple(value)) for key, value in stated.items()))
    for name, stated in facts_of("retrieval")["captions"].items()
]
PLACES = (".", "retrieval/*", "*", "data/*")


def table_of(folder: Path) -> Path | None:
    return next((folder / f"captions{s}" for s in TABLE_SUFFIXES if (folder / f"captions{s}").is_file()), None)


def open_set(place: Path) -> Source:
    """A user's own set, read as training reads it: rows of its test split where it has one.

    Of a Hugging Face data set without one, the validation split; of anything else, all.
    """
    for split in ("test",) if table_of(place) else ("test", "validation", "val"):
        with contextlib.suppress(NoSplit):
            return open_source(place, split=split)
    return open_source(place)


def read_set(place: Path, request: TaskOptions) -> tuple[Retrieval, str]:
    """One set of a user's own, and what was read of it. Raises DataMissing where none of its images is there."""
    try:
        source = open_set(place)
    except NoSample as error:
        raise DataMissing(str(error)) from None
    for name in source.report.missing_images:
        note_absent(name)
    name = place.name.removeprefix("wds_").removesuffix(".zip")
    samples: Samples = [(sample.image, list(sample.captions)) for sample in source]
    form = _form(name, samples, request)
    form.missing += len(source.report.missing_images)
    return form, str(source.report)


def known_loader(task: str, sets: Sequence[Known]) -> Callable[[TaskOptions], Loaded]:
    """The reader of a task over published sets alone."""

    def load(request: TaskOptions) -> Loaded:
        subsets, _, unread = read_known(task, sets, request)
        if not subsets:
            looked = ", ".join(dict.fromkeys(str(request.root(task) / k.folders[0] / k.files[0]) for k in sets[:12]))
            raise DataMissing(f"{task}: " + ("; ".join(unread[:3]) or f"no captions found; looked for {looked}"))
        return _loaded(subsets, {"unread": unread} if unread else {}, request)

    return load


def read_known(task: str, sets: Iterable[Known], request: TaskOptions) -> tuple[list[Retrieval], list[str], list[str]]:
    """Published sets by their official files, where these are, and why one whose file is there could not be read."""
    root, subsets, places, unread = request.root(task), [], [], []
    for known in sets:
        path = known.find(root)
        if path is None:
            continue
        captions = known.captions(path)
        try:
            find = Finder(find_images(str(path), root, known.images, list(captions)))
        except DataMissing as error:
            unread.append(str(error))
            continue
        subsets.append(_form(known.name, [(find(name), texts) for name, texts in captions.items()], request))
        places.append(str(path))
    return subsets, places, unread


def _form(name: str, samples: Samples, request: TaskOptions) -> Retrieval:
    here = [(image_ref, texts) for image_ref, texts in samples if image_ref is not None]
    kept = list(request.cut(here))
    missing = len(samples) - len(here)
    return Retrieval(name, [p for p, _ in kept], [t for _, t in kept], missing=missing, rule=request.ties or "strict")


def _loaded(subsets: Sequence[Retrieval], found: dict[str, Any], request: TaskOptions) -> Loaded:
    rows = {s.name: len(s.images) + s.missing for s in subsets if request.limit is None}
    return Loaded(list(subsets), found, rows)


def _has_samples(place: Path, root: Path) -> bool:
    """A captions table or tars with captions; in DIR/retrieval, the very place for them, whatever training reads."""
    asked = place.parent == root / "retrieval"
    if not place.is_dir() and not (asked and place.suffix == ".zip"):
        return False
    if table_of(place) is not None:
        return True
    if asked:
        try:
            open_input(place, Options())
        except InputError as error:
            say(f"{place}: no set of captions ({error})")
            return False
        return True
    shards, kind = sorted((place / "test").glob("*.tar")), place / "dataset_type.txt"  # CLIP_benchmark's
    if shards and kind.is_file():
        return kind.read_text("utf-8").strip().lower() == "retrieval"
    if not (shards := shards or sorted(place.glob("*-[0-9]*.tar"))):
        return False
    names = open_store(shards[0]).names()
    suffixes = {PurePosixPath(name).suffix.lower() for name in names}
    return bool(suffixes & {".txt", ".json"}) and not suffixes & {".npy", ".cls"} and any(map(is_image, names))


def load(request: TaskOptions) -> Loaded:
    root = request.root("retrieval")
    subsets: list[Retrieval] = []
    read, absent = {}, []
    for place in look(root, PLACES, lambda place: _has_samples(place, root)):
        try:
            subset, read[str(place)] = read_set(place, request)
        except DataMissing as error:
            absent.append(str(error))
            continue
        say(f"{place}: {read[str(place)]}")
        subsets.append(subset)
    named = {subset.name for subset in subsets}
    known, files, unread = read_known("retrieval", [k for k in KNOWN if k.name not in named], request)
    subsets, absent = subsets + known, absent + unread
    if not subsets:
        looked = ", ".join(str(root / p / "captions.tsv") for p in PLACES)
        raise DataMissing(
            "; ".join(absent)
            or f"retrieval: no captions table (captions.*), webdataset tars, Hugging Face data set or Karpathy split "
            f"found; looked at {looked}, {', '.join(str(root / f) for k in KNOWN for f in k.files[:1])}"
        )
    found = {"sets": [*read, *files]} | ({"read": read} if read else {}) | ({"unread": absent} if absent else {})
    return _loaded(subsets, found, request)


TASK = benchmark("retrieval", load=load)
