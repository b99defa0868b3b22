"""Made benchmarks of several pictures a row, each in its official layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image
from tests.evaluation.fakes import png, write
from tests.evaluation.made.base import AGAIN, MARK, Made, parquet, picks, quads, questions


def jpg(number: int) -> str:
    return f"{number}.jpg"


def svo_probes(made: Made) -> None:
    rows: list[dict[str, Any]] = []
    for kind in ("subj_neg", "verb_neg", "obj_neg"):
        for text, images in picks(made, "svo_probes/images", jpg):
            flags = {k: str(k == kind) for k in ("subj_neg", "verb_neg", "obj_neg")}
            ids = dict(zip(("pos_image_id", "neg_image_id"), (i.removesuffix(".jpg") for i in images)))
            rows.append({"sentence": text, "pos_triplet": "a,b,c", "neg_triplet": "a,b,d", **flags, **ids})
    rows.append(rows[0] | {"verb_neg": "True"})  # two parts false: counts nowhere
    made.table("svo_probes/svo_probes.csv", rows)


def imagecode(made: Made) -> None:
    table: dict[str, dict[str, str]] = {}
    for kind in ("video-storytelling-", "open-images-"):
        sets = max(2, min(made.rows, made.pictures // 10))
        for s in range(sets):
            folder = f"{kind}{s}"
            numbers = [made.new() for _ in range(10)]
            for place, number in enumerate(numbers):
                made.picture(f"imagecode/image-sets/{folder}/img{3 * place + 8}.jpg", number)  # img11 comes after img8
            places = range(s % 10, s % 10 + 1 + (made.rows - sets) // sets)
            table[folder] = {str(p % 10): made.true(numbers[p % 10]) for p in places}
            if (
                made.trouble and s == 0 and kind.startswith("open")
            ):  # fewer photos than frames: pooled is no mean of two
                del table[folder]["0"]
            if made.trouble and s == 1:
                table[folder]["9"] = made.long(numbers[9])
                made.picture(f"imagecode/image-sets/{folder}/img{8 + 3 * 4}.jpg", numbers[2])  # two frames are equal
                table[folder]["2"] = made.true(numbers[2])
    if made.trouble:
        table["video-not-there"] = {"0": made.true(0), "3": made.true(0)}
    made.write("imagecode/valid_data.json", table)


SPEC = {
    "absolute_size": 3,
    "relative_size": 3,
    "absolute_spatial": 9,
    "relative_spatial": 4,
    "existence": 2,
    "count": 9,
}


def spec(made: Made) -> None:
    for folder, options in SPEC.items():
        rows = []
        for i, (image, text, wrong) in enumerate(questions(made, f"spec/{folder}", jpg, false=options - 1)):
            label = i % options
            keys = [*wrong[:label], text, *wrong[label:]]
            rows.append({"query": image, "keys": keys, "label": label})
        made.write(f"spec/{folder}/image2text.json", rows)
        rows = []
        for i, (text, images) in enumerate(picks(made, f"spec/{folder}", jpg, false=options - 1)):
            label = i % options
            keys = [*images[1 : label + 1], images[0], *images[label + 1 :]]
            rows.append({"query": text, "keys": keys, "label": label})
        made.write(f"spec/{folder}/text2image.json", rows)


def _named(made: Made, folder: str, fields: Sequence[str], name: Callable[[int], str]) -> list[dict[str, Any]]:
    return [dict(zip(fields, row)) for row in quads(made, folder, name)]


def winoground(made: Made) -> None:
    fields = ("image_0", "image_1", "caption_0", "caption_1")
    rows = _named(made, "winoground/data/images", fields, lambda n: f"ex_{n}_img.png")
    for i, row in enumerate(rows):  # the official rows name images without their suffix
        row |= {k: row[k].removesuffix(".png") for k in fields[:2]} | {"id": i, "collapsed_tag": "Object"}
    made.lines("winoground/data/examples.jsonl", rows)


def colorswap(made: Made) -> None:
    fields = ("image_1", "image_2", "caption_1", "caption_2")
    rows = _named(made, "colorswap/data", fields, lambda n: f"images/img_{n}.png")
    made.write("colorswap/data/test.json", rows)


EQBEN = ("eqbenag", "eqbenyoucook2", "eqbengebc", "eqbenkubric_loc", "eqbenkubric_attr", "eqbenkubric_cnt", "eqbensd")


def eqben(made: Made) -> None:
    out = []
    for subset in EQBEN:
        rows = _named(
            made,
            "eqben/images",
            ("image0", "image1", "caption0", "caption1"),
            lambda n, subset=subset: f"{subset}/{n}.jpg",
        )
        if subset == "eqbenag":
            rows = [row | {"caption0": [row["caption0"]], "caption1": [row["caption1"]]} for row in rows]
        if subset == "eqbenyoucook2":  # frames are arrays of blue, green and red
            for row in rows:
                for key in ("image0", "image1"):
                    number = int(row[key].split("/")[1].removesuffix(".jpg"))
                    old = made.root / "eqben/images" / row[key]
                    row[key] = row[key].replace(".jpg", ".npy")
                    if old.exists():
                        pixels = np.full((8, 8, 3), (MARK, number // 256, number % 256), np.uint8)
                        np.save(old.with_suffix(".npy"), pixels)
        out += rows
    made.write("eqben/eqben.json", out)


def vismin(made: Made) -> None:
    """The hub's table."""
    rows = []
    for category in ("object", "attribute", "relation", "counting"):
        for a, b, text, other in quads(made, "photos", jpg):
            photos = (made.root / "photos" / a, made.root / "photos" / b)
            rows.append((str(len(rows)), photos[0], text, photos[1], other, category))
    columns = ("id", "image_0", "text_0", "image_1", "text_1", "category")
    parquet(made, "vismin/data/test-00000-of-00001.parquet", columns, rows)


