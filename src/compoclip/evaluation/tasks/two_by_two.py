"""Benchmarks of two images and two captions a row: Winoground, ColorSwap, EqBen, VisMin, Cola, COCO-Counterfactuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.forms import Subset, TwoByTwo
from compoclip.evaluation.mirrors import Mirror, candidates, first_of, pictures
from compoclip.evaluation.pictures import Picture, is_image
from compoclip.evaluation.places import Finder, find_files, find_images, rows_of
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import Average, Loaded, Request, Task, plain_mean

Group = Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class Layout:
    """Where a benchmark's rows are and how they name their parts. `group` gives the subset of a row; `headline` is the
    score that its average takes; `suffix` is added to image names that have none."""

    name: str
    folders: Sequence[str]
    files: Sequence[str]
    images: Sequence[str]
    fields: tuple[str, str, str, str]  # image 0, image 1, caption 0, caption 1
    group: Group
    headline: str = "group"
    suffix: str = ".png"
    copied: bool = True  # whether copies with images inside say all that is needed


def _image(layout: Layout, name: str) -> str:
    name = PurePosixPath(name.replace("\\", "/")).as_posix()
    if "://" in name or name.startswith("http"):
        name = PurePosixPath(name).name  # Cola gives addresses; the files keep their last part
    return name if is_image(name) or name.endswith(".npy") else name + layout.suffix


def _rows(layout: Layout, path: Path) -> list[tuple[str, dict[str, Any]]]:
    from compoclip.io import read_json

    if path.suffix == ".csv":
        return _mmvp_rows(path)
    if path.suffix == ".json":
        table = read_json(path)
        if isinstance(table, list) and table and isinstance(table[0], list):  # Cola: [image, caption, image, caption]
            i0, i1, c0, c1 = layout.fields
            return [(f"row {k}", dict(zip((i0, c0, i1, c1), row))) for k, row in enumerate(table)]
    return rows_of(path)


def _read(layout: Layout, path: Path) -> list[tuple[str, tuple[str, str], tuple[str, str]]]:
    out = []
    for where, row in _rows(layout, path):
        values = [row.get(name) for name in layout.fields]
        values = [v[0] if isinstance(v, list) and v else v for v in values]  # EqBen's ag captions are lists
        if not all(isinstance(v, str) and v for v in values):
            raise InputError(f"{path}: {where} needs the texts {', '.join(layout.fields)}")
        i0, i1, c0, c1 = map(str, values)
        out.append((layout.group(row), (_image(layout, i0), _image(layout, i1)), (c0, c1)))
    return out


def loader(layout: Layout) -> Callable[[Request], Loaded]:
    """A task's reader: rows by group, those with a missing image counted."""

    def load(request: Request) -> Loaded:
        root = request.root(layout.name)
        path = next(iter(find_files(layout.name, root, layout.folders, layout.files).values()))
        rows = _read(layout, path)
        if not rows:
            raise InputError(f"{path}: no rows")
        find = Finder(find_images(layout.name, root, layout.images, [r[1][0] for r in rows]))
        subsets = _subsets(layout, request, [(group, find.all(names), texts) for group, names, texts in rows])
        return Loaded(subsets, {"annotations": str(path), "images": find.store.where})

    def copies(request: Request) -> Loaded:
        tables, where_found = Mirror(layout.name, {}).rows(request)
        rows = [_copied(layout, where, row) for own in tables.values() for where, row in own]
        return Loaded(_subsets(layout, request, rows), {"annotations": where_found})

    return first_of(load, copies) if layout.copied else load


Read = tuple[str, Sequence[Picture] | None, tuple[str, str]]  # group, its two pictures where both are there, captions


def _subsets(layout: Layout, request: Request, rows: Sequence[Read]) -> list[Subset]:
    subsets: list[Subset] = []
    for group in dict.fromkeys(r[0] for r in rows):
        own = [r for r in rows if r[0] == group]
        here = [(found, texts) for _, found, texts in own if found is not None]
        kept = request.cut(here)
        subsets.append(
            TwoByTwo(
                group,
                [(p[0], p[1]) for p, _ in kept],
                [texts for _, texts in kept],
                missing=len(own) - len(here),
                rule="first" if request.ties == "first" else "strict",
                headline=layout.headline,
            )
        )
    return subsets


