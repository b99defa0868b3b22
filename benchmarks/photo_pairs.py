"""Photo pairs: two Flickr8k photos side by side, and captions that say which is on the left and which on the right.

    python benchmarks/photo_pairs.py --shared ../shared --out runs/pairs

Writes into `--out`, by seed: `pairs/pairs.json`, 2,000 rows and more from the test photos, and `train.tsv`, from the
training photos, in the layout of NegCLIP's table. Both photos are in the image and both texts have the same words, so a
bag of words scores 50. In rows of *sides* the false text exchanges the sides; in rows of *detail* one word, of equal
part of speech, is exchanged between the two captions (the kind `swap-across`).

In training every pair stands both ways round, and each is the other's hard image, with two captions: of both photos,
and of the left one. None is of the right one alone: where the towers take "left" and "right" for the same, such a
caption and the left one's ask for opposite features of an image, and neither is learned (docs/results.md). Single
photos with their own captions follow, so that they are not forgotten. Then, with models as folders or names (the
settings of the runs that were measured: docs/results.md):

    compoclip train clip --model MODEL --data runs/pairs/train.tsv --set hard_images=1 --output-dir runs/tuned
    python benchmarks/photo_pairs.py --out runs/pairs --measure MODEL runs/tuned
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import rich

from compoclip.data.concatenate import half_of, join, squeezed
from compoclip.data.order import pick, shuffled
from compoclip.data.sources import Sample, open_source
from compoclip.evaluation import evaluate
from compoclip.evaluation.benchmark import means
from compoclip.evaluation.questions import Layout, columns, loader
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Task
from compoclip.models import load
from compoclip.negatives import generate
from compoclip.negatives.vocabulary import Vocabulary
from compoclip.report import gains_table

SIZE = (224, 224)
LEFT, RIGHT = "On the left, {}.", "On the right, {}."
BOTH = f"{LEFT} {RIGHT}"

TASK = Task(
    name="photo_pairs",
    title="Photo pairs",
    rule="strict: a tie is wrong",
    chance="50",
    citation="docs/results.md",
    own=True,
    source="benchmarks/photo_pairs.py",
    licence="as the photos",
    size="2,000 rows",
    needs="DIR/pairs/pairs.json and images/",
    load=loader(
        Layout(
            "photo_pairs",
            CHOICE,
            ("pairs",),
            {"pairs.json": ""},
            {"": ("pairs/images",)},
            columns(["image"], ["caption", "false_caption"], subset_in=["kind"]),
        )
    ),
    averages=means({"mean of subsets": None}),
)


class Pair(NamedTuple):
    """Two photos and a caption of each, the first on the left."""

    name: str
    left: Sample
    right: Sample
    a: str
    b: str

    @property
    def statement(self) -> str:
        return BOTH.format(self.a, self.b)

    def turned(self) -> Pair:
        return Pair(f"{self.name[:-6]}-2.jpg", self.right, self.left, self.b, self.a)

    def save(self, folder: Path) -> None:
        path = folder / self.name
        if not path.exists():
            halves = [
                squeezed(one.image.load(), half_of(SIZE, True, second))
                for second, one in enumerate((self.left, self.right))
            ]
            join(halves[0], halves[1], True).save(path, quality=92)


def plain(caption: str) -> str:
    """A caption as a part of a sentence: no full stop, no capital."""
    text = caption.strip().rstrip(" .")
    return text[:1].lower() + text[1:]


def pairs(samples: Sequence[Sample], count: int, seed: int, name: str) -> Iterator[Pair]:
    """Photos in shuffled order, each beside the next, as many times over as `count` asks for."""
    order: list[int] = []
    for number in range(count):
        turn, at = divmod(number, len(samples) // 2)
        if not at:
            order = shuffled(range(len(samples)), "pairs", seed, name, turn)
        left, right = samples[order[2 * at]], samples[order[2 * at + 1]]
        a, b = (
            plain(one.captions[pick(len(one.captions), "caption", seed, name, number, one.image_id)])
            for one in (left, right)
        )
        yield Pair(f"{name}-{number:05d}-1.jpg", left, right, a, b)


def write_test(photos: Path, out: Path, count: int, seed: int) -> dict[str, int]:
    """The rows that are measured: of `count` pairs each the sides, and a detail where one can be exchanged."""
    found = list(pairs(list(open_source(str(photos), split="test")), count, seed, "test"))
    images = out / "pairs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    texts = [pair.statement for pair in found]
    details = generate(texts, ["swap-across"], 1, seed, vocabulary=Vocabulary.from_captions(texts))
    for pair, changed in zip(found, details):
        pair.save(images)
        row = {"image": pair.name, "caption": pair.statement}
        rows.append({**row, "false_caption": pair.turned().statement, "kind": "sides"})
        for negative in changed:
            text = str(negative.text)
            if text.startswith("On the left, ") and ". On the right, " in text:  # the sides themselves stand
                rows.append({**row, "false_caption": text, "kind": "detail"})
    rows.sort(key=lambda row: row["kind"])
    (out / "pairs" / "pairs.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return {kind: sum(row["kind"] == kind for row in rows) for kind in ("sides", "detail")}


def write_train(photos: Path, out: Path, count: int, singles: int, seed: int) -> int:
    """`train.tsv`: every pair both ways round, two captions each; then single photos with one caption each."""
    samples = list(open_source(str(photos), split="train"))
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows: list[list[Any]] = [["filepath", "title", "neg_caption", "neg_image"]]
    for pair in pairs(samples, count, seed, "train"):
        start = len(rows) - 1  # rows are numbered from 0, the header not counted
        for turn, one in enumerate((pair, pair.turned())):
            one.save(images)
            other = start + 2 * (1 - turn)
            statements = (one.statement, one.turned().statement), (LEFT.format(one.a), LEFT.format(one.b))
            for shift, (true, false) in enumerate(statements):
                rows.append([f"images/{one.name}", true, [false], [other + shift]])
    for number in range(singles):
        one = samples[number % len(samples)]
        path = images / f"single-{number % len(samples):05d}.jpg"
        if not path.exists():
            one.image.load().convert("RGB").save(path, quality=92)
        text = one.captions[(number // len(samples)) % len(one.captions)]
        rows.append([f"images/{path.name}", text, [], []])
    with (out / "train.tsv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerows(rows)
    return len(rows) - 1


def measure(models: Sequence[str], out: Path) -> None:
    """A table of the models' scores, with what they gain on the first (paired, 95 % intervals)."""
    found = [evaluate(load(model), [], out, extra=[TASK], label=model) for model in models]
    rich.print(gains_table(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--shared", type=Path, help="folder with data/flickr8k: write the pairs")
    source.add_argument("--measure", nargs="+", metavar="MODEL", help="measure models on the pairs in --out")
    parser.add_argument("--out", type=Path, default=Path("runs/pairs"))
    parser.add_argument("--test-pairs", type=int, default=1400)
    parser.add_argument("--train-pairs", type=int, default=6000)
    parser.add_argument("--singles", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure, args.out)
        return
    photos = args.shared / "data/flickr8k"
    print("rows to measure:", write_test(photos, args.out, args.test_pairs, args.seed))
    print("rows to train on:", write_train(photos, args.out, args.train_pairs, args.singles, args.seed))


if __name__ == "__main__":
    main()
