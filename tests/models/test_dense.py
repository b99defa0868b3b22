"""Patch and text tokens against an independent slow reference: one sample, one place at a time."""

from __future__ import annotations

import pytest
import torch

from compoclip.errors import InputError
from compoclip.models.image_tower import has_patch_tokens, image_backbone, image_projection, projection_parameters

from .clips import captions, pixels

MAPS = ["timm-convnext", "timm-convnext-classifier", "timm-resnet"]


def _captured(module, run):
    kept = []
    hook = module.register_forward_hook(lambda module, args, out: kept.append(out))
    run()
    hook.remove()
    return kept[-1]


def _close(found, expected):
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6 * max(scale, 1.0))


@torch.no_grad()
@pytest.mark.parametrize("name", ["vit", "vit-quick", "vit-avg", "custom"])
def test_patches_of_a_vit(clip, name):
    model = clip(name)
    visual, batch = model.clip.visual, pixels(model)
    out = model.image_features(batch, dense=True)
    assert torch.equal(out.pooled, visual(batch))
    assert out.tokens.shape == (3, 16, 24)
    for i in range(3):
        hidden = _captured(visual.transformer, lambda i=i: visual(batch[i : i + 1]))[0]
        for place in range(16):
            _close(out.tokens[i, place], visual.ln_post(hidden[1 + place]) @ visual.proj)


@torch.no_grad()
@pytest.mark.parametrize("name", ["timm-vit", "timm-vit-mean", "timm-vit-classifier"])
def test_patches_of_a_timm_vit(clip, name):
    model = clip(name)
    visual, batch = model.clip.visual, pixels(model)
    out = model.image_features(batch, dense=True)
    assert torch.equal(out.pooled, visual(batch))
    assert out.tokens.shape == (3, 100, 24)
    hidden = _captured(visual.trunk.blocks[-1], lambda: visual(batch[:1]))[0]
    for place in (0, 37, 99):
        token = visual.trunk.fc_norm(visual.trunk.norm(hidden[1 + place]))  # one of the two is the identity
        token = visual.trunk.head(token) if name == "timm-vit-classifier" else token
        _close(out.tokens[0, place], visual.head(token) if len(visual.head) else token)
    if name != "timm-vit":
        return
    # with every patch put in the class token's place, pooling must give the patch
    trunk = visual.trunk
    normed = trunk.norm(hidden[1:])
    _close(out.tokens[0], visual.head(trunk.forward_head(normed[:, None])))


@torch.no_grad()
@pytest.mark.parametrize("name", MAPS)
def test_places_of_a_convolutional_map(clip, name):
    model = clip(name)
    visual, trunk, batch = model.clip.visual, model.clip.visual.trunk, pixels(model)
    out = model.image_features(batch, dense=True)
    assert torch.equal(out.pooled, visual(batch))
    maps = trunk.forward_features(batch)  # (B, C, H, W)
    height, width = maps.shape[2:]
    assert out.tokens.shape == (3, height * width, 24)
    for row in range(height):
        for column in range(width):
            place = maps[:, :, row, column]
            if "convnext" in name:
                norm = trunk.head.norm
                place = torch.nn.functional.layer_norm(place, place.shape[-1:], norm.weight, norm.bias, norm.eps)
            place = trunk.head.fc(place) if name.endswith("classifier") else place
            _close(out.tokens[:, row * width + column], visual.head(place) if len(visual.head) else place)


@torch.no_grad()
def test_a_map_without_contrast_has_the_pooled_feature_at_every_place(clip):
    visual = clip("timm-convnext").clip.visual
    flat = torch.randn(1, visual.trunk.num_features, 1, 1).expand(1, -1, 4, 4)
    visual.trunk.forward_features = lambda _: flat
    out = image_projection(visual, image_backbone(visual, torch.zeros(1, 3, 8, 8), dense=True))
    _close(out.tokens[0], out.pooled.expand(16, -1))


@pytest.mark.parametrize("name", ["resnet", "vit-attention-pool", "timm-vit-map"])
def test_towers_without_patch_tokens_say_so(clip, name):
    model = clip(name)
    assert not has_patch_tokens(model.clip.visual)
    with pytest.raises(InputError, match="no patch tokens in the joint space: choose an objective without local"):
        model.image_features(pixels(model, 1), dense=True)


