"""Training sets by name, in our layout and in the seeds', each made by hand here and opened by the trainer's reader."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from compoclip.data.catalog import entries
from compoclip.data.sources import open_source
from compoclip.data.training_sets import locate, training_sets
from compoclip.errors import InputError


def _photo(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (number * 20 % 256, 30, 200)).save(out, "JPEG")
    return out.getvalue()


def _coco(folder: Path, count: int = 3) -> None:
    for split in ("train2014", "val2014"):
        (folder / split).mkdir(parents=True)
        for k in range(count):
            (folder / split / f"COCO_{split}_{k:012d}.jpg").write_bytes(_photo(k))


def _negclip_table(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ["\tfilepath\ttitle\tneg_caption\tneg_image"]
    for k, split in enumerate(("train2014", "val2014")):
        name = f"coco/{split}/COCO_{split}_{k:012d}.jpg"
        rows.append(f"{k}\t{name}\ta dog under a table\t['a table under a dog']\t[0]")
    path.write_text("\n".join(rows) + "\n")


def _tar(path: Path, keys: list[str], caption: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for k, key in enumerate(keys):
            body = {"jpg": _photo(k), "txt": b"alt text", "json": json.dumps({"key": key, "caption": caption}).encode()}
            for suffix, data in body.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _open(name: str, root: Path):
    found = locate(name, root)
    return open_source(found["data"], *(found.get(k) for k in ("image_root", "image_key", "caption_key", "split")))


@pytest.mark.parametrize("images", ["coco/images", "coco"])
def test_coco_as_the_seeds_and_as_we_lay_it_out(tmp_path: Path, images: str) -> None:
    _coco(tmp_path / images)
    _negclip_table(tmp_path / "coco" / "train_neg_clip.tsv")
    source = _open("coco", tmp_path)
    assert len(source) == 2
    assert [source.captions(i) for i in range(2)] == [("a dog under a table",)] * 2
    assert source[0].negatives == (("a table under a dog",),) or source[0].negatives is not None


def test_coco_captions_where_there_is_no_negclip_table(tmp_path: Path) -> None:
    _coco(tmp_path / "coco")
    notes = tmp_path / "coco" / "annotations" / "captions_train2014.json"
    notes.parent.mkdir()
    name = "COCO_train2014_000000000001.jpg"
    rows = [{"image_id": 7, "caption": c} for c in ("one", "two dogs")]
    notes.write_text(json.dumps({"images": [{"id": 7, "file_name": name}], "annotations": rows}))
    source = _open("coco", tmp_path)
    assert len(source) == 1
    assert source.captions(0) == ("one", "two dogs")


def test_laioncoco_and_cc3m_with_coca_captions(tmp_path: Path) -> None:
    _tar(tmp_path / "laioncoco/train_subset_100K/00000.tar", ["000000000", "000000001"], "blip says a cat")
    source = _open("laioncoco-100k", tmp_path)
    assert [source.captions(i) for i in range(len(source))] == [("blip says a cat",)] * 2
    folder = tmp_path / "cc3m" / "train_subset_100K"
    _tar(folder / "00000.tar", ["000000000", "000000001"], "alt")
    (folder / "coca_captions").mkdir()
    (folder / "coca_captions" / "000000000.txt").write_text('"quoted" coca says a dog \n')
    (folder / "coca_captions" / "000000001.txt").write_text("")
    source = _open("cc3m-100k", tmp_path)
    assert [source.captions(i) for i in range(len(source))] == [("'quoted' coca says a dog",)]
    before = (folder / "coca_captions.tsv").stat().st_mtime_ns
    _open("cc3m-100k", tmp_path)
    assert (folder / "coca_captions.tsv").stat().st_mtime_ns == before


def test_degla(tmp_path: Path) -> None:
    _coco(tmp_path / "coco" / "images")
    (tmp_path / "degla").mkdir()
    row = {"image_id": "COCO_train2014_000000000002.jpg", "original": "a man rides", "enhanced": ["w", "x", "y", "z"]}
    (tmp_path / "degla" / "DeGLA.json").write_text(json.dumps([row]))
    source = _open("degla", tmp_path)
    assert source.captions(0) == ("a man rides",)


def test_what_is_absent_is_told_with_what_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"coco: wanted .*train_neg_clip.tsv .*data get coco"):
        locate("coco", tmp_path)
    _negclip_table(tmp_path / "coco" / "train_neg_clip.tsv")
    (tmp_path / "coco").rename(tmp_path / "negclip")
    with pytest.raises(InputError, match=r"is here and its photos are not; put them at .*coco/images"):
        locate("coco", tmp_path)
    for name, known in training_sets().items():
        assert set(known["parts"]) <= set(entries()), name


def test_train_takes_a_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from compoclip.cli import main
    from compoclip.config import read_config

    _coco(tmp_path / "data" / "coco" / "images", count=8)
    table = tmp_path / "data" / "coco" / "train_neg_clip.tsv"
    _negclip_table(table)
    flags = ["--model", "tiny", "--set", "pretrained=null", "--steps", "1", "--batch-size", "2", "--set", "held_out=0"]
    flags += ["--device", "cpu", "--output-dir", str(tmp_path / "run")]
    for data in (["--data", "coco"], []):
        with pytest.raises(SystemExit) as stop:
            main(["train", "negclip", *data, "--data-root", str(tmp_path / "data"), *flags])
        assert stop.value.code == 0, capsys.readouterr().err
        config = read_config(tmp_path / "run" / "config.yaml")
        assert config.data == str(table)
        assert config.image_root == str(tmp_path / "data" / "coco" / "images")
        import shutil

        shutil.rmtree(tmp_path / "run")
    with pytest.raises(SystemExit):
        main(["train", "negclip", "--data", "coco", *flags])
    assert "--data coco is a named set: add --data-root" in capsys.readouterr().err
