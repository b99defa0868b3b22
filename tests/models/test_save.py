"""Saving: plain open_clip reads the folder, the activation is in it, and it is there whole or not at all."""

from __future__ import annotations

import importlib
import json
import os
import shutil

import open_clip
import pytest
import torch
from safetensors import SafetensorError

from compoclip.errors import InputError, RunError
from compoclip.models import load, save

from .clips import captions, pixels

# the package has a function of that name too
SAVE = importlib.import_module("compoclip.models.save")
NAMES = ["vit", "vit-quick", "custom", "noncausal", "resnet", "timm-vit", "timm-convnext", "coca", "hf-mean", "hf-cls"]


@pytest.mark.parametrize("name", NAMES)
def test_plain_open_clip_gives_the_same_features(clip, tmp_path, name):
    model = clip(name)
    out = save(model, tmp_path / "model")
    plain = open_clip.create_model(f"local-dir:{out}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{out}")
    batch, texts = pixels(model), captions(5)
    with torch.no_grad():
        found = plain.encode_image(batch, normalize=True), plain.encode_text(tokenizer(texts), normalize=True)
    torch.testing.assert_close(model.encode_image(batch), found[0], rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(model.encode_text(texts), found[1], rtol=1e-5, atol=1e-6)
    again = load(out)
    assert torch.equal(again.encode_image(batch), model.encode_image(batch))
    assert torch.equal(again.encode_text(texts), model.encode_text(texts))
    assert again.info["activation"] == model.info["activation"]


@pytest.mark.parametrize(("name", "stated"), [("vit", False), ("vit-quick", True)])
def test_the_activation_is_always_stated(clip, tmp_path, name, stated):
    out = save(clip(name), tmp_path / "model")
    assert json.loads((out / "open_clip_config.json").read_text())["model_cfg"]["quick_gelu"] is stated
    act = open_clip.create_model(f"local-dir:{out}").visual.transformer.resblocks[0].mlp.gelu
    assert type(act).__name__ == ("QuickGELU" if stated else "GELU")


def test_the_transform_is_kept(clip, tmp_path):
    model = clip("vit")
    model.config["preprocess_cfg"] |= {"mean": [0.1, 0.2, 0.3], "resize_mode": "squash"}
    again = load(save(model, tmp_path / "model"))
    assert list(again.config["preprocess_cfg"]["mean"]) == [0.1, 0.2, 0.3]
    assert again.config["preprocess_cfg"]["resize_mode"] == "squash"
    assert "mean=(0.1, 0.2, 0.3)" in repr(again.preprocess).replace("[", "(").replace("]", ")")


def test_a_moved_folder_with_a_hugging_face_tower_still_loads(clip, tmp_path):
    model = clip("hf-mean")
    first = save(model, tmp_path / "one" / "model")
    shutil.move(first, tmp_path / "two")
    again = load(tmp_path / "two")
    assert torch.equal(again.encode_text(captions(5)), model.encode_text(captions(5)))
    third = load(save(again, tmp_path / "three"))
    assert torch.equal(third.encode_text(captions(5)), model.encode_text(captions(5)))


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [OSError(28, "No space left"), SafetensorError("I/O error"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_folder_whole(clip, tmp_path, monkeypatch, error):
    old = clip("vit")
    out = save(old, tmp_path / "model")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(state, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(SAVE, "save_file", fail)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else RunError):
        save(clip("vit", seed=1), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert _names(tmp_path) == ["model"]


def test_a_failing_rename_brings_the_old_folder_back(clip, tmp_path, monkeypatch):
    out = save(clip("vit"), tmp_path / "model")
    before = (out / "open_clip_model.safetensors").read_bytes()
    rename = os.replace

    def fail_into_place(source, target):
        if str(target) == str(out) and "old" not in str(source):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(SAVE.os, "replace", fail_into_place)
    with pytest.raises(RunError, match="cannot write the model"):
        save(clip("vit", seed=1), out)
    assert (out / "open_clip_model.safetensors").read_bytes() == before
    assert _names(tmp_path) == ["model"]


def test_a_model_folder_is_replaced(clip, tmp_path):
    out = save(clip("vit"), tmp_path / "model")
    model = clip("vit", seed=1)
    save(model, out)
    assert torch.equal(load(out).encode_text(["a cat"]), model.encode_text(["a cat"]))
    assert _names(tmp_path) == ["model"]


def test_nothing_else_is_replaced(clip, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"irreplaceable")
    (tmp_path / "file").write_text("a file")
    for name in ("photos", "file", "."):
        with pytest.raises(InputError, match="not a model folder; choose another name"):
            save(clip("vit"), tmp_path / name)
    assert (tmp_path / "photos" / "holiday.jpg").read_bytes() == b"irreplaceable"
    (tmp_path / "empty").mkdir()
    save(clip("vit"), tmp_path / "empty")
    assert load(tmp_path / "empty").width == 24
