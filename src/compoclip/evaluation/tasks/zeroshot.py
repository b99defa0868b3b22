"""Zero-shot classification over any set of images sorted by class: what the model knew before, and still knows."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation.forms import ZeroShot
from compoclip.evaluation.pictures import FolderStore, Store, beside, is_image, open_store
from compoclip.evaluation.tables import read_lines
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, look
from compoclip.evaluation.tasks.retrieval import table_of

PLACES = ("zeroshot/*", ".", "*", "data/*")
DEFAULT_TEMPLATES = ["a photo of a {}."]


def by_class(store: Store) -> dict[str, list[str]]:
    """Image names by the folder they lie in, both sorted; {} where an image lies in no class folder."""
    found: dict[str, list[str]] = {}
    for name in store.names():
        if not is_image(name):
            continue
        parts = PurePosixPath(name).parts
        if len(parts) < 2:
            return {}
        found.setdefault(parts[-2], []).append(name)
    return {label: sorted(found[label]) for label in sorted(found)}


def read_class_names(path: Path, folders: list[str]) -> list[str]:
    """Names in the order of the sorted folders, or lines `folder<TAB>name`. Raises InputError where they do not fit."""
    lines = read_lines(path)
    if all("\t" in line for line in lines):
        names = dict(line.split("\t", 1) for line in lines)
        absent = [f for f in folders if f not in names]
        if absent:
            raise InputError(f"{path}: no line for class folder {absent[0]!r}; add {absent[0]}<TAB>its name")
        return [names[f].strip() for f in folders]
    if len(lines) != len(folders):
        raise InputError(
            f"{path}: {len(lines)} names for {len(folders)} class folders; give one line a folder in sorted order, "
            "or lines folder<TAB>name"
        )
    return [line.strip() for line in lines]


def read_templates(path: Path) -> list[str]:
    templates = [line.strip().replace("{c}", "{}") for line in read_lines(path)]
    for number, template in enumerate(templates, 1):
        if template.count("{}") != 1:
            raise InputError(f"{path}: template {number} ({template!r}) must hold {{}} once, where the class name goes")
    if not templates:
        raise InputError(f"{path}: no template; write lines such as 'a photo of a {{}}.'")
    return templates


def images_of(folder: Path) -> Store | None:
    place = beside(folder / "images")
    if place is not None:
        return open_store(place)
    archives = [p for p in sorted(folder.iterdir()) if p.suffix in (".tar", ".zip")]
    if len(archives) == 1:
        return open_store(archives[0])
    return FolderStore(folder) if not archives else None


def read_set(folder: Path, request: Request) -> ZeroShot:
    store = images_of(folder)
    classes = by_class(store) if store is not None else {}
    if store is None or len(classes) < 2:
        raise DataMissing(f"{folder}: needs images in two or more class folders (CLASS/FILE), or a tar of them")
    folders = list(classes)
    names_file, templates_file, metric_file = (folder / f"{n}.txt" for n in ("classnames", "templates", "metric"))
    names = read_class_names(names_file, folders) if names_file.is_file() else [f.replace("_", " ") for f in folders]
    templates = read_templates(templates_file) if templates_file.is_file() else DEFAULT_TEMPLATES
    metric = read_lines(metric_file)[0].strip() if metric_file.is_file() else "accuracy"
    rows = [(name, label) for label, f in enumerate(folders) for name in classes[f]]
    if request.limit is not None and request.limit < len(rows):  # spread over the classes, not the first class alone
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, request.limit).round().astype(int)]
    pictures = [store.get(name) for name, _ in rows]
    return ZeroShot(
        folder.name,
        images=[p for p in pictures if p is not None],
        labels=np.array([label for _, label in rows], dtype=np.int64),
        class_names=names,
        templates=templates,
        metric=metric,
        rule=request.ties or "strict",
    )


def _qualifies(folder: Path, asked: bool) -> bool:
    """DIR/zeroshot/NAME always; elsewhere only what cannot be taken for anything else."""
    if not folder.is_dir():
        return False
    if asked:
        return True
    if table_of(folder) is not None:
        return False
    if (folder / "classnames.txt").is_file():
        return True
    place = beside(folder / "images")
    return place is not None and len(by_class(open_store(place))) >= 2


def find_sets(root: Path) -> list[Path]:
    found: dict[str, Path] = {}
    for folder in look(root, PLACES):
        asked = folder.parent.name == "zeroshot" and folder.parent.parent == root
        if folder.name not in found and folder.name != "zeroshot" and _qualifies(folder, asked):
            found[folder.name] = folder
    return list(found.values())


def load(request: Request) -> Loaded:
    root = request.root("zeroshot")
    folders = find_sets(root)
    if not folders:
        looked = ", ".join(str(root / p) for p in PLACES)
        raise DataMissing(f"zeroshot: no images sorted by class found; looked for CLASS/FILE or images.tar in {looked}")
    return Loaded([read_set(f, request) for f in folders], {"sets": [str(f) for f in folders]})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    return {"mean of sets": Average(dict.fromkeys(counts, 1.0))}


TASK = Task(
    name="zeroshot",
    title="Zero-shot classification: the class whose name fits the image best",
    source="your own data: images sorted into class folders, or a tar or zip of them",
    licence="that of your data",
    size="any",
    chance="100 / classes",
    rule="template-averaged text classifier; accuracy (or mean_per_class, roc_auc named in metric.txt); mean of sets",
    citation="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
    version="1",
    needs="DIR/zeroshot/NAME/CLASS/FILE or images.tar; classnames.txt and templates.txt beside are optional",
    load=load,
    averages=averages,
)
