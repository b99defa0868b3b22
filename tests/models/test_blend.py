"""Blending: exact at both ends, linear between, and refused where the two do not match."""

from __future__ import annotations

import pytest
import torch

from compoclip.errors import InputError
from compoclip.models.blend import blend, blend_states
from compoclip.models.lora import Lora

from .clips import captions, pixels


def test_the_ends_are_exact(clip):
    base, tuned = clip("vit", seed=0), clip("vit", seed=1)
    for alpha, end in ((0.0, base), (1.0, tuned)):
        mixed = blend(base, tuned, alpha)
        for name, value in mixed.clip.state_dict().items():
            assert torch.equal(value, end.clip.state_dict()[name])
        assert torch.equal(mixed.encode_text(captions(3)), end.encode_text(captions(3)))


def test_the_middle_is_a_loop(clip):
    base, tuned = clip("resnet", seed=0), clip("resnet", seed=1)
    tuned.clip.visual.bn1.num_batches_tracked.fill_(9)
    before = {k: v.clone() for k, v in tuned.clip.state_dict().items()}
    mixed = blend(base, tuned, 0.3)
    for name, value in mixed.clip.state_dict().items():
        a, b = base.clip.state_dict()[name], tuned.clip.state_dict()[name]
        if a.is_floating_point():
            torch.testing.assert_close(value.double(), 0.7 * a.double() + 0.3 * b.double(), rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(value, b)
        assert torch.equal(b, before[name])  # neither of the two is touched
    assert mixed.info["blend"] == {"base": "t-resnet", "alpha": 0.3}
    assert "blend" not in tuned.info
    assert mixed.encode_image(pixels(mixed)).shape == (3, 24)


def test_half_precision_against_float():
    base = {"w": torch.tensor([1.0, 2.0])}
    tuned = {"w": torch.tensor([3.0, 4.0], dtype=torch.float16)}
    assert blend_states(base, tuned, 0.5)["w"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan")])
def test_alphas_outside_are_refused(clip, alpha):
    model = clip("vit")
    with pytest.raises(InputError, match=r"must be between 0 \(the base\) and 1"):
        blend(model, model, alpha)


def test_models_that_do_not_match_are_refused(clip):
    with pytest.raises(InputError, match="activations differ: gelu and quickgelu"):
        blend(clip("vit"), clip("vit-quick"), 0.5)
    with pytest.raises(InputError, match=r"different weights \(\d+ names differ, such as"):
        blend(clip("vit"), clip("custom"), 0.5)
    with pytest.raises(InputError, match=r"w: shape \(2,\) in the base, \(3,\) in the tuned"):
        blend_states({"w": torch.zeros(2)}, {"w": torch.zeros(3)}, 0.5)
    unmerged = clip("vit")
    Lora(unmerged.clip)
    with pytest.raises(InputError, match="names differ"):
        blend(clip("vit"), unmerged, 0.5)


def test_merged_lora_blends_linearly(clip):
    """Interpolating the factors one by one would move a weight by alpha squared times its change."""
    base, tuned = clip("vit"), clip("vit")
    lora = Lora(tuned.clip)
    with torch.no_grad():
        for name, parameter in tuned.clip.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.3)
    lora.merge()
    key = "visual.transformer.resblocks.0.attn.out_proj.weight"
    start, end = base.clip.state_dict()[key], tuned.clip.state_dict()[key]
    assert (end - start).abs().max() > 0.01
    for alpha in (0.25, 0.5, 0.75):
        moved = blend(base, tuned, alpha).clip.state_dict()[key] - start
        torch.testing.assert_close(moved, alpha * (end - start), rtol=1e-4, atol=1e-6)
