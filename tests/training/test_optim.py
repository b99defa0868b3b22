"""Decay groups, AdamW against a float64 loop, and the schedule against figures worked by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from compoclip.errors import InputError
from compoclip.training.optim import adamw, cosine_lr, parameter_groups


def test_matrices_decay_and_gains_biases_and_scales_do_not(clip):
    model = clip("custom").clip
    model.visual.conv1.weight.requires_grad_(False)
    groups = parameter_groups(model.named_parameters(), 0.1)
    names = {id(p): n for n, p in model.named_parameters()}
    decayed, plain = ({names[id(p)] for p in group["params"]} for group in groups)
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {"logit_scale", "visual.ln_pre.weight", "visual.class_embedding", "text.ln_final.bias"} <= plain
    assert {"visual.proj", "text.token_embedding.weight", "text.transformer.resblocks.0.mlp.c_fc.weight"} <= decayed
    assert not [n for n in decayed if n.endswith(("bias", "ln_1.weight", "ln_2.weight"))]
    assert decayed | plain == set(names.values()) - {"visual.conv1.weight"}
    assert not decayed & plain


def test_nothing_to_train_is_said():
    with pytest.raises(InputError, match="nothing to train"):
        parameter_groups([("w", nn.Parameter(torch.zeros(2), requires_grad=False))], 0.1)


def test_adamw_is_the_textbook_loop():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = adamw(model, lr=0.01, weight_decay=0.2, betas=(0.9, 0.98), eps=1e-6)
    values = {n: p.detach().double().clone() for n, p in model.named_parameters()}
    first = {n: torch.zeros_like(v) for n, v in values.items()}
    second = {n: torch.zeros_like(v) for n, v in values.items()}
    for step in range(1, 6):
        x = torch.randn(4, 3)
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
        output = x.double() @ values["weight"].T + values["bias"]
        gradients = {"weight": 2 * output.T @ x.double(), "bias": 2 * output.sum(dim=0)}
        for name, gradient in gradients.items():
            values[name] *= 1 - 0.01 * (0.2 if name == "weight" else 0.0)
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.98 * second[name] + 0.02 * gradient**2
            mean, spread = first[name] / (1 - 0.9**step), second[name] / (1 - 0.98**step)
            values[name] -= 0.01 * mean / (spread.sqrt() + 1e-6)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.double(), values[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "total", "peak", "warmup", "rate"),
    [
        (0, 10, 1.0, 4, 0.25),  # a quarter of the warm-up
        (3, 10, 1.0, 4, 1.0),  # its last step is at the peak
        (4, 10, 1.0, 4, 1.0),  # the cosine begins there
        (7, 10, 1.0, 4, 0.5),  # half of 6 steps
        (6, 10, 2.0, 4, 1.5),  # a third: cos 60 degrees is 1/2, so three quarters of the peak
        (10, 10, 1.0, 4, 0.0),
        (0, 4, 1.0, 0, 1.0),
        (1, 4, 1.0, 0, 0.5 * (1 + math.sqrt(0.5))),
        (2, 3, 0.3, 9, 0.1),  # a run that ends within its warm-up
        (5, 5, 0.3, 5, 0.3),
    ],
)
def test_the_schedule_by_hand(step, total, peak, warmup, rate):
    assert cosine_lr(step, total, peak, warmup) == pytest.approx(rate, abs=1e-12)


def test_the_schedule_rises_then_falls():
    rates = [cosine_lr(step, 100, 3e-5, 20) for step in range(100)]
    assert max(rates) == pytest.approx(3e-5)
    assert all(a < b for a, b in pairwise(rates[:20]))
    assert all(a > b for a, b in pairwise(rates[20:]))
    assert 0 < rates[-1] < 1e-7
