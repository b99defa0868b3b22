"""Half-Truths, ColorFoil, NegRefCOCOg and the rest of NegBench in their official layouts, scored by hand.

Where each layout was looked up stands in made/checked.yaml; NegBench's retrieval: github.com/m1k2zoo/negbench at
2ac009b, datasets.md (tree), benchmarks/src/training/data.py (filepath, and captions as a Python list), its tables not
seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.evaluation.fakes import Table, picture, png, write
from tests.evaluation.made.base import Made, parquet
from tests.evaluation.test_benchmarks import JUDGE, images, score
from tests.evaluation.test_published_captions import Reader, measured, photo

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.task import DataMissing
from compoclip.evaluation.task_data import check_task
from compoclip.evaluation.tasks.colorfoil import FOILS, GREY, NAMED, foil, rows

COLUMNS = ("id", "image", "triplet_type", "anchor", "half_truth", "full_truth")


def halves(root: Path, source: str, *texts: tuple[str, str, str, str]) -> None:
    write(root / "photo.png", png(picture(0)))
    table = [(str(k), root / "photo.png", *row) for k, row in enumerate(texts)]
    parquet(Made(root), f"half_truths/data/{source}.parquet", COLUMNS, table)


def test_half_truths_ask_for_the_short_truth_and_cor_for_the_long_one_too(tmp_path: Path) -> None:
    halves(
        tmp_path,
        "coco_qwen",
        ("entity", "good a", "bad a", "best a"),  # both
        ("entity", "good a", "fair a", "bad a"),  # the short truth alone
        ("entity", "good a", "same a", "best a"),  # a tie: wrong
        ("relation", "fair a", "good a", "best a"),  # the half-truth wins
        ("relation", "good a", "bad a", "same a"),  # the long truth ties: no COR
    )
    halves(tmp_path, "cc3m_qwen", ("relation", "best a", "good a", "fair a"))
    entry = score(JUDGE, "half_truths", tmp_path)
    found = entry["subsets"]["coco_qwen"]
    assert (found["accuracy"], found["cor"], found["ties"], found["n"]) == (60.0, 20.0, 1, 5)
    entity, relation = (found["by"]["triplet_type"][kind] for kind in ("entity", "relation"))
    assert (entity["n"], entity["accuracy"], entity["cor"]) == (3, pytest.approx(200 / 3), pytest.approx(100 / 3))
    assert (relation["n"], relation["accuracy"], relation["cor"]) == (2, 50.0, 0.0)
    assert entry["score"] == pytest.approx((60 + 100) / 2)
    assert entry["scores"]["COR (2 of 3 sets)"] == pytest.approx((20 + 0) / 2)
    assert entry["chance"] == 50.0


def test_the_shorter_text_gets_all_half_truths_and_no_cor(tmp_path: Path) -> None:
    rows_of = [("entity", f"a cup {k}", f"a cup {k} and a hat", f"a cup {k} and a spoon") for k in range(6)]
    halves(tmp_path, "coco_qwen", *rows_of)

    class Shorter(Table):
        def __init__(self) -> None:
            super().__init__({(0, 0, 0): [1.0, 0.0]}, lambda text: [1.0, len(text) / 20])

    found = evaluate(Shorter(), "half_truths", tmp_path)["tasks"]["half_truths"]["subsets"]["coco_qwen"]
    assert (found["accuracy"], found["cor"]) == (100.0, 0.0)
    assert found["controls"]["shorter"] == 100.0


def test_a_table_of_other_columns_and_a_missing_picture(tmp_path: Path) -> None:
    halves(tmp_path, "coco_qwen", ("entity", "good a", "bad a", "best a"))
    parquet(
        Made(tmp_path),
        "half_truths/data/coco_mistral.parquet",
        COLUMNS,
        [("0", tmp_path / "none.png", "entity", "a", "b", "c"), ("1", tmp_path / "photo.png", "entity", *"abc")],
    )
    report = check_task("half_truths", tmp_path)
    assert report["subsets"] == {
        "coco_qwen": {"rows": 1, "missing": 0},
        "coco_mistral": {"rows": 1, "missing": 1},
    }
    assert report["absent"] == ["cc3m_qwen"]
    assert report["absent_rows"] == {"coco_qwen": 508, "coco_mistral": 452}
    assert "compoclip data get half-truths" in report["hint"]
    parquet(
        Made(tmp_path), "half_truths/data/cc3m_qwen.parquet", COLUMNS[:4], [("0", tmp_path / "photo.png", "x", "a")]
    )
    with pytest.raises(InputError, match=r"cc3m_qwen.parquet: row 0 needs the texts anchor, half_truth, full_truth"):
        score(JUDGE, "half_truths", tmp_path)


def coco_captions(root: Path, *told: tuple[int, str], photos: int = 3) -> Path:
    table = {
        "images": [{"id": k, "file_name": f"{k:012d}.jpg"} for k in range(photos)],
        "annotations": [{"image_id": k, "caption": text} for k, text in told],
    }
    return write(root / "coco/annotations/captions_val2017.json", table)


def test_colorfoil_takes_the_first_caption_with_a_colour_and_is_the_same_every_time(tmp_path: Path) -> None:
    path = coco_captions(
        tmp_path,
        (2, "a red cup and a red hat"),
        (0, "covered in Red, not black"),
        (0, "a blue cup"),
        (1, "a man, black, redder"),  # no word that is a colour alone
        (2, "a white cup"),
    )
    found = {row["image"]: row for _, row in rows(path)}
    assert list(found) == ["000000000000.jpg", "000000000002.jpg"]
    assert found["000000000000.jpg"]["caption"] == "covered in Red, not black"
    words = found["000000000000.jpg"]["foil"].split()
    assert words[:4] == ["covered", "in", "Red,", "not"]
    assert words[4] in set(FOILS) - {"black"}
    assert rows(path) == rows(path)
    drawn = {foil("a red cup and a red hat", photo_id) for photo_id in range(1500)}
    assert len(drawn) == 81  # any of nine others in either place
    assert not any("red" in text.split() for text in drawn)
    assert {foil("gray", k) for k in range(300)} == set(FOILS) - {"grey"}
    assert len(NAMED) == 147


def test_colorfoil_is_strict_and_leaves_out_the_grey_photos_of_the_official_list(tmp_path: Path) -> None:
    coco_captions(tmp_path, (0, "good red"), (1, "bad red"), (2, "same red"))
    images(tmp_path / "coco/val2017", "000000000000.jpg", "000000000001.jpg")

    class Reads(Table):
        """The caption's first word, but for foils, which all fit as "same" does."""

        def __init__(self) -> None:
            super().__init__(JUDGE.image_table, lambda text: JUDGE.text_rule(text if "red" in text else "fair"))

    entry = score(Reads(), "colorfoil", tmp_path)
    assert (entry["subsets"]["all"]["accuracy"], entry["subsets"]["all"]["missing"]) == (50.0, 1)
    assert check_task("colorfoil", tmp_path)["absent_rows"] == {"all": 2504}
    many = coco_captions(tmp_path, *((k, "a red cup") for k in range(600)), photos=600)
    kept = {row["image"] for _, row in rows(many)}
    assert {f"{k:012d}.jpg" for k in range(600)} - kept == {f"{k:012d}.jpg" for k in GREY if k < 600}
    write(tmp_path / "coco/annotations/captions_val2017.json", [1])
    with pytest.raises(InputError, match=r"captions_val2017\.json: not COCO's captions"):
        score(JUDGE, "colorfoil", tmp_path)
    tie = Table(JUDGE.image_table, lambda text: [1.0, 0.0])
    coco_captions(tmp_path, (0, "a red cup"))
    found = score(tie, "colorfoil", tmp_path)["subsets"]["all"]
    assert (found["accuracy"], found["ties"]) == (0.0, 1)


