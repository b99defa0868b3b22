"""Hard positives in the project's layout: every outcome by hand, against a slow loop, and at chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, noise, picture, png, write
from tests.evaluation.test_benchmarks import JUDGE, images, score

from compoclip.errors import InputError
from compoclip.evaluation import individual
from compoclip.evaluation.task import DataMissing

ATTRIBUTES, RELATIONS, SWAP = (
    "vl_checklist_attributes.json",
    "vl_checklist_relations.json",
    "visual_genome_attribution.json",
)
Texts = tuple[str, str, str, str]  # caption, hard positive, its negative, the caption's negative


def rows(texts: list[Texts], image: str = "data/VG_100K_2/1.jpg", **extra: Any) -> tuple[list[Any], list[Any]]:
    made = [{"image_id": "1", "image_path": image, **extra} for _ in texts]
    first = [m | {"true_caption": c, "false_caption": n0} for m, (c, _, _, n0) in zip(made, texts)]
    second = [m | {"true_caption": p, "false_caption": n} for m, (_, p, n, _) in zip(made, texts)]
    return first, second


def hard(root: Path, file: str, pair: tuple[list[Any], list[Any]]) -> None:
    for folder, table in zip(("data", "swapped_data"), pair):
        write(root / "hard_positives" / folder / file, table)


OUTCOMES: list[Texts] = [
    ("best c", "good p", "bad n", "bad n"),  # both above
    ("best c", "bad p", "fair n", "fair n"),  # the hard positive below
    ("bad c", "good p", "fair n", "fair n"),  # the caption below
    ("fair c", "bad p", "good n", "good n"),  # neither above
    ("same c", "best p", "good n", "good n"),  # a tie
    ("good c", "best p", "bad n", "best n0"),  # the first negative is another, and above the caption
]


def test_every_outcome_by_hand(tmp_path: Path) -> None:
    hard(tmp_path, ATTRIBUTES, rows(OUTCOMES))
    first, second = rows([OUTCOMES[0], OUTCOMES[0], OUTCOMES[1]])
    first[1]["image_path"] = second[1]["image_path"] = "data/VG_100K/9.jpg"  # no such photo
    hard(tmp_path, RELATIONS, (first, second))
    hard(tmp_path, SWAP, rows([OUTCOMES[3]], "1.jpg", bbox_x=0, bbox_y=1, bbox_w=2, bbox_h=2))
    images(tmp_path, "vg/VG_100K_2/1.jpg", "aro/images/1.jpg")
    entry = score(JUDGE, "hard_positives", tmp_path)
    found = entry["subsets"]["replace_att"]
    assert found["accuracy"] == pytest.approx(100 * 2 / 6)
    assert found["original"] == pytest.approx(100 * 2 / 6)
    assert found["positive"] == pytest.approx(100 * 4 / 6)
    assert found["brittleness"] == pytest.approx(100 * 2 / 6)
    shares = {"both": 2, "caption_only": 1, "positive_only": 1, "neither": 1, "tied": 1}
    assert found["outcomes"] == pytest.approx({k: 100 * v / 6 for k, v in shares.items()})
    assert found["ties"] == 1
    relations = entry["subsets"]["replace_rel"]
    assert (relations["n"], relations["missing"], relations["accuracy"], relations["original"]) == (2, 1, 50.0, 100.0)
    assert entry["subsets"]["swap"]["accuracy"] == 0.0
    replace = (100 / 3 + 50) / 2
    assert entry["rule"] == "augmented: mean of SWAP and REPLACE"
    assert entry["score"] == pytest.approx(replace / 2)
    assert entry["scores"]["REPLACE augmented"] == pytest.approx(replace)
    assert entry["scores"]["REPLACE original"] == pytest.approx((100 / 3 + 100) / 2)
    assert entry["scores"]["brittleness"] == pytest.approx((0 + (100 / 3 + 50) / 2) / 2)
    assert entry["scores"]["SWAP hard positive"] == 0.0
    assert individual({"tasks": {"hard_positives": entry}})["hard_positives::swap"] == 0.0


def test_swap_reads_the_region_alone(tmp_path: Path) -> None:
    from compoclip.evaluation.task import TaskOptions
    from compoclip.evaluation.tasks import TASKS

    hard(tmp_path, SWAP, rows([OUTCOMES[0]], "1.jpg", bbox_x=1, bbox_y=0, bbox_w=3, bbox_h=2))
    images(tmp_path, "hard_positives/images/1.jpg")
    subset = TASKS["hard_positives"].load(TaskOptions(tmp_path)).subsets[0]
    assert subset.image_refs()[0].load().size == (3, 2)


def test_random_features_equal_a_slow_loop_and_come_near_chance(tmp_path: Path) -> None:
    texts = [(f"c {i}", f"p {i}", f"n {i}", f"n {i}") for i in range(300)]
    first, second = rows(texts)
    for i in range(300):
        first[i]["image_path"] = second[i]["image_path"] = f"data/VG_100K/{i}.jpg"
        write(tmp_path / "hard_positives" / "images" / f"{i}.jpg", png(picture(i // 256, i % 256)))
    hard(tmp_path, RELATIONS, (first, second))
    found = score(RandomModel(16), "hard_positives", tmp_path)["subsets"]["replace_rel"]
    both = original = brittle = 0
    for i, row in enumerate(texts):
        v = noise(np.asarray(picture(i // 256, i % 256)).tobytes(), 16)
        cosine = [float(v @ t) / float(np.linalg.norm(t)) for t in (noise(text.encode(), 16) for text in row)]
        both += cosine[0] > cosine[2] < cosine[1]
        original += cosine[0] > cosine[3]
        brittle += min(cosine[:2]) < cosine[2] < max(cosine[:2])
    assert found["accuracy"] == pytest.approx(both / 3)
    assert found["original"] == pytest.approx(original / 3)
    assert found["brittleness"] == pytest.approx(brittle / 3)
    for key, chance in (("accuracy", 100 / 3), ("original", 50.0), ("brittleness", 100 / 3)):
        assert abs(found[key] - chance) < 4 * np.sqrt(chance * (100 - chance) / 300), key
    assert found["chance"] == pytest.approx(100 / 3)


def test_an_oracle_gets_all_and_its_opposite_nothing(tmp_path: Path) -> None:
    images(tmp_path, "hard_positives/images/1.jpg")
    for texts, expected in (
        (("good c", "good p", "bad n", "bad m"), 100.0),
        (("bad c", "bad p", "good n", "good m"), 0.0),
    ):
        hard(tmp_path, ATTRIBUTES, rows([texts] * 3))
        entry = score(JUDGE, "hard_positives", tmp_path)
        part = "(1 of 3 sets)"
        assert entry["score"] == entry["scores"][f"original {part}"] == expected
        assert entry["scores"][f"hard positive {part}"] == expected
        assert entry["rule"] == f"augmented: mean of SWAP and REPLACE {part}"
        assert entry["scores"][f"brittleness {part}"] == 0.0


def test_bad_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"hard_positives: none of data/visual_genome_attribution.json"):
        score(JUDGE, "hard_positives", tmp_path)
    first, second = rows(OUTCOMES[:2])
    write(tmp_path / "hard_positives" / "data" / ATTRIBUTES, first)
    with pytest.raises(InputError, match=r"its counterpart swapped_data/vl_checklist_attributes.json is not there"):
        score(JUDGE, "hard_positives", tmp_path)
    hard(tmp_path, ATTRIBUTES, (first, second[:1]))
    with pytest.raises(InputError, match="1 rows for the 2 of"):
        score(JUDGE, "hard_positives", tmp_path)
    hard(tmp_path, ATTRIBUTES, (first, [second[0], second[1] | {"image_path": "data/VG_100K/2.jpg"}]))
    with pytest.raises(InputError, match=r"row 1 is of image data/VG_100K/2.jpg, but .* has data/VG_100K_2/1.jpg"):
        score(JUDGE, "hard_positives", tmp_path)
    hard(tmp_path, ATTRIBUTES, (first, [second[0], {"image_path": "x"}]))
    with pytest.raises(InputError, match="row 1 needs the texts image_path, true_caption, false_caption"):
        score(JUDGE, "hard_positives", tmp_path)
    hard(tmp_path, ATTRIBUTES, (first, second))
    with pytest.raises(DataMissing, match=r"no image such as VG_100K_2/1.jpg found"):
        score(JUDGE, "hard_positives", tmp_path)
