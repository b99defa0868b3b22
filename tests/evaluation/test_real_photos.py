"""Real photos, a real model: every row equals a script that uses open_clip and its own loops, and nothing of ours."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from compoclip.evaluation import evaluate
from compoclip.models import load

pytestmark = pytest.mark.slow

NEAR = 2e-6  # two ways of batching differ by this much in a cosine at most
CIFAR = 60
PHOTOS = 120  # of the 300 with captions


def archive(path: Path) -> dict[str, Image.Image]:
    with tarfile.open(path) as tar:
        found = {m.name: tar.extractfile(m) for m in tar if m.isfile()}
        return {n: Image.open(io.BytesIO(f.read())).convert("RGB") for n, f in found.items() if f is not None}


class Script:
    """Features of an open_clip folder, by open_clip alone."""

    def __init__(self, folder: Path) -> None:
        import open_clip

        self.clip, _, self.transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
        self.tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        self.clip.eval()

    @torch.no_grad()
    def images(self, images: Sequence[Image.Image]) -> np.ndarray:
        out = []
        for start in range(0, len(images), 25):
            pixels = torch.stack([self.transform(image) for image in images[start : start + 25]])
            features = self.clip.encode_image(pixels)
            out.append(features / features.norm(dim=-1, keepdim=True))
        return torch.cat(out).double().numpy()

    @torch.no_grad()
    def texts(self, texts: Sequence[str], full: bool = False) -> dict[str, np.ndarray]:
        """Features by text; padded to the model's whole context where `full`, else to the longest of a few."""
        unique = sorted(set(texts), key=lambda t: len(t.split()))
        out: dict[str, np.ndarray] = {}
        for start in range(0, len(unique), 40):
            batch = unique[start : start + 40]
            ids = self.tokenizer(batch)
            features = self.clip.encode_text(ids if full else ids[:, : int((ids != 0).sum(1).max())])
            features = features / features.norm(dim=-1, keepdim=True)
            out.update(zip(batch, features.double().numpy()))
        return out


