"""Retrieval sets in every file they are given out in: the same images and captions, and the published names."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write, write_tar
from tests.evaluation.test_hf_copies import cell, parquet, save_to_disk, table

from compoclip.errors import InputError
from compoclip.evaluation import evaluate, individual
from compoclip.evaluation.captioned import read_file
from compoclip.evaluation.task import DataMissing

CAPTIONS = [["a cat", "the cat"], ["a dog", "a hound", "one dog", "some dog", "it barks", "six captions"], ["a cup"]]
PHOTOS = [png(picture(40 * i, 10, 5)) for i in range(3)]  # as `cell` of test_hf_copies has them
NAMES = [f"COCO_val2014_{i:012d}.jpg" for i in range(3)]


def blip() -> Any:
    return [{"image": f"val2014/{n}", "caption": c} for n, c in zip(NAMES, CAPTIONS)]


def karpathy() -> Any:
    rows = [
        {"filepath": "val2014", "filename": n, "split": "test", "sentences": [{"raw": t, "tokens": []} for t in c]}
        for n, c in zip(NAMES, CAPTIONS)
    ]
    other = {"filename": "x.jpg", "split": "train", "sentences": [{"raw": "not this"}]}
    return {"dataset": "coco", "images": [other, *rows]}


def coco() -> Any:
    return {
        "images": [{"id": 7 * i, "file_name": n} for i, n in enumerate(NAMES)],
        "annotations": [{"id": i, "image_id": 7 * i, "caption": t} for i, c in enumerate(CAPTIONS) for t in c],
    }


def by_hand(root: Path) -> dict[str, Any]:
    """The figures of the same set from a plain table."""
    lines = [f"{n}\t{t}" for n, c in zip(NAMES, CAPTIONS) for t in c]
    write(root / "retrieval" / "set" / "captions.tsv", "image\tcaption\n" + "\n".join(lines) + "\n")
    for name, photo in zip(NAMES, PHOTOS):
        write(root / "retrieval" / "set" / "images" / name, photo)
    return figures(evaluate(RandomModel(), "retrieval", root))


def figures(results: dict[str, Any]) -> dict[str, Any]:
    kept = ("accuracy", "n", "missing", "R@5", "ties", "chance")
    subsets = results["tasks"]["retrieval"]["subsets"]
    return {name.split("/")[1]: {k: s[k] for k in kept} for name, s in subsets.items()}


@pytest.mark.parametrize(
    ("file", "make"),
    [("coco_karpathy_test.json", blip), ("dataset_coco.json", karpathy), ("coco_test_karpathy.json", coco)],
)
def test_karpathys_split_in_its_three_files(tmp_path: Path, file: str, make: Any) -> None:
    write(tmp_path / "a" / "coco_karpathy" / file, make())
    write_tar(tmp_path / "a" / "val2014.tar", {f"val2014/{n}": p for n, p in zip(NAMES, PHOTOS)})
    results = evaluate(RandomModel(), "retrieval", tmp_path / "a")
    assert figures(results) == by_hand(tmp_path / "b")
    assert results["tasks"]["retrieval"]["subsets"]["coco_karpathy/t2i"]["n"] == 9
    assert "coco_karpathy::i2t/R@1" in individual(results)


def test_flickr_and_counterfactuals(tmp_path: Path) -> None:
    quoted = [f'{n},"{json.dumps(c).replace(chr(34), chr(34) * 2)}",test' for n, c in zip(NAMES, CAPTIONS)]
    write(tmp_path / "flickr30k" / "test_1k_flickr.csv", "filename,raw,split\n" + "\n".join(quoted) + "\n")
    for name, photo in zip(NAMES, PHOTOS):
        write(tmp_path / "flickr30k" / "images_flickr_1k_test" / name, photo)
    pair = {"id": 1, "image_0": "1_img_0", "image_1": "1_img_1", "caption_0": "a cat", "caption_1": "a dog"}
    write(tmp_path / "coco_counterfactuals" / "data" / "examples.jsonl", json.dumps(pair) + "\n")
    for k in range(2):
        write(tmp_path / "coco_counterfactuals" / "data" / "images" / f"1_img_{k}.jpg", PHOTOS[k])
    results = evaluate(RandomModel(), "retrieval,coco_counterfactuals", tmp_path)
    subsets = results["tasks"]["retrieval"]["subsets"]
    assert {n: s["n"] for n, s in subsets.items()} == {
        "flickr30k/i2t": 3,
        "flickr30k/t2i": 9,
        "coco_counterfactuals/i2t": 2,
        "coco_counterfactuals/t2i": 2,
    }


def wds(root: Path) -> None:
    members: dict[str, bytes] = {}
    for i, (photo, captions) in enumerate(zip(PHOTOS, CAPTIONS)):
        members |= {f"s{i:07}.png": photo, f"s{i:07}.txt": "\n".join(captions).encode()}
    write_tar(root / "wds_set" / "test" / "0.tar", members)
    write(root / "wds_set" / "test" / "nshards.txt", "1\n")
    write(root / "wds_set" / "dataset_type.txt", "retrieval\n")


def hub(root: Path) -> None:
    made = table({"caption": CAPTIONS, "filename": NAMES}, {"image": [cell(i) for i in range(3)]})
    parquet(root / "retrieval" / "set" / "data" / "test-00000-of-00001.parquet", made)


def hub_a_caption_a_row(root: Path) -> None:
    pairs = [(i, t) for i, c in enumerate(CAPTIONS) for t in c]
    made = table({"caption": [t for _, t in pairs]}, {"image": [cell(i) for i, _ in pairs]})
    save_to_disk(root / "retrieval" / "set", made)


@pytest.mark.parametrize("layout", [wds, hub, hub_a_caption_a_row])
def test_webdataset_and_hugging_face_sets(tmp_path: Path, layout: Any) -> None:
    layout(tmp_path / "a")
    results = evaluate(RandomModel(), "retrieval", tmp_path / "a")
    assert figures(results) == by_hand(tmp_path / "b")
    assert set(results["tasks"]["retrieval"]["subsets"]) == {"set/i2t", "set/t2i"}


def test_tars_of_other_benchmarks_are_no_captions(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.save(out, np.array(["a", "b"]))
    write_tar(tmp_path / "wds_sugarcrepe" / "test" / "0.tar", {"0.0.png": PHOTOS[0], "0.npy": out.getvalue()})
    with pytest.raises(DataMissing, match="Karpathy split found; looked at"):
        evaluate(RandomModel(), "retrieval", tmp_path)


def test_a_split_without_its_images_says_where_they_were_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "coco_karpathy" / "coco_karpathy_test.json", blip())
    with pytest.raises(DataMissing, match=r"such as val2014/COCO_val2014_0+\.jpg found; .*coco/val2014"):
        evaluate(RandomModel(), "retrieval", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": 3}, "neither a list of objects nor COCO"),
        ([{"caption": ["a"]}], "line 1 has no image or filepath .*its columns: caption"),
        ([{"image": "a.jpg", "caption": ["a", " "]}], "line 1 has a caption that is empty"),
        ([{"image": "a.jpg"}], "line 1 has no caption or captions"),
        ({"images": [], "annotations": [{"image_id": 1}]}, "line 1 has no image or filepath"),
        ([], "neither a list of objects"),
    ],
)
def test_broken_files_name_the_row(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_file(write(tmp_path / "coco_karpathy_test.json", content))
