"""SugarCrepe++ (Dumpala et al. 2024): two captions that say the same and one that does not."""

from __future__ import annotations

from collections.abc import Sequence

from compoclip.errors import InputError
from compoclip.evaluation.mirrors import Mirror, first_of, pictures
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.places import Finder, find_files, find_images, rows_of, texts
from compoclip.evaluation.scoring import TWO_TRUE, Grid, Subset
from compoclip.evaluation.task import Average, Loaded, Request, Task, plain_mean, pooled
from compoclip.evaluation.tasks.sugarcrepe import IMAGES

NAMES = ("replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj")
FIELDS = ("filename", "caption", "caption2", "negative_caption")
COPIES = Mirror("sugarcrepe_pp", {name: name for name in NAMES}, ("sugarcrepepp_vlms", "wds_sugarcrepepp"))
COPIED = (("caption", "positive_caption_1"), ("caption2", "positive_caption_2"), ("negative_caption",))
FOLDERS = ("sugarcrepe_pp", "sugarcrepe_pp/data", "scpp/data")


def load(request: Request) -> Loaded:
    root = request.root("sugarcrepe_pp")
    files = find_files("sugarcrepe_pp", root, FOLDERS, [f"{n}.json" for n in NAMES])
    tables = {
        file.removesuffix(".json"): [
            texts(path, where, row, "filename", "caption", "caption2", "negative_caption")
            for where, row in rows_of(path)
        ]
        for file, path in files.items()
    }
    wanted = [row[0] for rows in tables.values() for row in rows]
    find = Finder(find_images("sugarcrepe_pp", root, ("sugarcrepe_pp/images", *IMAGES), wanted))
    subsets: list[Subset] = []
    for name, rows in tables.items():
        here = [(p, (a, b, no)) for file, a, b, no in rows if (p := find(file)) is not None]
        kept = request.cut(here)
        missing = len(rows) - len(here)
        subsets.append(
            Grid(name, TWO_TRUE, [[p] for p, _ in kept], [t for _, t in kept], missing, request.ties or "strict")
        )
    return Loaded(subsets, {"annotations": str(next(iter(files.values())).parent), "images": find.store.where})


def _grid(name: str, here: Sequence[tuple[Picture, tuple[str, str, str]]], rows: int, request: Request) -> Grid:
    images, texts = [[p] for p, _ in request.cut(here)], [t for _, t in request.cut(here)]
    return Grid(name, TWO_TRUE, images, texts, rows - len(here), request.ties or "strict")


def load_copies(request: Request) -> Loaded:
    tables, where_found = COPIES.rows(request)
    subsets: list[Subset] = []
    for name in sorted(tables, key=NAMES.index):
        here = []
        for where, row in tables[name]:
            found, values = pictures(row), [next((row[c] for c in names if c in row), None) for names in COPIED]
            flat = [v[0] if isinstance(v, list) and len(v) == 1 else v for v in values]
            if not all(isinstance(v, str) and v for v in flat):
                raise InputError(f"{where}: needs the texts {', '.join(names[0] for names in COPIED)}")
            if found and found[0] is not None:
                here.append((found[0], (str(flat[0]), str(flat[1]), str(flat[2]))))
        kept = request.cut(here)
        missing = len(tables[name]) - len(here)
        subsets.append(
            Grid(name, TWO_TRUE, [[p] for p, _ in kept], [t for _, t in kept], missing, request.ties or "strict")
        )
    return Loaded(subsets, {"annotations": where_found})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    return {"mean of subsets": plain_mean(counts), "micro": pooled(counts)}


TASK = Task(
    name="sugarcrepe_pp",
    title="SugarCrepe++: both true captions above the false one (ITT), and with the text alone (TOT)",
    source="https://github.com/Sri-Harsha/scpp (annotations), COCO val2017 (photos)",
    licence="MIT (annotations), text CC BY 4.0",
    size="4,757 rows in 5 subsets",
    chance="33.3",
    rule="strict; score: mean of the subsets' ITT",
    citation="Dumpala et al., SugarCrepe++: Sensitivity to Semantic and Lexical Alterations, NeurIPS 2024",
    version="1",
    needs="DIR/sugarcrepe_pp/*.json and COCO val2017 photos as for sugarcrepe",
    load=first_of(load, load_copies),
    averages=averages,
)
