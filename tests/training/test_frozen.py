"""What is kept of a frozen tower equals what it would compute."""

from __future__ import annotations

import pytest
import torch

from compoclip.errors import RunError
from compoclip.models.image_tower import image_backbone, image_projection
from compoclip.models.text_tower import encode_ids
from compoclip.training import frozen
from compoclip.training.frozen import FrozenImages, FrozenTexts
from models.clips import captions, pixels

PLACES = [[5, 0], [1, 4], [3, 2]]


def _build(model, batch, dense=True, project=False, count=6):
    return FrozenImages.build(model, [(rows, batch[rows]) for rows in PLACES], count, dense, project)


@torch.no_grad()
@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("name", ["vit", "timm-convnext"])
def test_images_are_those_of_the_tower(clip, name, project):
    model = clip(name)
    visual, batch = model.clip.visual, pixels(model, 6)
    kept = _build(model, batch, project=project)
    rows = [4, 0, 4, 2]
    found = kept.take(rows, model.device)
    direct = image_backbone(visual, batch[rows], dense=True)
    direct = image_projection(visual, direct) if project else direct
    torch.testing.assert_close(found.pooled, direct.pooled, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.tokens, direct.tokens, rtol=1e-5, atol=1e-5)
    joint = image_projection(visual, found)
    torch.testing.assert_close(joint.pooled, visual(batch[rows]), rtol=1e-5, atol=1e-5)
    assert _build(model, batch, dense=False).take([1], model.device).tokens is None


def test_too_many_images_are_refused_before_memory_is_taken(clip, monkeypatch):
    model = clip("vit")
    batch = pixels(model, 6)
    room = 6 * 32 * 4 * 17 / 2**30  # a pooled vector and 16 patches of width 32 an image
    monkeypatch.setattr(frozen, "CACHE_LIMIT_GIB", room * 1.01)
    assert _build(model, batch).tokens.shape == (6, 16, 32)
    monkeypatch.setattr(frozen, "CACHE_LIMIT_GIB", room * 0.99)
    with pytest.raises(RunError, match=r"features of 6 images need .* drop the terms that need patches"):
        _build(model, batch)
    assert _build(model, batch, dense=False).tokens is None
    with pytest.raises(RunError, match="no images"):
        FrozenImages.build(model, [], 0, True, False)


@torch.no_grad()
@pytest.mark.parametrize("name", ["vit", "noncausal", "hf-mean"])
@pytest.mark.parametrize("limit", [500_000, 7])
def test_texts_are_those_of_the_tower(clip, name, limit):
    model = clip(name)
    kept = FrozenTexts(model.clip, dense=True, limit=limit)
    calls = []
    hook = model.clip.visual.register_forward_hook(lambda *_: calls.append("image"))
    for batch in (captions(4, seed=1), [*captions(4, seed=2), captions(4, seed=1)[2]], captions(4, seed=1)):
        ids = model.tokenize(batch)
        found, direct = kept.encode(batch, ids), encode_ids(model.clip, ids, dense=True)
        torch.testing.assert_close(found.pooled, direct.pooled, rtol=1e-5, atol=1e-5)
        width = found.mask.shape[1]
        assert torch.equal(found.mask, direct.mask[:, :width])
        assert not direct.mask[:, width:].any()
        torch.testing.assert_close(found.tokens[found.mask], direct.tokens[:, :width][found.mask], rtol=1e-5, atol=1e-5)
    hook.remove()
    assert not calls


def test_each_text_is_computed_once(clip, monkeypatch):
    model = clip("vit")
    seen = []
    original = frozen.encode_ids

    def counting(clip, ids, dense):
        seen.append(len(ids))
        return original(clip, ids, dense)

    monkeypatch.setattr(frozen, "encode_ids", counting)
    kept = FrozenTexts(model.clip, dense=False)
    for texts in (["a cat", "a dog"], ["a dog", "a red cat", "a cat"], ["a dog"]):
        out = kept.encode(texts, model.tokenize(texts))
        assert out.pooled.shape == (len(texts), 24)
        assert out.tokens is None
        assert not out.pooled.requires_grad
    assert seen == [1, 1, 1]


def test_a_text_s_features_do_not_depend_on_what_else_is_new(clip):
    model = clip("vit")
    batch = captions(9, seed=1)
    together = FrozenTexts(model.clip, dense=True).encode(batch, model.tokenize(batch))
    kept = FrozenTexts(model.clip, dense=True)
    for text in batch[4:5], batch[7:], batch[1:3]:  # as after a resume
        kept.encode(text, model.tokenize(text))
    again = kept.encode(batch, model.tokenize(batch))
    assert torch.equal(together.pooled, again.pooled)
    assert torch.equal(together.tokens, again.tokens)
