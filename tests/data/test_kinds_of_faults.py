"""Files as people have them, by kind of fault: read with the right value, or counted; the same for negatives.

Long because each kind of fault stands with its members.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from compoclip.data.report import Report
from compoclip.data.sources import open_source
from compoclip.data.sources.columns import caption_list
from compoclip.data.sources.shards import expand
from compoclip.errors import InputError
from compoclip.negatives.captions import caption_rows, read_captions

from .conftest import jpeg, write_tar


def photos(folder: Path, count: int, name: str = "{:03d}.png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / name.format(number)).write_bytes(jpeg(number))


def captions_of(place: Path, **options: str) -> dict[str, tuple[str, ...]]:
    """Captions by image as training reads them, after making sure that negatives read the same ones and their ids."""
    source = open_source(place, **options)
    rows = list(caption_rows(place, Report(), **options))
    assert sorted(row[:2] for row in rows) == sorted(pair for s in source for pair in zip(s.caption_ids, s.captions))
    return {sample.image_id: sample.captions for sample in source}


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ('["a red square", "a blue circle"]', ["a red square", "a blue circle"]),
        ("['a red square', 'a blue circle']", ["a red square", "a blue circle"]),
        ("['a red square' 'a blue circle']", ["a red square", "a blue circle"]),
        ("['a red square'\n 'a blue circle']", ["a red square", "a blue circle"]),
        ("array([\"it's red\", 'a circle'], dtype=object)", ["it's red", "a circle"]),
        ("('a red square', 'a blue circle')", ["a red square", "a blue circle"]),
        ("{'a red square'}", ["a red square"]),
        ("['a red square' None]", ["a red square", None]),
        ("[{'raw': 'a red square'}, {'raw': 'a circle'}]", ["a red square", "a circle"]),
        ("[MASK] a man", ["[MASK] a man"]),
        ("(left) a dog", ["(left) a dog"]),
        ("('a dog' it says", ["('a dog' it says"]),
    ],
)
def test_lists_in_cells_in_every_spelling(cell: str, wanted: list[object]) -> None:
    assert caption_list(cell) == wanted


@pytest.mark.parametrize("cell", ["['a red' 'b' {}]", "['it's red']", "['a''b']", "['a', ('b' 'c')]", "['open"])
def test_lists_that_cannot_be_read_are_never_glued(cell: str) -> None:
    with pytest.raises(ValueError, match="list"):
        caption_list(cell)


def test_lists_of_captions_in_columns_of_any_name(tmp_path: Path) -> None:
    photos(tmp_path, 2)
    (tmp_path / "a.csv").write_text('raw,filename\n"[""two dogs"", ""a pair""]",000.png\na cat,001.png\n')
    assert captions_of(tmp_path / "a.csv") == {"000.png": ("two dogs", "a pair"), "001.png": ("a cat",)}


def test_two_columns_that_may_hold_captions_are_told(tmp_path: Path) -> None:
    photos(tmp_path, 1)
    for other in ("text", "title", "description"):
        (tmp_path / "a.jsonl").write_text(json.dumps({"image": "000.png", other: "ocr", "captions": ["x", "y"]}))
        assert captions_of(tmp_path / "a.jsonl") == {"000.png": ("x", "y")}
        assert f"(there is also {other}; --caption-key" in str(open_source(tmp_path / "a.jsonl").report)


@pytest.mark.parametrize("column", ["image", "image_name", "Photo", "File_Path"])
def test_captions_of_one_photo_know_each_other_whatever_the_column(tmp_path: Path, column: str) -> None:
    said = ["a man sits", "a child stands", "a dog lies"]
    (tmp_path / "a.csv").write_text(f"{column},caption\n" + "".join(f"x.png,{text}\n" for text in said))
    for caption in read_captions(tmp_path / "a.csv")[0]:
        assert set(caption.others) == set(said) - {caption.text}
    (tmp_path / "b.csv").write_text("pic,caption\n" + "".join(f"x.png,{text}\n" for text in said))
    assert not read_captions(tmp_path / "b.csv")[0][0].others
    assert len(read_captions(tmp_path / "b.csv", image_key="PIC")[0][0].others) == 2


def test_two_spellings_of_a_path_are_one_photo_with_running_ids(tmp_path: Path) -> None:
    photos(tmp_path, 1)
    (tmp_path / "a.tsv").write_text("image\tcaption\n./000.png\tone\n000.png\ttwo\n.//000.png\tthree\n")
    assert captions_of(tmp_path / "a.tsv") == {"./000.png": ("one", "two", "three")}
    assert open_source(tmp_path / "a.tsv")[0].caption_ids == ("./000.png#0", "./000.png#1", "./000.png#2")


@pytest.mark.parametrize("name", ["{:03d}.png", "{}"])  # ids have no suffix
@pytest.mark.parametrize("ends", [('"stop sign', 'he says hi"'), ('"stop, sign', 'he says "hi"'), ('"one', '"two')])
def test_stray_quotation_marks_swallow_no_row(tmp_path: Path, name: str, ends: tuple[str, str]) -> None:
    photos(tmp_path, 40, name + ("" if name.endswith(".png") else ".png"))
    rows = [f"{name.format(k)},c{k}" for k in range(40)]
    rows[2], rows[38] = f"{name.format(2)},{ends[0]}", f"{name.format(38)},{ends[1]}"
    (tmp_path / "a.csv").write_text("image,caption\n" + "\n".join(rows) + "\n")
    report = open_source(tmp_path / "a.csv").report
    assert report.samples + report.total_skipped == report.rows == 40
    assert report.samples >= 39
    assert len(captions_of(tmp_path / "a.csv")) == report.samples


@pytest.mark.parametrize(("name", "mark"), [("a.csv", ","), ("b.csv", ";"), ("c.tsv", "\t")])
def test_unquoted_separators_cut_no_caption(tmp_path: Path, name: str, mark: str) -> None:
    photos(tmp_path, 2)
    (tmp_path / name).write_text(f"image{mark}caption\n000.png{mark}a dog{mark} a cat and a bird\n001.png{mark}a cow\n")
    assert captions_of(tmp_path / name) == {"001.png": ("a cow",)}
    assert open_source(tmp_path / name).report.skipped == {"ragged row": 1}
    rows = "".join(f"{k % 2:03d}.png{mark}a dog{mark} a cat\n" for k in range(30))
    (tmp_path / name).write_text(f"image{mark}caption\n001.png{mark}a cow\n" + rows)
    for read in (open_source, read_captions):
        with pytest.raises(InputError, match=r"30 of 31 rows cannot be used \(limit 50%\): 30 ragged row .*put quotes"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffimage,caption\n{0}{1}", "image;caption\n{0}{1}", "Image,Caption\n{0}{1}", "sep=;\nimage;caption\n{0}{1}",
        '"sep=;"\n"Image";"Caption"\n{0}{1}', "image,caption\r{0}{1}", "sep=;\rimage;caption\r{0}{1}",
        "\ufeffsep=,\r\n IMAGE , CAPTION \r\n{0}{1}", "image|caption\n{0}{1}", "image_name| comment\n{0}{1}",
    ],
)  # fmt: skip
def test_tables_as_excel_and_others_write_them(tmp_path: Path, text: str) -> None:
    photos(tmp_path, 2)
    mark = next(m for m in (";", "|", ",") if m in text.replace("sep=,", ""))
    end = "\r" if "\n" not in text else "\n"
    rows = [f"{k:03d}.png{mark}c{k}{end}" for k in range(2)]
    with open(tmp_path / "a.csv", "w", newline="", encoding="utf-8") as handle:
        handle.write(text.format(*rows))
    assert captions_of(tmp_path / "a.csv") == {"000.png": ("c0",), "001.png": ("c1",)}


def test_utf_16_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("image\tcaption\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"UTF-16.*save it as UTF-8"):
        open_source(tmp_path / "a.csv")


def cell(number: int, path: str | None = None) -> dict[str, object]:
    return {"bytes": jpeg(number), "path": path}


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([{"image": cell(0, "a.png")}, {"image": cell(0, "a.png")}, {"image": cell(1, "b.png")}], [2, 1]),
        ([{"image": cell(0)}, {"image": cell(1)}, {"image": cell(0)}], [2, 1]),
        ([{"image": jpeg(0)}, {"image": jpeg(0)}, {"image": jpeg(1)}], [2, 1]),
        ([{"image": cell(k, "image.png")} for k in (0, 1, 0)], [2, 1]),  # one name for every photo
        ([{"image": cell(k), "image_id": n} for k, n in ((0, 7), (1, 7), (1, 8))], [2, 1]),
        ([{"jpg": cell(0)}, {"jpg": cell(0)}, {"jpg": cell(1)}], [2, 1]),  # a column of another name
    ],
)
def test_rows_of_one_photo_in_a_table_are_one_photo(tmp_path: Path, rows: list[dict], wanted: list[int]) -> None:
    said = [{**row, "caption": f"caption {k}"} for k, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(said), tmp_path / "a.parquet")
    assert [len(texts) for texts in captions_of(tmp_path / "a.parquet").values()] == wanted
    source = open_source(tmp_path / "a.parquet")
    assert source[0].image.load().getpixel((0, 0)) == (0, 5, 9)


def test_a_photo_named_in_a_table_cell_is_looked_for_beside_it(tmp_path: Path) -> None:
    photos(tmp_path, 1)
    rows = [{"image": {"bytes": None, "path": name}, "caption": "a dog"} for name in ("000.png", "gone.png", None)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    assert [sample.image_id for sample in source] == ["000.png"]
    assert source.report.skipped == {"missing image": 2}


@pytest.mark.parametrize("archive", ["images.tar", "images.zip", "val.zip"])
def test_the_same_name_in_another_folder_is_another_photo(tmp_path: Path, archive: str) -> None:
    stem = "" if archive == "val.zip" else "val/"
    members = {f"{stem}{k:03d}.png": jpeg(k) for k in range(20)}
    if archive.endswith(".tar"):
        write_tar(tmp_path / archive, members)
    else:
        with zipfile.ZipFile(tmp_path / archive, "w") as out:
            for name, data in members.items():
                out.writestr(name, data)
    for split, found in (("train", 0), ("val", 20)):
        rows = "".join(f"coco/{split}/{k:03d}.png\tc{k}\n" for k in range(20))
        (tmp_path / "a.tsv").write_text("image\tcaption\n" + rows)
        if found or archive == "val.zip":
            assert len(open_source(tmp_path / "a.tsv")) == 20
        else:
            with pytest.raises(InputError, match="20 missing image"):
                open_source(tmp_path / "a.tsv")


def test_litter_among_photos_with_texts(tmp_path: Path) -> None:
    for name in ("a", ".ipynb_checkpoints/a-checkpoint", "._a", "__MACOSX/a", "@eaDir/a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(jpeg(1))
        (tmp_path / f"{name}.txt").write_text("a photo")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    for name in ("b.heic", "c.svg"):
        (tmp_path / name).write_bytes(buffer.getvalue())
        (tmp_path / name).with_suffix(".txt").write_text("another")
    assert captions_of(tmp_path) == {"a.png": ("a photo",)}
    assert open_source(tmp_path).report.skipped == {"image of a format that is not read": 2}


def test_linked_folders_are_entered_and_loops_are_not(tmp_path: Path) -> None:
    photos(tmp_path / "else", 2)
    for k in range(2):
        (tmp_path / "else" / f"{k:03d}.txt").write_text(f"c{k}")
    (tmp_path / "set").mkdir()
    os.symlink(tmp_path / "else", tmp_path / "set" / "linked")
    os.symlink(tmp_path / "set", tmp_path / "else" / "loop")
    assert captions_of(tmp_path / "set") == {"linked/000.png": ("c0",), "linked/001.png": ("c1",)}
    table = tmp_path / "a.tsv"
    table.write_text(f"image\tcaption\n{(tmp_path / 'else').resolve()}/000.png\tx\n")
    os.symlink(tmp_path / "else", tmp_path / "root")
    assert len(open_source(table, image_root=tmp_path / "root")) == 1


def test_home_is_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    photos(tmp_path / "pics", 1)
    (tmp_path / "a.tsv").write_text("image\tcaption\n000.png\tx\n")
    write_tar(tmp_path / "t-0.tar", {"a.png": jpeg(1), "a.txt": b"y"})
    assert len(open_source("~/a.tsv", image_root="~/pics")) == 1
    assert len(open_source("~/t-{0..0}.tar")) == len(open_source("~/t-*.tar")) == 1
    assert read_captions("~/a.tsv")[0][0].text == "x"


def test_dots_in_the_names_of_tar_members(tmp_path: Path) -> None:
    members = {"a.jpg": jpeg(0), "a.txt": b"c", ".DS_Store": b"x", "._a.jpg": b"litter", "a.cls": b"3"}
    for k in range(8):
        members |= {f"IMG_1.{k}.png": jpeg(k), f"IMG_1.{k}.txt": f"c{k}".encode()}
    members |= {"v1.2/x.y.JPEG": jpeg(1), "v1.2/x.y.json": b'{"caption": "d"}'}
    found = captions_of(write_tar(tmp_path / "t.tar", members))
    assert len(found) == 10
    assert found["IMG_1.3"] == ("c3",)
    assert found["v1.2/x.y"] == ("d",)


@pytest.mark.parametrize(
    ("json_text", "txt", "wanted"),
    [
        ('{"title": "DSC_0001"}', "a red square", "a red square"),
        ('{"text": "ocr", "raw": "x"}', "a red square", "a red square"),
        ('{"original": "http", "caption": ""}', "a red square", "a red square"),
        ('{"caption": "a red square", "title": "DSC"}', "other", "a red square"),
        ('{"title": "a red square"}', None, "a red square"),
    ],
)
def test_which_text_of_a_tar_is_the_caption(tmp_path: Path, json_text: str, txt: str | None, wanted: str) -> None:
    members = {"1.jpg": jpeg(1), "1.json": json_text.encode()} | ({"1.txt": txt.encode()} if txt else {})
    assert captions_of(write_tar(tmp_path / "t.tar", members)) == {"1": (wanted,)}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("t-{0..1,5}.tar", ["t-0", "t-1", "t-5"]), ("t-{5,0..1}.tar", ["t-5", "t-0", "t-1"]),
        ("t-{0..5..5}.tar", ["t-0", "t-5"]), ("{t,t}-{0,1}.tar", ["t-0", "t-1"]), ("t-{0}.tar", None),
        ("t-{1..0}.tar", None), ("t-{}.tar", None), ("t-{0..9}.tar", None),
    ],
)  # fmt: skip
def test_patterns_of_shards_name_files_or_fail_in_one_line(
    tmp_path: Path, pattern: str, wanted: list[str] | None
) -> None:
    for k in (0, 1, 5):
        (tmp_path / f"t-{k}.tar").touch()
    if wanted is None:
        with pytest.raises(InputError):
            expand(str(tmp_path / pattern))
    else:
        assert [path.stem for path in expand(str(tmp_path / pattern))] == wanted


@pytest.mark.parametrize("column", ["split", "Subset", "SET", "partition"])
def test_splits_in_any_letter_case_and_column(tmp_path: Path, column: str) -> None:
    photos(tmp_path, 3)
    rows = "".join(f"{k:03d}.png\tc{k}\t{split}\n" for k, split in enumerate(("Train", "TEST", "test ")))
    (tmp_path / "a.tsv").write_text(f"image\tcaption\t{column}\n" + rows)
    assert captions_of(tmp_path / "a.tsv", split="Test") == {"001.png": ("c1",), "002.png": ("c2",)}
    assert open_source(tmp_path / "a.tsv", split="test").report.other_splits == 1
    assert "all splits are used" in str(open_source(tmp_path / "a.tsv").report)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [("train", {"000.png"}), ("TRAINING", {"000.png"}), ("dev", {"001.png", "002.png"}), ("testing", {"003.png"})],
)
def test_a_split_has_several_names(tmp_path: Path, asked: str, wanted: set[str]) -> None:
    photos(tmp_path, 4)
    said = ("training", "Validation", "val", "test")
    rows = "".join(f"{k:03d}.png\tc{k}\t{split}\n" for k, split in enumerate(said))
    (tmp_path / "a.tsv").write_text("image\tcaption\tsplit\n" + rows)
    assert set(captions_of(tmp_path / "a.tsv", split=asked)) == wanted
    for k, split in enumerate(said):
        write_tar(tmp_path / f"{split}-{k}.tar", {f"{k:03d}.png": jpeg(k), f"{k:03d}.txt": f"c{k}".encode()})
    assert {f"{name}.png" for name in captions_of(tmp_path / "*.tar", split=asked)} == wanted
    table = pa.Table.from_pylist([{"image": "000.png", "caption": "c0"}])
    (tmp_path / "hub").mkdir()
    pq.write_table(table, tmp_path / "hub" / "training-0.parquet")
    pq.write_table(table, tmp_path / "hub" / "validation-0.parquet")
    if asked != "testing":
        assert len(open_source(tmp_path / "hub", image_root=tmp_path, split=asked)) == 1


def test_two_columns_that_may_hold_the_image_are_told(tmp_path: Path) -> None:
    photos(tmp_path, 1)
    (tmp_path / "a.csv").write_text("filename,image,caption\nother.png,000.png,a dog\n")
    assert captions_of(tmp_path / "a.csv") == {"000.png": ("a dog",)}
    assert "images from column 'image' (there is also filename; --image-key" in str(
        open_source(tmp_path / "a.csv").report
    )


def test_photos_beside_json_are_read_in_folders_too(tmp_path: Path) -> None:
    """img2dataset's `files` layout: a JSON beside each photo, its text file where there is one."""
    photos(tmp_path, 2)
    (tmp_path / "000.json").write_text('{"caption": "a dog", "split": "training"}')
    (tmp_path / "001.json").write_text('{"title": "DSC_1"}')
    (tmp_path / "001.txt").write_text("a cat")
    assert captions_of(tmp_path) == {"000.png": ("a dog",), "001.png": ("a cat",)}
    assert captions_of(tmp_path, split="train") == {"000.png": ("a dog",)}


