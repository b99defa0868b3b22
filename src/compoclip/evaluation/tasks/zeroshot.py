"""Zero-shot classification over any set of labelled images: what the model knew before, and still knows."""

from __future__ import annotations

from pathlib import Path

from compoclip.data.images.names import is_other_image, walk
from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.images import beside, open_store
from compoclip.evaluation.known_sets import name_of
from compoclip.evaluation.known_tasks import recognition
from compoclip.evaluation.labelled import TEMPLATES, LabelledImages, by_class, own_metric, read_labelled, read_templates
from compoclip.evaluation.scoring import Subset
from compoclip.evaluation.tables import read_lines
from compoclip.evaluation.task import DataMissing, Loaded, TaskOptions, look
from compoclip.evaluation.tasks.retrieval import table_of
from compoclip.progress import say

PLACES = ("zeroshot/*", ".", "*", "data/*")
DEFAULT_TEMPLATES = ["a photo of a {}."]


def class_names(folder: Path, data: LabelledImages) -> list[str]:
    """What the classes are called in prompts: `classnames.txt`, else the data's own names with spaces.

    The file has a name a line in the order of the classes (of the sorted folders), or lines `folder<TAB>name`. Raises
    InputError where they do not fit.
    """
    path, folders = folder / "classnames.txt", list(data.names or [])
    if not path.is_file():
        if data.names is None:
            raise InputError(
                f"{folder}: its labels are bare numbers; put classnames.txt there, a line a class in their order"
            )
        return [name.replace("_", " ") for name in folders]
    lines = read_lines(path)
    if data.ordered:
        return lines
    if all("\t" in line for line in lines):
        names = dict(line.split("\t", 1) for line in lines)
        if absent := [f for f in folders if f not in names]:
            raise InputError(f"{path}: no line for class folder {absent[0]!r}; add {absent[0]}<TAB>its name")
        if superfluous := [f for f in names if f not in folders]:
            say(f"{path}: {len(superfluous)} classes are left out, as no image is there (first: {superfluous[0]})")
        return [names[f].strip() for f in folders]
    if len(lines) != len(folders):
        raise InputError(
            f"{path}: {len(lines)} names for {len(folders)} class folders; give one line a folder in sorted order, "
            "or lines folder<TAB>name"
        )
    return lines


def read_set(folder: Path, request: TaskOptions) -> Subset:
    data = read_labelled(folder)
    if data is None:
        raise DataMissing(f"{folder}: needs images in two or more class folders (CLASS/FILE), or a tar of them")
    others = [name for name in walk(folder) if is_other_image(name)]
    if others:
        say(f"{folder}: {len(others)} images of a format that is not read (first: {others[0]}); save them as PNG")
    names = class_names(folder, data)
    files = [path for path in (folder / "templates.txt", folder / TEMPLATES) if path.is_file()]
    templates = read_templates(files[0]) if files else DEFAULT_TEMPLATES
    metric = own_metric(folder, "map11" if data.several else "accuracy")
    data = data.turned().spread(request.limit)  # over the classes, not the first class alone
    return recognition(folder.name, data, data.labels, names, templates, metric, request, namesakes=False)


def _qualifies(folder: Path, root: Path) -> bool:
    """DIR/zeroshot/NAME always; elsewhere only what cannot be taken for anything else."""
    if not folder.is_dir() or folder.name == "zeroshot":
        return False
    if folder.parent == root / "zeroshot":
        return True
    if table_of(folder) is not None or (folder.parent in (root, root / "data") and name_of(folder.name)):
        return False  # captions are for retrieval, and sets of published tables for the task elevater
    if (folder / "classnames.txt").is_file():
        return True
    place = beside(folder / "images")
    return place is not None and len(by_class(open_store(place))) >= 2


def load(request: TaskOptions) -> Loaded:
    root = request.root("zeroshot")
    folders = look(root, PLACES, lambda folder: _qualifies(folder, root))
    if not folders:
        looked = ", ".join(str(root / p) for p in PLACES)
        raise DataMissing(f"zeroshot: no images sorted by class found; looked for CLASS/FILE or images.tar in {looked}")
    subsets = []
    for folder in folders:
        subsets.append(read_set(folder, request))
        say(f"{folder}: {len(subsets[-1].image_refs())} images; {subsets[-1].missing} images missing")
    return Loaded(subsets, {"sets": [str(f) for f in folders]})


TASK = benchmark("zeroshot", load=load)
