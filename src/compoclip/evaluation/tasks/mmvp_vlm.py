"""MMVP-VLM: nine categories of image pairs that CLIP sees as alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import MMVP
from compoclip.evaluation.locations import rows_of, texts
from compoclip.evaluation.questions import Layout, Row, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Task, plain_mean

FIELDS = ("image_0", "image_1", "text_0", "text_1")


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """The table has a line an image; lines 2k-1 and 2k are a pair."""
    lines = rows_of(path)
    if len(lines) % 2:
        raise InputError(f"{path}: {len(lines)} lines, but each pair needs two")
    for first, second in zip(lines[::2], lines[1::2]):
        row: dict[str, str] = {}
        for k, (where, line) in enumerate((first, second)):
            category, question, statement = texts(where, line, "Type", "Question ID", "Statement")
            row |= {f"image_{k}": f"{category}/{question}.jpg", f"text_{k}": f"a photo of {statement}"}
            row.setdefault("category", category)
        yield first[0], row


TASK = Task(
    name="mmvp_vlm",
    title="MMVP-VLM: pairs of images that CLIP sees as alike",
    rule="strict; prompts 'a photo of …'; score: mean of the categories' group scores; the authors print image",
    chance="25 text, 25 image, 16.7 group",
    citation="Tong et al., Eyes Wide Shut? Exploring the Visual Shortcomings of Multimodal LLMs, CVPR 2024",
    data=("mmvp-vlm",),
    parts=dict.fromkeys(MMVP, 15),
    load=loader(
        Layout(
            "mmvp_vlm",
            TWO_BY_TWO,
            ("mmvp_vlm",),
            {"Questions.csv": ""},
            {"": ("mmvp_vlm/MLLM_VLM Images", "mmvp_vlm/images")},
            two_by_two(FIELDS, lambda row: str(row["category"])),
            rows=rows,
        )
    ),
    averages=lambda counts: {"group": plain_mean(counts), "image": plain_mean(counts, "image")},
)
