"""What a long fuzz of the readers found, a test each: one clear line, never an exception of a library."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compoclip.data.columnar import ColumnarTable
from compoclip.data.images.stores import ZipStore
from compoclip.data.report import Report
from compoclip.data.unpack import unpack
from compoclip.errors import InputError, RunError, Stopped
from compoclip.evaluation.results import read_results
from compoclip.negatives.build import build
from compoclip.negatives.captions import caption_rows
from compoclip.negatives.store import iterate_units, read_negatives


def _nameless(path: Path) -> Path:
    """A zip of which one member has an empty name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", b"1")
    path.write_bytes(buffer.getvalue())
    raw = bytearray(path.read_bytes())
    place = raw.index(b"PK\x01\x02")
    raw[place + 28 : place + 30] = (0).to_bytes(2, "little")  # the directory's name has no bytes
    raw[place + 30 : place + 32] = (1).to_bytes(2, "little")  # and the byte counts as an extra field
    path.write_bytes(bytes(raw))
    return path


def test_a_zip_member_without_a_name(tmp_path: Path) -> None:
    path = _nameless(tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"a\.zip"):
        ZipStore(path)
    with pytest.raises((InputError, RunError), match=r"a\.zip"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("column", [["text"], [{"text": "a cat", "kind": "replace-nouns"}], [{"kind": 1}]])
def test_a_shard_whose_column_holds_something_else(tmp_path: Path, column: list[object]) -> None:
    lines = tmp_path / "captions.txt"
    lines.write_text("a dog on a mat\n")
    build(lines, tmp_path / "built", ["replace-nouns"], 2, units=True)
    shard = next((tmp_path / "built").glob("*.parquet"))
    table = {"caption_id": ["0"], "caption": ["a dog on a mat"], "negatives": [column], "units": [column]}
    pq.write_table(pa.table(table), shard)
    with pytest.raises(InputError, match="not a negatives shard"):
        read_negatives(tmp_path / "built")
    with pytest.raises(InputError, match="not a negatives shard"):
        list(iterate_units(tmp_path / "built"))


def test_half_a_surrogate_pair_in_a_results_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"schema": 2, "tasks": {}, "model": {"name": "\ud800"}}))
    with pytest.raises(InputError, match="surrogate"):
        read_results(path)


def _photo_table(path: Path, where: object) -> Path:
    cells = [{"bytes": b"\x89PNG", "path": where}] * 2
    pq.write_table(pa.table({"image": cells, "caption": ["a dog", "a cat"], "zzzzzz": ["1", "2"]}), path)
    return path


def test_a_parquet_file_whose_footer_spells_another_column_badly(tmp_path: Path) -> None:
    whole = _photo_table(tmp_path / "a.parquet", "1.png").read_bytes()
    damaged = []
    for place in [found.start() for found in re.finditer(b"zzzzzz", whole)]:
        (tmp_path / "b.parquet").write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        try:
            table = ColumnarTable([tmp_path / "b.parquet"])
        except InputError:  # the schema itself: nothing can be read
            continue
        damaged.append(table.present("image"))
    assert damaged
    assert all(there == [True, True] for there in damaged)


def test_paths_of_photos_that_are_bytes(tmp_path: Path) -> None:
    table = ColumnarTable([_photo_table(tmp_path / "a.parquet", b"1.png")])
    assert table.image_paths("image") == [None, None]


@pytest.mark.parametrize("kind", [InputError, RunError, Stopped])
def test_line_breaks_in_a_name_leave_the_message_one_line(kind: type[Exception], tmp_path: Path) -> None:
    assert str(kind("data.zip: no caption for \r\n.png\u2028x")) == r"data.zip: no caption for \n.png\nx"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b\n\nc.png", b"\x89PNG")
        archive.writestr("b\n\nc.json", b"{")
    with pytest.raises(InputError, match=r"b\\n\\nc\.json") as raised:
        list(caption_rows([tmp_path / "a.zip"], Report()))
    assert len(str(raised.value).splitlines()) == 1