@pytest.fixture(scope="module")
def folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lit-small")
    build = shared / "models" / "lit-small" / "build.py"
    subprocess.run([sys.executable, str(build), str(out)], check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def ours(shared: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results of one call over photos that lie as users keep them, with the log of rows."""
    root = tmp_path_factory.mktemp("data")
    (root / "sugarcrepe").symlink_to(shared / "reference" / "annotations" / "sugarcrepe")
    (root / "coco_val2017_300").symlink_to(shared / "data" / "coco_val2017_300")
    (root / "val2017.tar").symlink_to(shared / "data" / "coco_val2017_300" / "images.tar")
    model = load(str(folder))
    rows = evaluate(model, "sugarcrepe", root, log_samples=True, cache_dir=root / "kept")
    ranks = evaluate(model, "retrieval", root, limit=PHOTOS, log_samples=True, cache_dir=root / "kept")
    (root / "zeroshot").mkdir()
    (root / "zeroshot" / "cifar10_test_1000").symlink_to(shared / "data" / "cifar10_test_1000")
    seen = evaluate(model, "zeroshot", root, limit=CIFAR, log_samples=True)
    found = (rows, ranks, seen)
    return {
        "tasks": {name: task for results in found for name, task in results["tasks"].items()},
        "samples": [sample for results in found for sample in results["samples"]],
    }


@pytest.fixture(scope="module")
def script(folder: Path) -> Script:
    return Script(folder)


@pytest.fixture(scope="module")
def coco(shared: Path, script: Script) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Features of the 300 photos by name, and their captions."""
    place = shared / "data" / "coco_val2017_300"
    photos = {Path(name).name: image for name, image in archive(place / "images.tar").items()}
    features = dict(zip(photos, script.images(list(photos.values()))))
    captions: dict[str, list[str]] = {}
    with open(place / "captions.tsv", newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle, dialect="excel-tab"):
            captions.setdefault(row["image"], []).append(" ".join(row["caption"].split()))
    return features, captions


def rows_of(ours: dict[str, Any], subset: str) -> list[dict[str, Any]]:
    return [row for row in ours["samples"] if row["subset"] == subset]


def test_sugarcrepe_row_by_row(ours: dict[str, Any], script: Script, coco: Any, shared: Path) -> None:
    photos, _ = coco
    tables, total, right_total = {}, 0, 0
    for path in sorted((shared / "reference" / "annotations" / "sugarcrepe").glob("*.json")):
        rows = json.loads(path.read_text()).values()
        tables[path.stem] = [r for r in rows if r["filename"] in photos]
    every = [r[key] for rows in tables.values() for r in rows for key in ("caption", "negative_caption")]
    texts = script.texts(every)
    whole = script.texts(every[:80], full=True)
    assert max(np.abs(whole[t] - texts[t]).max() for t in whole) < NEAR
    for subset, rows in tables.items():
        logged = rows_of(ours, subset)
        assert len(logged) == len(rows)
        right = 0
        for row, log in zip(rows, logged):
            scores = [float(photos[row["filename"]] @ texts[row[key]]) for key in ("caption", "negative_caption")]
            assert Path(log["images"][0].split(":")[-1]).name == row["filename"]
            assert log["captions"] == [row["caption"], row["negative_caption"]]
            np.testing.assert_allclose(log["scores"], scores, atol=NEAR)
            assert abs(scores[0] - scores[1]) > 2 * NEAR, "too close to call: two ways of batching may disagree"
            assert log["correct"] == float(scores[0] > scores[1])
            right += scores[0] > scores[1]
        assert ours["tasks"]["sugarcrepe"]["subsets"][subset]["accuracy"] == pytest.approx(100 * right / len(rows))
        total, right_total = total + len(rows), right_total + right
    assert total == 444
    assert ours["tasks"]["sugarcrepe"]["scores"]["micro"] == pytest.approx(100 * right_total / 444)
    assert 100 * right_total / 444 == pytest.approx(64.2, abs=0.05)  # as the model's own notes say


def test_retrieval_row_by_row(ours: dict[str, Any], script: Script, coco: Any) -> None:
    photos, captions = coco
    assert sum(map(len, captions.values())) == 1501
    captions = dict(list(captions.items())[:PHOTOS])
    flat = [(image, caption) for image, row in captions.items() for caption in row]
    assert {5, 6} == set(map(len, captions.values()))
    texts = script.texts([caption for _, caption in flat])
    images = np.stack([photos[name] for name in captions])
    score = images @ np.stack([texts[caption] for _, caption in flat]).T
    place = {name: i for i, name in enumerate(captions)}

    def allowed(scores: np.ndarray, own: list[int], foreign: list[int]) -> tuple[int, int]:
        """Lowest and highest rank that batching may give."""
        best = max(scores[j] for j in own)
        return 1 + sum(scores[j] > best + NEAR for j in foreign), 1 + sum(scores[j] >= best - NEAR for j in foreign)

    ranks: dict[str, list[int]] = {"i2t": [], "t2i": []}
    owners = [place[image] for image, _ in flat]
    for i, log in enumerate(rows_of(ours, "coco_val2017_300/i2t")):
        own = [j for j, o in enumerate(owners) if o == i]
        low, high = allowed(score[i], own, [j for j, o in enumerate(owners) if o != i])
        assert low <= log["rank"] <= high
        ranks["i2t"].append(log["rank"])
    for j, log in enumerate(rows_of(ours, "coco_val2017_300/t2i")):
        low, high = allowed(score[:, j], [owners[j]], [i for i in range(PHOTOS) if i != owners[j]])
        assert log["caption"] == flat[j][1]
        assert low <= log["rank"] <= high
        ranks["t2i"].append(log["rank"])
    for way, found in ranks.items():
        subset = ours["tasks"]["retrieval"]["subsets"][f"coco_val2017_300/{way}"]
        assert subset["n"] == len(found) == {"i2t": PHOTOS, "t2i": len(flat)}[way]
        for k in (1, 5, 10):
            assert subset[f"R@{k}"] == pytest.approx(100 * sum(rank <= k for rank in found) / len(found))


def test_zero_shot_row_by_row(ours: dict[str, Any], script: Script, shared: Path) -> None:
    photos = archive(shared / "data" / "cifar10_test_1000" / "images.tar")
    classes = sorted({name.split("/")[-2] for name in photos})
    prompts = [f"a photo of a {name}." for name in classes]
    texts = script.texts(prompts)
    logged = rows_of(ours, "cifar10_test_1000")
    assert len(logged) == CIFAR
    names = [log["image"].split(":")[-1] for log in logged]
    assert len({name.split("/")[-2] for name in names}) == len(classes) == 10
    features = script.images([photos[name] for name in names])
    right = 0
    for name, feature, log in zip(names, features, logged):
        scores = [float(feature @ texts[prompt]) for prompt in prompts]
        order = sorted(scores)
        assert order[-1] - order[-2] > 2 * NEAR
        label = name.split("/")[-2]
        predicted = classes[scores.index(max(scores))]
        assert (log["label"], log["predicted"]) == (label, predicted)
        assert log["correct"] == float(predicted == label)
        right += predicted == label
    assert ours["tasks"]["zeroshot"]["subsets"]["cifar10_test_1000"]["accuracy"] == pytest.approx(100 * right / CIFAR)
