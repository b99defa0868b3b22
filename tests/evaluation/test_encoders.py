"""Models that are no network of ours: feature files, Python functions, pairs; and batches as large as memory allows."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.evaluation.fakes import RandomModel, picture, png, write, write_tar
from tests.test_cli import run as cli

from compoclip.errors import InputError, RunError
from compoclip.evaluation import evaluate
from compoclip.evaluation.batching import BatchSize, out_of_memory
from compoclip.evaluation.encode import encode
from compoclip.evaluation.encoders import open_encoder
from compoclip.evaluation.feature_file import FeatureFile
from compoclip.evaluation.images import open_store


def photos(root: Path, count: int = 4) -> Path:
    """A retrieval set below `root`; two of its images share their last name."""
    names = [f"{'ab'[i % 2]}/{i // 2}.png" for i in range(count)]
    lines = [f"{name}\tcaption {i}\n{name}\tand {i} again" for i, name in enumerate(names)]
    write(root / "captions.tsv", "image\tcaption\n" + "\n".join(lines) + "\n")
    for i, name in enumerate(names):
        write(root / "images" / name, png(picture(i)))
    return root


def comparable(results: dict[str, Any]) -> dict[str, Any]:
    return {name: results[name] for name in ("tasks", "summary", "samples")}


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "parquet"])
def test_saved_features_give_the_same_results(tmp_path: Path, suffix: str) -> None:
    root, file = photos(tmp_path / "data"), tmp_path / f"features.{suffix}"
    options: dict[str, Any] = {"data_root": root, "log_samples": True}
    first = evaluate(RandomModel(), "retrieval", save_features_to=file, **options)
    again = evaluate(f"features:{file}", "retrieval", **options)
    assert comparable(again) == comparable(first)
    assert again["model"]["sha256"] != first["model"].get("sha256")


def test_world_and_cut_out_regions_come_back(tmp_path: Path) -> None:
    file = tmp_path / "world.npz"
    first = evaluate(RandomModel(), "world", limit=6, save_features_to=file, log_samples=True)
    assert comparable(evaluate(f"features:{file}", "world", limit=6, log_samples=True)) == comparable(first)
    write(tmp_path / "v" / "7.png", png(picture(7)))
    whole = open_store(tmp_path / "v").get("7.png")
    assert whole is not None
    parts = [whole.crop(0, 0, 2, 2), whole.crop(1, 0, 2, 2)]
    rows = np.eye(3, dtype=np.float32)
    keys = ["7.png", "7.png box (0, 0, 2, 2)", "7.png box (1, 0, 3, 2)"]
    np.savez(tmp_path / "boxes.npz", image_keys=keys, image_features=rows, texts=["t"], text_features=rows[:1])
    np.testing.assert_array_equal(FeatureFile(tmp_path / "boxes.npz").bank([whole, *parts], []).images, rows)


def test_names_may_have_as_much_path_as_tells_them_apart(tmp_path: Path) -> None:
    root = photos(tmp_path / "data", 2)
    store = open_store(write_tar(tmp_path / "x.tar", {"a/0.png": png(picture(0)), "b/0.png": png(picture(1))}))
    both = [p for p in map(store.get, ("a/0.png", "b/0.png")) if p is not None]

    def file(*keys: str) -> FeatureFile:
        rows = np.eye(len(keys), 3, dtype=np.float64) * 4
        np.savez(tmp_path / "f.npz", image_keys=keys, image_features=rows, texts=["t"], text_features=rows[:1])
        return FeatureFile(tmp_path / "f.npz")

    np.testing.assert_array_equal(file("a/0.png", "b/0.png").bank(both, ["t"]).images, np.eye(2, 3))
    with pytest.raises(InputError, match=r"'0.png' may be .*a/0.png or .*b/0.png; give more of its path"):
        file("0.png").bank(both, [])
    copies = [both[0], open_store(root / "images").get("a/0.png")]  # one photo in two places is no doubt
    assert len(file("0.png").bank([p for p in copies if p], []).images) == 2
    import hashlib

    by_hash = [f"sha256:{hashlib.sha256(png(picture(i))).hexdigest()}" for i in (1, 0)]
    np.testing.assert_array_equal(file(*by_hash).bank(both, []).images, np.eye(2, 3)[[1, 0]])


def good(**changes: Any) -> dict[str, Any]:
    keys = [f"{k}/{i}.png" for i in range(2) for k in "ab"]
    texts = [f"{w}" for i in range(4) for w in (f"caption {i}", f"and {i} again")]
    rows = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    return {"image_keys": keys, "image_features": rows[:4], "texts": texts, "text_features": rows[4:]} | changes


def _nan() -> np.ndarray:
    rows = good()["text_features"].copy()
    rows[3, 2] = np.nan
    return rows


BROKEN = {
    "images": (good(image_keys=["z.png", "a/1.png", "b/0.png", "b/1.png"]), "1 of 4 images have no feature in it.*a/0"),
    "texts": (good(texts=[*"abcdef", "caption 0", "and 0 again"]), "6 of 8 texts are not in it, the first 'and 1 aga"),
    "nan": (good(text_features=_nan()), "text 'and 1 again': its feature contains a NaN or an infinity; compute"),
    "zero": (good(image_features=np.zeros((4, 5), np.float32)), "image 'a/0.png': its feature is all zeros; compute"),
    "width": (good(text_features=np.ones((8, 3), np.float32)), r"\[3, 5\] columns; they must share one space"),
    "shape": (good(image_features=np.ones((3, 5), np.float32)), r"4 image keys but features of shape \(3, 5\)"),
    "twice": (good(image_keys=["a/0.png"] * 4), "'a/0.png' occurs twice with different features"),
    "names": ({"image_keys": ["a"]}, "has no image_features, texts, text_features"),
    "objects": (good(texts=np.array([None] * 8, dtype=object)), "nothing pickled is read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_a_feature_file_is_one_line(tmp_path: Path, capsys: Any, case: str) -> None:
    content, message = BROKEN[case]
    np.savez(tmp_path / "f.npz", **content)
    root = photos(tmp_path / "data")
    with pytest.raises(InputError, match=message) as caught:
        evaluate(f"features:{tmp_path / 'f.npz'}", "retrieval", root)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "f.npz") in str(caught.value)


def test_files_that_are_no_feature_files(tmp_path: Path) -> None:
    write(tmp_path / "f.npz", pickle.dumps({"image_keys": []}))
    write(tmp_path / "f.pkl", pickle.dumps({}))
    write(tmp_path / "f.parquet", b"PAR1 no")
    write(tmp_path / "f.safetensors", b"\x10\0\0\0\0\0\0\0{broken")
    for name, message in {
        "f.npz": "nothing pickled is read",
        "f.pkl": "pickles are not read",
        "f.parquet": "not a feature file",
        "f.safetensors": "not a feature file",
        "g.npz": "no such feature file",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            open_encoder(f"features:{tmp_path / name}")
        assert "\n" not in str(caught.value)


def test_a_pair_of_functions_and_an_object_without_batch_size() -> None:
    model = RandomModel()

    class Bare:
        def encode_image(self, images: Any) -> Any:
            return model.encode_image(images)

        def encode_text(self, texts: Any) -> Any:
            return model.encode_text(texts)

    expected = evaluate(model, "world", limit=4)["tasks"]
    assert evaluate(Bare(), "world", limit=4)["tasks"] == expected
    assert evaluate((model.encode_image, model.encode_text), "world", limit=4)["tasks"] == expected
    with pytest.raises(InputError, match="int: has no encode_image and no encode_text; give an object"):
        evaluate(7, "world")


def test_a_python_function_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "mine_of_test.py",
        "from tests.evaluation.fakes import RandomModel\n"
        "def build():\n    return RandomModel(8)\n"
        "def fails():\n    raise KeyError('weights')\n"
        "def nothing():\n    return 3\n",
    )
    arguments = ["--limit", "4", "--output-path", "r.json"]
    status, _, err = cli(capsys, "eval", "python:mine_of_test:build", *arguments)
    assert status == 0, err
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["tasks"] == evaluate(RandomModel(8), "world", limit=4)["tasks"]
    assert written["label"] == "python:mine_of_test:build"
    capsys.readouterr()
    for name, message in {
        "python:mine_of_test": "write python:package.module:function",
        "python:nosuch:build": "python:nosuch:build: ModuleNotFoundError",
        "python:mine_of_test:absent": "AttributeError",
        "python:mine_of_test:fails": "KeyError: 'weights'",
        "python:mine_of_test:nothing": "has no encode_image",
    }.items():
        status, _, err = cli(capsys, "eval", name, *arguments)
        assert status == 2
        assert err.count("\n") == 1
        assert message in err


def test_a_hugging_face_folder_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    from tests.models.hf_models import write_checkpoint

    folder = write_checkpoint(tmp_path / "clip", "clip")
    out = tmp_path / "r.json"
    arguments = ["--tasks", "world", "--limit", "4", "--output-path", str(out), "--cache-dir", str(tmp_path / "c")]
    for _ in range(2):  # the second time from the cache
        status, _, err = cli(capsys, "eval", str(folder), *arguments)
        assert status == 0, err
    results = json.loads(out.read_text())
    assert results["model"]["model_type"] == "clip"
    assert results["summary"]["comp"] is not None


class Hungry(RandomModel):
    """Runs out of memory above `most` inputs, in the words of torch on a GPU or on the CPU."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__(8)
        self.most, self.error, self.sizes = most, error, list[int]()

    def _check(self, inputs: Any) -> None:
        self.sizes.append(len(inputs))
        if len(inputs) > self.most:
            raise self.error

    def encode_image(self, images: Any, batch_size: int = 64) -> Any:
        self._check(images)
        return super().encode_image(images)

    def encode_text(self, texts: Any, batch_size: int = 64) -> Any:
        self._check(texts)
        return super().encode_text(texts)


CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory: you tried to allocate")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), CPU, MemoryError()])
def test_auto_halves_until_it_fits_and_the_results_are_equal(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("compoclip.evaluation.encode.IMAGES", 64)
    monkeypatch.setattr("compoclip.evaluation.encode.TEXTS", 96)
    model = Hungry(5, error)
    found = evaluate(model, "world", limit=12, batch_size="auto")["tasks"]
    assert found == evaluate(RandomModel(8), "world", limit=12)["tasks"]
    # 168 images and 264 texts: the first batch of either halves, and no later one tries the large size again
    assert [size for size in model.sizes if size > 5] == [64, 32, 16, 8, 96, 48, 24, 12, 6]


def test_running_out_of_memory_for_good_is_told() -> None:
    with pytest.raises(RunError, match="8 inputs at once; try --batch-size auto"):
        encode(Hungry(5, CPU), [], [str(i) for i in range(9)], text_batch_size=8)
    with pytest.raises(RunError, match="with a single input"):
        encode(Hungry(0, CPU), [], ["a", "b"], "auto")
    with pytest.raises(RuntimeError, match="shapes"):
        encode(Hungry(0, RuntimeError("shapes cannot be multiplied")), [], ["a", "b"], "auto")
    assert not out_of_memory(ValueError("out of memory"))


@pytest.mark.parametrize("wrong", ["0", "-3", "many", "2.5", None])
def test_batch_sizes_that_are_none(wrong: Any) -> None:
    with pytest.raises(InputError, match="a whole number of at least 1, or auto"):
        BatchSize(wrong, 8)
