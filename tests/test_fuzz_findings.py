"""What a long fuzz of the readers found, a test each: one clear line, never an exception of a library."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compoclip.data.images.stores import ZipStore
from compoclip.data.unpack import unpack
from compoclip.errors import InputError, RunError
from compoclip.evaluation.results import read_results
from compoclip.negatives.build import build
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
