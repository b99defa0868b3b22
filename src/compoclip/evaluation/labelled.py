"""Images with a label each, read from what people have: class folders, CLIP_benchmark's tars, Hugging Face tables, and
trees of their makers.

What the labels are called is left to the caller: `zeroshot` takes the data's own names, `known_sets` published ones.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.data.columnar import ColumnarTable, split_files
from compoclip.data.sources.columns import SPLIT_NAMES
from compoclip.errors import InputError
from compoclip.evaluation.images import ImageRef, Store, beside, is_image, open_store
from compoclip.evaluation.own_layouts import OWN_LAYOUTS
from compoclip.evaluation.tables import read_lines

SPLITS = {"test": ("test", "val", "validation"), "train": ("train", "training"), "val": ("val", "validation")}
IMAGE_COLUMNS = ("image", "img", "webp", "jpg", "png", "jpeg")
LABEL_COLUMNS = ("label", "labels", "fine_label", "cls", "class", "target", "classes")
TEMPLATES = "zeroshot_classification_templates.txt"


@dataclass(frozen=True)
class LabelledImages:
    """`labels` (N,) are places in `names`, or (N, C) bool where an image may have several; `names` is None where the
    data has bare numbers. `ordered` says that place i of `names` is label i of the data, not a place after sorting.
    `split` is what the split is called there, "" where the images lie under none."""

    images: list[ImageRef]
    labels: NDArray[Any]
    names: list[str] | None
    ordered: bool
    layout: str
    where: str
    templates: list[str] | None = None
    missing: int = 0
    split: str = ""

    @property
    def several(self) -> bool:
        return self.labels.ndim == 2

    def take(self, rows: Sequence[int]) -> LabelledImages:
        return replace(self, images=[self.images[i] for i in rows], labels=self.labels[list(rows)])

    def turned(self) -> LabelledImages:
        """The photos as their EXIF orientation says: for a user's own."""
        return replace(self, images=[image_ref.turned(True) for image_ref in self.images])

    def spread(self, limit: int | None) -> LabelledImages:
        """At most `limit` rows, spread over the whole set, so that sorted classes are all met."""
        if limit is None or limit >= len(self.images):
            return self
        rows = np.linspace(0, len(self.images) - 1, limit).round().astype(int)
        return self.take(rows.tolist())


def read_labelled(folder: Path, split: str = "test", splits: Sequence[str] | None = None) -> LabelledImages | None:
    """The images of a split below `folder`, or None where there are none in any layout.

    `split` is test, train or val; the usual other names of it are tried too (`splits` says which). Class folders
    without a split above them count as test. Raises InputError for data that is there and broken.
    """
    for layout, read in OWN_LAYOUTS.items():
        if (own := read(folder, split)) is not None:
            return _made(*own, str(folder), layout, split=split)
    names = SPLITS[split] if splits is None else splits
    for name in names:
        found = read_shards(folder, name) or read_columnar(folder, name)
        if found is None and (place := beside(folder / name)) is not None:
            found = read_class_folders(open_store(place))
        if found is not None:
            return replace(found, split=name)
    if split != "test" or any(_holds_a_split(folder / name) for names in SPLITS.values() for name in names):
        return None
    return read_class_folders(_whole(folder))


def _holds_a_split(folder: Path) -> bool:
    """Class folders or files of a table, not images: `train` is a class of CIFAR-100, too."""
    if not folder.is_dir():
        return False
    return any(child.is_dir() or child.suffix in (".tar", ".parquet", ".arrow") for child in folder.iterdir())


def _whole(folder: Path) -> Store | None:
    place = beside(folder / "images")
    if place is not None:
        return open_store(place)
    if not folder.is_dir():
        return None
    archives = [p for p in sorted(folder.iterdir()) if p.suffix in (".tar", ".zip")]
    if len(archives) == 1:
        return open_store(archives[0])
    return open_store(folder) if not archives else None


