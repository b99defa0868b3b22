"""Other people's files: what is read, what is refused, and that writing and reading agree."""

from __future__ import annotations

import json

import pytest

from compoclip.errors import InputError
from compoclip.negatives import Negative
from compoclip.negatives.formats import WRITERS, image_of, read_format, write_degla, write_format

ROWS = [
    (
        "train2014/COCO_train2014_000000000042.jpg#0",
        'a "red" dog',
        [Negative(f"a {c} dog", "k") for c in ("b", "d", "e", "it's")],
    ),
    (
        "train2014/COCO_train2014_000000000042.jpg#1",
        "a cat, a dog",
        [Negative(f"a cat, {n} dogs", "k") for n in "1234"],
    ),
]


@pytest.mark.parametrize("form", list(WRITERS))
def test_written_and_read_again(tmp_path, form):
    path = tmp_path / ("a.tsv" if form == "negclip" else "a.json")
    write_format(path, ROWS, form)
    found = read_format(path)  # the form is recognised
    assert [(i, c, [n.text for n in ns]) for i, c, ns in found] == [(i, c, [n.text for n in ns]) for i, c, ns in ROWS]
    assert all(negative.source == path.name for *_, negatives in found for negative in negatives)


def test_degla_leaves_short_rows_out_and_counts_them(tmp_path):
    short = [("a.jpg#0", "a dog", [Negative("a cat", "k")])]
    assert write_degla(tmp_path / "a.json", [*ROWS, *short]) == 1
    items = json.loads((tmp_path / "a.json").read_text())
    assert [item["image_id"] for item in items] == [42, 42]
    assert len(items[0]["enhanced"]) == 4


def test_ce_clip_flags_and_its_pickles(tmp_path):
    path = tmp_path / "a.json"
    item = {
        "caption": "a dog",
        "noun_aug_caption": "a cat",
        "adj_aug_caption": "a red dog",
        "valid_caption": [0, 0, 1, 0],
    }
    path.write_text(json.dumps([item]))
    [(_, caption, negatives)] = read_format(path)
    assert caption == "a dog"
    assert [(n.text, n.kind) for n in negatives] == [("a cat", "ce-clip-noun")]
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="could run code"):
        read_format(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.tsv",
            "title\tfilepath\tneg_caption\na\tb\t__import__('os').system('true')\n",
            "row 2: neg_caption is no list",
        ),
        ("a.tsv", "title\tfilepath\na\tb\n", "no neg_caption"),
        ("a.json", '[{"image_id": 1, "enhanced": []}]', "row 1: no original"),
        ("a.json", '[{"x": 1}]', "none of the known forms"),
        ("a.json", "{", "not valid JSON"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_format(tmp_path / name)


def test_image_of_an_id():
    assert image_of("a/b.jpg#12") == "a/b.jpg"
    assert image_of("a#b.jpg#0~2") == "a#b.jpg"
    assert image_of("0123abcd") == ""


def test_the_published_file(shared):
    rows = read_format(shared / "reference/annotations/negclip_valid.tsv")
    assert len(rows) == 4839
    assert rows[0][0] == "coco/val2014/COCO_val2014_000000184613.jpg#0"
    assert rows[0][2][0].text == "A umbrella holding a flowered child and petting a yak ."
