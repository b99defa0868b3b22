"""ImageNet's shifted sets, STL-10 and what VTAB has beside ELEVATER's sets, in their makers' layouts, by hand.

Layouts were read in github.com/LAION-AI/CLIP_benchmark at commit 48de38c (datasets/builder.py, imagenetv2.py,
objectnet.py, webdataset_builder.py: ImageFolder of WordNet ids or of numbers, ObjectNet's mappings, tars with
classnames.txt) and in torchvision's STL10 (stl10_binary, planes by columns, labels from 1).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, write, write_tar
from tests.evaluation.test_known_sets import Sighted, shot

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, evaluate
from compoclip.evaluation.known_sets import imagenets, known, known_sets
from compoclip.evaluation.task import TaskOptions

ALL = tuple(TASKS["imagenet_robustness"].parts)


@pytest.fixture
def one_prompt(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """ImageNet's sets with one prompt of the 80, for speed."""
    sets = {name: replace(which, templates=["a {}."]) for name, which in imagenets().items()}
    monkeypatch.setattr("compoclip.evaluation.known_sets.imagenets", lambda: sets)
    return sets


def test_the_sets_have_the_published_classes_and_images() -> None:
    sets = {name: (len(known(name).classes), known(name).test) for name in ALL}
    assert sets == {
        "imagenetv2": (1000, 10_000), "imagenet-sketch": (1000, 50_889), "imagenet-a": (200, 7_500),
        "imagenet-r": (200, 30_000), "objectnet": (0, 18_574), "imagenet-o": (200, 2_000),
    }  # fmt: skip
    ids = known("imagenet-1k").ids
    assert ids == sorted(set(ids))
    assert len(ids) == 1000
    assert (ids[0], known("imagenet-1k").classes[0]) == ("n01440764", "tench")
    assert {"n02127052", "n01498041"} <= set(known("imagenet-a").ids)  # lynx and stingray, as in its paper's figures
    for name in ALL:
        which = known(name)
        assert len(which.templates) == 80
        assert which.ids == sorted(which.ids)
        assert [known("imagenet-1k").classes[ids.index(i)] for i in which.ids] == which.classes


def test_wordnet_ids_and_numbers_are_the_right_classes(tmp_path: Path, one_prompt: dict[str, Any]) -> None:
    """Pictures of classes 3, 7 and 7 of each set; the last lies in the folder of another class: two of three."""
    folders = {name: name for name in ("imagenet-a", "imagenet-r", "imagenet-o")}
    folders |= {"imagenetv2-matched-frequency-format-val": "imagenetv2", "imagenet_sketch": "imagenet-sketch"}
    sets = [one_prompt[name] for name in folders.values()]
    for number, (folder, name) in enumerate(folders.items()):
        which = one_prompt[name]
        for k, (shown, lies) in enumerate(((3, 3), (7, 7), (7, 150))):
            place = str(lies) if name == "imagenetv2" else which.ids[lies]
            write(tmp_path / folder / place / f"{k}.jpeg", shot(shown, number))
        write(tmp_path / folder / "README.txt", "words")
    entry = evaluate(Sighted(sets), "imagenet_robustness", tmp_path)["tasks"]["imagenet_robustness"]
    assert [s["accuracy"] for s in entry["subsets"].values()] == pytest.approx([200 / 3] * 5)
    assert {name: s["classes"] for name, s in entry["subsets"].items()} == {s.name: len(s.classes) for s in sets}
    assert entry["rule"] == "mean of V2, Sketch, A, R and ObjectNet (4 of 5 sets)"  # ImageNet-O has no part in the mean
    assert entry["absent"]["sets"] == ["objectnet"]
    assert entry["data"]["sets"]["imagenet-r"]["labels"] == "WordNet ids"


def test_objectnet_by_its_own_tables(tmp_path: Path, one_prompt: dict[str, Any]) -> None:
    """Three folders, of which ImageNet has two; one of three pictures lies in the wrong one."""
    base = tmp_path / "objectnet" / "objectnet-1.0"
    labels = {"air_freshener": "Air freshener", "banana": "Banana", "alarm_clock": "Alarm clock"}
    write(base / "mappings" / "folder_to_objectnet_label.json", labels)
    write(base / "mappings" / "objectnet_to_imagenet_1k.json", {"Alarm clock": "analog clock", "Banana": "banana"})
    which = replace(one_prompt["objectnet"], classes=["alarm clock", "banana"])
    for folder, k in (("alarm_clock", 0), ("banana", 1), ("banana", 0), ("air_freshener", 0)):
        write(base / "images" / folder / f"{k}.png", shot(k))
    entry = evaluate(Sighted([which]), "imagenet_robustness", tmp_path)["tasks"]["imagenet_robustness"]
    subset = entry["subsets"]["objectnet"]
    assert (subset["n"], subset["classes"], subset["accuracy"]) == (3, 2, pytest.approx(200 / 3))
    write(base / "mappings" / "objectnet_to_imagenet_1k.json", {"Chair": "folding chair"})
    with pytest.raises(InputError, match="no image in a folder of a class that ImageNet has"):
        TASKS["imagenet_robustness"].load(TaskOptions(tmp_path / "objectnet"))


