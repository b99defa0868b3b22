"""Tables that bring negatives along: NegCLIP's TSV and DeGLA's JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from compoclip.data.sources import open_source

from .conftest import jpeg


def test_negclip(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    for k in range(3):
        (tmp_path / "val2014" / f"{k}.jpg").write_bytes(jpeg(k))
    (tmp_path / "t.tsv").write_text(
        "\ttitle\tfilepath\tneg_caption\tneg_image\n"
        "0\tA cat.\tcoco/val2014/0.jpg\t['A tac .', \"A dog's\"]\t[2, 1]\n"
        "1\tbroken row\n"
        "2\tA cow.\tcoco/val2014/1.jpg\t['unclosed\t[0]\n"
        "3\tOne cat.\tcoco/val2014/0.jpg\t[]\t[2, 'x']\n"
        "4\tA hat.\tcoco/val2014/2.jpg\t['A tah', 5, '']\t\n"
    )
    source = open_source(tmp_path / "t.tsv")
    assert [s.captions for s in source] == [("A cat.", "One cat."), ("A cow.",), ("A hat.",)]
    assert source[0].negatives == (("A tac .", "A dog's"), ())
    assert source[0].negative_rows == ((2, 1), (2,))
    assert source[1].negatives == ((),)
    assert source[2].negatives == (("A tah",),)
    assert [source.place_of_row(row) for row in (0, 3, 2)] == [
        (0, 0),
        (0, 1),
        (1, 0),
    ]  # the broken row keeps its number
    assert [source.place_of_row(row) for row in (1, 5, -1)] == [None] * 3
    assert source.report.skipped == {"ragged row": 1, "bad list of negatives": 1, "bad negative": 2}


def test_negclip_columns_named_by_hand_are_a_plain_table(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "t.tsv").write_text("title\tfilepath\tneg_caption\nA cat.\ta.jpg\t['A tac']\n")
    assert open_source(tmp_path / "t.tsv", caption_key="title")[0].negatives is None


def test_real_negclip_rows(shared: Path, tmp_path: Path) -> None:
    """Every row of the published validation file is read; its photos are not here, so they are stood in for."""
    table = shared / "reference" / "annotations" / "negclip_valid.tsv"
    with open(table, newline="") as handle:
        names = {row["filepath"] for row in csv.DictReader(handle, delimiter="\t")}
    (tmp_path / "coco" / "val2014").mkdir(parents=True)
    for name in names:
        (tmp_path / name).touch()
    source = open_source(table, image_root=tmp_path)
    assert source.report.rows == 4839
    assert source.report.captions == 4839
    assert not source.report.total_skipped
    first = next(s for s in source if s.captions[0].startswith("A child holding a flowered umbrella"))
    assert first.negatives is not None
    assert first.negatives[0][1] == "A child petting a flowered umbrella and holding a yak ."
    assert first.negative_rows == ((2973, 1515, 2235),)


def test_degla(tmp_path: Path) -> None:
    (tmp_path / "train2014").mkdir()
    for k in (9, 25):
        (tmp_path / "train2014" / f"COCO_train2014_{k:012d}.jpg").write_bytes(jpeg(k))
    rows = [
        {"image_id": 9, "original": "a b c d", "enhanced": ["b a", "c a", "d a", "e"]},
        {"image_id": "25", "original": "x", "enhanced": ["y", None, ""]},
        {"image_id": 9, "original": "second", "enhanced": "not a list"},
        {"image_id": 77, "original": "gone", "enhanced": []},
        {"image_id": None, "original": "no image", "enhanced": []},
        {"image_id": 25, "original": "", "enhanced": ["z"]},
        "not an object",
    ]
    (tmp_path / "DeGLA.json").write_text(json.dumps(rows))
    source = open_source(tmp_path / "DeGLA.json")
    assert [(s.captions, s.negatives) for s in source] == [
        (("a b c d", "second"), (("b a", "c a", "d a", "e"), ())),
        (("x",), (("y",),)),
    ]
    assert source.report.rows == len(rows)
    assert source.report.skipped == {
        "bad negative": 1, "bad list of negatives": 1, "missing image": 1, "no image name": 1,
        "empty caption": 1, "bad JSON": 1
    }  # fmt: skip
