"""State dicts as training scripts leave them, and the first wrong weight named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compoclip.errors import InputError
from compoclip.models import load

from .clips import captions, pixels


def test_prefixes_and_nesting_come_off(clip, tmp_path: Path) -> None:
    source = clip("vit")
    state = source.clip.state_dict()
    forms = {
        "plain.pt": state,
        "nested.pt": {"epoch": 1, "state_dict": {f"module.{k}": v for k, v in state.items()}},
        "model.bin": {"model": state, "optimizer": {"lr": 0.1}},
        "deep.pt": {"model": {"state_dict": {f"module._orig_mod.{k}": v for k, v in state.items()}}},
    }
    for name, content in forms.items():
        torch.save(content, tmp_path / name)
    save_file({f"_orig_mod.{k}": v for k, v in state.items()}, tmp_path / "compiled.safetensors")
    for name in (*forms, "compiled.safetensors"):
        model = load(f"t-vit:{tmp_path / name}", activation="gelu")
        assert torch.equal(model.encode_text(captions(3)), source.encode_text(captions(3)))
        images = pixels(source)
        assert torch.equal(model.encode_image(images), source.encode_image(images))


def test_the_first_wrong_weight_is_named(clip, tmp_path: Path) -> None:
    state = dict(clip("vit").clip.state_dict())
    shapes = {**state, "visual.proj": torch.zeros(3, 3), "ln_final.bias": torch.zeros(7)}
    absent = {k: v for k, v in state.items() if k not in ("visual.proj", "text_projection")}
    cases = {
        "shape": (shapes, r"\w+\.\w+ is \(.*\) in the file and \(.*\) in t-vit \(2 weights differ so\)"),
        "absent": (absent, r"2 of t-vit's \d+ weights are not in the file, the first (visual.proj|text_projection)"),
        "unknown": ({**state, "up.weight": torch.zeros(2)}, "1 weights are none of t-vit's, the first up.weight"),
        "other": ({"text_model.embeddings.x": torch.zeros(2)}, "weights are not in the file"),
        "empty": ({"epoch": 3, "state_dict": {}}, "no weights in it"),
    }
    for name, (content, message) in cases.items():
        torch.save(content, tmp_path / f"{name}.pt")
        with pytest.raises(InputError, match=message) as caught:
            load(f"t-vit:{tmp_path / name}.pt", activation="gelu")
        assert "\n" not in str(caught.value)


def test_a_program_is_not_run(clip, tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "jit.pt"))
    with pytest.raises(InputError, match="weights are not in the file"):
        load(f"t-vit:{tmp_path / 'jit.pt'}", activation="quickgelu")
