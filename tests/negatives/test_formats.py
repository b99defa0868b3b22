"""Other people's files: what is read, what is refused, and that writing and reading agree."""

from __future__ import annotations

import json

import pytest

from compoclip.cli import main
from compoclip.errors import InputError
from compoclip.negatives import Negative
from compoclip.negatives.formats import FORMS, convert, image_of, iterate_format, write_format

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


SUFFIXES = {"negclip": ".tsv", "parquet": ".parquet"}


def read_format(path, form=None):
    return list(iterate_format(path, form))


def texts(rows):
    return [(caption_id, caption, [n.text for n in negatives]) for caption_id, caption, negatives in rows]


@pytest.mark.parametrize("form", FORMS)
def test_written_and_read_again(tmp_path, form):
    path = tmp_path / f"a{SUFFIXES.get(form, '.json')}"
    write_format(path, ROWS, form)
    found = read_format(path)  # the form is recognised
    assert texts(found) == texts(ROWS)
    if form == "parquet":
        assert found == ROWS
    else:
        assert all(negative.source == path.name for *_, negatives in found for negative in negatives)


@pytest.mark.parametrize("there", FORMS)
@pytest.mark.parametrize("back", FORMS)
def test_convert_there_and_back(tmp_path, there, back, capsys):
    """From any form to any other on the command line, with nothing said about what the input is."""
    first, second, third = (
        tmp_path / f"{name}{SUFFIXES.get(form, '.json')}" for name, form in zip("abc", (there, back, there))
    )
    write_format(first, ROWS, there)
    for source, out, form in ((first, second, back), (second, third, there)):
        with pytest.raises(SystemExit) as end:
            main(["negatives", "convert", str(source), "--to", form, "--out", str(out)])
        assert end.value.code == 0
    assert texts(read_format(third)) == texts(ROWS)
    assert "captions_written: 2\nnegatives_written: 8\n" in capsys.readouterr().out


def test_convert_says_what_a_form_cannot_hold(tmp_path, capsys):
    rows = [*ROWS, ("b.jpg#0", "a hen", []), ("b.jpg#1", "a fox", [Negative("a hen", "k")])]
    write_format(tmp_path / "a.parquet", rows, "parquet")
    kept = {form: convert(tmp_path / "a.parquet", tmp_path / f"out-{form}", form) for form in FORMS}
    assert {form: (k["captions_written"], k["negatives_written"]) for form, k in kept.items()} == {
        "negclip": (3, 9), "degla": (2, 8), "ce-clip": (4, 9), "sugarcrepe": (3, 9), "parquet": (4, 9)
    }  # fmt: skip
    for form, counts in kept.items():  # what it says is what the file holds
        found = read_format(tmp_path / f"out-{form}", form)
        assert (len(found), sum(len(n) for *_, n in found)) == (counts["captions_written"], counts["negatives_written"])
        assert (counts["captions"], counts["negatives"]) == (4, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.json", "--to", "negclip", "--out", "b.tsv"], "a.json:2: 1 items of the wrong kind (bad negative)"),
        (["a.json", "--to", "negclip", "--out", "b.tsv", "--from", "negclip"], "name it with --from"),
        (["a.json", "--to", "negclip", "--out", "b.tsv", "--from", "xyz"], "unknown format 'xyz'"),
        (["a.json", "--to", "xyz", "--out", "b.tsv"], "unknown format 'xyz'"),
        (["a.json", "--to", "degla", "--out", "a.json"], "--out names a new file"),
        (["none.json", "--to", "degla", "--out", "b.json"], "none.json: no such file"),
        (["a.parquet", "--to", "degla", "--out", "b.json"], "a.parquet: not a negatives shard"),
    ],
)
def test_convert_refuses_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    good = {"image_id": 1, "original": "a dog", "enhanced": ["a cat"] * 4}
    (tmp_path / "a.json").write_text(json.dumps([good, {**good, "enhanced": ["a cat", 3]}]))
    (tmp_path / "a.parquet").write_text("no parquet")
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises(SystemExit) as end:
        main(["negatives", "convert", *arguments])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (tmp_path / "a.json").read_bytes() == before
    assert not (tmp_path / "b.tsv").exists()
    assert not (tmp_path / "b.json").exists()


def test_degla_leaves_short_rows_out_and_counts_them(tmp_path):
    short = [("a.jpg#0", "a dog", [Negative("a cat", "k")])]
    write_format(tmp_path / "a.parquet", [*ROWS, *short], "parquet")
    counts = convert(tmp_path / "a.parquet", tmp_path / "a.json", "degla")
    assert counts == {"captions": 3, "negatives": 9, "captions_written": 2, "negatives_written": 8}
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
            r"a\.tsv:2: neither a JSON list.*\(bad list of negatives",
        ),
        ("a.tsv", "title\tfilepath\na\tb\n", "no neg_caption"),
        ("a.json", '[{"image_id": 1, "enhanced": []}]', "no original"),
        ("a.json", '[{"x": 1}]', "none of the known forms"),
        ("a.json", "{", "not valid JSON"),
        ("a.tsv", "title\tfilepath\tneg_caption\na\n", r"a\.tsv:2: 3 columns expected.*\(ragged row"),
        ("a.tsv", b"title\tfilepath\tneg_caption\n\xe9\t\t\n", "not UTF-8"),
        ("a.json", '[{"image_id": 1, "original": 5, "enhanced": []}]', r"a\.json:1: int.*\(caption is not text"),
        ("a.json", '[{"image_id": 1, "original": "x", "enhanced": []}, 3]', r"a\.json:2: not an object \(bad JSON"),
        (
            "a.json",
            '[{"caption": "x", "negatives": [{"edited_caption": null}]}]',
            r"a\.json:1: 1 items are not texts \(bad negative",
        ),
        ("a.json", '[{"caption": "x", "negatives": "y"}]', r"a\.json:1: .*\(bad list of negatives"),
        ("a.json", '[{"caption": "x", "noun_aug_caption": ["y"]}]', r"a\.json:1: 1 items are not texts \(bad negative"),
        (
            "a.json",
            '{"7": {"filename": "f", "caption": "x", "negative_caption": ""}}',
            r"a\.json:1: no text in negative_caption \(bad negative",
        ),
        ("a.json", "[]", "neither a list of objects"),
        ("a.json", "[3]", "the list contains no objects"),
    ],
)
def test_broken_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
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
