"""BiVLC from its Parquet file, with scores worked out by hand, by a slow double loop, and by chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.evaluation.fakes import RandomModel, noise, picture, plain_titles, png, write
from tests.evaluation.test_benchmarks import Seer, score

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, evaluate, individual
from compoclip.evaluation.task import DataMissing

Row = tuple[Any, str, str, Any, str, str]
RIGHT = ("0 2,1 0", "0 0,1 2")
HALF = ("0 1,1 2", "0 0,1 3")  # unit features (1, 2, 1)/sqrt 6 and (0, 3, 1)/sqrt 10: caption 0 prefers image 1
TIE = ("0 1,1 1", "0 1,1 1")


def row(texts: tuple[str, str], kind: str, subtype: str, other: Image.Image | None = None) -> Row:
    images = [{"bytes": png(image), "path": "x.png"} for image in (picture(0), other or picture(1))]
    return images[0], texts[0], texts[1], images[1], kind, subtype


def bivlc(root: Path, rows: list[Row], name: str = "bivlc/data/test-00000-of-00001.parquet") -> Path:
    columns = ("image", "caption", "negative_caption", "negative_image", "type", "subtype")
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(zip(columns, map(list, zip(*rows))))), path, row_group_size=2)
    return path


def test_every_average_by_hand(tmp_path: Path) -> None:
    rows = [
        row(RIGHT, "replace", "obj"),
        row(RIGHT, "replace", "obj"),  # a copy counts again
        row(TIE, "replace", "obj"),
        row(HALF, "swap", "att"),
        (*row(RIGHT, "add", "att")[:3], None, "add", "att"),  # no image: missing
        row(RIGHT, "add", "att"),
    ]
    bivlc(tmp_path, rows)
    entry = score(Seer(), "bivlc", tmp_path)
    objects, attributes = entry["subsets"]["replace_obj"], entry["subsets"]["swap_att"]
    assert (objects["n"], objects["ties"], objects["group"]) == (3, 1, pytest.approx(200 / 3))
    assert [attributes[k] for k in ("i_pos", "i_neg", "t_pos", "t_neg")] == [100.0, 100.0, 0.0, 100.0]
    assert [attributes[k] for k in ("text", "image", "group")] == [100.0, 0.0, 0.0]
    assert entry["subsets"]["add_att"]["missing"] == 1
    assert entry["rule"] == "group, all rows (3 of 7 sets)"
    assert entry["score"] == pytest.approx(100 * 3 / 5)
    assert entry["chance"] == pytest.approx(100 / 6)
    named = {"I2T": 4 / 5, "T2I": 3 / 5, "replace: I2T": 2 / 3, "swap: I2T": 1.0, "swap: group": 0.0, "add: T2I": 1.0}
    named |= {"Ipos to T": 4 / 5, "Ineg to T": 4 / 5, "Tpos to I": 3 / 5, "Tneg to I": 4 / 5}
    scores = plain_titles(entry["scores"])
    for name, share in named.items():
        assert scores[name] == pytest.approx(100 * share), name
    low, high = plain_titles(entry["scores_ci95"])["I2T"]
    assert low < 80.0 < high + 1e-9
    assert individual({"tasks": {"bivlc": entry}})["bivlc::swap_att::text"] == 100.0
    assert plain_titles(score(Seer(), "bivlc", tmp_path, ties="first")["scores"])["I2T"] == 100.0


def test_random_features_equal_a_slow_loop_and_come_near_chance(tmp_path: Path) -> None:
    model = RandomModel(16)
    pictures = [(picture(i, 1), picture(i, 2)) for i in range(200)]
    rows: list[Row] = [
        ({"bytes": png(a)}, f"this {i}", f"that {i}", {"bytes": png(b)}, ("replace", "swap")[i % 2], "obj")
        for i, (a, b) in enumerate(pictures)
    ]
    bivlc(tmp_path, rows, "BiVLC/test.parquet")
    entry = score(model, "bivlc", tmp_path)
    totals = np.zeros(7)
    for i, (a, b) in enumerate(pictures):
        texts = [noise(t.encode(), 16) for t in (f"this {i}", f"that {i}")]
        images = [noise(np.asarray(x).tobytes(), 16) for x in (a, b)]
        s = [[float(t @ v) / float(np.linalg.norm(t) * np.linalg.norm(v)) for v in images] for t in texts]
        sides = [s[0][0] > s[1][0], s[1][1] > s[0][1], s[0][0] > s[0][1], s[1][1] > s[1][0]]
        totals += np.array([sides[0] and sides[1], sides[2] and sides[3], all(sides), *sides])
    names = ["I2T", "T2I", "group, all rows", "Ipos to T", "Ineg to T", "Tpos to I", "Tneg to I"]
    scores = plain_titles(entry["scores"])
    assert [scores[n] for n in names] == pytest.approx((totals / 2).tolist())
    for name, chance in zip(names, (25, 25, 100 / 6, 50, 50, 50, 50)):
        assert abs(scores[name] - chance) < 4 * np.sqrt(chance * (100 - chance) / 200), name


# OpenAI's ViT-B/32 by the authors' per-row file: rows, I2T, T2I, group
PUBLISHED = {
    "replace_obj": (1200, 92.00, 76.25, 73.42),
    "replace_rel": (462, 60.39, 30.95, 26.62),
    "replace_att": (437, 77.80, 47.83, 45.31),
    "add_obj": (399, 74.69, 48.37, 42.86),
    "add_att": (76, 47.37, 25.00, 22.37),
    "swap_att": (278, 46.76, 17.27, 14.75),
    "swap_obj": (81, 45.68, 12.35, 9.88),
}


def test_the_averages_recover_the_published_ones() -> None:
    counts = {name: row[0] for name, row in PUBLISHED.items()}
    assert sum(counts.values()) == 2933
    place = {"text": 1, "image": 2, "accuracy": 3}
    found = {}
    for name, rule in TASKS["bivlc"].averages(counts).items():
        if rule.metric in place:
            total = sum(weight * PUBLISHED[subset][place[rule.metric]] for subset, weight in rule.weights.items())
            found[name] = total / sum(rule.weights.values())
    printed = {"group, all rows": 49.06, "I2T": 75.83, "T2I": 52.40}
    printed |= {"replace: I2T": 82.09, "replace: T2I": 60.36, "replace: group": 57.27}
    printed |= {"swap: I2T": 46.52, "swap: T2I": 16.16, "swap: group": 13.65}
    printed |= {"add: I2T": 70.32, "add: T2I": 44.63, "add: group": 39.58}
    assert found == pytest.approx(printed, abs=0.011)


class Knows(RandomModel):
    """Caption "k" and picture k lie on axis k; with `sign` -1 the caption lies opposite."""

    def __init__(self, sign: float) -> None:
        super().__init__(4)
        self.sign = sign

    def encode_image(self, images: list[Image.Image], batch_size: int = 64) -> np.ndarray:
        return np.stack([np.eye(4, dtype=np.float32)[image.getpixel((0, 0))[0]] for image in images])

    def encode_text(self, texts: list[str], batch_size: int = 64) -> np.ndarray:
        return self.sign * np.stack([np.eye(4, dtype=np.float32)[int(text)] for text in texts])


def test_an_oracle_gets_all_and_its_opposite_nothing(tmp_path: Path) -> None:
    bivlc(tmp_path, [row(("0", "1"), kind, "att") for kind in ("replace", "swap", "add")])
    assert set(score(Knows(1.0), "bivlc", tmp_path)["scores"].values()) == {100.0}
    assert set(score(Knows(-1.0), "bivlc", tmp_path)["scores"].values()) == {0.0}


def test_text_longer_than_the_model_reads_is_cut_as_the_tokenizer_cuts(tmp_path: Path) -> None:
    import compoclip

    long = " ".join(["a red square above a blue circle"] * 60)
    bivlc(tmp_path, [row((long, long + " and a dog"), "add", "obj"), row((long, "a dog"), "add", "obj")])
    subset = evaluate(compoclip.load("tiny"), "bivlc", tmp_path)["tasks"]["bivlc"]["subsets"]["add_obj"]
    assert subset["n"] == 2
    assert subset["ties"] == 1  # the two long texts are one where they are cut


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"bivlc: .* nor is there a Hugging Face table"):
        score(Seer(), "bivlc", tmp_path)
    bivlc(tmp_path, [row(RIGHT, "replace", "")])
    with pytest.raises(InputError, match="row 0 needs the texts caption, negative_caption, type, subtype"):
        score(Seer(), "bivlc", tmp_path)
    path = bivlc(tmp_path, [(*row(RIGHT, "replace", "obj")[:3], {"bytes": b"", "path": "x"}, "replace", "obj")])
    with pytest.raises(InputError, match=r"row 0, negative_image/x: the cell contains no image bytes"):
        score(Seer(), "bivlc", tmp_path)
    write(path, path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"test-00000-of-00001.parquet: not a Parquet file"):
        score(Seer(), "bivlc", tmp_path)
    pq.write_table(pa.table({"image": [b"x"]}), path)
    with pytest.raises(InputError, match="row 0 needs the texts image, negative_image, caption"):
        score(Seer(), "bivlc", tmp_path)
