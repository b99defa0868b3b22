"""SVO-Probes: which of two images has this subject, verb and object."""

from __future__ import annotations

from pathlib import Path

from compoclip.evaluation.image_choices import Question, image_subset
from compoclip.evaluation.places import Finder, find_files, find_images
from compoclip.evaluation.scoring import Subset
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import Loaded, Request, Task, plain_mean

KINDS = ("subj_neg", "verb_neg", "obj_neg")


def read(path: Path) -> dict[str, list[Question]]:
    """Rows by the one part that is false; rows with several, and exact copies, are left out as officially."""
    out: dict[str, dict[Question, None]] = {kind: {} for kind in KINDS}
    for number, row in read_table(path):
        true = [k for k in KINDS if str(field(path, number, row, [k])).strip().lower() == "true"]
        if len(true) != 1:
            continue
        images = tuple(f"{field(path, number, row, [k])}.jpg" for k in ("pos_image_id", "neg_image_id"))
        out[true[0]][str(field(path, number, row, ["sentence"])), images] = None
    return {kind: list(rows) for kind, rows in out.items() if rows}


def load(request: Request) -> Loaded:
    root = request.root("svo_probes")
    path = next(iter(find_files("svo_probes", root, ("svo_probes", "."), ["svo_probes.csv"]).values()))
    tables = read(path)
    wanted = [name for rows in tables.values() for _, names in rows for name in names]
    find = Finder(find_images("svo_probes", root, ("svo_probes/images", "images"), wanted))
    subsets: list[Subset] = [image_subset(kind, rows, find, request) for kind, rows in tables.items()]
    return Loaded(subsets, {"annotations": str(path), "images": find.store.where})


TASK = Task(
    name="svo_probes",
    title="SVO-Probes: which of two images has this subject, verb and object",
    source="https://github.com/google-deepmind/svo_probes (images by address, many are gone)",
    licence="CC BY 4.0 (data)",
    size="36,841 rows; 22,162 with images in published runs",
    chance="50",
    rule="strict, sentence to image, rows with one false part; score: mean of subject, verb and object",
    citation="Hendricks & Nematzadeh, Probing Image-Language Transformers for Verb Understanding, ACL Findings 2021",
    version="1",
    needs="DIR/svo_probes/svo_probes.csv and images/IMAGE_ID.jpg",
    load=load,
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)
