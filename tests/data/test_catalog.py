"""The catalogue holds together, `check` counts what is there, and `preview` draws it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from compoclip.data.catalog import KINDS, entries, entry
from compoclip.data.checking import check, check_entry, check_path
from compoclip.data.getting import by_hand
from compoclip.data.images.names import safe_name
from compoclip.data.preview import preview
from compoclip.errors import InputError

from .conftest import jpeg, write_tar


def test_every_entry_is_complete_and_consistent() -> None:
    known = entries()
    assert len(known) >= 30
    for name, item in known.items():
        assert item.kind in KINDS
        assert item.title
        assert item.licence
        assert item.size
        assert item.home.startswith("https://")
        assert item.files
        assert item.gate or item.fetch or item.hub, f"{name}: no way to get it"
        assert set(item.needs) <= set(known)
        for download in item.fetch:
            assert re.match(r"https?://", download.url)
            assert safe_name(download.to) == download.to
            assert download.unpack is None or safe_name(download.unpack) == download.unpack
            assert download.checksum is None or re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", download.checksum)
        for expected in item.files:
            assert safe_name(expected.path) == expected.path
        if item.how == "form":
            assert "\n" not in by_hand(item, Path("data"))
        json.dumps(item.as_dict())


def test_the_benchmarks_of_the_published_averages_are_there() -> None:
    scored = (
        "aro colorswap crepe eqben imagecode mmvp-vlm sugarcrepe svo-probes valse vl-checklist whatsup winoground spec"
    )
    others = "sugarcrepe-pp bivlc coco-karpathy flickr30k flickr8k cc3m laion-coco"
    needed = {*scored.split(), *others.split()}
    assert needed <= set(entries())


def test_unknown_names_suggest_near_ones() -> None:
    with pytest.raises(InputError, match=r"did you mean .*sugarcrepe"):
        entry("sugarcrep")


@pytest.mark.parametrize("name", ["sugarcrepe", "valse"])
def test_checksums_are_those_of_the_published_files(shared: Path, name: str) -> None:
    for download in entry(name).fetch:
        data = (shared / "reference" / "annotations" / download.to).read_bytes()
        assert len(data) == download.bytes
        assert "sha256:" + hashlib.sha256(data).hexdigest() == download.checksum


def test_check_of_a_named_set(shared: Path, tmp_path: Path) -> None:
    whole = check_entry("sugarcrepe", shared / "reference" / "annotations")
    assert whole["complete"]
    assert whole["needs"] == [{"name": "coco-val2017", "complete": False}]
    (tmp_path / "sugarcrepe").mkdir()
    (tmp_path / "sugarcrepe" / "add_att.json").touch()
    part = check_entry("sugarcrepe", tmp_path)
    assert not part["complete"]
    names = [f"sugarcrepe/{name}.json" for name in ["add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att"]]
    assert part["missing"] == [{"path": "sugarcrepe/*.json", "found": 1, "wanted": 7, "names": names}]
    assert check_entry("sugarcrepe_pp", tmp_path)["name"] == "sugarcrepe-pp"
    assert "compoclip data get sugarcrepe" in part["hint"]
    assert "form" in check_entry("flickr30k", tmp_path)["hint"]
    assert not check_entry("aro", tmp_path / "nowhere")["complete"]


def test_a_folder_of_photos_may_be_an_archive(tmp_path: Path) -> None:
    (tmp_path / "coco").mkdir()
    write_tar(
        tmp_path / "coco" / "val2017.tar", {"val2017/1.jpg": b"x", "val2017/2.jpg": b"y", "val2017/note.txt": b""}
    )
    assert check_entry("coco-val2017", tmp_path)["missing"][0]["found"] == 2


def test_shards_are_counted_as_their_own_file_tells(tmp_path: Path) -> None:
    test = tmp_path / "elevater" / "mnist" / "test"
    test.mkdir(parents=True)
    (tmp_path / "elevater" / "mnist" / "classnames.txt").write_text("0\n")
    (test / "0.tar").touch()
    assert check_entry("mnist", tmp_path)["complete"]  # nothing says how many there should be
    (test / "nshards.txt").write_text("3\n")
    assert check_entry("mnist", tmp_path)["missing"] == [{"path": "elevater/mnist/test/*.tar", "found": 1, "wanted": 3}]


def test_check_of_a_table(photos: Path) -> None:
    (photos / "b.jpg").write_bytes(b"broken")
    long = " ".join(["word"] * 76)
    (photos / "t.tsv").write_text(
        f"image\tcaption\na.jpg\tone two\na.jpg\tone two\nb.jpg\t{long}\ngone.jpg\tx\nc.jpg\t\n"
    )
    result = check(str(photos / "t.tsv"), photos)
    assert (result["samples"], result["captions"], result["rows"]) == (2, 3, 5)
    assert result["skipped"] == {"missing image": 1, "empty caption": 1}
    assert result["words"] == {"min": 2, "median": 2, "p95": 76, "max": 76}
    assert (result["long_captions"], result["repeated_captions"]) == (1, 1)
    assert result["captions_an_image"] == {1: 1, 2: 1}
    assert result["images"]["broken"] == 1
    assert "b.jpg" in result["images"]["examples"][0]
    assert result["images"]["width"]["max"] == 24
    assert result["negatives"] is None
    json.dumps(result)
    assert check_path(photos / "t.tsv", images=0)["images"]["decoded"] == 0


def test_check_of_a_tar_with_negatives(tmp_path: Path) -> None:
    members = {"a.jpg": jpeg(), "a.json": b'{"captions": ["x", "y"], "negatives": [["n", "m"], []]}'}
    result = check(str(write_tar(tmp_path / "t.tar", members)), tmp_path)
    assert result["negatives"] == {"total": 2, "captions_without": 1}


def test_check_names_first_and_paths_where_they_exist(tmp_path: Path) -> None:
    assert check("sugarcrepe", tmp_path)["name"] == "sugarcrepe"
    with pytest.raises(InputError, match="no such data set"):
        check("sugarcrap", tmp_path)
    with pytest.raises(InputError, match="no such file"):
        check(str(tmp_path / "gone.tsv"), tmp_path)


def test_preview_draws_photos_and_captions(photos: Path) -> None:
    (photos / "b.jpg").write_bytes(b"broken")
    rows = (
        "a.jpg\tein Käse und 日本語 ✓\t['wrong caption one', 'wrong two']\nb.jpg\tbroken\t[]\nc.jpg\t"
        + "long words " * 80
        + "\t[]\n"
    )
    (photos / "t.tsv").write_text("filepath\ttitle\tneg_caption\n" + rows)
    out = photos / "sheet.png"
    result = preview(photos / "t.tsv", out, count=10, columns=2)
    assert result["shown"] == 3
    assert len(result["broken"]) == 1
    with Image.open(out) as sheet:
        colours = {colour for _, colour in sheet.convert("RGB").getcolors(1 << 24)}
        assert sheet.width < sheet.height * 2
    assert (74, 187, 55) in colours  # photo c's own colour
    assert (170, 30, 30) in colours  # a negative in red
    before = out.read_bytes()
    preview(photos / "t.tsv", out, count=10, columns=2)
    assert out.read_bytes() == before
    for bad in ({"count": 0}, {"columns": 0}):
        with pytest.raises(InputError, match="at least 1"):
            preview(photos / "t.tsv", out, **bad)
    with pytest.raises(InputError, match=r"\.png"):
        preview(photos / "t.tsv", photos / "sheet.jpg")
