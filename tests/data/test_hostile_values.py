"""Values that no real file holds, and files that lie: each costs its own row, or is refused in one line."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compoclip.data.preview import preview
from compoclip.data.sources import open_source
from compoclip.errors import InputError
from compoclip.io import read_json
from compoclip.negatives.captions import read_captions

from .conftest import jpeg


def photos(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))


def read_alike(table: Path) -> tuple[list[str], dict[str, int]]:
    """Captions and what was left out, after making sure that negatives read the same captions."""
    source = open_source(table)
    captions = [text for sample in source for text in sample.captions]
    assert [row.text for row in read_captions(table)[0]] == captions
    return captions, dict(source.report.skipped)


@pytest.mark.parametrize("link", ["images", "0.jpg.bak", "other.jpg"])
def test_a_link_to_itself_hides_no_photo_beside_it(tmp_path: Path, link: str) -> None:
    photos(tmp_path, 2)
    os.symlink(link, tmp_path / link)
    (tmp_path / "a.tsv").write_text("image\tcaption\n0.jpg\ta dog\n1.jpg\ta cat\n")
    assert read_alike(tmp_path / "a.tsv") == (["a dog", "a cat"], {})


@pytest.mark.parametrize("number", [[1], {"a": 1}, None, 1.5])
def test_an_image_id_that_is_none_in_coco_annotations_is_counted(tmp_path: Path, number: object) -> None:
    photos(tmp_path, 1)
    images = [{"id": 1, "file_name": "0.jpg"}, {"id": number, "file_name": "1.jpg"}]
    annotations = [{"image_id": 1, "caption": "a dog"}, {"image_id": {}, "caption": "a cat"}]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    source = open_source(tmp_path / "a.json")
    assert [sample.captions for sample in source] == [("a dog",)]
    assert sum(source.report.skipped.values()) == 1


@pytest.mark.parametrize(
    "cell", [r"['a \u cat' 'a dog']", r"['\x', 'a dog']", r"['\N{none}' 'a dog']", "[007 'a dog']", f"[{'9' * 6000}]"]
)
def test_a_list_of_values_that_python_cannot_spell_costs_its_row(tmp_path: Path, cell: str) -> None:
    photos(tmp_path, 2)
    (tmp_path / "a.tsv").write_text(f"image\tcaptions\n0.jpg\t{cell}\n1.jpg\ta cat\n")
    assert read_alike(tmp_path / "a.tsv") == (["a cat"], {"bad list of captions": 1})


def test_a_caption_of_a_million_characters_costs_its_row(tmp_path: Path) -> None:
    photos(tmp_path, 2)
    (tmp_path / "a.tsv").write_text(f"image\tcaption\n0.jpg\t{'a cat ' * 200_000}\n1.jpg\ta cat\n")
    assert read_alike(tmp_path / "a.tsv") == (["a cat"], {"caption too long": 1})


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a c\xe4t"])
def test_a_text_that_is_not_utf_8_in_parquet_costs_its_row(tmp_path: Path, text: bytes) -> None:
    photos(tmp_path, 2)
    captions = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(_offsets(len(text), len(text) + 5)), pa.py_buffer(text + b"a dog")]
    )
    pq.write_table(pa.table({"image": ["0.jpg", "1.jpg"], "caption": captions}), tmp_path / "a.parquet")
    assert read_alike(tmp_path / "a.parquet") == (["a dog"], {"empty caption": 1})


def _offsets(*ends: int) -> bytes:
    return b"".join(end.to_bytes(4, "little") for end in (0, *ends))


def test_every_flipped_byte_of_a_parquet_file_is_read_or_refused(tmp_path: Path) -> None:
    photos(tmp_path, 2)
    pq.write_table(pa.table({"image": ["0.jpg", "1.jpg"], "caption": ["a cat", "a dog"]}), tmp_path / "a.parquet")
    good, refused = (tmp_path / "a.parquet").read_bytes(), 0
    for place in range(4, len(good) - 8):
        (tmp_path / "b.parquet").write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        try:
            open_source(tmp_path / "b.parquet")
        except InputError:
            refused += 1
    assert 0 < refused < len(good)


@pytest.mark.parametrize("headers", [{"GNU.sparse.realsize": "9" * 30}, {"GNU.sparse.realsize": "x"}])
def test_a_sparse_member_that_lies_is_one_clear_line(tmp_path: Path, headers: dict[str, str]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("0.jpg")
        member.size, member.pax_headers = 512, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", **headers}
        tar.addfile(member, io.BytesIO(b"99999999999\n" + b"0" * 500))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    for read in (open_source, read_captions):
        with pytest.raises(InputError, match=r"a\.tar"):
            read(tmp_path / "a.tar")


def test_json_with_a_byte_order_mark_is_read_and_other_encodings_are_named(tmp_path: Path) -> None:
    photos(tmp_path, 1)
    text = '[{"image": "0.jpg", "caption": "a caf\u00e9"}]'
    (tmp_path / "a.json").write_bytes(text.encode("utf-8-sig"))
    assert read_alike(tmp_path / "a.json") == (["a caf\u00e9"], {})
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "a.json").write_text(text, encoding=encoding)
        with pytest.raises(InputError, match=r"a\.json: is not UTF-8 \(byte \d+\); save it as UTF-8"):
            read_json(tmp_path / "a.json")


def test_a_sheet_that_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        preview(tmp_path / "nothing.tsv", tmp_path / "file" / "sheet.png")


@pytest.mark.parametrize("text", ["nan", "NaN", "None", "null", "<NA>"])
def test_words_that_programs_write_for_no_value_are_no_caption(tmp_path: Path, text: str) -> None:
    photos(tmp_path, 3)
    (tmp_path / "t.csv").write_text(
        f"image,caption\n0.jpg,{text}\n1.jpg,nan bread on a plate\n2.jpg,None of the dogs sit\n"
    )
    captions, skipped = read_alike(tmp_path / "t.csv")
    assert captions == ["nan bread on a plate", "None of the dogs sit"]
    assert skipped == {"empty caption": 1}
