"""Checkpoints as trainers leave them: recognised, or refused with what to do; nothing is resized in silence."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from compoclip.errors import InputError
from compoclip.models import load, save

from .clips import captions
from .hf_models import write_checkpoint


def write(found: object, path: Path) -> str:
    torch.save(found, path)
    return f"t-vit:{path}"


def same(model, source) -> bool:
    return torch.equal(model.encode_text(captions(3)), source.encode_text(captions(3)))


def test_an_averaged_model_is_read(clip, tmp_path):
    source = clip("vit")
    averaged = AveragedModel(source.clip).state_dict()
    assert "n_averaged" in averaged
    for name, found in {"plain": averaged, "nested": {"state_dict": averaged, "epoch": 1}}.items():
        assert same(load(write(found, tmp_path / f"{name}.pt"), activation="gelu"), source)
    siglip = clip("noncausal")  # a tower that no table of layouts knows
    torch.save(AveragedModel(siglip.clip).state_dict(), tmp_path / "siglip.pt")
    assert same(load(f"t-noncausal:{tmp_path / 'siglip.pt'}", activation="gelu"), siglip)


@pytest.mark.parametrize("prefix", ["model.", "clip.", "net.clip_model.", "module.model."])
@pytest.mark.parametrize("name", ["vit", "noncausal"])
def test_a_lightning_checkpoint_is_read(clip, tmp_path, prefix, name):
    source = clip(name)
    found = {
        "epoch": 3,
        "global_step": 10,
        "pytorch-lightning_version": "2.0",
        "state_dict": {prefix + key: value for key, value in source.clip.state_dict().items()},
        "optimizer_states": [{}],
        "lr_schedulers": [],
        "callbacks": {},
        "hyper_parameters": {"lr": 1e-3},
    }
    torch.save(found, tmp_path / "a.ckpt")
    assert same(load(f"t-{name}:{tmp_path / 'a.ckpt'}", activation="gelu"), source)


@pytest.mark.parametrize("name", ["vit", "noncausal"])
def test_what_stands_beside_the_model_is_refused_by_name(clip, tmp_path, name):
    state = clip(name).clip.state_dict()
    both = {f"model.{k}": v for k, v in state.items()} | {f"student.{k}": v for k, v in state.items()}
    torch.save(both, tmp_path / "both.pt")
    with pytest.raises(InputError, match=r"model.*under '(model|student)\.'.* save the one that is meant by itself"):
        load(f"t-{name}:{tmp_path / 'both.pt'}", activation="gelu")
    odd = {f"model.{k}": v for k, v in state.items()} | {"probe.weight": torch.zeros(2)}
    torch.save(odd, tmp_path / "odd.pt")
    with pytest.raises(InputError, match=r"probe.weight"):
        load(f"t-{name}:{tmp_path / 'odd.pt'}", activation="gelu")


def test_the_numbers_of_openais_archives_are_no_weights(clip, tmp_path):
    source = clip("vit")
    numbers = {"input_resolution": 32, "context_length": 77, "vocab_size": 49408}
    state = {**source.clip.state_dict(), **{name: torch.tensor(value) for name, value in numbers.items()}}
    assert same(load(write(state, tmp_path / "openai.pt"), activation="gelu"), source)


@pytest.mark.parametrize("length", [40, 248])
@pytest.mark.parametrize("name", ["vit", "custom", "noncausal"])
def test_text_positions_of_another_length_are_refused(clip, tmp_path, length, name):
    source = clip(name)
    state = dict(source.clip.state_dict())
    key = "positional_embedding" if "positional_embedding" in state else "text.positional_embedding"
    state[key] = torch.randn(length, state[key].shape[1])
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=rf"{length} text positions, and \d+ in the architecture; .*context_length"):
        load(f"t-{name}:{tmp_path / 'w.safetensors'}", activation="gelu")
    folder = save(source, tmp_path / "folder")
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(InputError, match=rf"{length} text positions"):
        load(folder)


def test_a_resized_grid_of_image_positions_is_said_and_kept(clip, tmp_path, caplog):
    source = clip("vit")
    state = dict(source.clip.state_dict())
    state["visual.positional_embedding"] = torch.randn(1 + 49, 32)  # 7 x 7, where the architecture has 4 x 4
    save_file(state, tmp_path / "w.safetensors")
    with caplog.at_level(logging.WARNING, logger="compoclip.models"):
        model = load(f"t-vit:{tmp_path / 'w.safetensors'}", activation="gelu")
    assert model.info["resized_image_grid"] == "50 to 17 positions, interpolated"
    assert "the grid of image positions is resized" in caplog.text
    assert "resized_image_grid" not in load(save(model, tmp_path / "again")).info
    folder = save(source, tmp_path / "folder")
    save_file(state, folder / "open_clip_model.safetensors")
    assert load(folder).info["resized_image_grid"] == "50 to 17 positions, interpolated"


@pytest.mark.parametrize("kind", ["siglip", "siglip2", "clip"])
def test_siglips_texts_are_lower_cased_where_their_tokenizer_keeps_capitals(tmp_path, kind):
    folder = write_checkpoint(tmp_path / kind, kind)
    assert load(folder).info["texts"] == "as the tokenizer takes them"
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["normalizer"] = None  # as Gemma's, which comes with SigLIP 2's towers of one image size
    file.write_text(json.dumps(tokenizer))
    model = load(folder)
    equal = torch.equal(model.encode_text(["A Red SQUARE"]), model.encode_text(["a red square"]))
    assert equal == (kind != "clip")
    here = {"siglip": ["lower-cased, as in training"], "clip": ["as the tokenizer takes them"]}
    # SigLIP 2's own tokenizer, from transformers 5 on, has no capitals; Gemma's, which stood in for it, has them
    assert model.info["texts"] in here.get(kind, [told for words in here.values() for told in words])


def test_lora_on_coca_trains_its_towers_and_leaves_the_decoder(clip):
    from compoclip.models.lora import Lora

    model = clip("coca")
    before, keys = model.encode_text(captions(3)), set(model.clip.state_dict())
    lora = Lora(model.clip)
    torch.testing.assert_close(model.encode_text(captions(3)), before, rtol=1e-5, atol=1e-6)
    factors = [name for name, p in model.clip.named_parameters() if p.requires_grad]
    assert any(name.startswith("visual.") for name in factors)
    assert any(name.startswith("text.") for name in factors)
    assert not any(name.startswith("text_decoder.") for name in factors)
    lora.merge()
    assert set(model.clip.state_dict()) == keys
    assert any(isinstance(m, nn.MultiheadAttention) for m in model.clip.modules())