def test_negrefcocog_cuts_as_pillow_cuts_and_a_tie_is_right(tmp_path: Path) -> None:
    photo_of = Image.new("RGB", (8, 8), (0, 0, 0))
    photo_of.paste((1, 0, 0), (4, 0, 8, 8))
    write(tmp_path / "coco/train2014/COCO_train2014_1.jpg", png(photo_of))
    left, right = [0, 0, 3.6, 8], [4.4, 0.5, 3.6, 7]
    row: dict[str, Any] = {"image": "COCO_train2014_1.jpg", "phrase": "good", "ref_bbox": left}
    table = [
        row | {"bbox_list": [left, right]},  # the left fits better
        row | {"ref_bbox": right, "bbox_list": [right, left]},
        row | {"bbox_list": [left, [0.3, 0, 3.4, 8]]},  # a tie of equal pixels
        row | {"bbox_list": [left, right, right]},
        row | {"image": "COCO_train2014_2.jpg", "bbox_list": [left, right]},
    ]
    write(tmp_path / "negrefcocog/NegRefCOCOg.json", table)
    model = Table({(0, 0, 0): [1.0, 0.0], (1, 0, 0): [0.0, 1.0]}, lambda text: [1.0, 0.1])
    entry = score(model, "negrefcocog", tmp_path, log_samples=True)
    found = entry["subsets"]["all"]
    assert (found["accuracy"], found["ties"], found["missing"], found["n"]) == (75.0, 1, 1, 4)
    assert score(model, "negrefcocog", tmp_path, ties="strict")["score"] == 50.0
    assert found["chance"] == pytest.approx(100 * (1 / 2 + 1 / 2 + 1 / 2 + 1 / 3) / 4)
    cut = photo_of.crop((4.4, 0.5, 8.0, 7.5))  # which rounds half to even
    samples = evaluate(model, "negrefcocog", tmp_path, log_samples=True)["samples"]
    assert samples[0]["images"][1].endswith(f"box (4, 0, {4 + cut.width}, {cut.height})")
    for broken, words in (
        (row | {"bbox_list": [left]}, "row 0 needs ref_bbox, and in bbox_list another region"),
        (row | {"bbox_list": [left, [1, 2]]}, r"row 0: \[1, 2\] is no box of four numbers"),
    ):
        write(tmp_path / "negrefcocog/NegRefCOCOg.json", [broken])
        with pytest.raises(InputError, match=words):
            score(model, "negrefcocog", tmp_path)


