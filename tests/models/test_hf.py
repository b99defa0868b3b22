"""Hugging Face CLIP and SigLIP: features equal transformers' own, and what is wrong with a checkpoint is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from compoclip.errors import InputError
from compoclip.models import load
from compoclip.models.hf import HFModel

from .clips import captions
from .hf_models import write_checkpoint

KINDS = ("clip", "siglip", "siglip2")


def photos(count: int = 3) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 255, (40, 30 + 5 * i, 3), dtype=np.uint8)) for i in range(count)]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: write_checkpoint(tmp_path_factory.mktemp("hf") / kind, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_features_equal_transformers_own(checkpoints: dict[str, Path], kind: str) -> None:
    import transformers

    folder = checkpoints[kind]
    model = load(f"hf:{folder}")
    assert isinstance(model, HFModel)
    own = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    texts = [*captions(5), " ".join(["red"] * 30)]  # the last is longer than the tower holds
    pad = "longest" if kind == "clip" else "max_length"
    ids = tokenizer(texts, padding=pad, truncation=True, max_length=12, return_tensors="pt")
    if kind != "clip":
        ids = {"input_ids": ids["input_ids"]}
    with torch.no_grad():
        text, image = own.get_text_features(**ids), own.get_image_features(**processor(photos(), return_tensors="pt"))
    expected = [F.normalize(getattr(x, "pooler_output", x), dim=-1) for x in (text, image)]
    assert torch.equal(model.encode_text(texts), expected[0])
    assert torch.equal(model.encode_image(photos()), expected[1])
    assert torch.allclose(model.encode_text(texts, batch_size=2), expected[0], atol=1e-6)
    if model.preprocess is not None:
        pixels = torch.stack([model.preprocess(photo) for photo in photos()])
        assert torch.equal(model.encode_image(pixels), expected[1])
    assert model.width == expected[0].shape[1]
    assert model.scale == pytest.approx(float(own.logit_scale.exp()))
    assert model.encode_text([]).shape == (0, model.width)
    score = model.score(photos()[0], texts[:2])
    assert torch.allclose(score, expected[0][:2] @ expected[1][0], atol=1e-6)


def test_a_folder_needs_no_prefix_and_is_known_by_its_weights(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    one = load(checkpoints["clip"])
    assert isinstance(one, HFModel)
    assert len(one.info["sha256"]) == 64
    assert one.info["activation"] == "quick_gelu"
    other = load(f"hf:{write_checkpoint(tmp_path / 'other', 'clip', length=9)}")
    assert other.info["sha256"] != one.info["sha256"]
    json.dumps(one.info)


def test_what_only_towers_of_open_clip_can_is_refused_in_one_line(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="can be measured, not trained"):
        _ = load(checkpoints["clip"]).clip.visual
    with pytest.raises(InputError, match="leave --activation out"):
        load(f"hf:{checkpoints['clip']}", activation="gelu")


def _break(folder: Path, file: str, **changes: object) -> Path:
    found = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**found, **changes}))
    return folder


def test_broken_checkpoints_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cases = {
        write_checkpoint(tmp_path / "pickled", "clip", safe=False): "safetensors",
        _break(write_checkpoint(tmp_path / "bert", "clip"), "config.json", model_type="bert"): "'bert'; known are clip",
        _break(
            write_checkpoint(tmp_path / "deep", "clip"),
            "config.json",
            text_config={
                **json.loads((tmp_path / "deep" / "config.json").read_text())["text_config"],
                "num_hidden_layers": 3,
            },
        ): "weights are not in its files, the first text_model.*2",
        tmp_path / "nowhere": "cannot load it",
    }
    cut = write_checkpoint(tmp_path / "cut", "clip") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-50])
    cases[cut.parent] = "cannot load it"
    for folder, message in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            load(f"hf:{folder}")
        assert "\n" not in str(caught.value)


def test_bf16_is_near_and_said(checkpoints: dict[str, Path]) -> None:
    plain, half = load(checkpoints["clip"]), load(checkpoints["clip"], precision="bf16")
    a, b = plain.encode_image(photos()), half.encode_image(photos())
    assert b.dtype == torch.float32
    assert not torch.equal(a, b)
    assert torch.allclose(a, b, atol=0.05)
    assert half.info["precision"] == "bf16"
    assert torch.allclose(load("tiny", precision="bf16").encode_text(["a"]), load("tiny").encode_text(["a"]), atol=0.05)
    with pytest.raises(InputError, match="choose fp32 or bf16"):
        load("tiny", precision="fp8")


def test_devices_are_found_or_named() -> None:
    from compoclip.models.device import resolve_device

    assert resolve_device("auto") in ("cpu", "cuda:0")
    assert resolve_device("cpu") == "cpu"
    for wrong in ("cuda:99", "gpu", "meta?"):
        with pytest.raises(InputError, match=f"--device {wrong}".replace("?", ".")):
            resolve_device(wrong)
