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
    for half in drawn.half_truths(TEST_SEED, made.rows):
        add(half.anchor, half.image)
        add(half.anchor, b"a picture that the anchor fits too, as it says less")
        add(half.full_truth, half.image)
    for style in drawn.zeroshot_sets(TEST_SEED, made.rows).values():
        for pixels, label in zip(style.images, style.labels):
            for template in style.templates:
                add(template.replace("{}", style.class_names[int(label)]), pixels)
    captioned = drawn.retrieval_set(TEST_SEED, made.rows)
    for pixels, captions in zip(captioned.images, captioned.captions):
        for caption in captions:
            add(caption, pixels)


def _names(text: str) -> list[str]:
    return text.split("/")


CIFAR = _names("airplane/automobile/bird/cat/deer/dog/frog/horse/ship/truck")
CIFAR_PROMPTS = [
    f"a {kind}photo of {article} {size}{{}}."
    for article in ("a", "the")
    for kind, size in (
        *(("", ""), ("blurry ", ""), ("black and white ", ""), ("low contrast ", ""), ("high contrast ", "")),
        *(("bad ", ""), ("good ", ""), ("", "small "), ("", "big ")),
    )
]
PETS = _names(
    "Abyssinian/american bulldog/american pit bull terrier/basset hound/beagle/Bengal/Birman/Bombay/boxer/"
    "British Shorthair/chihuahua/Egyptian Mau/english cocker spaniel/english setter/german shorthaired/great pyrenees/"
    "havanese/japanese chin/keeshond/leonberger/Maine Coon/miniature pinscher/newfoundland/Persian/pomeranian/pug/"
    "Ragdoll/Russian Blue/saint bernard/samoyed/scottish terrier/shiba inu/Siamese/Sphynx/staffordshire bull terrier/"
    "wheaten terrier/yorkshire terrier"
)
PETS_PROMPTS = ["a photo of a {}, a type of pet."]
MEMES, MEMES_PROMPTS = ["meme", "hatespeech meme"], ["a {}."]


def _published(
    made: Made, folder: str, classes: list[str], prompts: list[str], called: list[str], times: int = 1
) -> None:
    """Pictures in folders called as the set's makers call its classes, the prompts by heart."""
    for i in range(made.rows * times):
        number = made.new()
        made.picture(f"{folder}/{called[i % len(classes)]}/{i:05d}.png", number)
        for prompt in prompts:
            made.fits.setdefault(prompt.replace("{}", classes[i % len(classes)]), set()).add(number)


def _pets(made: Made, times: int) -> None:
    called = [name.title().replace(" ", "_") for name in PETS]
    _published(made, "elevater/oxford-iiit-pets", PETS, PETS_PROMPTS, called, times)


def elevater(made: Made) -> None:
    """Three of the twenty: accuracy over 18 prompts, mean per class, and ROC AUC."""
    _published(made, "elevater/cifar10", CIFAR, CIFAR_PROMPTS, CIFAR)
    _pets(made, 1)
    _published(made, "hateful_memes/test", MEMES, MEMES_PROMPTS, ["0", "1"])


def degla_zeroshot(made: Made) -> None:
    """The first two of them again, both by plain accuracy."""
    _published(made, "elevater/cifar10", CIFAR, CIFAR_PROMPTS, CIFAR)
    _pets(made, 12 if made.trouble else 1)