def cola(made: Made) -> None:
    address = "https://cs-people.example.edu/data/vg_gqa_images/"
    rows = [[address + a, c, address + b, d] for a, b, c, d in quads(made, "cola/images", jpg)]
    made.write("cola/COLA_multiobjects_matching_benchmark.json", rows)


def coco_counterfactuals(made: Made) -> None:
    fields = ("image_0", "image_1", "caption_0", "caption_1")
    rows = _named(made, "coco_counterfactuals/data/images", fields, lambda n: f"{n}_0_img_0.jpg")
    rows = [row | {k: row[k].removesuffix(".jpg") for k in fields[:2]} for row in rows]
    made.lines("coco_counterfactuals/data/examples.jsonl", rows)


MMVP = (
    *("Orientation and Direction", "Presence of Specific Features", "State and Condition", "Quantity and Count"),
    *("Positional and Relational Context", "Color and Appearance", "Structural Characteristics", "Texts"),
    "Viewpoint and Perspective",
)


def mmvp_vlm(made: Made) -> None:
    lines = []
    for category in MMVP:
        for a, b, c, d in quads(made, f"mmvp_vlm/MLLM_VLM Images/{category}", jpg):
            for image, text in ((a, c), (b, d)):
                made.fits["a photo of " + text] = made.fits.get(text.removesuffix(AGAIN), set())
                question = image.removesuffix(".jpg")
                lines.append({"Question ID": question, "Type": category, "Statement": text})
    made.table("mmvp_vlm/Questions.csv", json.loads(json.dumps(lines)))


def bivlc(made: Made) -> None:
    """The hub's table."""
    rows = []
    for k, (kind, part) in enumerate((("replace", "obj"), ("replace", "rel"), ("swap", "att"), ("add", "obj"))):
        asked = quads(made, "photos", jpg)
        for first, second, text, other in asked + asked[: k * made.trouble]:
            photos = (made.root / "photos" / first, made.root / "photos" / second)
            rows.append((photos[0], text, other, photos[1], kind, part))
    columns = ("image", "caption", "negative_caption", "negative_image", "type", "subtype")
    parquet(made, "bivlc/data/test-00000-of-00001.parquet", columns, rows)


def negrefcocog(made: Made) -> None:
    """One photo with two regions of different numbers, whose corners are no whole numbers; the one meant is first."""
    left, right, inner = [0, 0, 3.6, 8], [4.4, 0.3, 3.6, 7.7], [0.2, 0, 3.7, 7.6]
    pairs = [(made.new(), made.new()) for _ in range(min(made.rows, max(1, made.pictures // 2)))]
    for a, b in pairs:
        image = Image.new("RGB", (8, 8), (a % 256, a // 256, MARK))
        image.paste((b % 256, b // 256, MARK), (4, 0, 8, 8))
        write(made.root / f"coco/train2014/COCO_train2014_{a:012d}.jpg", png(image))
    rows: list[dict[str, Any]] = []
    for i in range(made.rows):
        a, b = pairs[i % len(pairs)]
        mine, other = (left, right) if i % 2 == 0 else (right, left)
        row = {"image": f"COCO_train2014_{a:012d}.jpg", "phrase": made.true(a if i % 2 == 0 else b)}
        rows.append(row | {"ref_bbox": mine, "bbox_list": [mine, other]})
    if made.trouble:
        rows.append(rows[0])
        rows.append(rows[1] | {"image": "COCO_train2014_999999999999.jpg"})
        rows.append(rows[0] | {"bbox_list": [left, inner]})  # the same pixels: a tie
        rows.append(rows[0] | {"bbox_list": [left, right, [4.6, 2, 3, 3]]})
        rows.append(rows[0] | {"phrase": made.long(pairs[0][0])})
    made.write("negrefcocog/NegRefCOCOg.json", rows)
