"""Bad input to `compoclip eval` and `data check`: one line, its cause and how to fix it, status 2, no traceback."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import picture, png, write, write_tar
from tests.test_cli import run as cli

PHOTO = png(picture(3))


def bomb() -> bytes:
    """A PNG of a few hundred bytes that says it holds 30,000 by 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def sugarcrepe(root: Path, rows: Any = None) -> None:
    row = {"filename": "1.png", "caption": "a", "negative_caption": "b"}
    write(root / "sugarcrepe" / "swap_obj.json", {"0": row} if rows is None else rows)


def zipped(root: Path, members: dict[str, bytes]) -> Path:
    path = root / "sugarcrepe" / "images.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def truncated_zip(root: Path) -> None:
    sugarcrepe(root)
    path = zipped(root, {"1.png": PHOTO * 50})
    path.write_bytes(path.read_bytes()[:-40])


def damaged_member(root: Path) -> None:
    sugarcrepe(root)
    path = zipped(root, {"1.png": PHOTO})
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF  # within the member, behind its name: the checksum no longer fits
    path.write_bytes(bytes(data))


def truncated_tar(root: Path) -> None:
    sugarcrepe(root)
    path = write_tar(root / "sugarcrepe" / "images.tar", {"1.png": PHOTO * 30})
    path.write_bytes(path.read_bytes()[:700])


def climbing_tar(root: Path) -> None:
    sugarcrepe(root)
    write_tar(root / "sugarcrepe" / "images.tar", {"1.png": PHOTO, "../../evil.png": PHOTO})


def climbing_zip(root: Path) -> None:
    sugarcrepe(root)
    zipped(root, {"1.png": PHOTO, "/etc/evil.png": PHOTO})


def climbing_row(root: Path) -> None:
    sugarcrepe(root, {"0": {"filename": "../secret.png", "caption": "a", "negative_caption": "b"}})
    write(root / "sugarcrepe" / "images" / "1.png", PHOTO)


def with_image(data: bytes) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        sugarcrepe(root)
        write(root / "sugarcrepe" / "images" / "1.png", data)

    return make


def annotation(rows: Any) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        sugarcrepe(root, rows)
        write(root / "sugarcrepe" / "images" / "1.png", PHOTO)

    return make


def labels_in_tars(label: bytes) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        folder = root / "zeroshot" / "made"
        write_tar(folder / "test" / "0.tar", {"0.png": PHOTO, "0.cls": b"0", "1.png": PHOTO, "1.cls": label})
        write(folder / "test" / "nshards.txt", "1")
        write(folder / "classnames.txt", "cat\ndog\n")

    return make


def spec_label(root: Path) -> None:
    write(root / "spec" / "count" / "image2text.json", [{"query": "0.png", "keys": ["a", "b"], "label": 2}])
    write(root / "spec" / "count" / "0.png", PHOTO)


def negbench_answer(root: Path) -> None:
    head = "image_path,caption_0,caption_1,caption_2,caption_3,correct_answer\n"
    write(root / "negbench" / "COCO_val_mcq_llama3.1_rephrased.csv", head + "0.png,a,b,c,d,7\n")


CASES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "truncated zip": ("sugarcrepe", truncated_zip, "images.zip: broken or truncated zip"),
    "damaged zip member": ("sugarcrepe", damaged_member, "images.zip"),
    "truncated tar": ("sugarcrepe", truncated_tar, "images.tar:1.png: truncated; fetch the archive again"),
    "tar that climbs out": (
        "sugarcrepe",
        climbing_tar,
        "images.tar:../../evil.png: points outside the archive; refused",
    ),
    "zip that climbs out": ("sugarcrepe", climbing_zip, "member '/etc/evil.png' points outside the archive; refused"),
    "row that climbs out": ("sugarcrepe", climbing_row, "image name '../secret.png' points outside the folder"),
    "annotation that is no JSON": ("sugarcrepe", annotation("{'a': 1,\n"), "swap_obj.json: line 1 is not valid JSON"),
    "annotation of another shape": ("sugarcrepe", annotation([3]), "swap_obj.json: row 0 must be an object"),
    "annotation without a field": (
        "sugarcrepe",
        annotation({"7": {"filename": "1.png", "caption": "a"}}),
        "swap_obj.json: row 7 needs the texts filename, caption, negative_caption",
    ),
    "image bomb": ("sugarcrepe", with_image(bomb()), "1.png: too many pixels, a decompression bomb?"),
    "image that is none": ("sugarcrepe", with_image(b"hello"), "1.png: not an image of a known format"),
    "image cut short": ("sugarcrepe", with_image(PHOTO[:45]), "1.png: broken image"),
    "label outside its classes": ("zeroshot", labels_in_tars(b"2"), "made: row 1: label 2 is outside the 2 classes"),
    "label below zero": ("zeroshot", labels_in_tars(b"-1"), "row 1: label -1 is outside the 2 classes"),
    "label that is no number": ("zeroshot", labels_in_tars(b"cat"), "0.tar:1.cls: 'cat' is no number"),
    "label outside its keys": ("spec", spec_label, "image2text.json: row 0: label 2 is outside its 2 keys"),
    "answer outside its options": ("negbench", negbench_answer, "line 2: correct_answer '7' is none of 0 to 3"),
}


