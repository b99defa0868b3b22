"""Photo pairs: both texts of a row have the same words, and what the table calls a hard image is the mirrored pair."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.script_module import load

from compoclip.data.sources import open_source
from compoclip.evaluation import evaluate

photo_pairs = load("benchmarks/photo_pairs.py")
CAPTIONS = (
    "A red cup on a wooden table .",
    "Two dogs run across wet sand .",
    "a man rides a blue bicycle",
    "A small bird on a fence.",
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight photos of one grey each, half of them for training."""
    folder = tmp_path / "photos"
    folder.mkdir()
    with (folder / "captions.tsv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["image", "caption", "split"])
        for split in ("train", "test"):
            for number, caption in enumerate(CAPTIONS):
                name = f"{split}{number}.png"
                Image.new("RGB", (40, 30), (60 * number + 20,) * 3).save(folder / name)
                table.writerow([name, caption, split])
    return folder / "captions.tsv"


def words(text: str) -> Counter[str]:
    return Counter(text.lower().replace(",", "").replace(".", "").split())


def test_rows_say_the_same_words_and_one_of_them_is_true(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = photo_pairs.write_test(photos, tmp_path, 6, seed=0)
    rows = json.loads((tmp_path / "pairs/pairs.json").read_text())
    assert counts["sides"] == 6
    assert counts["detail"] > 0
    grey_of = {photo_pairs.plain(caption): 60 * number + 20 for number, caption in enumerate(CAPTIONS)}
    for row in rows:
        assert words(row["caption"]) == words(row["false_caption"])
        assert row["caption"] != row["false_caption"]
        left, right = row["caption"].removeprefix("On the left, ").removesuffix(".").split(". On the right, ")
        pixels = np.asarray(Image.open(tmp_path / "pairs/images" / row["image"]).convert("L"), dtype=int)
        assert pixels.shape == photo_pairs.SIZE
        assert abs(pixels[:, :110].mean() - grey_of[left]) < 3
        assert abs(pixels[:, 114:].mean() - grey_of[right]) < 3
        if row["kind"] == "sides":
            assert row["false_caption"] == photo_pairs.BOTH.format(right, left)
    results = evaluate("tiny", [], tmp_path, extra=[photo_pairs.TASK], label="tiny")
    assert {name: subset["n"] for name, subset in results["tasks"]["photo_pairs"]["subsets"].items()} == counts
    photo_pairs.measure(["tiny"], tmp_path)
    assert "photo_pairs" in capsys.readouterr().out


def test_the_hard_image_of_a_caption_is_the_mirrored_pair(photos: Path, tmp_path: Path) -> None:
    assert photo_pairs.write_train(photos, tmp_path, 3, 2, seed=0) == 3 * 4 + 2
    source = open_source(str(tmp_path / "train.tsv"))
    assert len(source) == 3 * 2 + 2
    for sample in source:
        for caption, negatives, rows in zip(sample.captions, sample.negatives or (), sample.negative_rows or ()):
            if not rows:
                continue
            place = source.place_of_row(rows[0])
            assert place is not None
            other = source[place[0]]
            assert {sample.image_id[-6:], other.image_id[-6:]} == {"-1.jpg", "-2.jpg"}
            assert sample.image_id[:-6] == other.image_id[:-6]
            stated = other.captions[place[1]]
            assert stated.split(",")[0] == caption.split(",")[0]  # the same side
            assert stated != caption
            assert negatives[0] not in sample.captions  # false here,
            assert negatives[0] in other.captions  # and true of the mirrored pair
