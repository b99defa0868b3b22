"""Every recognition set of the published tables, few pictures each: perfect judgement gets 100, its opposite 0, and the
numbers of classes and templates are those published; ImageNet; VOC's metric by loops; a probe and its opposite."""

from __future__ import annotations

import io
import json
from importlib import resources
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import write_tar
from tests.evaluation.made import Made
from tests.evaluation.test_every_task import Guess, Oracle, measure

from compoclip.evaluation.known_sets import known

PUBLISHED = {  # test images are not counted here: classes, templates, metric
    "caltech101": (102, 34, "mean_per_class"),
    "cifar10": (10, 18, "accuracy"),
    "cifar100": (100, 18, "accuracy"),
    "country211": (211, 5, "accuracy"),
    "dtd": (47, 8, "accuracy"),
    "eurosat-clip": (10, 3, "accuracy"),
    "fer2013": (7, 6, "accuracy"),
    "fgvc-aircraft-2013b": (100, 2, "mean_per_class"),
    "flower102": (102, 1, "mean_per_class"),
    "food101": (101, 1, "accuracy"),
    "gtsrb": (43, 3, "accuracy"),
    "hateful-memes": (2, 1, "roc_auc"),
    "kitti-distance": (4, 1, "accuracy"),
    "mnist": (10, 1, "accuracy"),
    "oxford-iiit-pets": (37, 1, "mean_per_class"),
    "patchcamelyon": (2, 1, "accuracy"),
    "rendered-sst2": (2, 1, "accuracy"),
    "resisc45-clip": (45, 18, "accuracy"),
    "stanfordcar": (196, 8, "accuracy"),
    "voc2007classification": (20, 1, "map11"),
}
FEW = 4  # classes of a set that have pictures; all of its classes are asked for


def names_of(name: str) -> tuple[list[str], list[str]]:
    """Class names and templates of a published set, from the file that ships with the package."""
    text = resources.files("compoclip.evaluation.published").joinpath("zeroshot_sets.json").read_text("utf-8")
    found = json.loads(text)["sets"][name]
    return found["classes"], found["templates"]


def draw(made: Made, place: str, count: int) -> list[int]:
    numbers = [made.new() for _ in range(count)]
    for i, number in enumerate(numbers):
        made.picture(f"{place}/{i}.png", number)
    return numbers


def tell(made: Made, templates: list[str], name: str, numbers: list[int]) -> None:
    for template in templates:
        made.fits.setdefault(template.replace("{}", name), set()).update(numbers)


