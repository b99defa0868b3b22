"""Tables of every format, whole and with every fault: nothing is lost without being counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compoclip.data.sources import open_source
from compoclip.errors import InputError

from .conftest import jpeg, write_tar

ROWS = [("a.jpg", "a red cat"), ("b.jpg", "a dog"), ("a.jpg", "one cat, red")]


def write_table(path: Path, image: str = "image", caption: str = "caption") -> Path:
    if path.suffix == ".tsv":
        path.write_text(f"{image}\t{caption}\n" + "".join(f"{i}\t{c}\n" for i, c in ROWS))
    elif path.suffix == ".csv":
        path.write_text(f"{image},{caption}\n" + "".join(f'{i},"{c}"\n' for i, c in ROWS))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({image: i, caption: c}) + "\n" for i, c in ROWS))
    elif path.suffix == ".json":
        path.write_text(json.dumps([{image: i, caption: c} for i, c in ROWS]))
    else:
        pq.write_table(pa.table({image: [i for i, _ in ROWS], caption: [c for _, c in ROWS]}), path)
    return path


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize(("image", "caption"), [("image", "caption"), ("filepath", "title"), ("File_Name", "Sentence")])
def test_every_format_groups_captions_by_image(photos: Path, suffix: str, image: str, caption: str) -> None:
    source = open_source(write_table(photos / f"t{suffix}", image, caption))
    assert [(s.image_id, s.captions) for s in source] == [
        ("a.jpg", ("a red cat", "one cat, red")),
        ("b.jpg", ("a dog",)),
    ]
    assert source[0].image.load().getpixel((0, 0)) == (0, 5, 9)
    assert source[0].negatives is None
    assert (source.report.samples, source.report.captions, source.report.rows) == (2, 3, 3)
    assert source.place_of_row(2) is None  # kept for tables that name rows alone
    assert source[-1].image_id == "b.jpg"


def test_all_formats_have_one_fingerprint_and_it_sees_captions(photos: Path) -> None:
    names = (".tsv", ".csv", ".jsonl", ".json", ".parquet")
    prints = {open_source(write_table(photos / f"t{suffix}")).fingerprint for suffix in names}
    assert len(prints) == 1
    other = photos / "o.tsv"
    other.write_text("image\tcaption\na.jpg\ta red hat\n")
    assert open_source(other).fingerprint not in prints


def test_named_columns_and_wrong_columns(photos: Path) -> None:
    table = write_table(photos / "t.tsv", "pic", "words")
    assert len(open_source(table, image_key="pic", caption_key="words")) == 2
    with pytest.raises(InputError, match=r"t\.tsv: no image column found \(columns: pic, words\).*--image-key"):
        open_source(table)
    with pytest.raises(InputError, match=r"no column 'word' \(columns: words\).*--caption-key"):
        open_source(table, image_key="pic", caption_key="word")
    headless = photos / "h.tsv"
    headless.write_text("a.jpg\ta cat\nb.jpg\ta dog\n")
    with pytest.raises(InputError, match="put a line with the columns' names first"):
        open_source(headless)


def test_split_column(photos: Path) -> None:
    table = photos / "t.tsv"
    table.write_text("image\tcaption\tsplit\na.jpg\tone\ttrain\nb.jpg\ttwo\ttest\n")
    assert [s.image_id for s in open_source(table, split="test")] == ["b.jpg"]
    assert len(open_source(table)) == 2
    with pytest.raises(InputError, match=r"no row of split 'val' \(splits there: test, train\)"):
        open_source(table, split="val")
    with pytest.raises(InputError, match="no split column"):
        open_source(write_table(photos / "u.tsv"), split="train")


def test_list_valued_captions(photos: Path) -> None:
    lines = photos / "t.jsonl"
    lines.write_text('{"image": "a.jpg", "captions": ["x", "", 3, "y"]}\n{"image": "b.jpg", "captions": []}\n')
    source = open_source(lines)
    assert source[0].captions == ("x", "y")
    assert source.report.skipped == {"empty caption": 2, "caption is not text": 1}
    table = photos / "t.tsv"
    table.write_text("image\tcaptions\na.jpg\t['it is', \"a dog's\"]\nb.jpg\t[\"json\"]\nc.jpg\t['broken\n")
    source = open_source(table)
    assert [s.captions for s in source] == [("it is", "a dog's"), ("json",)]
    assert source.report.skipped == {"bad list of captions": 1}
    assert "t.tsv:4" in source.report.examples["bad list of captions"][0]


def test_list_literals_are_never_evaluated(photos: Path) -> None:
    (photos / "t.tsv").write_text(
        "image\tcaptions\na.jpg\t[__import__('os').mkdir('owned')]\nb.jpg\t" + "[" * 5000 + "\nc.jpg\tok\n"
    )
    source = open_source(photos / "t.tsv")
    assert len(source) == 1
    assert source.report.skipped["bad list of captions"] == 2
    assert not Path("owned").exists()


def test_every_bad_row_is_counted_with_its_line(photos: Path) -> None:
    table = photos / "t.tsv"
    table.write_bytes(
        b"\xef\xbb\xbfimage\tcaption\r\n"
        b"a.jpg\tfine\r\n"
        b"a.jpg\tnot \xff utf-8\r\n"
        b"a.jpg\n"
        b"a.jpg\tthree\tcells\n"
        b"\n"
        b"a.jpg\t  \n"
        b"gone.jpg\tx\n"
        b"gone.jpg\ty\n"
        b"\tno name\n"
        b"../../etc/passwd\tx\n"
        b"/etc/passwd\tx\n"
        b"http://host/a.jpg\tx\n"
    )  # fmt: skip
    source = open_source(table)
    assert [s.captions for s in source] == [("fine",)]
    assert source.report.skipped == {
        "not UTF-8": 1, "ragged row": 2, "empty caption": 1, "missing image": 2, "no image name": 1,
        "outside the image folder": 2, "image is a web address": 1,
    }  # fmt: skip
    assert source.report.rows == 1 + source.report.total_skipped
    assert source.report.examples["ragged row"][0].startswith(f"{table}:4")
    assert source.report.examples["missing image"][0].startswith(f"{table}:8")
    assert "ragged row" in str(source.report)
    json.dumps(source.report.as_dict())


def test_stray_quotes_cost_nothing(photos: Path) -> None:
    table = photos / "t.tsv"
    table.write_text(
        'image\tcaption\na.jpg\t"Hello" he said\nb.jpg\t"unclosed\nc.jpg\tplain\na.jpg\t"quoted ""well"" here"\n'
        'a.jpg\t"over\ntwo lines"\nb.jpg\tmid "quote" here\n'
    )
    source = open_source(table)
    captions = {s.image_id: s.captions for s in source}
    assert captions == {
        "a.jpg": ('"Hello" he said', 'quoted "well" here', "over two lines"),
        "b.jpg": ('"unclosed', 'mid "quote" here'),
        "c.jpg": ("plain",),
    }
    assert not source.report.total_skipped


def test_csv_with_commas_quotes_and_lines(photos: Path) -> None:
    table = photos / "t.csv"
    table.write_text('image,caption\na.jpg,"red, green ""and""\nblue"\nb.jpg,"open quote, never closed\nc.jpg,end\n')
    source = open_source(table)
    assert [s.captions for s in source] == [('red, green "and" blue',), ("end",)]
    assert source.report.skipped == {"ragged row": 1}


def test_csv_that_is_tab_or_semicolon_separated(photos: Path) -> None:
    (photos / "t.csv").write_text("filepath\ttitle\na.jpg\tone, two\n")
    (photos / "s.csv").write_text("filepath;title\na.jpg;one\n")
    assert open_source(photos / "t.csv")[0].captions == ("one, two",)
    assert open_source(photos / "s.csv")[0].captions == ("one",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.tsv", b"", "header"),
        ("t.tsv", "image\tcaption\n".encode("utf-16"), "UTF-8"),
        ("t.tsv", b"image\tcaption\timage\n", "'image' is there twice"),
        ("t.tsv", b"image\tcaption\n", "no usable sample"),
        ("t.jsonl", b"[1, 2]\nnothing\n", "no JSON object"),
        ("t.json", b"{broken", "line 1 is not valid JSON"),
        ("t.json", b"[]", "neither a list of objects"),
        ("t.parquet", b"PAR1 nonsense", "not a Parquet file"),
        ("t.xyz", b"", "unknown kind of file"),
        ("t.tar", b"no tar at all" * 100, "not a plain tar"),
        ("t.tar.gz", b"\x1f\x8b rest", "decompress"),
    ],
)
def test_refusals_name_the_file(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        open_source(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_path() -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source("/nowhere/t.tsv")


def test_broken_json_lines_are_counted(photos: Path) -> None:
    (photos / "t.jsonl").write_bytes(
        b'{"image": "a.jpg", "caption": "one"}\nbroken\n[1]\n{"image": "b.jpg", "caption": "\xff"}\n\n'
        b'{"image": "b.jpg", "caption": null}\n{"image": 7, "caption": "x"}\n{"caption": "x"}\n'
        + b"[" * 100_000
        + b"\n"
    )
    source = open_source(photos / "t.jsonl")
    assert len(source) == 1
    assert source.report.skipped == {
        "bad JSON": 3, "not UTF-8": 1, "empty caption": 1, "missing image": 1, "no image name": 1
    }  # fmt: skip


def test_images_in_subfolder_in_root_in_tars_and_without_suffix(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg(1))
    write_tar(tmp_path / "images.tar", {"./deep/b.jpg": jpeg(2)})
    write_tar(tmp_path / "more-0.tar", {"c.jpg": jpeg(3)})
    (tmp_path / "t.tsv").write_text("image\tcaption\na\tx\nb.jpg\ty\nold/place/c.jpg\tz\n")
    source = open_source(tmp_path / "t.tsv")
    pixels = [s.image.load().getpixel((0, 0))[0] for s in source]
    assert pixels == [37, 74, 111]
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    (elsewhere / "t.tsv").write_text("image\tcaption\na.jpg\tx\n" + f"{tmp_path.resolve()}/images/a.jpg\ty\n")
    for root in (tmp_path, tmp_path / "images"):
        assert [s.captions for s in open_source(elsewhere / "t.tsv", image_root=root)] == [("x", "y")]
    (elsewhere / "u.tsv").write_text("image\tcaption\nb.jpg\tx\n")
    assert len(open_source(elsewhere / "u.tsv", image_root=tmp_path / "images.tar")) == 1
    with pytest.raises(InputError, match="--image-root"):
        open_source(elsewhere / "u.tsv", image_root=tmp_path / "nowhere")


def test_two_names_that_would_meet_in_one_file_are_refused(photos: Path) -> None:
    (photos / "t.tsv").write_text("image\tcaption\nx/a.jpg\tone\ny/a.jpg\ttwo\n")
    with pytest.raises(InputError, match="both lead to"):
        open_source(photos / "t.tsv")


def test_parquet_with_images_inside(tmp_path: Path) -> None:
    cells = [{"bytes": jpeg(k), "path": f"{k}.jpg"} for k in range(5)] + [{"bytes": None, "path": None}]
    table = pa.table({"image": cells, "text": [f"caption {k}" for k in range(6)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    source = open_source(tmp_path / "t.parquet")
    assert [s.image.load().getpixel((0, 0))[0] for s in list(source)[:5]] == [0, 37, 74, 111, 148]
    assert source[3].captions == ("caption 3",)
    assert source.report.skipped == {"missing image": 1}


def test_coco_and_karpathy_json(photos: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": 1, "caption": "x"},
            {"image_id": 1, "caption": "y"},
            {"image_id": 9, "caption": "z"},
        ],
    }
    (photos / "captions_val.json").write_text(json.dumps(coco))
    source = open_source(photos / "captions_val.json")
    assert [s.captions for s in source] == [("x", "y")]
    assert source.report.skipped == {"no image name": 1}
    karpathy = {
        "images": [
            {"filename": "a.jpg", "filepath": "val2014", "split": "restval", "sentences": [{"raw": "x"}, {"raw": "y"}]},
            {"filename": "b.jpg", "split": "test", "sentences": [{"raw": "z"}]},
        ]
    }
    (photos / "dataset_coco.json").write_text(json.dumps(karpathy))
    assert [s.captions for s in open_source(photos / "dataset_coco.json", split="train")] == [("x", "y")]


def test_memory_stays_packed(photos: Path) -> None:
    lines = "".join(f"a.jpg\tcaption number {k} of a photo\n" for k in range(5000))
    (photos / "t.tsv").write_text("image\tcaption\n" + lines)
    source = open_source(photos / "t.tsv")
    assert len(source) == 1
    assert len(source[0].captions) == 5000


# no tabs: within a cell of a TSV, where quotes are seldom quoting, they cannot be told from separators
words = st.text(st.sampled_from("ab\"', \n;é"), min_size=1, max_size=12).filter(
    lambda text: any(letter.isalnum() for letter in text)
)


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(words, min_size=1, max_size=6))
def test_whatever_python_writes_is_read_back(photos: Path, suffix: str, captions: list[str]) -> None:
    table = photos / f"t{suffix}"
    with open(table, "w", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
        writer.writerow(["image", "caption"])
        writer.writerows(["a.jpg", caption] for caption in captions)
    source = open_source(table)
    assert source[0].captions == tuple(" ".join(caption.split()) for caption in captions)
    assert not source.report.total_skipped


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.text(st.sampled_from('a."\t '), max_size=8), min_size=1, max_size=8))
def test_unquoted_rows_are_used_or_counted(photos: Path, rows: list[str]) -> None:
    """No line of a TSV vanishes: what is not a caption in the end has been counted."""
    (photos / "t.tsv").write_text("image\tcaption\na.jpg\tfirst\n" + "".join(f"a.jpg\t{row}\n" for row in rows))
    report = open_source(photos / "t.tsv").report
    assert report.captions + report.total_skipped == report.rows
    assert report.captions >= 1
