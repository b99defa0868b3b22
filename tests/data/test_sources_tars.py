"""webdataset tars, folders of images, and Hugging Face: whole, broken and hostile."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pickle
import struct
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from compoclip.data.sources import open_source
from compoclip.data.sources.shards import expand
from compoclip.errors import InputError

from .conftest import jpeg, write_tar

Shards = Callable[[int, int], list[Path]]


@pytest.mark.parametrize("spec", ["train-*.tar", "train-{00000..00002}.tar", "train-{00000,00001,00002}.tar", ""])
def test_shards_by_glob_brace_list_and_folder(tmp_path: Path, shards: Shards, spec: str) -> None:
    shards(3, 4)
    source = open_source(str(tmp_path / spec) if spec else tmp_path)
    assert len(source) == 12
    assert [s.image_id for s in source] == [f"{k:05d}" for k in range(12)]
    assert source[7].captions == ("picture 7", "photo number 7")
    assert source[7].image.load().getpixel((0, 0))[0] == 7 * 37 % 256
    joined = "::".join(str(path) for path in sorted(tmp_path.glob("*.tar")))
    assert open_source(joined).fingerprint == source.fingerprint


def test_split_chooses_shards_by_name(tmp_path: Path, shards: Shards) -> None:
    shards(2, 3)
    write_tar(tmp_path / "test-00000.tar", {"z.jpg": jpeg(), "z.txt": b"zed"})
    assert [s.captions for s in open_source(tmp_path, split="test")] == [("zed",)]
    assert len(open_source(tmp_path)) == 7


def test_captions_from_text_and_json(tmp_path: Path) -> None:
    members = {
        "a.jpg": jpeg(), "a.txt": b"\xef\xbb\xbfone\ntwo\n",
        "d/b.png": jpeg(), "d/b.json": b'{"caption": "from json"}', "d/b.txt": b"from text",
        "c.webp": jpeg(), "c.json": b'{"key": 1}', "c.txt": b"fallback",
        "e.jpg": jpeg(), "e.json": b'{"captions": ["x", "", "y"], "negatives": [["n"], ["lost"], ["m", ""]]}',
        "f.jpg": jpeg(), "f.json": b'{"caption": "x", "negatives": ["n1", "n2"]}',
    }  # fmt: skip
    source = open_source(write_tar(tmp_path / "t.tar", members))
    assert [(s.image_id, s.captions) for s in source] == [
        ("a", ("one", "two")), ("d/b", ("from json",)), ("c", ("fallback",)), ("e", ("x", "y")), ("f", ("x",))
    ]  # fmt: skip
    assert source[0].negatives is None
    assert source[3].negatives == (("n",), ("m",))
    assert source[4].negatives == (("n1", "n2"),)


def test_members_of_a_key_need_not_be_neighbours(tmp_path: Path) -> None:
    members = {"a.jpg": jpeg(1), "b.jpg": jpeg(2), "b.txt": b"bee", "a.txt": b"ay"}
    assert [s.captions for s in open_source(write_tar(tmp_path / "t.tar", members))] == [("ay",), ("bee",)]


def test_the_same_key_in_two_shards_is_two_images(tmp_path: Path) -> None:
    for k in range(2):
        write_tar(tmp_path / f"s{k}.tar", {"000.jpg": jpeg(k), "000.txt": f"number {k}".encode()})
    assert [s.image_id for s in open_source(tmp_path)] == ["000", "s1/000"]


def test_every_fault_in_a_tar_is_counted(tmp_path: Path) -> None:
    members = {
        "ok.jpg": jpeg(), "ok.txt": b"fine",
        "lonely.jpg": jpeg(), "orphan.txt": b"no image",
        "two.jpg": jpeg(), "two.png": jpeg(), "two.txt": b"twice",
        "bad.jpg": jpeg(), "bad.json": b"{broken",
        "list.jpg": jpeg(), "list.json": b"[1]",
        "none.jpg": jpeg(), "none.json": b"{}",
        "latin.jpg": jpeg(), "latin.txt": b"caf\xe9",
        "empty.jpg": jpeg(), "empty.txt": b" \n",
        "huge.jpg": jpeg(), "huge.txt": b"x" * (2**20 + 1),
        "neg.jpg": jpeg(), "neg.json": b'{"captions": ["x", "y"], "negatives": [["n"]]}',
    }  # fmt: skip
    source = open_source(write_tar(tmp_path / "t.tar", members))
    assert [s.image_id for s in source] == ["ok", "two", "neg"]
    assert source.report.skipped == {
        "image without a caption file": 1, "caption file without an image": 1,
        "second image of the same key": 1, "bad JSON": 2,
        "no caption": 3, "not UTF-8": 1, "empty caption": 1, "caption file too large": 1, "bad list of negatives": 1,
    }  # fmt: skip


def test_links_devices_and_unsafe_names_are_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(9))
    path = tmp_path / "t.tar"
    with tarfile.open(path, "w") as tar:

        def put(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            tar.addfile(info, io.BytesIO(data))

        put("ok.jpg", jpeg())
        put("ok.txt", b"fine")
        for k, (kind, link) in enumerate(
            [(tarfile.SYMTYPE, str(secret)), (tarfile.LNKTYPE, "ok.jpg"), (tarfile.CHRTYPE, ""), (tarfile.FIFOTYPE, "")]
        ):
            put(f"link{k}.jpg", kind=kind, link=link)
            put(f"link{k}.txt", b"caption")
        for name in ("../up.jpg", "/abs.jpg", "a/../../b.jpg", "..\\win.jpg", "C:\\win.jpg"):
            put(name, jpeg())
        put("folder", kind=tarfile.DIRTYPE)
    source = open_source(path)
    assert [s.image_id for s in source] == ["ok"]
    assert source.report.skipped["not a regular file in a tar"] == 4
    assert source.report.skipped["unsafe name in a tar"] == 5
    (tmp_path / "u.tsv").write_text("image\tcaption\nlink0.jpg\tx\nup.jpg\tx\nok.jpg\ty\n")
    table = open_source(tmp_path / "u.tsv", image_root=path)
    assert [s.image_id for s in table] == ["ok.jpg"]
    assert table.report.skipped["missing image"] == 2


@pytest.mark.parametrize("cut", [700, 1024, 1500, 3000])
def test_a_cut_tar_gives_what_it_holds_and_says_so(tmp_path: Path, cut: int) -> None:
    whole = write_tar(
        tmp_path / "whole.tar", {f"{k}.{e}": d for k in range(3) for e, d in (("txt", b"c"), ("jpg", jpeg(k)))}
    )
    path = tmp_path / "t.tar"
    path.write_bytes(whole.read_bytes()[:cut])
    if cut <= 1500:  # before the first photo is whole
        with pytest.raises(InputError, match=r"no usable sample.*truncated tar"):
            open_source(path)
        return
    source = open_source(path)
    assert 0 < len(source) < 3
    assert source.report.skipped["truncated tar"] == 1
    for sample in source:
        sample.image.load()


def test_damage_that_tarfile_passes_over_is_counted(tmp_path: Path) -> None:
    one = write_tar(tmp_path / "a.tar", {"a.jpg": jpeg(1), "a.txt": b"one"}).read_bytes()
    two = write_tar(tmp_path / "b.tar", {"b.jpg": jpeg(2), "b.txt": b"two"}).read_bytes()
    (tmp_path / "glued.tar").write_bytes(one + two)
    source = open_source(tmp_path / "glued.tar")
    assert len(source) == 1
    assert "more data behind" in source.report.examples["damaged tar"][0]
    many = bytearray(
        write_tar(tmp_path / "c.tar", {f"{k}.{e}": b"x" for k in range(4) for e in ("txt", "jpg")}).read_bytes()
    )
    many[4 * 1024 : 4 * 1024 + 300] = b"\xff" * 300
    (tmp_path / "c.tar").write_bytes(many)
    assert "damaged header" in open_source(tmp_path / "c.tar").report.examples["damaged tar"][0]


def test_negative_sizes_in_a_header_do_not_loop(tmp_path: Path) -> None:
    raw = bytearray(write_tar(tmp_path / "t.tar", {"a.jpg": jpeg(), "a.txt": b"x", "b.txt": b"y"}).read_bytes())
    start = 3 * 512 if raw[512 * 2 : 512 * 2 + 5] != b"a.txt" else 2 * 512
    header = raw[start : start + 512]
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"  # base-256: minus 1024
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\x00 " % sum(header)
    raw[start : start + 512] = header
    (tmp_path / "t.tar").write_bytes(raw)
    with pytest.raises(InputError, match=r"t.tar"):
        open_source(tmp_path / "t.tar")


def test_broken_images_are_found_when_loaded(tmp_path: Path) -> None:
    members = {"a.jpg": b"no image", "a.txt": b"x", "b.jpg": jpeg()[:40], "b.txt": b"y", "c.jpg": b"", "c.txt": b"z"}
    source = open_source(write_tar(tmp_path / "t.tar", members))
    for sample in source:
        with pytest.raises(InputError, match=r"t\.tar:[abc]\.jpg"):
            sample.image.load()
    (tmp_path / "t.tar").unlink()
    with pytest.raises(InputError, match="no such image file"):
        source[0].image.load()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    body = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_image_bombs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(60_000, 60_000))
    (tmp_path / "a.txt").write_text("boom")
    with pytest.raises(InputError, match=r"a\.png.*bomb"):
        open_source(tmp_path)[0].image.load()


def test_folder_of_images_with_text_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for k, name in enumerate(["b.jpg", "a.png", "sub/c.webp", "lonely.jpg", "empty.jpg", "latin.jpg"]):
        (tmp_path / name).write_bytes(jpeg(k))
    (tmp_path / "b.txt").write_text("one\n\ntwo\n")
    (tmp_path / "a.txt").write_text("three")
    (tmp_path / "sub" / "c.txt").write_text("four")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    os.symlink(tmp_path, tmp_path / "sub" / "loop")
    source = open_source(tmp_path)
    assert [(s.image_id, s.captions) for s in source] == [
        ("a.png", ("three",)), ("b.jpg", ("one", "two")), ("sub/c.webp", ("four",))
    ]  # fmt: skip
    assert source.report.skipped == {"image without a caption file": 1, "empty caption": 1, "not UTF-8": 1}


@pytest.mark.usefixtures("deadline")
def test_a_pipe_in_the_image_folder_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "t.tsv").write_text("image\tcaption\na.jpg\tx\n")
    with pytest.raises(InputError, match="not a regular file"):
        open_source(tmp_path / "t.tsv")[0].image.load()


def test_folder_choices(tmp_path: Path, shards: Shards) -> None:
    shards(1, 2)
    (tmp_path / "captions.tsv").write_text("image\tcaption\n00001.jpg\tby the table\n")
    assert [s.captions for s in open_source(tmp_path)] == [("by the table",)]
    (tmp_path / "captions.csv").write_text("image,caption\n")
    with pytest.raises(InputError, match=r"captions\.tsv and captions\.csv"):
        open_source(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="nothing of the kind"):
        open_source(empty)


def test_patterns(tmp_path: Path) -> None:
    for k in range(8, 12):
        (tmp_path / f"s{k}.tar").touch()
    assert [p.name for p in expand(str(tmp_path / "s{8..11}.tar"))] == ["s8.tar", "s9.tar", "s10.tar", "s11.tar"]
    for bad, message in [("s{11..8}.tar", "upwards"), ("s{8..13}.tar", "no such shard"), ("x*.tar", "matches no file")]:
        with pytest.raises(InputError, match=message):
            expand(str(tmp_path / bad))


def test_sources_travel_to_other_processes(tmp_path: Path, shards: Shards) -> None:
    shards(1, 3)
    source = open_source(tmp_path)
    again = pickle.loads(pickle.dumps(source))
    assert again[2] == source[2]


def test_hugging_face_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "datasets" else real(name, *rest)
    )
    for spec in ("hf:owner/name", "owner/name"):
        with pytest.raises(InputError, match="pip install datasets"):
            open_source(spec)


def test_flickr8k(shared: Path) -> None:
    folder = shared / "data" / "flickr8k"
    by_table = open_source(folder, split="dev")
    by_tar = open_source(str(folder / "dev-{00000..00001}.tar"))
    assert len(by_table) == len(by_tar) == 1000
    assert {s.image_id.removesuffix(".jpg"): s.captions for s in by_table} == {s.image_id: s.captions for s in by_tar}
    assert by_table.report.captions == 5000
    assert by_table[17].image.load().size[1] >= 144
    assert not by_tar.report.total_skipped


def test_json_module_reads_reports(tmp_path: Path, shards: Shards) -> None:
    shards(1, 1)
    assert json.loads(json.dumps(open_source(tmp_path).report.as_dict()))["samples"] == 1


def save_to_disk(folder: Path, rows: list[dict]) -> Path:
    """What `datasets.save_to_disk` leaves of one split: an Arrow stream and the name of it."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink,
        pa.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    return folder / "data-00000-of-00001.arrow"


