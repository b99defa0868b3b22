"""The reader and the average that zero-shot tasks over the sets of published tables share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation.known_sets import FOLDERS, aligned, find, folder_names, known
from compoclip.evaluation.labelled import LabelledImages
from compoclip.evaluation.scoring import Subset, ZeroShot
from compoclip.evaluation.task import DataMissing, Loaded, TaskOptions

SIDE = 224  # pixels of the square that a set is pressed to where ELEVATER does not crop it


def read_known(
    root: Path, name: str, request: TaskOptions, metric: str | None = None
) -> tuple[Subset, dict[str, Any]] | None:
    """The test images of a set as a form, and what was found; None where its data is not there.

    `metric` takes the place of the set's own. Raises InputError where labels cannot be matched to its classes.
    """
    found = find(root, name)
    if found is None:
        return None
    folder, data = found
    which = known(name)
    if not which.classes:  # the data says them: CLIP_benchmark's classnames.txt, ObjectNet's own tables
        if not data.names:
            raise InputError(f"{folder}: its class names are needed; put classnames.txt there, a line a class in order")
        which = replace(which, classes=list(data.names))
    metric = metric or which.metric
    whole = len(data.images)
    data = data.spread(request.limit)
    labels, how = aligned(which, data, folder)
    if which.resize == "whole":
        data = replace(data, images=[p.whole(SIDE) for p in data.images])
    if data.several != metric.startswith("map11"):
        metric = "map11" if data.several else "accuracy"
    facts = {"place": data.where, "layout": data.layout, "labels": how, "images": whole, "published images": which.test}
    return recognition(which.name, data, labels, which.classes, which.templates, metric, request), facts


def recognition(
    name: str,
    data: LabelledImages,
    labels: NDArray[Any],
    classes: Sequence[str],
    templates: Sequence[str],
    metric: str,
    request: TaskOptions,
    namesakes: bool = True,
) -> Subset:
    """Labelled images as a form: of one class each, or of several."""
    same, rule = namesakes and len(set(classes)) < len(classes), request.ties or "strict"
    return ZeroShot(name, data.images, labels, classes, templates, metric, data.missing, rule, namesakes=same)


def loader(task: str, names: Sequence[str], metric: str | None = None) -> Callable[[TaskOptions], Loaded]:
    """A task's reader over known sets; `metric` in place of each set's own.

    A folder that only shares its name with a set (a raw copy of KITTI, say) is told and passed over; what lies in
    `elevater` is meant, and a fault in it is raised.
    """

    def load(request: TaskOptions) -> Loaded:
        root = request.root(task)
        subsets, facts, unread = [], {}, {}
        for name in names:
            try:
                read = read_known(root, name, request, metric)
            except InputError as error:
                if any((root / "elevater" / folder).is_dir() for folder in folder_names(name)):
                    raise
                unread[name] = str(error)
                continue
            if read is not None:
                subsets.append(read[0])
                facts[name] = read[1]
        if not subsets:
            looked = ", ".join(str(root / base / names[0]) for base in FOLDERS)
            absent = (
                f"{task}: none of its sets found ({', '.join(names[:3])}{' …' if len(names) > 3 else ''}); "
                f"looked in {looked} and under their other names"
            )
            raise DataMissing("; ".join(unread.values()) or absent)
        other = [n for n, f in facts.items() if f["images"] != f["published images"]]
        rows = {name: int(f["images"]) for name, f in facts.items()}
        return Loaded(subsets, {"sets": facts, "not read": unread, "other sizes": other}, rows)

    return load


LAYOUTS = "class folders, CLIP_benchmark's tars (SPLIT/0.tar, classnames.txt) or a Hugging Face table"
