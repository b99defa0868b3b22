"""Captions in other languages, long captions and Flickr8k, in their makers' layouts, by hand.

Read in November 2026: github.com/adobe-research/Cross-lingual-Test-Dataset-XTD10 at d77ff16 (XTD10/, MIC/, STAIR/),
github.com/LAION-AI/CLIP_benchmark at 48de38c (datasets/crossmodal3600.py, xtd10.py, flickr.py, builder.py),
github.com/beichenzbc/Long-CLIP at 3966af9 (eval/retrieval/Urban1k.py), storage.googleapis.com/docci as its users read
it (split, image_file, description; images/). The captions of Crossmodal-3600 and DOCCI themselves were not seen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, png, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import TASKS, evaluate
from compoclip.evaluation.published_captions import LANGUAGES
from compoclip.evaluation.results import APART
from compoclip.evaluation.task import DataMissing


class Reader(RandomModel):
    """ImageRef k lies along axis k (its red says k); a caption along the axis of the last digit in it."""

    def __init__(self) -> None:
        super().__init__(10)

    def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
        return np.eye(10, dtype=np.float32)[[int(np.asarray(image)[0, 0, 0]) for image in images]]

    def encode_text(self, texts: list[str], batch_size: int = 64) -> np.ndarray:
        return np.eye(10, dtype=np.float32)[[int([c for c in text if c.isdigit()][-1]) for text in texts]]


def photo(number: int) -> bytes:
    from PIL import Image

    return png(Image.new("RGB", (8, 8), (number, 0, 0)))


def measured(task: str, root: Path) -> dict[str, Any]:
    return evaluate(Reader(), task, root, controls=False)["tasks"][task]


def xtd10(root: Path) -> None:
    names = ["COCO_train2014_000000000000.jpg", "COCO_val2014_000000000001.jpg", "COCO_train2014_000000000002.jpg"]
    write(root / "xtd10" / "XTD10" / "test_image_names.txt", "\n".join(names) + "\n")
    write(
        root / "xtd10" / "XTD10" / "test_1kcaptions_en.txt", "# a 0\na 1\na 2\n"
    )  # a line is a caption, come what may
    write(
        root / "xtd10" / "XTD10" / "test_1kcaptions_zh.txt", "\u4e00 1\n\u4e00 0\n\u4e00 2"
    )  # no newline at the end, as there
    write(root / "xtd10" / "STAIR" / "test_1kcaptions_jp.txt", "\u732b 0\n\u732b 1\n\u732b 9\n")
    for number, name in enumerate(names):
        write(root / "coco" / name.split("_")[1] / name, photo(number))


def test_xtd10_a_line_a_caption_photos_from_two_folders_of_coco(tmp_path: Path) -> None:
    xtd10(tmp_path)
    entry = measured("multilingual_retrieval", tmp_path)
    t2i = {name: s["accuracy"] for name, s in entry["subsets"].items() if name.endswith("/t2i")}
    # en: all three; zh: two captions of the other's photo, one right; jp: the third fits none of three photos
    assert t2i["xtd10/en/t2i"] == 100.0
    assert t2i["xtd10/zh/t2i"] == pytest.approx(100 / 3)
    assert t2i["xtd10/jp/t2i"] == pytest.approx(200 / 3)
    assert all(s["missing"] == 0 for s in entry["subsets"].values())
    assert entry["scores"]["xtd10 t2i (3 of 11 languages)"] == pytest.approx(200 / 3)
    assert not [name for name in entry["scores"] if name.startswith("crossmodal")]
    assert "mean of R@1 both ways (3 of 47 languages)" in entry["scores"]
    write(tmp_path / "xtd10" / "STAIR" / "test_1kcaptions_jp.txt", "one 1\n")
    with pytest.raises(InputError, match=r"test_1kcaptions_jp.txt: 1 captions for 3 images"):
        measured("multilingual_retrieval", tmp_path)


def test_crossmodal_takes_the_first_caption_of_every_language(tmp_path: Path) -> None:
    rows = []
    for number in range(3):
        row: dict[str, Any] = {"image/key": f"k{number}"}
        row |= {k.name.split("/")[1]: {"caption": [f"c {number}", "other 9"]} for k in LANGUAGES if "cross" in k.name}
        row["mi"] = {"caption": [f"c {(number + 1) % 3}"]}  # one language is told off by one
        rows.append(json.dumps(row, ensure_ascii=False))
        write(tmp_path / "crossmodal3600" / "images" / f"k{number}.jpg", photo(number))
    write(tmp_path / "crossmodal3600" / "captions.jsonl", "\n".join(rows) + "\n")
    entry = measured("multilingual_retrieval", tmp_path)
    assert len(entry["subsets"]) == 2 * 36
    assert entry["subsets"]["crossmodal3600/mi/i2t"]["accuracy"] == 0.0
    assert entry["scores"]["crossmodal3600 i2t"] == pytest.approx(100 * 35 / 36)
    write(tmp_path / "crossmodal3600" / "captions.jsonl", json.dumps({"image/key": "k0", "ar": {"caption": []}}))
    with pytest.raises(InputError, match=r"line 1 needs image/key, and ar with a list caption"):
        measured("multilingual_retrieval", tmp_path)


def test_long_captions_of_docci_and_urban_1k(tmp_path: Path) -> None:
    rows = [{"split": "test", "image_file": f"test_0000{k}.jpg", "description": f"long words {k}"} for k in range(3)]
    rows += [{"split": "train", "image_file": "train_00000.jpg", "description": "not of the test split 0"}]
    rows[2]["description"] = "long words 1"  # of the other photo
    write(tmp_path / "docci" / "docci_descriptions.jsonlines", "".join(json.dumps(row) + "\n" for row in rows))
    write_tar(tmp_path / "docci" / "images.tar", {f"images/test_0000{k}.jpg": photo(k) for k in range(3)})
    for number in range(4):
        write(tmp_path / "Urban1k" / "caption" / f"{number}.txt", f"a street {number}\nsecond line 9\n")
        write(tmp_path / "Urban1k" / "image" / f"{number}.jpg", photo(number))
    (tmp_path / "Urban1k" / "image" / "3.jpg").unlink()
    entry = measured("long_captions", tmp_path)
    assert entry["scores"]["urban1k t2i"] == 100.0
    got = {name: (s["n"], s["missing"], s["accuracy"]) for name, s in entry["subsets"].items()}
    assert got["urban1k/t2i"] == (3, 1, 100.0)
    assert got["docci/t2i"] == (3, 0, pytest.approx(200 / 3))
    # photo 1's own caption ties with the copy of it, which is another photo's: a tie counts against
    assert got["docci/i2t"] == (3, 0, pytest.approx(100 / 3))
    with pytest.raises(DataMissing, match=r"long_captions: no captions found; .*docci_descriptions"):
        measured("long_captions", tmp_path / "docci")


def test_the_summary_stays_what_published_tables_average(tmp_path: Path) -> None:
    xtd10(tmp_path)
    write(tmp_path / "flickr8k" / "flickr8k_test_karpathy.txt", "image,caption\na.jpg,x 0\n")
    write(tmp_path / "flickr8k" / "Flicker8k_Dataset" / "a.jpg", photo(0))
    found = evaluate(Reader(), "retrieval,multilingual_retrieval", tmp_path, controls=False)
    assert found["summary"]["t2i"] == 100.0  # Flickr8k's alone
    assert set(TASKS) | {"crepe_systematicity"} >= APART


def test_flickr8k_and_30k_as_clip_benchmark_has_their_captions(tmp_path: Path) -> None:
    """`image,caption` lines without quotes: what follows the first `.jpg,` is the caption, commas and all."""
    write(
        tmp_path / "flickr8k" / "flickr8k_test_karpathy.txt",
        "image,caption\na.jpg,a dog, a cat 0\nb.jpg,two 1\na.jpg,more 0\n",
    )
    write(tmp_path / "flickr8k" / "Flicker8k_Dataset" / "a.jpg", photo(0))
    write(tmp_path / "flickr8k" / "Flicker8k_Dataset" / "b.jpg", photo(1))
    found = evaluate(Reader(), "retrieval", tmp_path, controls=False, log_samples=True)
    subsets = found["tasks"]["retrieval"]["subsets"]
    assert {name: s["n"] for name, s in subsets.items()} == {"flickr8k/i2t": 2, "flickr8k/t2i": 3}
    assert "a dog, a cat 0" in json.dumps(found["samples"])
    karpathy = {"images": [{"split": "test", "filename": "a.jpg", "sentences": [{"raw": "x 0"}]},
                           {"split": "train", "filename": "b.jpg", "sentences": [{"raw": "x 1"}]}]}  # fmt: skip
    write(tmp_path / "flickr8k" / "dataset_flickr8k.json", karpathy)
    subsets = measured("retrieval", tmp_path)["subsets"]
    assert {name: s["n"] for name, s in subsets.items()} == {"flickr8k/i2t": 1, "flickr8k/t2i": 1}
