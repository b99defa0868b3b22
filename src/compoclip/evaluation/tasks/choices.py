"""Benchmarks of one image and several captions: What'sUp, NegBench, CREPE, ConMe."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.captions import Files, Row, box, loader
from compoclip.evaluation.places import find_files, rows_of
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import DataMissing, Task, plain_mean
from compoclip.io import read_json


def read_whatsup(path: Path) -> list[Row]:
    """A and B: `image_path`, `caption_options` (true first). COCO and VG: `[image id, true, false]`."""
    table = read_json(path)
    out = []
    for number, row in enumerate(table if isinstance(table, list) else ()):
        if isinstance(row, dict):
            options, image = row.get("caption_options"), row.get("image_path")
            name = str(image)
        elif isinstance(row, list) and len(row) == 3:
            options, image = row[1:], row[0]
            name = f"val2017/{int(image):012d}.jpg" if "coco" in path.name else f"vg_images/{image}.jpg"
        else:
            options = image = None
        if image is None or not isinstance(options, list) or not all(isinstance(o, str) for o in options):
            raise InputError(f"{path}: row {number} needs image_path and caption_options, or [image, true, false]")
        out.append(Row(name, tuple(options)))
    return out


WHATSUP = Task(
    name="whatsup",
    title="What'sUp: where a thing lies",
    source="https://github.com/amitakamath/whatsup_vlms",
    licence="MIT",
    size="A 412, B 408, COCO 2,247 + 440, GQA 1,160 + 291",
    chance="25 (A, B), 50 (COCO, GQA); mean 41.7",
    rule="official: a tie is right (true caption first in an argmax); score: mean of the six accuracies",
    citation="Kamath et al., What's “up” with vision-language models? EMNLP 2023",
    version="1",
    needs="DIR/whatsup/*.json, images in DIR/whatsup/images (folder, .tar, .zip) or as in the official tree",
    load=loader(
        Files(
            "whatsup",
            ("whatsup", "whatsup/data", "whatsup_vlms/data"),
            {
                "controlled_images_dataset.json": "WhatsUp_A",
                "controlled_clevr_dataset.json": "WhatsUp_B",
                "coco_qa_one_obj.json": "COCO_QA_ONE",
                "coco_qa_two_obj.json": "COCO_QA_TWO",
                "vg_qa_one_obj.json": "VG_QA_ONE",
                "vg_qa_two_obj.json": "VG_QA_TWO",
            },
            (
                "whatsup/images",
                "whatsup/data/images",
                "whatsup",
                "whatsup/data",
                "whatsup_vlms",
                "whatsup_vlms/data",
                "val2017",
                "coco/val2017",
                "vg/VG_100K*",
            ),
            read_whatsup,
            "first",
            copies=("whats_up_vlms",),
            every=True,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)


def read_negbench(path: Path) -> list[Row]:
    """`image_path` (its last part counts), `caption_0` to `caption_3`, `correct_answer`, `correct_answer_template`."""
    out = []
    for number, row in read_table(path):
        captions = [str(field(path, number, row, [f"caption_{k}"])) for k in range(4)]
        answer = str(field(path, number, row, ["correct_answer"]))
        if answer not in {"0", "1", "2", "3"}:
            raise InputError(f"{path}: line {number}: correct_answer {answer!r} is none of 0 to 3")
        true = captions.pop(int(answer))
        image = PurePosixPath(str(field(path, number, row, ["image_path"]))).name
        out.append(Row(image, (true, *captions)))
    return out


NEGBENCH = Task(
    name="negbench",
    title="NegBench: which of four captions fits, some of them with “no” and “not”",
    source="https://github.com/m1k2zoo/negbench (annotations), COCO val2017 and VOC2007 (photos)",
    licence="MIT (annotations)",
    size="5,914 COCO and 5,031 VOC rows",
    chance="25",
    rule="official: a tie is right; score: mean of COCO and VOC",
    citation="Alhamoud et al., Vision-Language Models Do Not Understand Negation, CVPR 2025",
    version="1",
    needs="DIR/negbench/{COCO_val,VOC2007}_mcq_llama3.1_rephrased.csv; COCO val2017 and VOCdevkit/VOC2007/JPEGImages",
    load=loader(
        Files(
            "negbench",
            ("negbench", "negbench/images", "negbench/data"),
            {
                "COCO_val_mcq_llama3.1_rephrased.csv": "COCO_MCQ",
                "VOC2007_mcq_llama3.1_rephrased.csv": "VOC_MCQ",
            },
            (
                "negbench/images",
                "val2017",
                "coco/val2017",
                "images",
                "VOC2007/JPEGImages",
                "VOCdevkit/VOC2007/JPEGImages",
                "voc2007/VOCdevkit/VOC2007/JPEGImages",
            ),
            read_negbench,
            "first",
            every=True,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)


def read_crepe(path: Path) -> list[Row]:
    """CREPE productivity: caption, `hard_negs` (a list written as Python text, parsed as data only), and a box."""
    out = []
    for number, row in read_table(path):
        where = f"line {number}"
        caption = str(field(path, number, row, ["caption"]))
        try:
            negatives = ast.literal_eval(str(field(path, number, row, ["hard_negs"])))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise InputError(f"{path}: {where}: hard_negs is no list of texts") from None
        if not isinstance(negatives, list) or not negatives or not all(isinstance(n, str) for n in negatives):
            raise InputError(f"{path}: {where}: hard_negs is no list of texts")
        image = f"{field(path, number, row, ['image_id'])}.jpg"
        out.append(Row(image, (caption, *negatives), box(path, where, row, "x", "y", "width", "height")))
    return out


KINDS = ("atom", "swap", "negate")
COMPLEXITIES = range(4, 13)


def crepe_files(task: str, root: Path, folders: Sequence[str], names: Iterable[str]) -> dict[str, Sequence[Path]]:
    """A file a kind, or the official tree with one for each complexity from 4 to 12, which published scores pool."""
    try:
        return {name: [path] for name, path in find_files(task, root, folders, names).items()}
    except DataMissing:
        found: dict[str, Sequence[Path]] = {}
        for kind in KINDS:
            tree = [
                root / base / "prod_hard_negatives" / kind / f"prod_vg_hard_negs_{kind}_complexity_{n}.csv"
                for base in ("crepe", "crepe/data", "CREPE/data", ".")
                for n in COMPLEXITIES
            ]
            if here := [path for path in tree if path.is_file()]:
                found[f"{kind}.csv"] = here
        if not found:
            raise
        return found


CREPE = Task(
    name="crepe",
    title="CREPE productivity: the true caption among five made false by atom, swap or negation",
    source="https://github.com/RAIVNLab/CREPE (annotations), Visual Genome (photos)",
    licence="none stated",
    size="atom 17,698, swap 7,405, negate 17,303 rows",
    chance="16.7",
    rule="strict, rank 1 of the true caption for the cut-out region; score: mean of atom, swap and negate",
    citation="Ma et al., CREPE: Can Vision-Language Foundation Models Reason Compositionally? CVPR 2023",
    version="1",
    needs="DIR/crepe/prod_hard_negatives/{atom,swap,negate}/*.csv (or one file each in DIR/crepe) and DIR/vg/VG_100K*",
    load=loader(
        Files(
            "crepe",
            ("crepe", "crepe/data"),
            {"atom.csv": "atom", "swap.csv": "swap", "negate.csv": "negate"},
            ("crepe/images", "vg/images", "vg/VG_100K*", "VG_100K*", "images"),
            read_crepe,
            find=crepe_files,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)


def read_bare_pairs(path: Path) -> list[Row]:
    """ConMe in its pair form: rows with `image`, `correct_option` and `incorrect_option`."""
    rows = read_table(path) if path.suffix == ".csv" else ((int(w.split()[-1]), r) for w, r in rows_of(path))
    return [
        Row(
            PurePosixPath(str(field(path, n, row, ["image"]))).name,
            (str(field(path, n, row, ["correct_option"])), str(field(path, n, row, ["incorrect_option"]))),
        )
        for n, row in rows
    ]


CONME = Task(
    name="conme",
    title="ConMe: the right answer sentence against one mined against large models",
    source="https://huggingface.co/conme/ConMe (human-filtered files), COCO val2017 (photos)",
    licence="Apache-2.0",
    size="3 files",
    chance="50",
    rule="strict; score: mean of the three",
    citation="Huang et al., ConMe: Rethinking Evaluation of Compositional Reasoning for Modern VLMs, NeurIPS 2024",
    version="1",
    needs="DIR/conme/replace-{att,obj,rel}_HUMAN_FILTER.csv and COCO val2017 photos",
    load=loader(
        Files(
            "conme",
            ("conme", "conme/data"),
            {f"replace-{k}_HUMAN_FILTER.csv": f"replace-{k}" for k in ("att", "obj", "rel")},
            ("conme/images", "val2017", "coco/val2017", "images"),
            read_bare_pairs,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)

TASKS: tuple[Task, ...] = (WHATSUP, NEGBENCH, CREPE, CONME)