def elevater(made: Made) -> dict[int, list[int]]:
    """Nineteen sets as class folders of unequal size, and VOC in tars with rows of 0 and 1; VOC's labels by number."""
    for name in PUBLISHED:
        classes, templates = names_of(name)
        if name != "voc2007classification":
            for k, label in enumerate([c for c in classes if "/" not in c][:FEW]):
                tell(made, templates, label, draw(made, f"elevater/{name}/{label}", 2 + k))
    classes, templates = names_of("voc2007classification")
    members: dict[str, bytes] = {}
    labels = {}
    for i, number in enumerate(draw(made, "drawn", 3 * FEW)):
        labels[number] = sorted({i % FEW, (i + i // FEW) % FEW})
        out = io.BytesIO()
        np.save(out, np.eye(len(classes), dtype=np.int64)[labels[number]].sum(axis=0))
        members |= {f"s{i}.png": (made.root / f"drawn/{i}.png").read_bytes(), f"s{i}.npy": out.getvalue()}
        for k in labels[number]:
            tell(made, templates, classes[k], [number])
    write_tar(made.root / "elevater/voc2007classification/test/0.tar", members)
    made.write("elevater/voc2007classification/test/nshards.txt", "1\n")
    return labels


@pytest.mark.parametrize("right", [True, False], ids=["oracle", "opposite"])
def test_all_twenty_sets(right: bool, tmp_path: Path) -> None:
    made = Made(tmp_path)
    labels = elevater(made)
    entry = measure(Oracle(made, right), "elevater", made)
    assert set(entry["subsets"]) == set(PUBLISHED)
    # Precision never falls to 0: with all pictures of a class placed last it still ends at their share of all.
    share = [sum(k in own for own in labels.values()) / len(labels) for k in range(FEW)]
    floor = 100 * sum((1 + 10 * s) / 11 for s in share) / FEW  # precision is 1 at recall 0, as ELEVATER computes it
    for name, subset in entry["subsets"].items():
        assert (subset["classes"], subset["templates"], subset["metric"]) == PUBLISHED[name]
        ranked = name == "voc2007classification"
        assert subset["accuracy"] == pytest.approx(100.0 if right else floor if ranked else 0.0), name
        if not ranked:
            assert subset["chance"] == pytest.approx(50 if name == "hateful-memes" else 100 / PUBLISHED[name][0])
    assert entry["subsets"]["voc2007classification"]["chance"] == pytest.approx(100 * np.mean(share))  # of positives
    assert entry["rule"] == "mean of 20"
    assert entry["score"] == pytest.approx(100.0 if right else floor / 20)


def test_voc_by_loops(tmp_path: Path) -> None:
    """Random features: softmax over all twenty classes, pictures ordered by it, precision at eleven recalls."""
    made = Made(tmp_path)
    labels = elevater(made)
    classes, templates = names_of("voc2007classification")
    model = Guess(37)
    from PIL import Image

    images = [
        [float(x) for x in model.encode_image([Image.open(tmp_path / f"drawn/{i}.png")])[0]] for i in range(len(labels))
    ]
    heads = [[float(x) for x in model.encode_text([templates[0].replace("{}", c)])[0]] for c in classes]
    chances = []
    for image in images:
        scores = [sum(a * b for a, b in zip(image, head)) for head in heads]
        total = sum(exp(100 * s) for s in scores)
        chances.append([exp(100 * s) / total for s in scores])
    found = []
    for k in range(FEW):
        truth = [k in own for own in labels.values()]
        order = sorted(range(len(images)), key=lambda i: -chances[i][k])
        hits, curve = 0, []
        for place, i in enumerate(order, 1):
            hits += truth[i]
            curve.append((hits / sum(truth), hits / place))
        curve.append((0.0, 1.0))  # as ELEVATER's evaluator has it
        found.append(sum(max(p for r, p in curve if r >= t / 10 - 1e-9) for t in range(11)) / 11)
    entry = measure(model, "elevater", made)["subsets"]["voc2007classification"]
    assert entry["accuracy"] == pytest.approx(100 * sum(found) / FEW)
    best = [row.index(max(row)) for row in chances]
    assert entry["any_hit"] == pytest.approx(100 * np.mean([b in own for b, own in zip(best, labels.values())]))


@pytest.mark.slow
def test_imagenet_with_all_its_prompts(tmp_path: Path) -> None:
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES

    made = Made(tmp_path)
    ids = known("imagenet-1k").ids
    for k in (0, 1, 500, 999):
        numbers = draw(made, f"imagenet/val/{ids[k]}", 3)
        tell(made, [t("{}") for t in OPENAI_IMAGENET_TEMPLATES], IMAGENET_CLASSNAMES[k], numbers)
    for right in (True, False):
        entry = measure(Oracle(made, right), "imagenet", made)
        subset: dict[str, Any] = entry["subsets"]["imagenet-1k"]
        assert (subset["n"], subset["classes"], subset["templates"]) == (12, 1000, 80)
        assert entry["score"] == subset["accuracy"] == (100.0 if right else 0.0)


def test_a_probe_learns_what_pictures_share_and_fails_where_the_test_is_another_class(tmp_path: Path) -> None:
    """Train and validation pictures of a class lie along one axis; test pictures along their own, or the next one's."""
    made = Made(tmp_path)
    axes: dict[int, tuple[int, int]] = {}
    for split in ("train", "val", "test"):
        for k in range(3):
            for number in draw(made, f"linear_probe/mine/{split}/kind {k}", 3 + k):
                axes[number] = (k, (k + 1) % 3 if split == "test" else k)

    class Shared(Oracle):
        def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
            places = [axes[self.made.number(image)][0 if self.right else 1] for image in images]
            return np.eye(3, dtype=np.float32)[places]

    for right in (True, False):
        entry = measure(Shared(made, right), "linear_probe", made)
        assert entry["score"] == (100.0 if right else 0.0)
        assert entry["chance"] == pytest.approx(100 / 3)
