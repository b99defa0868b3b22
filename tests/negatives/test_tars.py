"""Negatives into webdataset tars: nothing of the old members changes, and training reads what was added."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from compoclip.cli import main
from compoclip.data.sources import open_source
from compoclip.errors import InputError, RunError
from compoclip.negatives.build import build
from compoclip.negatives.captions import read_captions
from compoclip.negatives.store import read_negatives
from compoclip.negatives.tars import TarsOut
from data.conftest import jpeg, write_tar

LONG = "a" * 120
FIRST = {
    "000.jpg": jpeg(0), "000.txt": b"a red dog near a blue cat\n\n...\na dog sees a cat\n", "000.cls": b"3",
    "d/001.jpg": jpeg(1), "d/001.json": json.dumps({"captions": ["a man rides a brown horse", "a horse"]}).encode(),
    f"{LONG}/é.png": jpeg(2), f"{LONG}/é.txt": "a café with a red door and a green bench".encode(),
    "lonely.jpg": jpeg(3),
}  # fmt: skip
SECOND = {
    "000.jpg": jpeg(4), "later.jpg": jpeg(5), "000.json": b'{"caption": "two big birds on a boat", "split": "val"}',
    "later.txt": b"a woman holds a black cup", "later.json": b'{"width": 3}',
}  # fmt: skip


@pytest.fixture
def tars(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "shards"
    folder.mkdir()
    return [write_tar(folder / "000.tar", FIRST), write_tar(folder / "001.tar", SECOND)]


def members(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path, "r:") as tar:
        return [(info, tar.extractfile(info).read() if info.isreg() else b"") for info in tar]


def test_build_into_tars_end_to_end(tmp_path, tars, capsys):
    """From the command line, by pattern; what `open_source` then has is what the Parquet shards have."""
    out, copies = tmp_path / "out", tmp_path / "copies"
    with pytest.raises(SystemExit) as end:
        main([
            "negatives", "build", str(tmp_path / "shards/{000..001}.tar"), "--out", str(out), "--kinds",
            "shuffle,replace-nouns", "--per-caption", "3", "--into-tars", str(copies),
        ])  # fmt: skip
    assert end.value.code == 0, capsys.readouterr().err
    built = read_negatives(out)
    assert list(built) == [
        "000#0", "000#1", "d/001#0", "d/001#1", f"{LONG}/é#0", "001/000#0", "later#0"
    ]  # fmt: skip
    source = open_source(str(copies / "*.tar"))
    plain = open_source(str(tmp_path / "shards/*.tar"))
    assert (
        [s.image_id for s in source] == [s.image_id for s in plain] == ["000", "d/001", f"{LONG}/é", "001/000", "later"]
    )
    for with_them, without in zip(source, plain):
        assert with_them.captions == without.captions
        assert with_them.image.encoded() == without.image.encoded()
        assert without.negatives is None
        wanted = [
            tuple(n.text for n in built.by_caption(caption)) if any(c.isalnum() for c in caption) else ()
            for caption in with_them.captions
        ]
        assert with_them.negatives == tuple(wanted)
    assert source.report.skipped == plain.report.skipped
    assert source[0].captions == ("a red dog near a blue cat", "a dog sees a cat")  # "..." says nothing
    assert [len(negatives) for negatives in source[0].negatives] == [2, 3]  # no third that reads well


def test_old_members_are_the_same_bytes_in_the_same_order(tmp_path, tars):
    build(tars, tmp_path / "out", "shuffle", into_tars=tmp_path / "copies")
    for path in tars:
        old, new = members(path), members(tmp_path / "copies" / path.name)
        kept = [(info.get_info(), data) for info, data in new if not info.name.endswith(".negatives.json")]
        assert kept == [(info.get_info(), data) for info, data in old]
        names = [info.name for info, _ in new]
        for at, name in enumerate(names):
            if name.endswith(".negatives.json"):  # right behind the last member of its sample
                key = name.removesuffix(".negatives.json")
                assert names[at - 1].startswith(f"{key}.")
                assert not any(later.startswith(f"{key}.") for later in names[at + 1 :])
        raw_old, raw_new = path.read_bytes(), (tmp_path / "copies" / path.name).read_bytes()
        for info, _ in old:  # with their headers
            assert raw_old[info.offset : info.offset_data + info.size] in raw_new
    added = [
        json.loads(data) for info, data in members(tmp_path / "copies/000.tar") if info.name == "000.negatives.json"
    ]
    assert [row["caption"] for row in added[0]["captions"]] == ["a red dog near a blue cat", "a dog sees a cat"]
    assert set(added[0]["captions"][0]["negatives"][0]) == {"text", "kind", "edits", "source", "plausibility"}


def test_built_again_they_are_the_same_bytes(tmp_path, tars):
    build(tars, tmp_path / "out", "shuffle", into_tars=tmp_path / "copies")
    first = {path.name: path.read_bytes() for path in (tmp_path / "copies").iterdir()}
    with pytest.raises(InputError, match="--resume"):
        build(tars, tmp_path / "other", "shuffle", into_tars=tmp_path / "copies")
    assert not (tmp_path / "other").exists()  # it is said before the work is done
    (tmp_path / "copies/001.tar").unlink()
    build(tars, tmp_path / "out", "shuffle", into_tars=tmp_path / "copies", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "copies").iterdir()} == first
    build(tars, tmp_path / "two", "shuffle", into_tars=tmp_path / "copies2", shard_size=2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "copies2").iterdir()} == first


def test_split_and_balance(tmp_path, tars):
    manifest = build(tars, tmp_path / "out", "shuffle", split="val", into_tars=tmp_path / "copies", balance=True)
    assert manifest["captions"] == 7  # a sample that names no split belongs to all
    assert len(open_source(str(tmp_path / "copies/001.tar"))) == 2
    write_tar(tars[1], {**SECOND, "000.json": b'{"caption": "two big birds", "split": "train"}'})
    captions, _ = read_captions(tars, split="val")
    assert [caption.caption_id for caption in captions][-2:] == [f"{LONG}/é#0", "later#0"]


def hostile(path: Path, **changes) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in (("000.jpg", jpeg()), ("000.txt", b"a dog sees a cat")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo(changes.pop("name", "x.txt"))
        for key, value in changes.items():
            setattr(info, key, value)
        tar.addfile(info)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../../x.txt"}, r"\.\./\.\./x\.txt: unsafe name"),
        ({"name": "/etc/x.txt"}, "unsafe name"),
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "not a regular file"),
        ({"type": tarfile.LNKTYPE, "linkname": "000.txt"}, "not a regular file"),
        ({"type": tarfile.FIFOTYPE}, "not a regular file"),
        ({"name": "000.negatives.json"}, "contains negatives already"),
    ],
)
def test_hostile_tars_are_refused_before_anything_is_written(tmp_path, changes, message):
    path = hostile(tmp_path / "in.tar", **changes)
    with pytest.raises(InputError, match=message) as caught:
        build(path, tmp_path / "out", "shuffle", into_tars=tmp_path / "copies")
    assert "in.tar" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "copies").exists()


def test_other_refusals(tmp_path, tars):
    (tmp_path / "a.txt").write_text("a dog sees a cat")
    (tmp_path / "twin").mkdir()
    twin = write_tar(tmp_path / "twin/000.tar", FIRST)
    (tmp_path / "cut.tar").write_bytes(tars[0].read_bytes()[:4000])
    (tmp_path / "packed.tar").write_bytes(b"\x1f\x8b" + bytes(600))
    for inputs, folder, message in (
        (tmp_path / "a.txt", "copies", "copies webdataset tars"),
        ([tars[0], tmp_path / "a.txt"], "copies", "do not go together"),
        ([tars[0], twin], "copies", "has this name too"),
        (tars, "shards", "another folder"),
        (tmp_path / "cut.tar", "copies", "truncated tar"),
        (tmp_path / "packed.tar", "copies", "compressed tar"),
        (tmp_path / "none.tar", "copies", "no such file"),
        (str(tmp_path / "shards/{000..003}.tar"), "copies", "002.tar: no such shard"),
    ):
        with pytest.raises(InputError, match=message):
            build(inputs, tmp_path / "out", "shuffle", into_tars=tmp_path / folder)
    with pytest.raises(InputError, match="leave out epochs or into_tars"):
        build(tars, tmp_path / "out", "shuffle", epochs=2, into_tars=tmp_path / "copies")
    assert not (tmp_path / "copies").exists()


def test_a_build_of_other_captions_is_noticed(tmp_path, tars):
    build(tars, tmp_path / "out", "shuffle")
    write_tar(tars[0], {**FIRST, "000.txt": b"another caption\na dog sees a cat"})
    with pytest.raises(RunError, match=r"000\.jpg: the build has 'a red dog near a blue cat'"):
        TarsOut(tars, tmp_path / "copies", None, None, False).write(tmp_path / "out")
    assert not (tmp_path / "copies").exists()


def test_three_tars_with_the_same_keys_are_three_images(tmp_path):
    for number in range(3):
        folder = tmp_path / f"{number // 2}"
        folder.mkdir(exist_ok=True)
        write_tar(folder / f"s{number % 2}.tar", {"a.jpg": jpeg(number), "a.txt": f"caption number {number}".encode()})
    tars = [tmp_path / "0/s0.tar", tmp_path / "0/s1.tar", tmp_path / "1/s0.tar"]
    source = open_source("::".join(map(str, tars)))
    captions, _ = read_captions(tars)
    assert [s.image_id for s in source] == [c.image for c in captions] == ["a", "s1/a", "s0/a"]
    assert [s.captions for s in source] == [(c.text,) for c in captions]
    assert [Path(s.image.path) for s in source] == tars


def test_a_broken_member_of_negatives_costs_only_itself(tmp_path):
    good = {"captions": [{"caption": "a dog", "negatives": ["a cat", {"text": "a hen"}, 3, " "]}]}
    for content, wanted in (
        (json.dumps(good).encode(), (("a cat", "a hen"), ())),
        (b'{"captions": 3}', None),
        (b"[", None),
    ):
        path = write_tar(tmp_path / "t.tar", {"a.jpg": jpeg(), "a.txt": b"a  dog\na pet", "a.negatives.json": content})
        source = open_source(path)
        assert source[0].captions == ("a dog", "a pet")
        assert source[0].negatives == wanted
        assert bool(source.report.total_skipped) == (wanted is None)