def by_class(store: Store) -> dict[str, list[str]]:
    """Image names by class folder, both sorted (numbers by value); {} where an image lies in none.

    A class is a folder at the top, below folders that hold all images; what lies in folders inside it is of the class.
    Where the folders at the top are splits, only the classes of the test split count, or of the first one.
    """
    names = [name for name in store.names() if is_image(name)]
    paths = [PurePosixPath(name).parts for name in names]
    above = 0
    while paths and all(len(p) > above + 2 and p[above] == paths[0][above] for p in paths):
        above += 1
    tops = {p[above].casefold() for p in paths if len(p) > above + 2}
    if paths and len(tops) > 1 and tops <= set(SPLIT_NAMES) and all(len(p) > above + 2 for p in paths):
        split = next((name for name in ("test", "testing", "val", "validation") if name in tops), min(tops))
        own = [k for k, p in enumerate(paths) if p[above].casefold() == split]
        names, paths = [names[k] for k in own], [paths[k] for k in own]
        above += 1
    if any(len(p) < above + 2 for p in paths):
        return {}
    found: dict[str, list[str]] = {}
    for name, path in zip(names, paths):
        found.setdefault(path[above], []).append(name)
    numbers = all(label.isdecimal() for label in found)
    return {label: sorted(found[label]) for label in sorted(found, key=int if numbers else str)}


def read_class_folders(store: Store | None) -> LabelledImages | None:
    """CLASS/FILE in a folder, tar or zip; None where there are not two classes or more."""
    classes = by_class(store) if store is not None else {}
    if store is None or len(classes) < 2:
        return None
    cells = [place for place, label in enumerate(classes) for _ in classes[label]]
    image_refs = [store.get(name) for names in classes.values() for name in names]
    return _made(image_refs, cells, list(classes), store.where, "class folders", ordered=False)


def read_shards(folder: Path, split: str) -> LabelledImages | None:
    """CLIP_benchmark's layout: `SPLIT/0.tar …` of KEY.webp with KEY.cls (a number) or KEY.npy (a row of 0 and 1)."""
    shards = sorted((folder / split).glob("*.tar"), key=lambda p: (len(p.name), p.name))
    count = folder / split / "nshards.txt"
    if not shards or not (count.is_file() or (folder / "classnames.txt").is_file()):
        return None
    if count.is_file():
        wanted = [f"{i}.tar" for i in range(_number(count.read_text("utf-8"), count))]
        absent = [name for name in wanted if not (folder / split / name).is_file()]
        if absent:
            raise InputError(f"{folder / split}: {count.name} counts {len(wanted)} shards, {absent[0]} is not there")
        shards = [folder / split / name for name in wanted]
    image_refs, labels = [], []
    for shard in shards:
        store = open_store(shard)
        label_of = {PurePosixPath(n).with_suffix(""): n for n in store.names() if n.endswith((".cls", ".npy"))}
        for name in store.names():
            if not is_image(name):
                continue
            member = label_of.get(PurePosixPath(name).with_suffix(""))
            if member is None:
                raise InputError(f"{shard}: image {name} has no .cls or .npy beside it with its label")
            labels.append(_label(store, shard, member))
            image_refs.append(store.get(name))
    if not image_refs:
        raise InputError(f"{folder / split}: its tars hold no image")
    called, prompts = folder / "classnames.txt", folder / TEMPLATES
    # one of CLEVR's distances has no name, so empty lines count, but for those at the end
    names = [n.strip() for n in called.read_text("utf-8").rstrip().split("\n")] if called.is_file() else None
    templates = read_templates(prompts) if prompts.is_file() else None
    return _made(image_refs, labels, names, str(folder / split), "webdataset", templates=templates)


def _number(text: str, where: object) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise InputError(f"{where}: {text.strip()[:20]!r} is no number") from None


