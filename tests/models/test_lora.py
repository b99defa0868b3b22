"""LoRA: zero at the start, W + dW and not W + 2 dW, the base never moves, and merging leaves no trace."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from compoclip.errors import InputError
from compoclip.models.attention import PlainAttention, close_attention, open_attention
from compoclip.models.lora import Lora

from .clips import captions, pixels

NAMES = ["vit", "vit-quick", "custom", "noncausal", "timm-vit", "timm-convnext", "hf-mean"]


@torch.no_grad()
def _features(model):
    ids = model.tokenize(captions(4))
    return torch.cat([model.image_features(pixels(model)).pooled, model.text_features(ids).pooled])


def _fill(clip, seed=0):
    """Both factors random, as after training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("name", NAMES)
def test_it_starts_at_zero(clip, name):
    model = clip(name)
    before = _features(model)
    Lora(model.clip)
    assert (_features(model) - before).abs().max() <= 1e-6 * before.abs().max()
    factors = {n: p for n, p in model.clip.named_parameters() if "lora_" in n}
    assert factors
    assert all((p == 0).all() for n, p in factors.items() if "lora_B" in n)
    assert all((p != 0).any() for n, p in factors.items() if "lora_A" in n)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_factors_are_trained(clip, name):
    model = clip(name)
    Lora(model.clip, rank=2)
    for key, parameter in model.clip.named_parameters():
        assert parameter.requires_grad == ("lora_" in key), key
        if "lora_A" in key:
            assert parameter.shape[0] == 2


def test_which_layers_get_one(clip):
    model = clip("vit")
    Lora(model.clip)
    layers = {n.split(".lora_A")[0] for n, _ in model.clip.named_parameters() if "lora_A" in n}
    parts = ("attn.in_proj", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")
    towers = ("transformer", "visual.transformer")
    assert layers == {f"{tower}.resblocks.{i}.{part}" for tower in towers for i in range(2) for part in parts}


@pytest.mark.parametrize("name", NAMES)
def test_merged_equals_unmerged_with_the_same_keys(clip, name):
    model = clip(name)
    keys = {k: v.shape for k, v in model.clip.state_dict().items()}
    kinds = [type(m) for m in model.clip.modules()]
    original = _features(model)
    lora = Lora(model.clip, rank=3, alpha=2.0)
    _fill(model.clip)
    tuned = _features(model)
    assert (tuned - original).abs().max() > 1e-2
    lora.merge()
    torch.testing.assert_close(_features(model), tuned, rtol=1e-4, atol=2e-5)
    assert {k: v.shape for k, v in model.clip.state_dict().items()} == keys
    assert [type(m) for m in model.clip.modules()] == kinds
    assert all(p.requires_grad for p in model.clip.parameters())


def test_each_weight_moves_by_scale_b_a_once(clip):
    """peft on nn.MultiheadAttention itself adds the change of out_proj twice."""
    model = clip("vit")
    base = {k: v.clone() for k, v in model.clip.state_dict().items()}
    lora = Lora(model.clip, rank=4, alpha=1.0)
    _fill(model.clip)
    factors = {n: p.detach().double() for n, p in model.clip.named_parameters() if "lora_" in n}
    block = model.clip.visual.transformer.resblocks[0]
    hidden = torch.randn(2, 5, 32)
    with torch.no_grad():
        found = block.attn(hidden, hidden, hidden)[0]
    lora.merge()
    after = model.clip.state_dict()
    seen = set()
    for name in factors:
        if ".lora_A." not in name:
            continue
        layer = name.split(".lora_A.")[0]
        delta = 0.25 * factors[name.replace("lora_A", "lora_B")] @ factors[name]  # alpha / rank
        key = f"{layer}_weight" if layer.endswith("in_proj") else f"{layer}.weight"
        torch.testing.assert_close(after[key].double(), base[key].double() + delta, rtol=1e-6, atol=1e-6)
        seen.add(key)
    for key in set(base) - seen:
        assert torch.equal(after[key], base[key]), key
    # and what was computed before merging used W + dW too: attention by hand in float64
    prefix = "visual.transformer.resblocks.0.attn."
    weights = {k[len(prefix) :]: v.double() for k, v in after.items() if k.startswith(prefix)}
    for n in range(2):
        x = hidden[n].double()
        q, k, v = (x @ weights["in_proj_weight"].T + weights["in_proj_bias"]).split(32, dim=1)
        heads = []
        for h in range(2):
            part = slice(16 * h, 16 * h + 16)
            heads.append((q[:, part] @ k[:, part].T / 4.0).softmax(dim=1) @ v[:, part])
        expected = torch.cat(heads, dim=1) @ weights["out_proj.weight"].T + weights["out_proj.bias"]
        torch.testing.assert_close(found[n].double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "timm-vit", "hf-mean"])
