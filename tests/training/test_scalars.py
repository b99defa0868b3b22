"""The logit scale and SigLIP's bias: nothing is clamped, or left untrained, without a word."""

from __future__ import annotations

import math

import pytest
import torch

from compoclip.losses import objective
from compoclip.training.scalars import CLIP_LIMIT, scalars_account, scale_limit
from compoclip.training.towers import batch_features
from models.clips import pixels


def test_clips_scale_stops_at_a_hundred_and_siglips_where_it_starts(clip) -> None:
    plain = clip("vit").clip
    assert scale_limit(plain) == pytest.approx(math.log(100.0))
    assert scalars_account(plain, uses_bias=False) == []
    siglip = clip("noncausal").clip
    with torch.no_grad():
        siglip.logit_scale.fill_(math.log(117.3))
    assert scale_limit(siglip) == pytest.approx(math.log(117.3), rel=1e-6)
    lines = " ".join(scalars_account(siglip, uses_bias=True))
    assert "starts at 117.3, over CLIP's limit of 100" in lines
    assert "logit_bias" not in lines


def test_a_bias_that_nothing_trains_is_said(clip) -> None:
    siglip = clip("noncausal").clip
    lines = scalars_account(siglip, objective("clip").uses_bias)
    assert any(line.startswith("logit_bias: not trained") and "no term of this objective" in line for line in lines)
    assert objective("clip", contrastive_form="sigmoid").uses_bias
    siglip.logit_bias.requires_grad_(False)
    siglip.logit_scale.requires_grad_(False)
    lines = scalars_account(siglip, True)
    assert any("it is frozen" in line for line in lines)
    assert any(line.startswith("logit_scale: not trained") for line in lines)
    assert math.log(100.0) == CLIP_LIMIT


def test_the_sigmoid_form_trains_the_bias(clip) -> None:
    model = clip("noncausal")
    goal = objective("clip", contrastive_form="sigmoid")
    features = batch_features(model, pixels(model, 2), ["a cat", "a dog"], [[], []], 0, goal.needs)
    torch.stack(list(goal(features).values())).sum().backward()
    assert model.clip.logit_bias.grad is not None
    assert float(model.clip.logit_bias.grad.abs()) > 0
