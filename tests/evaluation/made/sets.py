"""Made sets for retrieval and classification, and the built-in world, which needs no file."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image
from tests.evaluation.fakes import png, write_tar
from tests.evaluation.made.base import AGAIN, MARK, Made


def retrieval(made: Made) -> None:
    """A table with pictures in a folder, of which one has six captions, and webdataset tars."""
    rows: list[dict[str, Any]] = []
    for i in range(made.rows):
        number = made.new()
        made.picture(f"retrieval/table/images/{number}.png", number)
        rows += [
            {"image": f"{number}.png", "caption": made.true(number), "split": "test"} for _ in range(6 if i == 1 else 5)
        ]
    rows += [{"image": "other.png", "caption": "not of the test split", "split": "train"}]
    if made.trouble:
        first, last = rows[0], rows[-2]
        rows.append(first | {"image": last["image"]})  # one caption of two pictures
        rows.append(last | {"caption": rows[8]["caption"] + AGAIN})
        rows.append(first)  # a row twice
        rows.append(last | {"caption": made.long(made.count)})
        rows.append(last | {"image": "gone.png", "caption": made.true(0)})
        same = int(first["image"].removesuffix(".png"))
        made.picture("retrieval/table/images/copy.png", same)  # a picture in two files
        rows.append(first | {"image": "copy.png", "caption": made.true(same)})
    made.table("retrieval/table/captions.tsv", rows)
    for shard in range(2):
        members: dict[str, bytes] = {}
        for i in range(made.rows // 2):
            number = made.new()
            picture = Image.new("RGB", (8, 8), (number % 256, number // 256, MARK))
            captions = [made.true(number) for _ in range(2 + i % 5)]
            members[f"{number}.jpg"] = png(picture)
            members[f"{number}.json"] = json.dumps({"captions": captions}).encode()
        write_tar(made.root / "retrieval" / "tars" / f"test-{shard:05d}.tar", members)


def zeroshot(made: Made) -> None:
    """Three sets: plain folders, two classes by ROC AUC from a tar, and names with templates by mean per class."""
    for k in range(5):
        numbers = []
        for i in range(made.rows // 5):
            numbers.append(made.new())
            made.picture(f"zeroshot/plain/kind_{k}/{i}.png", numbers[-1])
        made.fits[f"a photo of a kind {k}."] = set(numbers)
    members: dict[str, bytes] = {}
    for k, name in enumerate(("cold", "warm")):
        numbers = [made.new() for _ in range(made.rows // (1 + k))]
        for number in numbers:
            out = io.BytesIO()
            Image.new("RGB", (8, 8), (number % 256, number // 256, MARK)).save(out, "PNG")
            members[f"{name}/{number}.png"] = out.getvalue()
        made.fits[f"a photo of a {name}."] = set(numbers)
    write_tar(made.root / "zeroshot" / "auc" / "images.tar", members)
    made.write("zeroshot/auc/metric.txt", "roc_auc\n")
    names = ("red fox", "brown bear", "grey wolf")
    templates = ["a photo of a {}.", "{} again" if made.trouble else "the {}", "a drawing of the {c} in snow"]
    for k, name in enumerate(names):
        numbers = []
        for i in range(made.rows // 4 * (k + 1)):
            numbers.append(made.new())
            made.picture(f"zeroshot/macro/{k}/{i}.png", numbers[-1])
        for template in templates:
            made.fits[template.replace("{c}", name).replace("{}", name)] = set(numbers)
    made.write("zeroshot/macro/classnames.txt", "# names by folder\n" + "".join(f"{n}\n" for n in names))
    made.write("zeroshot/macro/templates.txt", "".join(f"{t}\n" for t in templates))
    made.write("zeroshot/macro/metric.txt", "mean_per_class\n")


def world(made: Made) -> None:
    """The truth of the drawn scenes, from the functions that draw them; a picture's number is that of its pixels."""
    from compoclip.data import world as drawn
    from compoclip.evaluation.tasks.world import TEST_SEED

    known: dict[bytes, int] = {}

    def number(pixels: Any) -> int:
        return known.setdefault(np.asarray(pixels).tobytes(), len(known))

    def add(text: str, pixels: Any) -> None:
        made.fits.setdefault(text, set()).add(number(pixels))

    made.limit, made.number = made.rows, lambda image: number(np.asarray(image))
    for rows in drawn.composition_tests(TEST_SEED, made.rows).values():
        for row in rows:
            add(row.caption, row.image)
    for style in drawn.zeroshot_sets(TEST_SEED, made.rows).values():
        for pixels, label in zip(style.images, style.labels):
            for template in style.templates:
                add(template.replace("{}", style.class_names[int(label)]), pixels)
    captioned = drawn.retrieval_set(TEST_SEED, made.rows)
    for pixels, captions in zip(captioned.images, captioned.captions):
        for caption in captions:
            add(caption, pixels)
