"""Decay groups, AdamW against a float64 loop, Muon against singular values, the schedule against figures by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from compoclip.errors import InputError
from compoclip.training.optim import OPTIMIZERS, MuonAdamW, adamw, learning_rate, parameter_groups, set_lr


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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_text_tower_may_learn_at_its_own_rate(clip, name):
    """Every parameter is in one group; those of the text tower have 0.1 of the rate, muon's matrices thrice as much."""
    model = clip("custom").clip
    optimizer = OPTIMIZERS[name](model, 0.01, 0.1, (0.9, 0.98), 1e-6, 0.1)
    set_lr(optimizer, 0.01, 3.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(rates) == sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    for parameter_name, parameter in model.named_parameters():
        text = 0.1 if parameter_name.startswith("text.") else 1.0
        muon = 3.0 if name == "muon" and "resblocks" in parameter_name and parameter.ndim == 2 else 1.0
        assert rates[id(parameter)] == pytest.approx(0.01 * text * muon), parameter_name


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


def test_muon_levels_singular_values_and_the_rest_is_adamw(clip):
    """Of the first step, against a float64 decomposition: the same singular vectors, all values near 0.2 sqrt(n)."""
    model, twin = clip("vit").clip, clip("vit").clip
    both, alone = MuonAdamW(model, 1.0, 0.1, (0.9, 0.98), 1e-6), adamw(twin, 1.0, 0.1, (0.9, 0.98), 1e-6)
    torch.manual_seed(0)
    for p, q in zip(model.parameters(), twin.parameters()):
        p.grad = torch.randn_like(p)
        q.grad = p.grad.clone()
    for optimizer in (both, alone):
        set_lr(optimizer, 0.01)
    before = {name: p.detach().double().clone() for name, p in model.named_parameters()}
    assert {group["lr"] for group in both.param_groups} == {0.01}
    both.step()
    alone.step()
    others, levelled = dict(twin.named_parameters()), 0
    for name, p in model.named_parameters():
        if p.ndim != 2 or "resblocks" not in name:
            assert torch.equal(p, others[name]), name
            continue
        levelled += 1
        update = before[name] * (1 - 0.01 * 0.1) - p.detach().double()
        left, _, right = torch.linalg.svd(p.grad.double(), full_matrices=False)
        values = torch.diagonal(left.T @ update @ right.T) / (0.01 * 0.2 * max(p.shape) ** 0.5)
        assert 0.6 < values.median() < 1.2, name  # five iterations lift the smallest not all the way
        assert values.max() < 1.3, name
        rest = update - left @ torch.diag(torch.diagonal(left.T @ update @ right.T)) @ right
        assert rest.norm() < 0.1 * update.norm(), name
    assert levelled >= 8


def test_muon_s_matrices_may_learn_faster(clip):
    optimizer = MuonAdamW(clip("vit").clip, 1.0, 0.1, (0.9, 0.98), 1e-6)
    set_lr(optimizer, 0.01, 3.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.03, 0.01, 0.01]
    assert [group["lr"] for part in optimizer.parts for group in part.param_groups] == [0.03, 0.01, 0.01]


def test_muon_without_blocks_or_without_torch_s_is_said(monkeypatch):
    with pytest.raises(InputError, match="no such one is trained: use adamw"):
        MuonAdamW(nn.Linear(3, 2), 0.1, 0.0, (0.9, 0.9), 1e-8)
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(InputError, match=r"install torch 2\.9 or newer, or train with adamw"):
        MuonAdamW(nn.Linear(3, 2), 0.1, 0.0, (0.9, 0.9), 1e-8)


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
    assert learning_rate(step, total, peak, warmup) == pytest.approx(rate, abs=1e-12)


def test_a_cooldown_keeps_the_peak_until_it_begins():
    rates = [learning_rate(step, 10, 2.0, 2, cooldown=0.4) for step in range(11)]
    assert rates[:7] == [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert rates[7:] == pytest.approx([1 + math.sqrt(0.5), 1.0, 1 - math.sqrt(0.5), 0.0], abs=1e-12)
    assert [learning_rate(step, 10, 2.0, 4, 0.9) for step in range(10)] == [
        learning_rate(step, 10, 2.0, 4) for step in range(10)
    ]


def test_the_schedule_rises_then_falls():
    rates = [learning_rate(step, 100, 3e-5, 20) for step in range(100)]
    assert max(rates) == pytest.approx(3e-5)
    assert all(a < b for a, b in pairwise(rates[:20]))
    assert all(a > b for a, b in pairwise(rates[20:]))
    assert 0 < rates[-1] < 1e-7