def test_splits_in_tars_and_folders(tmp_path: Path) -> None:
    for name, split in (("x", "Train"), ("y", "test")):
        members = {f"{name}.jpg": jpeg(1), f"{name}.txt": name.encode()}
        (tmp_path / "tars" / split).mkdir(parents=True)
        write_tar(tmp_path / "tars" / split / "0.tar", members)
        for file, data in members.items():
            (tmp_path / "plain" / split).mkdir(parents=True, exist_ok=True)
            (tmp_path / "plain" / split / file).write_bytes(data)
    for place in ("tars", "plain"):
        assert [s.captions for s in open_source(tmp_path / place, split="TEST")] == [("y",)]
        assert [s.captions for s in open_source(tmp_path / place, split="train")] == [("x",)]
        with pytest.raises(InputError, match="no row of split 'val'"):
            open_source(tmp_path / place, split="val")
    members = {"a.jpg": jpeg(1), "a.txt": b"a"}
    with pytest.raises(InputError, match="nothing that tells a split"):
        open_source(write_tar(tmp_path / "two.tar", members), split="test")


def test_a_photo_is_turned_by_its_orientation(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 4), "black")
    image.paste("white", (0, 0, 4, 4))
    exif = Image.Exif()
    for orientation, size, white in ((3, (8, 4), (7, 0)), (6, (4, 8), (0, 0)), (8, (4, 8), (0, 7))):
        exif[0x0112] = orientation
        image.save(tmp_path / "a.jpg", exif=exif, quality=100)
        (tmp_path / "a.txt").write_text("a photo")
        shown = open_source(tmp_path)[0].image
        assert shown.load().size == size
        assert shown.load().getpixel(white)[0] > 200
        assert shown.turned(False).load().size == (8, 4)
        assert shown.turned(False).key != shown.key