def _label(store: Store, shard: Path, member: str) -> int | NDArray[np.bool_]:
    data = store.read_bytes(member)
    if member.endswith(".cls"):
        return _number(data.decode("utf-8", "replace"), f"{shard}:{member}")
    try:
        row = np.load(io.BytesIO(data), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{shard}: {member} is a broken array ({error})") from None
    if row.ndim == 0:
        return int(row)
    return np.asarray(row > 0)


def read_columnar(folder: Path, split: str) -> LabelledImages | None:
    """A Hugging Face split on disk: Parquet or Arrow files with an image and a label column."""
    files = split_files(folder, split)
    if not files:
        return None
    table = ColumnarTable(files)
    column = table.column(*LABEL_COLUMNS)
    cells, image_refs = table.values(column), table.image_refs(table.column(*IMAGE_COLUMNS), rotate=False)
    names = table.class_names(column)
    for i, image_ref in enumerate(image_refs):
        if image_ref is not None and (cells[i] is None or (isinstance(cells[i], int) and cells[i] < 0)):
            raise InputError(f"{table.where}: row {i} of split {split} has no label; use a split that has labels")
    return _made(image_refs, cells, names, table.where, "hugging face table")


def _made(
    image_refs: Sequence[ImageRef | None],
    cells: Sequence[object],
    names: list[str] | None,
    where: str,
    layout: str,
    ordered: bool = True,
    templates: list[str] | None = None,
    split: str = "",
) -> LabelledImages:
    """`cells`: of each image, if it is there, a place in `names`, a name, a list of places, or a row of bool."""
    here = [(image_ref, cell) for image_ref, cell in zip(image_refs, cells) if image_ref is not None]
    names, labels = _places([cell for _, cell in here], names, where)
    missing = len(image_refs) - len(here)
    return LabelledImages([p for p, _ in here], labels, names, ordered, layout, where, templates, missing, split)


def _places(cells: Sequence[object], names: list[str] | None, where: str) -> tuple[list[str] | None, NDArray[Any]]:
    """Cells of numbers, texts, lists of numbers or rows of bool as places in `names`."""
    if any(isinstance(c, np.ndarray) for c in cells):
        widths = {len(c) if isinstance(c, np.ndarray) else 0 for c in cells}
        if len(widths) != 1:
            raise InputError(f"{where}: labels of different lengths ({sorted(widths)}); each image needs one a class")
        return names, np.stack([np.asarray(c) for c in cells])
    if all(isinstance(c, int) for c in cells):
        return names, np.array(cells, dtype=np.int64)
    if all(isinstance(c, str) for c in cells):
        names = sorted({str(c) for c in cells}) if names is None else names
        place = {name: i for i, name in enumerate(names)}
        absent = next((c for c in cells if c not in place), None)
        if absent is not None:
            raise InputError(f"{where}: label {absent!r} is none of its classes")
        return names, np.array([place[str(c)] for c in cells], dtype=np.int64)
    if all(isinstance(c, list) and all(isinstance(v, int) for v in c) for c in cells):
        lists = [list(c) for c in cells if isinstance(c, list)]
        width = len(names) if names is not None else 1 + max((v for row in lists for v in row), default=-1)
        several = np.zeros((len(lists), width), dtype=bool)
        for i, row in enumerate(lists):
            outside = [v for v in row if not 0 <= v < width]
            if outside:
                raise InputError(f"{where}: row {i}: label {outside[0]} is outside the {width} classes 0..{width - 1}")
            several[i, row] = True
        return names, several
    raise InputError(f"{where}: labels must be numbers, texts, or lists of numbers")


def own_metric(folder: Path, usual: str) -> str:
    """What `metric.txt` of a set names, else the usual one."""
    path = folder / "metric.txt"
    return read_lines(path)[0] if path.is_file() else usual


def read_templates(path: Path) -> list[str]:
    """Prompt templates, a line each, `{}` or `{c}` where the class name goes. Raises InputError naming the line."""
    templates = [line.replace("{c}", "{}") for line in read_lines(path)]
    for number, template in enumerate(templates, 1):
        if template.count("{}") != 1:
            raise InputError(
                f"{path}: template {number} ({template!r}) must contain {{}} once, where the class name goes"
            )
    if not templates:
        raise InputError(f"{path}: no template; write lines such as 'a photo of a {{}}.'")
    return templates
