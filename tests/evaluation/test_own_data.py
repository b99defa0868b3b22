"""A user's own sets: what is read, what is missing, which folders are classes, and how photos are turned."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.evaluation.fakes import RandomModel, picture, png, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.task import DataMissing, TaskOptions
from compoclip.evaluation.tasks import TASKS, retrieval

PHOTO = png(picture(3))


def classes(root: Path, count: int = 12, each: int = 3, name: str = "{}") -> Path:
    for label in range(count):
        for k in range(each):
            write(root / "zeroshot" / "set" / name.format(label) / f"{k}.png", png(picture(label * 10 + k)))
    return root / "zeroshot" / "set"


def zeroshot(root: Path) -> tuple[int, list[str], list[int]]:
    (subset,) = TASKS["zeroshot"].load(TaskOptions(root)).subsets
    return len(subset.image_refs()), list(subset.class_names), subset.labels.tolist()  # type: ignore[attr-defined]


def test_an_unquoted_comma_cuts_no_caption(tmp_path: Path) -> None:
    write(tmp_path / "captions.csv", "image,caption\n0.png,a dog, a cat and a bird\n1.png,a cow\n")
    for k in range(2):
        write(tmp_path / f"{k}.png", PHOTO)
    subset, told = retrieval.read_set(tmp_path, TaskOptions(tmp_path))
    assert subset.texts == [["a cow"]]
    assert "skipped 1 ragged row" in told
    from compoclip.evaluation.tables import read_table

    with pytest.raises(InputError, match=r"captions\.csv:2.*ragged row"):  # a benchmark's own table loses no row
        list(read_table(tmp_path / "captions.csv"))


def test_the_same_name_in_another_folder_is_missing(tmp_path: Path) -> None:
    rows = "".join(f"{folder}/{k:03d}.png\tc{k}\n" for folder in ("train", "val") for k in range(4))
    write(tmp_path / "captions.tsv", "image\tcaption\n" + rows)
    write_tar(tmp_path / "images.tar", {f"val/{k:03d}.png": png(picture(k)) for k in range(4)})
    subset, _ = retrieval.read_set(tmp_path, TaskOptions(tmp_path))
    assert (len(subset.texts), subset.missing) == (4, 4)
    write(tmp_path / "captions.tsv", "image\tcaption\ntrain/000.png\tc\n")
    with pytest.raises(DataMissing, match=r"'train/000\.png' is not in"):
        retrieval.read_set(tmp_path, TaskOptions(tmp_path))


def test_hidden_folders_and_litter_are_no_classes(tmp_path: Path) -> None:
    root = classes(tmp_path, name="class {}")
    before = zeroshot(tmp_path)
    for name in ("class 1/.ipynb_checkpoints/0.png", ".git/x.png", "__MACOSX/a.png", "class 2/._0.png", "@eaDir/0.png"):
        write(root / name, PHOTO)
    assert zeroshot(tmp_path) == before
    assert before[0] == 36
    assert len(before[1]) == 12


def test_folders_inside_a_class_and_links_are_of_the_class(tmp_path: Path) -> None:
    root = classes(tmp_path, 3, name="class {}")
    write(root / "class 1" / "more" / "9.png", PHOTO)
    write(root / "class 1" / "more" / "deep" / "8.JPEG", PHOTO)
    write(tmp_path / "else" / "7.png", PHOTO)
    os.symlink(tmp_path / "else", root / "class 3")
    os.symlink(root, root / "class 3" / "loop")
    count, names, labels = zeroshot(tmp_path)
    assert names == ["class 0", "class 1", "class 2", "class 3"]
    assert (count, labels.count(1), labels.count(3)) == (12, 5, 1)


@pytest.mark.parametrize("name", ["{}", "{:03d}"])
def test_folders_called_by_numbers_are_in_their_order(tmp_path: Path, name: str) -> None:
    root = classes(tmp_path, name=name)
    write(root / "classnames.txt", "".join(f"word {k}\n" for k in range(12)))
    _, names, labels = zeroshot(tmp_path)
    assert names == [f"word {k}" for k in range(12)]
    assert labels == sorted(labels)


def test_the_splits_above_class_folders_of_one_archive_are_no_classes(tmp_path: Path) -> None:
    members = {
        f"set/{split}/{label}/{k}.png": png(picture(k))
        for split in ("train", "test")
        for label in "abc"
        for k in (1, 2)
    }
    write_tar(tmp_path / "zeroshot" / "set" / "images.tar", members)
    assert zeroshot(tmp_path)[:2] == (6, ["a", "b", "c"])


def turned(orientation: int) -> bytes:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :8] = 255  # the left half of the file is white
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif, quality=100)
    return buffer.getvalue()


def test_own_photos_are_turned_and_those_of_benchmarks_only_when_asked(tmp_path: Path) -> None:
    write(tmp_path / "retrieval" / "set" / "captions.tsv", "image\tcaption\na.jpg\tone\n")
    write(tmp_path / "retrieval" / "set" / "a.jpg", turned(3))
    root = classes(tmp_path, 2)
    write(root / "0" / "9.jpg", turned(6))
    own = TASKS["retrieval"].load(TaskOptions(tmp_path)).subsets[0].image_refs()[0]
    assert [own.load().getpixel(at)[0] > 128 for at in ((0, 0), (15, 0))] == [False, True]  # type: ignore[index]
    shot = TASKS["zeroshot"].load(TaskOptions(tmp_path)).subsets[0].image_refs()[3]
    assert shot.load().size == (8, 16)
    for split in ("train", "test"):
        for name in ("x", "y"):
            write(tmp_path / "linear_probe" / "own" / split / name / "0.jpg", turned(6))
    probed = TASKS["linear_probe"].load(TaskOptions(tmp_path)).subsets[0].image_refs()
    assert {picture.load().size for picture in probed} == {(8, 16)}
    row = {"filename": "b.jpg", "caption": "a", "negative_caption": "b"}
    write(tmp_path / "sugarcrepe" / "swap_obj.json", {"0": row})
    write(tmp_path / "sugarcrepe" / "images" / "b.jpg", turned(6))
    official = TASKS["sugarcrepe"].load(TaskOptions(tmp_path)).subsets[0].image_refs()[0]
    assert official.load().size == (16, 8)

    sizes = []

    class Model(RandomModel):
        def preprocess(self, image: Image.Image):
            import torch

            sizes.append(image.size)
            return torch.zeros(3)

        def encode_image(self, images, batch_size: int = 64):
            return np.ones((len(images), 4), np.float32)

        def encode_text(self, texts, batch_size: int = 64):
            return np.ones((len(texts), 4), np.float32)

    for rotate, size in ((False, (16, 8)), (True, (8, 16))):
        evaluate(Model(), "sugarcrepe", tmp_path, rotate=rotate, controls=False)
        assert sizes.pop() == size


def test_every_set_says_what_was_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "retrieval" / "set" / "captions.tsv", "image\tcaption\n0.png\tone\n0.png\ttwo\n0.png\t\n")
    write(tmp_path / "retrieval" / "set" / "0.png", PHOTO)
    classes(tmp_path, 2)
    found = TASKS["retrieval"].load(TaskOptions(tmp_path)).found
    TASKS["zeroshot"].load(TaskOptions(tmp_path))
    told = " ".join(capsys.readouterr().err.split())
    assert "1 images, 2 captions; skipped 1 empty caption" in told
    assert "6 images; 0 images missing" in told
    assert "1 images, 2 captions" in next(iter(found["read"].values()))


def test_a_set_that_cannot_be_read_is_no_set_that_is_not_there(tmp_path: Path) -> None:
    for name, table in (("good", "image\tcaption\n0.png\tone\n"), ("bad", "a\tb\n0.png\tone\n")):
        write(tmp_path / "retrieval" / name / "captions.tsv", table)
        write(tmp_path / "retrieval" / name / "0.png", PHOTO)
    with pytest.raises(InputError, match=r"bad/captions\.tsv: no image column"):
        TASKS["retrieval"].load(TaskOptions(tmp_path))


def test_a_folder_without_captions_among_the_sets_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "retrieval" / "good" / "captions.tsv", "image\tcaption\n0.png\tone\n")
    write(tmp_path / "retrieval" / "good" / "0.png", PHOTO)
    write(tmp_path / "retrieval" / "notes" / "read.me", "x")
    assert len(TASKS["retrieval"].load(TaskOptions(tmp_path)).subsets) == 1
    assert "notes: no set of captions" in capsys.readouterr().err


def test_classes_and_pictures_that_are_left_out_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = classes(tmp_path, 2)
    write(root / "classnames.txt", "0\tcat\n1\tdog\n2\tcow\n")
    write(root / "0" / "9.heic", b"x")
    assert zeroshot(tmp_path) == (6, ["cat", "dog"], [0, 0, 0, 1, 1, 1])
    told = " ".join(capsys.readouterr().err.split())
    assert "1 classes are left out, as no image is there (first: 2)" in told
    assert "1 images of a format that is not read (first: 0/9.heic)" in told