def refused(capsys: Any, message: str, *arguments: str) -> None:
    capsys.readouterr()
    status, _, err = cli(capsys, *arguments)
    said = [line for line in err.splitlines() if not line.startswith("encode images and captions")]
    assert status == 2, err
    assert len(said) == 1, err
    assert said[0].startswith("compoclip: error: ")
    assert message in said[0]


@pytest.mark.parametrize("case", CASES)
def test_bad_data_is_one_line(tmp_path: Path, capsys: Any, case: str) -> None:
    task, make, message = CASES[case]
    make(tmp_path)
    refused(capsys, message, "eval", "tiny", "--tasks", task, "--data-root", str(tmp_path))


def features(path: Path, **changes: Any) -> str:
    rows = np.eye(2, 4, dtype=np.float32)
    parts = {"image_keys": ["1.png"], "image_features": rows[:1], "texts": ["a", "b"], "text_features": rows}
    np.savez(path, **{**parts, **changes})
    return f"features:{path}"


def test_bad_feature_files_are_one_line(tmp_path: Path, capsys: Any) -> None:
    with_image(PHOTO)(tmp_path)
    rest = ("--tasks", "sugarcrepe", "--data-root", str(tmp_path))
    file = tmp_path / "f.npz"
    status, _, err = cli(capsys, "eval", features(file), *rest)
    assert status == 0, err
    wrong = np.eye(2, 4, dtype=np.float32)
    wrong[1, 0] = np.nan
    refused(capsys, "f.npz: text 'b': its feature contains a NaN or an infinity; compute", "eval",
            features(file, text_features=wrong), *rest)  # fmt: skip
    refused(capsys, "f.npz: 1 of 1 images have no feature in it, the first", "eval",
            features(file, image_keys=["2.png"]), *rest)  # fmt: skip
    for name in ("p.npz", "p.safetensors", "p.parquet", "p.pkl"):
        write(tmp_path / name, pickle.dumps({"image_keys": ["1.png"]}))
        refused(capsys, f"{name}: ", "eval", f"features:{tmp_path / name}", *rest)


def test_a_model_that_gives_no_numbers_names_its_input(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_image(PHOTO)(tmp_path)
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "broken_of_test.py",
        "import numpy as np\n"
        "def nan():\n    return (lambda x: np.full((len(x), 4), np.nan), lambda x: np.ones((len(x), 4)))\n"
        "def flat():\n    return (lambda x: np.ones(4), lambda x: np.ones((len(x), 4)))\n",
    )
    rest = ("--tasks", "sugarcrepe", "--data-root", str(tmp_path))
    refused(capsys, "1.png: its feature contains a NaN", "eval", "python:broken_of_test:nan", *rest)
    refused(capsys, "returned features of shape (4,)", "eval", "python:broken_of_test:flat", *rest)


def test_bad_options_are_one_line(tmp_path: Path, capsys: Any) -> None:
    for message, *arguments in (
        ("--batch-size: Input should be greater than or equal to 1 (given", "tiny", "--batch-size", "0"),
        ("(given 'many')", "tiny", "--batch-size", "many"),
        ("--device cuda:99", "tiny", "--device", "cuda:99"),
        ("--precision: Input should be 'fp32' or 'bf16' (given 'fp8')", "tiny", "--precision", "fp8"),
        ("f.txt: choose a name that ends in", "tiny", "--limit", "2", "--save-features", str(tmp_path / "f.txt")),
        ("no such feature file", "features:none.npz"),
        ("cannot load it", f"hf:{tmp_path}"),
        ("python:x: write python:package.module:function", "python:x"),
        ("no such folder", "tiny", "--tasks", "sugarcrepe", "--data-root", str(tmp_path / "none")),
        ("are for models that are loaded here", "features:x.npz", "--activation", "gelu"),
    ):
        refused(capsys, message, "eval", *arguments)


def test_a_broken_set_is_named_by_data_check_too(tmp_path: Path, capsys: Any) -> None:
    annotation([3])(tmp_path)
    refused(capsys, "swap_obj.json: row 0", "data", "check", "sugarcrepe", "--data-root", str(tmp_path))