def test_the_base_never_moves_in_bfloat16(clip, name):
    model = clip(name)
    Lora(model.clip)
    base = {n: p.detach().clone() for n, p in model.clip.named_parameters() if "lora_" not in n}
    factors = [p for p in model.clip.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in factors]
    optimizer = torch.optim.AdamW(factors, lr=1e-2, weight_decay=0.1)
    ids, batch = model.tokenize(captions(3)), pixels(model)
    for _ in range(3):
        with torch.autocast("cpu", torch.bfloat16):
            image, text = model.image_features(batch).pooled, model.text_features(ids).pooled
        loss = (image.float() @ text.float().T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, factors))
    for key, value in base.items():
        assert torch.equal(value, model.clip.get_parameter(key)), key


def test_a_training_step_works_with_gradient_checkpointing(clip):
    grads = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = clip("vit")
        torch.manual_seed(1)
        Lora(model.clip)
        model.clip.train()
        model.clip.set_grad_checkpointing(checkpointing)
        model.text_features(model.tokenize(captions(3))).pooled.square().sum().backward()
        grads.append([p.grad for p in model.clip.parameters() if p.grad is not None])
    assert len(grads[0]) == 16  # both factors of four layers in two text blocks
    assert sum(bool((g != 0).any()) for g in grads[0]) == 8  # A has none while B is zero
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


def test_what_cannot_have_one_says_so(clip):
    with pytest.raises(InputError, match="lora_rank=0: must be at least 1"):
        Lora(clip("vit").clip, rank=0)
    with pytest.raises(InputError, match="no transformer blocks"):
        Lora(nn.Sequential(nn.Linear(3, 3)))
    odd = nn.MultiheadAttention(8, 2, kdim=4, vdim=4, batch_first=True)
    with pytest.raises(InputError, match="packed input projection"):
        PlainAttention(odd)
    plain = PlainAttention(nn.MultiheadAttention(8, 2, batch_first=True))
    with pytest.raises(InputError, match="self-attention only"):
        plain(torch.zeros(1, 2, 8), torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mask", ["none", "causal", "by-head", "bool"])
def test_plain_attention_equals_the_original(bias, mask):
    torch.manual_seed(0)
    original = nn.MultiheadAttention(12, 3, bias=bias, batch_first=True)
    if bias:
        original.in_proj_bias.normal_()
        original.out_proj.bias.normal_()
    x = torch.randn(2, 5, 12)
    masks = {
        "none": None,
        "causal": torch.full((5, 5), -torch.inf).triu(1),
        "by-head": torch.randn(6, 5, 5),
        "bool": torch.ones(5, 5, dtype=torch.bool).triu(1),
    }
    holder = nn.ModuleDict({"attention": original})
    expected = original(x, x, x, need_weights=False, attn_mask=masks[mask])[0]
    originals = open_attention(holder)
    assert isinstance(holder["attention"], PlainAttention)
    found = holder["attention"](x, x, x, attn_mask=masks[mask])[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert {id(p) for p in holder.parameters()} == {id(p) for p in original.parameters()}
    close_attention(holder, originals)
    assert holder["attention"] is original


def test_merging_reaches_the_original_after_a_copy_to_another_type(clip):
    """`.double()` gives parameters new storage, so the original module must take the weights over."""
    model = clip("vit")
    lora = Lora(model.clip)
    _fill(model.clip)
    model.clip.double()
    with torch.no_grad():
        tuned = model.text_features(model.tokenize(["a cat"])).pooled
        lora.merge()
        merged = model.text_features(model.tokenize(["a cat"])).pooled
    torch.testing.assert_close(merged, tuned)


def test_a_copy_is_independent(clip):
    model = clip("vit")
    Lora(model.clip)
    other = copy.deepcopy(model.clip)
    _fill(model.clip)
    assert all((p == 0).all() for n, p in other.named_parameters() if "lora_B" in n)