def test_the_coca_text_tower_says_so(clip):
    model = clip("coca")
    with pytest.raises(InputError, match="no token features in the joint space"):
        model.text_features(model.tokenize(["a cat"]), dense=True)


@torch.no_grad()
@pytest.mark.parametrize("name", ["vit", "custom", "mobileclip", "eos"])
def test_text_tokens_of_clip(clip, name):
    model = clip(name)
    part = model.clip.text if hasattr(model.clip, "text") else model.clip
    texts = [*captions(5), "! !% a ! cat", "!%"]
    ids = model.tokenize(texts)
    out = model.text_features(ids, dense=True)
    _close(out.pooled, model.clip.encode_text(ids))
    for i in range(len(texts)):
        count = ids[i].tolist().index(49407) + 1
        hidden = _captured(part.ln_final, lambda i=i: model.clip.encode_text(ids[i : i + 1]))[0]
        for place in range(count):
            _close(out.tokens[i, place], hidden[place] @ part.text_projection)
        assert out.mask[i].tolist() == [1 <= place < count for place in range(out.mask.shape[1])]
        _close(out.tokens[i, count - 1], out.pooled[i])


def test_an_exclamation_mark_is_text(clip):
    """Token 0 is "!" and padding alike in CLIP's vocabulary."""
    model = clip("vit")
    ids = model.tokenize(["!% a !%", "a red cat left of a big dog"])
    assert ids[0, :8].tolist() == [49406, 0, 260, 320, 0, 260, 49407, 0]
    mask = model.text_features(ids, dense=True).mask
    assert mask[0].tolist() == [False, *[True] * 6, *[False] * 3]


@torch.no_grad()
@pytest.mark.parametrize("name", ["hf-mean", "hf-cls"])
def test_text_tokens_of_a_hugging_face_tower(clip, name):
    model = clip(name)
    text = model.clip.text
    texts = captions(5)
    ids = model.tokenize(texts)
    out = model.text_features(ids, dense=True)
    _close(out.pooled, model.clip.encode_text(ids))
    for i, caption in enumerate(texts):
        count = 2 + len(caption.split())
        alone = text.transformer(input_ids=ids[i : i + 1, :count]).last_hidden_state[0]
        for place in range(count):
            _close(out.tokens[i, place], text.proj(alone[place]))
        assert out.mask[i].tolist() == [1 <= place < count for place in range(out.mask.shape[1])]


@torch.no_grad()
def test_text_without_a_start_token_is_masked_by_its_padding(clip):
    """SigLIP pads with the end token (1), SigLIP 2 with 0; both end each text with 1."""
    model = clip("noncausal")
    first = torch.full((2, 16), 1)
    first[0, :3] = torch.tensor([7, 1, 9])  # the same id inside is a word
    first[1, :15] = torch.arange(5, 20)
    assert model.text_features(first, dense=True).mask.sum(dim=1).tolist() == [4, 16]
    second = torch.zeros(3, 16, dtype=torch.long)
    second[0, :4] = torch.tensor([7, 0, 9, 1])
    second[1] = torch.arange(5, 21)
    out = model.text_features(second, dense=True)
    assert out.mask.sum(dim=1).tolist() == [4, 16, 0]
    assert out.mask[0, :4].all()
    _close(out.pooled, model.clip.encode_text(second))
    hidden = _captured(model.clip.text.ln_final, lambda: model.clip.encode_text(second))
    _close(out.tokens, model.clip.text.text_projection(hidden))


@torch.no_grad()
def test_a_padding_mask_joins_the_causal_one(clip):
    model = clip("custom")
    model.clip.text.use_pad_mask = True
    ids = model.tokenize(["a cat", "a red cat left of a big dog"])
    ids[0, 6:] = 0
    _close(model.text_features(ids, cut=False).pooled, model.clip.encode_text(ids))
    _close(model.text_features(ids).pooled, model.clip.encode_text(ids))


@pytest.mark.parametrize("name", ["vit", "timm-vit", "timm-vit-classifier", "resnet"])
def test_two_steps_make_the_tower(clip, name):
    """The gradient of the projection alone touches its own parameters and no others."""
    model = clip(name)
    visual = model.clip.visual
    kept = image_backbone(visual, pixels(model))
    out = image_projection(visual, type(kept)(kept.pooled.detach().requires_grad_(), None)).pooled
    out.square().sum().backward()
    touched = {id(p) for p in visual.parameters() if p.grad is not None}
    assert touched == {id(p) for p in projection_parameters(visual)}
