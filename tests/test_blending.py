"""The curve between two models, the rule that picks a blend, soups, and texts of different length."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from compoclip.blending import choose, draw, sweep_to
from compoclip.cli import main
from compoclip.errors import InputError
from compoclip.export.fingerprint import CAPTION
from compoclip.models import Model, load, save
from compoclip.models.blend import blend, cut_context, soup

POINTS = [(0.0, 50.0, 60.0), (0.25, 58.0, 59.5), (0.5, 63.0, 58.9), (0.75, 66.0, 55.0), (1.0, 66.0, 50.0)]
ROWS = [{"alpha": a, "summary": {"comp": c, "zeroshot": z}} for a, c, z in POINTS]


def changed(seed: int, size: float = 0.02) -> Model:
    model = load("tiny")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.clip.parameters():
            parameter += size * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.mark.parametrize(("points", "alpha"), [(0.0, 0.0), (1.0, 0.25), (1.1, 0.5), (5.0, 0.75), (20.0, 0.75)])
def test_the_rule_keeps_zero_shot_and_takes_the_best_composition(points: float, alpha: float) -> None:
    assert choose(ROWS, points)[0] == alpha  # of the last two equals the smaller alpha


def test_the_best_mean_and_what_the_rules_need() -> None:
    assert choose(ROWS) == (0.5, "best mean of composition and zero-shot")
    with pytest.raises(InputError, match="composition and zero-shot"):
        choose([{"alpha": 0.0, "summary": {"comp": None, "zeroshot": 3.0}}])
    with pytest.raises(InputError, match="alpha 0"):
        choose(ROWS[1:], 1.0)


def test_a_soup_is_the_mean_of_weights() -> None:
    models = [changed(seed) for seed in range(3)]
    mixed = soup(models).clip.state_dict()
    for name, value in mixed.items():
        parts = [m.clip.state_dict()[name].double() for m in models]
        assert torch.allclose(value.double(), sum(parts) / 3, atol=1e-7)
    with pytest.raises(InputError, match="at least one"):
        soup([])


def test_a_longer_text_is_cut_to_the_shorter() -> None:
    base, tuned = load("tiny"), cut_context(changed(1), 20)
    assert tuned.tokenize([CAPTION]).shape == (1, 20)
    assert torch.allclose(tuned.encode_text([CAPTION]), changed(1).encode_text([CAPTION]), atol=1e-6)
    mixed = blend(base, tuned, 0.5)
    assert mixed.clip.positional_embedding.shape[0] == 20
    assert torch.allclose(blend(base, tuned, 0.0).encode_text([CAPTION]), base.encode_text([CAPTION]), atol=1e-6)


def test_the_picture_shows_every_blend_the_chosen_one_and_the_bound(tmp_path: Path, monkeypatch) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path: drawn.append(self))
    draw(ROWS, 0.25, tmp_path / "x.png", keep_zeroshot=1.0)
    axes = drawn[0].axes[0]
    curve, mark, bound = axes.lines
    assert list(zip(curve.get_xdata(), curve.get_ydata())) == [(z, c) for _, c, z in POINTS]
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([59.5], [58.0])
    assert set(bound.get_xdata()) == {59.0}
    assert [text.get_text() for text in axes.texts] == ["1 below the base's", "0", "0.25", "0.5", "0.75", "1"]
    boxes = [text.get_window_extent() for text in axes.texts[1:]]
    assert not any(box.overlaps(other) for n, box in enumerate(boxes) for other in boxes[:n])
    crowded = [{"alpha": a / 10, "summary": {"comp": 60 + a / 100, "zeroshot": 70 - a}} for a in range(11)]
    draw(crowded, 0.0, tmp_path / "z.png")
    boxes = [text.get_window_extent() for text in drawn.pop().axes[0].texts]
    assert not any(box.overlaps(other) for n, box in enumerate(boxes) for other in boxes[:n])
    flat = [{"alpha": a, "summary": {"comp": 50.0 + a, "zeroshot": 60.0}} for a in (0.0, 1.0)]
    draw(flat, 1.0, tmp_path / "y.png")
    (low, high), (left, right) = drawn[1].axes[0].get_ylim(), drawn[1].axes[0].get_xlim()
    assert min(high - low, right - left) >= 10 - 1e-9


@pytest.mark.slow
def test_a_sweep_draws_the_curve_and_writes_the_chosen_blend(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    tuned = [str(save(changed(seed), tmp_path / f"run{seed}")) for seed in range(2)]
    facts = sweep_to("tiny", tuned, "world", None, tmp_path / "out", keep_zeroshot=1.0, limit=4, alphas=(0.0, 0.5, 1.0))
    kept = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert kept == facts
    assert [row["alpha"] for row in kept["blends"]] == [0.0, 0.5, 1.0]
    assert Image.open(tmp_path / "out" / "sweep.png").size[0] > 300
    card = (tmp_path / "out" / "model" / "README.md").read_text()
    assert f"alpha: {kept['alpha']}" in card
    assert "within 1 points of the base" in card
    assert "Wortsman" in card
    assert re.search(r"world replace-attribute: [\d.]+ \[[\d.]+, [\d.]+\], n 4", card)
    expected = blend(load("tiny"), soup([load(name) for name in tuned]), kept["alpha"])
    assert torch.equal(load(tmp_path / "out" / "model").encode_text([CAPTION]), expected.encode_text([CAPTION]))


def test_lora_checkpoints_are_merged_before_they_are_blended(tmp_path: Path) -> None:
    base = load("tiny")
    state = {k: v.clone() for k, v in base.clip.state_dict().items()}
    key = "transformer.resblocks.0.mlp.c_fc"
    width = state[f"{key}.weight"].shape
    state[f"{key}.lora_A"], state[f"{key}.lora_B"] = 0.1 * torch.randn(4, width[1]), 0.1 * torch.randn(width[0], 4)
    torch.save({"state_dict": state}, tmp_path / "lora.pt")
    with pytest.raises(SystemExit) as stop:
        main(["blend", "tiny", str(tmp_path / "lora.pt"), "--alpha", "0.5", "--out", str(tmp_path / "half")])
    assert stop.value.code == 0
    found = load(tmp_path / "half").clip.state_dict()[f"{key}.weight"]
    change = state[f"{key}.lora_B"] @ state[f"{key}.lora_A"] / 4
    assert torch.allclose(found, base.clip.state_dict()[f"{key}.weight"] + 0.5 * change, atol=1e-5)