def stl(root: Path, shown: list[int], lies: list[int]) -> None:
    """Pictures whose every column is of its class's colour; a pixel of `shot` in all of 96 by 96."""
    planes = np.zeros((len(shown), 3, 96, 96), np.uint8)
    planes[:, 1] = np.array(shown)[:, None, None]
    planes[:, 2, :1] = 200  # the first column, as planes go by columns
    root.mkdir(parents=True, exist_ok=True)
    planes.tofile(root / "test_X.bin")
    (np.array(lies, np.uint8) + 1).tofile(root / "test_y.bin")
    write(root / "class_names.txt", "\n".join(known("stl10").classes) + "\n")


def test_stl10_as_its_binary_files(tmp_path: Path) -> None:
    stl(tmp_path / "stl10" / "stl10_binary", [0, 4, 9, 9], [0, 4, 9, 2])
    (subset,) = TASKS["stl10"].load(TaskOptions(tmp_path)).subsets
    assert subset.labels.tolist() == [0, 4, 9, 2]
    pixels = np.asarray(subset.images[1].load())
    assert pixels.shape == (96, 96, 3)
    assert (pixels[:, 0, 2] == 200).all()  # a column, and not a row
    assert (pixels[:, 1:, 2] == 0).all()
    assert (pixels[..., 1] == 4).all()

    class Colour(RandomModel):
        """A picture's feature is that of the prompts of the class that its green says."""

        def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
            names = [known("stl10").classes[np.asarray(image)[5, 5, 1]] for image in images]
            prompts = [[t.replace("{}", name) for t in known("stl10").templates] for name in names]
            means = np.stack([self.encode_text(row).mean(0) for row in prompts])
            return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)

    assert evaluate(Colour(), "stl10", tmp_path)["tasks"]["stl10"]["score"] == 75.0
    (tmp_path / "stl10/stl10_binary/test_y.bin").write_bytes(b"\x01")
    with pytest.raises(InputError, match=r"test_X.bin: 110592 bytes for the 1 labels"):
        TASKS["stl10"].load(TaskOptions(tmp_path))
    stl(tmp_path / "stl10" / "stl10_binary", [0], [10])
    with pytest.raises(InputError, match="a label is outside the 10"):
        TASKS["stl10"].load(TaskOptions(tmp_path))


def tars(root: Path, names: list[str], shown: list[int], lies: list[int], number: int) -> None:
    members: dict[str, bytes] = {}
    for k, (class_shown, label) in enumerate(zip(shown, lies)):
        members |= {f"s{k:07d}.webp": shot(class_shown, number), f"s{k:07d}.cls": str(label).encode()}
    write_tar(root / "test" / "0.tar", members)
    write(root / "test" / "nshards.txt", "1\n")
    write(root / "classnames.txt", "\n".join(names) + "\n")  # as webdataset_builder.py prints them
    write(root / "zeroshot_classification_templates.txt", "not {c} asked\n")


def test_vtabs_own_sets_from_clip_benchmarks_tars(tmp_path: Path) -> None:
    """Half of the pictures are of their class. CLEVR's fourth distance has no name; dSprites' names are the data's."""
    distance = known("clevr-distance")
    assert distance.classes[3] == ""
    assert known("dsprites-position").classes == []
    position = replace(known("dsprites-position"), classes=[str(k) for k in range(16)])
    sets = [distance, known("svhn"), known("dmlab"), position]
    for number, which in enumerate(sets):
        folder = f"wds_{which.also[-1]}"
        names = [str(k) for k in range(10)] if which.name == "svhn" else which.classes
        tars(tmp_path / folder, names, [3, 5, 3, 5], [3, 5, 5, 3], number)
    entry = evaluate(Sighted(sets), "vtab", tmp_path)["tasks"]["vtab"]
    assert {name: (s["accuracy"], s["classes"]) for name, s in entry["subsets"].items()} == {
        "clevr-distance": (50.0, 6), "svhn": (50.0, 10), "dmlab": (50.0, 6), "dsprites-position": (50.0, 16),
    }  # fmt: skip
    assert entry["rule"] == "mean of 19 (4 of 19 sets)"
    (tmp_path / "wds_vtab-dsprites_label_x_position" / "classnames.txt").unlink()
    unread = TASKS["vtab"].load(TaskOptions(tmp_path)).found["not read"]
    assert "its class names are needed; put classnames.txt there" in unread["dsprites-position"]


def test_tars_of_all_thousand_names_with_two_alike(tmp_path: Path, one_prompt: dict[str, Any]) -> None:
    which = one_prompt["imagenetv2"]
    assert which.classes[657] == which.classes[744] == "missile"
    tars(tmp_path / "wds_imagenetv2", which.classes, [1, 657, 999], [1, 744, 0], 0)
    subset = evaluate(Sighted([which]), "imagenet_robustness", tmp_path)["tasks"]["imagenet_robustness"]["subsets"]
    assert subset["imagenetv2"]["accuracy"] == pytest.approx(100 / 3)  # of two missiles the first is the answer


def test_every_set_has_its_name_once() -> None:
    assert not set(known_sets()) & set(imagenets())