def test_hugging_face_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"image": {"bytes": jpeg(k), "path": None}, "captions": captions}
        for k, captions in enumerate([["a", "b"], [], ["c"]])
    ]
    file = save_to_disk(tmp_path / "set" / "train", rows)
    save_to_disk(tmp_path / "set" / "test", rows[2:])
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    source = open_source(tmp_path / "set")
    assert [s.captions for s in source] == [("a", "b"), ("c",)]
    assert source[1].image.load().getpixel((0, 0))[0] == 74
    assert source.report.skipped == {"empty caption": 1}
    assert len(open_source(tmp_path / "set", split="Test")) == 1
    with pytest.raises(InputError, match=r"no split 'val' \(splits there: test, train\)"):
        open_source(tmp_path / "set", split="val")

    class Hub:
        """What is used of the `datasets` package: where it keeps the files of a set."""

        @staticmethod
        def load_dataset(spec: str) -> object:
            if spec == "owner/gone":
                raise ConnectionError("no network\nand a traceback")
            return {"train": SimpleNamespace(cache_files=[{"filename": str(file)}])}

    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: object() if name == "datasets" else real(name))
    monkeypatch.setitem(sys.modules, "datasets", Hub())
    assert open_source("hf:owner/name").fingerprint == source.fingerprint
    with pytest.raises(InputError, match=r"ConnectionError: no network\)"):
        open_source("hf:owner/gone")