def test_negbench_more_reads_two_and_four_captions(tmp_path: Path) -> None:
    head = "image_path,caption_0,caption_1,caption_2,caption_3,correct_answer,correct_answer_template\n"
    lines = "/x/0.png,good,bad,fair,bad b,0,positive\n/x/0.png,bad,best,fair,good,1,hybrid\n"
    lines += "/x/0.png,good,same,bad,fair,0,hybrid\n"
    write(tmp_path / "negbench/synthetic_mcq_llama3.1_rephrased.csv", head + lines)
    images(tmp_path / "negbench/synthetic", "0.png")
    name = "patient1/study1/view1_frontal.jpg"
    other = name.replace("patient1", "patient2")
    text = "image_path,caption_0,caption_1,correct_answer\n"
    text += f"CheXpert-v1.0-small/valid/{name},bad,good,1\nCheXpert-v1.0-small/valid/{other},bad,good,0\n"
    write(tmp_path / "negbench/chexpert_binary_mcq.csv", text)
    images(tmp_path / "chexpert/valid", name)
    entry = score(JUDGE, "negbench_more", tmp_path)
    synthetic, xray = entry["subsets"]["SYNTHETIC_MCQ"], entry["subsets"]["CHEXPERT"]
    assert (synthetic["accuracy"], synthetic["ties"]) == (pytest.approx(200 / 3), 1)
    assert synthetic["by"]["template"]["hybrid"]["accuracy"] == 50.0
    assert (xray["accuracy"], xray["n"], xray["missing"], xray["chance"]) == (100.0, 1, 1, 50.0)
    assert check_task("negbench_more", tmp_path)["absent"] == ["CHEXPERT_control"]
    write(tmp_path / "negbench/chexpert_binary_mcq.csv", text.replace(",good,0", ",good,2"))
    with pytest.raises(InputError, match="line 3: correct_answer '2' is none of 0 to 1"):
        score(JUDGE, "negbench_more", tmp_path)


def test_negbench_retrieval_leads_with_negated_captions(tmp_path: Path) -> None:
    def table(file: str, texts: list[list[str]]) -> None:
        lines = [f'/home/someone/val2017/{k}.jpg,"{row}"' for k, row in enumerate(texts)]
        write(tmp_path / "negbench/data/images" / file, "filepath,captions\n" + "\n".join(lines) + "\n")

    table("COCO_val_retrieval.csv", [[f"a {k}", f"b {k}"] for k in range(9)])
    table(
        "COCO_val_negated_retrieval_llama3.1_rephrased_affneg_true.csv",
        [[f"no 3, a {k + 1 - k % 2}"] for k in range(9)],
    )
    for k in range(8):
        write(tmp_path / f"coco/val2017/{k}.jpg", photo(k))
    entry = measured("negbench_retrieval", tmp_path)
    found = entry["subsets"]
    assert (found["coco/t2i"]["R@5"], found["coco/t2i"]["n"], found["coco/t2i"]["missing"]) == (100.0, 16, 1)
    assert (
        found["coco_negated/t2i"]["R@5"] == 50.0
    )  # the other four captions fit another picture, and tie for their own
    assert entry["score"] == found["coco_negated/t2i"]["R@5"]
    assert entry["rule"] == "t2i R@5, negated captions (coco alone)"
    assert entry["absent"]["sets"] == ["synthetic", "synthetic_negated"]
    write(tmp_path / "negbench/data/images/COCO_val_retrieval.csv", "filepath,captions\n0.jpg,\"['a' + 'b']\"\n")
    with pytest.raises(InputError, match=r"COCO_val_retrieval.csv: line 2 has a list of captions that cannot be read"):
        measured("negbench_retrieval", tmp_path)
    with pytest.raises(DataMissing, match="negbench_retrieval: no captions found"):
        evaluate(Reader(), "negbench_retrieval", tmp_path / "coco")