def _copied(layout: Layout, where: str, row: dict[str, Any]) -> Read:
    """A row of a copy: the benchmark's own columns, or UniBench's `0.webp`, `1.webp` and `npy`."""
    named = [row.get(name) for name in layout.fields]
    own = all(isinstance(text, str) for text in named[2:])
    texts = tuple(map(str, named[2:])) if own else candidates(where, row)
    found = named[:2] if own else pictures(row)
    if len(found) != 2 or len(texts) != 2:
        raise InputError(f"{where}: two images and two captions are needed, not {len(found)} and {len(texts)}")
    both = [p for p in found if isinstance(p, Picture)]
    return layout.group(row), both if len(both) == 2 else None, (texts[0], texts[1])


def mean_of(names: str) -> Callable[[dict[str, int]], dict[str, Average]]:
    return lambda counts: {names: plain_mean(counts)}


def _places(name: str, *more: str) -> tuple[str, ...]:
    return (name, f"{name}/data", *more, ".")


def _image_places(name: str, *more: str) -> tuple[str, ...]:
    return (f"{name}/images", f"{name}/data/images", *more, name, "images")


WINOGROUND = Task(
    name="winoground",
    title="Winoground: two images, two captions of the same words",
    source="https://huggingface.co/datasets/facebook/winoground (gated: accept its licence there)",
    licence="Meta Images Research: no redistribution, at most 100 images in publications",
    size="400 rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Thrush et al., Winoground: Probing Models for Visio-Linguistic Compositionality, CVPR 2022",
    version="1",
    needs="DIR/winoground/data/examples.jsonl and images/ or images.zip beside it",
    load=loader(
        Layout(
            "winoground",
            _places("winoground"),
            ("examples.jsonl",),
            _image_places("winoground"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "all",
        )
    ),
    averages=mean_of("group"),
)

COLORSWAP = Task(
    name="colorswap",
    title="ColorSwap: two images, two captions with the colours exchanged",
    source="https://github.com/Top34051/colorswap, huggingface.co/datasets/stanfordnlp/colorswap",
    licence="MIT",
    size="300 test rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Burapacheep et al., ColorSwap: A Color and Word Order Dataset, ACL Findings 2024",
    version="1",
    needs="DIR/colorswap/data/test.json and data/images.zip or data/images/",
    load=loader(
        Layout(
            "colorswap",
            _places("colorswap"),
            ("test.json",),
            _image_places("colorswap"),
            ("image_1", "image_2", "caption_1", "caption_2"),
            lambda row: "test",
        )
    ),
    averages=mean_of("group"),
)

EQBEN = Task(
    name="eqben",
    title="EqBen: two near-identical images, two captions",
    source="https://github.com/Wangt-CN/EqBen (public annotation in Winoground's style; full, 10 % and mini)",
    licence="Apache-2.0",
    size="251,048 rows in 7 subsets (full), about 25,000 (10 %)",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: mean of the group scores of youcook2, gebc, ag, sd and the mean of the three Kubric subsets",
    citation="Wang et al., Equivariant Similarity for Vision-Language Foundation Models, ICCV 2023",
    version="1",
    needs="DIR/eqben/eqben.json or eqben_subset_10percent_final.json, and the image tree beside it",
    load=loader(
        Layout(
            "eqben",
            _places("eqben"),
            ("eqben.json", "eqben_subset_10percent_final.json", "all_select.json"),
            _image_places("eqben"),
            ("image0", "image1", "caption0", "caption1"),
            lambda row: PurePosixPath(str(row["image0"]).replace("\\", "/")).parts[0],
            copied=False,
        )
    ),
    averages=lambda counts: {
        "group, Kubric averaged first": Average({n: 1 / 3 if "kubric" in n else 1.0 for n in counts})
    },
)

VISMIN = Task(
    name="vismin",
    title="VisMin: minimal changes of object, attribute, relation and count",
    source="https://huggingface.co/datasets/mair-lab/vismin-bench",
    licence="none stated",
    size="2,084 rows in 4 categories",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: mean of the categories' group scores (text and image scores beside it)",
    citation="Awal et al., VisMin: Visual Minimal-Change Understanding, NeurIPS 2024",
    version="1",
    needs="DIR/vismin/test.jsonl (image_0, text_0, image_1, text_1, category) and images/ beside it",
    load=loader(
        Layout(
            "vismin",
            _places("vismin"),
            ("test.jsonl", "test.json"),
            _image_places("vismin"),
            ("image_0", "image_1", "text_0", "text_1"),
            lambda row: str(row.get("category", "all")),
        )
    ),
    averages=mean_of("mean of categories"),
)

COLA = Task(
    name="cola",
    title="Cola, multi-object: which of two images has the attributes on the right objects",
    source="https://github.com/arijitray1993/COLA (annotation), Visual Genome (photos)",
    licence="MIT (annotation)",
    size="210 rows",
    chance="25",
    rule="strict; score: image (both captions find their image)",
    citation="Ray et al., Cola: A Benchmark for Compositional Text-to-image Retrieval, NeurIPS 2023",
    version="1",
    needs="DIR/cola/COLA_multiobjects_matching_benchmark.json and images/ with the last part of each address",
    load=loader(
        Layout(
            "cola",
            _places("cola", "COLA/data"),
            ("COLA_multiobjects_matching_benchmark.json",),
            _image_places("cola", "VG_100K", "vg/VG_100K*", "vg/images"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "multi-object",
            headline="image",
            suffix=".jpg",
        )
    ),
    averages=mean_of("image"),
)

COUNTERFACTUALS = Task(
    name="coco_counterfactuals",
    title="COCO-Counterfactuals: two generated images whose captions differ in one noun",
    source="https://huggingface.co/datasets/Intel/COCO-Counterfactuals",
    licence="CC BY 4.0",
    size="17,410 rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Le et al., COCO-Counterfactuals: Automatically Constructed Counterfactual Examples, NeurIPS 2023",
    version="1",
    needs="DIR/coco_counterfactuals/data/examples.jsonl and data/images.zip",
    load=loader(
        Layout(
            "coco_counterfactuals",
            _places("coco_counterfactuals"),
            ("examples.jsonl",),
            _image_places("coco_counterfactuals"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "all",
            suffix=".jpg",
        )
    ),
    averages=mean_of("group"),
)


def _mmvp_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """MMVP's table has a line an image; lines 2k-1 and 2k are a pair."""
    lines = list(read_table(path))
    if len(lines) % 2:
        raise InputError(f"{path}: {len(lines)} lines, but each pair needs two")
    rows = []
    for (number, first), (_, second) in zip(lines[::2], lines[1::2]):
        category = str(field(path, number, first, ["Type"]))
        row: dict[str, Any] = {"category": category}
        for k, line in enumerate((first, second)):
            question = str(field(path, number, line, ["Question ID"]))
            row[f"image_{k}"] = f"{category}/{question}.jpg"
            row[f"text_{k}"] = "a photo of " + str(field(path, number, line, ["Statement"]))
        rows.append((f"line {number}", row))
    return rows


MMVP = Task(
    name="mmvp_vlm",
    title="MMVP-VLM: pairs of images that CLIP sees as alike",
    source="https://huggingface.co/datasets/MMVP/MMVP_VLM",
    licence="MIT (README)",
    size="135 pairs in 9 categories",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; prompts 'a photo of …'; score: mean of the categories' group scores (the paper takes image)",
    citation="Tong et al., Eyes Wide Shut? Exploring the Visual Shortcomings of Multimodal LLMs, CVPR 2024",
    version="1",
    needs="DIR/mmvp_vlm/Questions.csv and 'MLLM_VLM Images/CATEGORY/ID.jpg' beside it",
    load=loader(
        Layout(
            "mmvp_vlm",
            _places("mmvp_vlm"),
            ("Questions.csv",),
            ("mmvp_vlm/MLLM_VLM Images", "mmvp_vlm/images", "MLLM_VLM Images"),
            ("image_0", "image_1", "text_0", "text_1"),
            lambda row: str(row["category"]),
            copied=False,
        )
    ),
    averages=mean_of("group"),
)

TASKS = (MMVP, WINOGROUND, COLORSWAP, EQBEN, VISMIN, COLA, COUNTERFACTUALS)
