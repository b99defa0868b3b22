"""What'sUp: one image, and where its thing lies in two or four captions."""

from __future__ import annotations

from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.captions import Files, Row, loader
from compoclip.evaluation.task import Task, plain_mean
from compoclip.io import read_json

PARTS = ("images", "controlled_images", "controlled_clevr", "val2017", "vg_images")  # folders, or tars of that name


def read_whatsup(path: Path) -> list[Row]:
    """A and B: `image_path`, `caption_options` (true first). COCO and VG: `[image id, true, false]`."""
    table = read_json(path)
    out = []
    for number, row in enumerate(table if isinstance(table, list) else ()):
        if isinstance(row, dict):
            options, image = row.get("caption_options"), row.get("image_path")
            name = str(image).replace("\\", "/").removeprefix("data/")  # the loader runs one folder up
        elif isinstance(row, list) and len(row) == 3:
            options, image = row[1:], row[0]
            name = f"val2017/{int(image):012d}.jpg" if "coco" in path.name else f"vg_images/{image}.jpg"
        else:
            options = image = None
        if image is None or not isinstance(options, list) or not all(isinstance(o, str) for o in options):
            raise InputError(f"{path}: row {number} needs image_path and caption_options, or [image, true, false]")
        out.append(Row(name, tuple(options)))
    return out


TASK = Task(
    name="whatsup",
    title="What'sUp: where a thing lies",
    source="https://github.com/amitakamath/whatsup_vlms",
    licence="MIT",
    size="A 412, B 408, COCO 2,247 + 440, GQA 1,160 + 291",
    chance="25 (A, B), 50 (COCO, GQA); mean 41.7",
    rule="official: a tie is right (true caption first in an argmax); score: mean of the six accuracies",
    citation="Kamath et al., What's “up” with vision-language models? EMNLP 2023",
    version="1",
    needs="DIR/whatsup/*.json with controlled_images/, controlled_clevr/, val2017/ and vg_images/ beside them",
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
                "whatsup",
                "whatsup/data",
                "whatsup_vlms/data",
                *(f"{base}/{part}" for base in ("whatsup", "whatsup/data", "whatsup_vlms/data") for part in PARTS),
                "coco/val2017",
                "val2017",
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
