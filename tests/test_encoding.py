"""Features of a set: those of the model, whatever the shards and processes, and resumable."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from compoclip.data.sources import open_source
from compoclip.distributed import Ranks
from compoclip.encoding import encode_set, read_features
from compoclip.errors import InputError
from compoclip.models import load
from training.processes import on_ranks


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Seven images, one of them broken, and eight captions."""
    lines = ["image\tcaption"]
    for i in range(7):
        Image.new("RGB", (40, 30), (30 * i, 200 - 20 * i, 90)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png\ta square of shade {i}")
    lines.append("0.png\tanother caption")
    (tmp_path / "4.png").write_bytes(b"no image")
    (tmp_path / "captions.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "captions.tsv"


def test_features_are_the_models_and_an_unreadable_image_has_none(table: Path, tmp_path: Path) -> None:
    model = load("tiny")
    manifest = encode_set(model, str(table), tmp_path / "out", batch_size=2, shard_size=3)
    assert (manifest["images"], manifest["captions"], manifest["unreadable"], manifest["shards"]) == (7, 8, 1, 3)
    assert "4.png" in manifest["examples"][0]
    source = open_source(table)
    ids, features, present = read_features(tmp_path / "out")
    assert ids == [sample.image_id for sample in source]
    assert present.tolist() == [i != 4 for i in range(7)]
    for index in range(7):
        expected = model.encode_image(source[index].image.load())[0] if index != 4 else torch.zeros(model.width)
        torch.testing.assert_close(features[index], expected, rtol=1e-5, atol=1e-6)
    captions, texts, _ = read_features(tmp_path / "out", "texts")
    assert captions == [caption for sample in source for caption in sample.captions]
    torch.testing.assert_close(texts, model.encode_text(captions), rtol=1e-5, atol=1e-6)


def test_what_is_there_is_kept_and_other_features_are_refused(table: Path, tmp_path: Path) -> None:
    model, out = load("tiny"), tmp_path / "out"
    encode_set(model, str(table), out, shard_size=3)
    before = {path.name: path.read_bytes() for path in out.glob("*.parquet")}
    times = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    (out / "images-00001.parquet").unlink()
    encode_set(model, str(table), out, shard_size=3)
    assert {path.name: path.read_bytes() for path in out.glob("*.parquet")} == before
    kept = {name for name, time in times.items() if (out / name).stat().st_mtime_ns == time}
    assert kept == set(before) - {"images-00001.parquet", "texts-00001.parquet"}
    with pytest.raises(InputError, match="another shard_size"):
        encode_set(model, str(table), out, shard_size=4)
    with pytest.raises(InputError, match="not empty"):
        encode_set(model, str(table), tmp_path)


@pytest.mark.slow
def test_two_processes_write_what_one_writes(table: Path, tmp_path: Path) -> None:
    one = encode_set(load("tiny"), str(table), tmp_path / "one", shard_size=2)

    def work(ranks: Ranks) -> dict:
        return encode_set(load("tiny"), str(table), tmp_path / "two", shard_size=2, ranks=ranks)

    assert on_ranks(2, work)[0] == one
    for path in (tmp_path / "one").glob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
