"""Features kept on disk: a second run encodes nothing, and nothing stale or broken is served."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write

from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.evaluation.cache import FeatureCache, weights_key


class Hashed(RandomModel):
    def __init__(self, sha: str = "a") -> None:
        super().__init__()
        self.info = {"name": "random", "sha256": sha}


def data(root: Path) -> Path:
    write(root / "captions.tsv", "image\tcaption\n0.png\tone\n1.png\ttwo\n1.png\tthree\n")
    for i in range(2):
        write(root / "images" / f"{i}.png", png(picture(i)))
    return root


def run(model: RandomModel, root: Path, cache: Path) -> dict:
    return evaluate(model, "retrieval", root, cache_dir=cache)["tasks"]


def test_second_run_reads_no_image_and_equals_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = data(tmp_path / "data")
    first, second = Hashed(), Hashed()
    one = run(first, root, tmp_path / "cache")
    monkeypatch.setattr("compoclip.data.images.refs.open_image", lambda *a: pytest.fail("an image was read"))
    two = run(second, root, tmp_path / "cache")
    assert (first.images, first.texts) == (2, 3)
    assert (second.images, second.texts) == (0, 0)
    assert one == two


def test_other_weights_and_changed_files_are_encoded_again(tmp_path: Path) -> None:
    root = data(tmp_path / "data")
    run(Hashed(), root, tmp_path / "cache")
    other = Hashed("b")
    run(other, root, tmp_path / "cache")
    assert other.images == 2
    write(root / "images" / "1.png", png(picture(77)))
    os.utime(root / "images" / "1.png", ns=(1, 1))
    again = Hashed()
    run(again, root, tmp_path / "cache")
    assert (again.images, again.texts) == (1, 0)


def test_weights_decide_the_key() -> None:
    import torch

    torch.manual_seed(0)
    a, b = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    b.load_state_dict(a.state_dict())
    assert weights_key(a, "texts") == weights_key(b, "texts")
    with torch.no_grad():
        b.weight[1, 2] += 1e-6
    assert weights_key(a, "texts") != weights_key(b, "texts")
    with pytest.raises(InputError, match="neither weights"):
        weights_key(RandomModel(), "images")


def test_parts_are_written_when_full_and_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compoclip.evaluation.cache.PART", 4)
    rows = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    cache, keys = FeatureCache(tmp_path), [f"k{i}" for i in range(10)]
    for start in (0, 3, 6):
        cache.put(keys[start : start + 3], rows[start : start + 3])
    assert len(FeatureCache(tmp_path).get(keys)) == 6  # the last three are still in memory
    cache.put(keys[9:], rows[9:])
    cache.close()
    found = FeatureCache(tmp_path).get(keys)
    np.testing.assert_array_equal(np.stack([found[k] for k in keys]), rows)
    assert FeatureCache(tmp_path).get(["other"]) == {}


def test_a_broken_part_is_named(tmp_path: Path) -> None:
    write(tmp_path / "x.npz", b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"x\.npz: broken part"):
        FeatureCache(tmp_path)


def test_a_tower_left_alone_keeps_its_key() -> None:
    import torch
    from torch import nn

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual, self.text = nn.Linear(2, 2), nn.Linear(2, 2)

    class Holder:
        def __init__(self) -> None:
            torch.manual_seed(0)
            self.clip = Two()
            self.preprocess, self.info, self.config = None, {}, {}

    base, tuned = Holder(), Holder()
    with torch.no_grad():
        tuned.clip.text.weight += 1
    assert weights_key(base, "images") == weights_key(tuned, "images")
    assert weights_key(base, "texts") != weights_key(tuned, "texts")


def test_where_a_towers_files_lie_does_not_change_its_key() -> None:
    from torch import nn

    class Holder:
        def __init__(self, place: str, width: int) -> None:
            self.clip = nn.Linear(1, 1, bias=False)
            nn.init.ones_(self.clip.weight)
            self.preprocess, self.info = None, {}
            text = {"hf_model_name": place, "context_length": 64}
            self.config = {"model_cfg": {"vision_cfg": {"width": width}, "text_cfg": text}}

    here, there, wider = Holder("a", 1), Holder("b", 1), Holder("a", 2)
    for tower in ("images", "texts"):
        assert weights_key(here, tower) == weights_key(there, tower)
    assert weights_key(here, "images") != weights_key(wider, "images")
    assert weights_key(here, "texts") == weights_key(wider, "texts")
