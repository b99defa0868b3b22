"""Pooled features equal open_clip's own, for every kind of tower."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from compoclip.errors import InputError
from compoclip.models.image_tower import lock_but_last
from compoclip.models.text_tower import lengths, text_parameters

from .clips import CONFIGS, captions, pixels

IMAGES = [
    name
    for name in CONFIGS
    if name not in ("custom", "eos", "noncausal", "mobileclip", "vit-quick", "hf-mean", "hf-cls")
]
TEXTS = ["vit", "vit-quick", "custom", "noncausal", "mobileclip", "coca", "hf-mean", "hf-cls", "eos"]
CUT = {"eos": 14, "vit": 14, "vit-quick": 14, "custom": 14, "hf-mean": 14, "hf-cls": 14}  # 12 words, start and end


@torch.no_grad()
@pytest.mark.parametrize("name", IMAGES)
def test_image_features_are_bit_equal(clip, name):
    model = clip(name)
    batch = pixels(model)
    assert torch.equal(model.image_features(batch).pooled, _visual(model, batch))
    in_parts = torch.cat([_visual(model, batch[:2]), _visual(model, batch[2:])])
    assert torch.equal(model.encode_image(batch, batch_size=2), F.normalize(in_parts, dim=-1))


def _visual(model, batch):
    out = model.clip.visual(batch)
    return out[0] if isinstance(out, tuple) else out


@torch.no_grad()
@pytest.mark.parametrize("name", TEXTS)
def test_text_features_equal_the_full_length(clip, name):
    model = clip(name)
    ids = model.tokenize([*captions(24), ""])
    normal = name == "coca"  # open_clip's CoCa cannot be asked for anything else
    expected = model.clip.encode_text(ids, normalize=normal)
    out = model.text_features(ids).pooled
    out = F.normalize(out, dim=-1) if normal else out
    torch.testing.assert_close(out, expected, rtol=2e-6, atol=2e-6 * expected.abs().max().item())


@torch.no_grad()
@pytest.mark.parametrize("name", TEXTS)
def test_only_towers_that_allow_it_are_cut(clip, name):
    model = clip(name)
    seen = []
    part = model.clip.text if hasattr(model.clip, "text") else model.clip
    embedding = part.transformer.get_input_embeddings() if name.startswith("hf") else part.token_embedding
    hook = embedding.register_forward_hook(lambda module, args, out: seen.append(out.shape[1]))
    texts = captions(24)
    model.text_features(model.tokenize(texts))
    hook.remove()
    full = model.tokenize(texts).shape[1]
    assert seen == [CUT.get(name, full)]
    assert (lengths(model.clip, model.tokenize(texts)) is None) == (name not in CUT)


@torch.no_grad()
@pytest.mark.parametrize("name", CUT)
def test_the_cut_loses_nothing_but_rounding(clip, name):
    model = clip(name)
    model.clip.double()
    ids = model.tokenize(captions(24))
    torch.testing.assert_close(model.text_features(ids).pooled, model.clip.encode_text(ids), rtol=1e-11, atol=1e-13)


@torch.no_grad()
def test_padding_on_the_left_is_not_cut_away(clip):
    model = clip("hf-mean")
    ids = torch.zeros(2, 20, dtype=torch.long)
    ids[0, 12:17] = torch.tensor([2, 5, 6, 7, 3])
    ids[1, :4] = torch.tensor([2, 8, 9, 3])
    assert lengths(model.clip, ids).tolist() == [17, 4]
    torch.testing.assert_close(model.text_features(ids).pooled, model.clip.encode_text(ids), rtol=1e-5, atol=1e-6)


def test_encode_returns_unit_rows_in_the_order_given(clip):
    model = clip("vit")
    texts = captions(7)
    together = model.encode_text(texts, batch_size=3)
    for i, text in enumerate(texts):
        torch.testing.assert_close(together[i], model.encode_text([text])[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(7))
    assert together.dtype == torch.float32
    assert not together.requires_grad


def test_one_image_and_one_text_need_no_list(clip):
    model = clip("vit")
    image = Image.effect_mandelbrot((40, 40), (-2, -1.5, 1, 1.5), 20).convert("RGB")
    assert torch.equal(model.encode_image(image), model.encode_image([image]))
    assert torch.equal(model.encode_text("a red square"), model.encode_text(["a red square"]))
    scores = model.score(image, ["a red square", "a blue square"])
    expected = model.encode_image([image]) @ model.encode_text(["a red square", "a blue square"]).T
    torch.testing.assert_close(scores, expected[0])
    torch.testing.assert_close(model.score(model.preprocess(image), ["a red square", "a blue square"]), scores)


def test_nothing_in_nothing_out(clip):
    model = clip("vit")
    assert model.encode_text([]).shape == (0, 24)
    assert model.encode_image([]).shape == (0, 24)
    assert model.tokenize([]).shape == (0, 77)


def test_encoding_leaves_the_mode_as_it_was(clip):
    model = clip("vit")
    model.clip.train()
    model.encode_text(["a cat"])
    assert model.clip.training
    model.clip.eval()
    model.encode_image(pixels(model))
    assert not model.clip.training


def test_misshaped_pixels_are_refused(clip):
    with pytest.raises(InputError, match=r"\(N, 3, H, W\); got \(2, 4, 32, 32\)"):
        clip("vit").encode_image(torch.zeros(2, 4, 32, 32))


def test_tokens_are_kept_and_right(clip):
    model = clip("vit")
    texts = ["a cat", "a dog", "a cat", "Two   CATS!"]
    first = model.tokenize(texts)
    assert torch.equal(first, model.tokenizer(texts))
    assert torch.equal(
        model.tokenize(["a dog", "new words", "a cat"]), model.tokenizer(["a dog", "new words", "a cat"])
    )


def test_the_scale_is_exponentiated(clip):
    model = clip("vit")
    assert model.scale == pytest.approx(model.clip.logit_scale.exp().item())


@pytest.mark.parametrize("name", ["vit", "custom", "noncausal", "hf-mean"])
def test_text_parameters_are_all_but_the_image_tower_and_the_scale(clip, name):
    model = clip(name).clip
    rest = {name for name, _ in model.named_parameters()} - {name for name, _ in text_parameters(model)}
    assert {n for n in rest if not n.startswith("visual.")} <= {"logit_scale", "logit_bias"}
    assert len(text_parameters(model)) > 10


@pytest.mark.parametrize(("name", "first"), [("timm-convnext", "trunk.stages.3"), ("vit", "transformer.resblocks.1")])
def test_a_tower_is_locked_but_for_its_last_groups(clip, name: str, first: str) -> None:
    """Every parameter before the first that is trained is frozen, and every one behind it is trained."""
    visual = clip(name).clip.visual
    lock_but_last(visual, 2)
    at = "ln_post" if name == "vit" else "head"
    trained = {key for key, value in visual.named_parameters() if value.requires_grad}
    assert any(key.startswith(first) for key in trained)
    assert any(key.startswith(at) for key in trained)
    assert not any("stages.0" in key or "resblocks.0" in key or "conv1" in key or "stem" in key for key in trained)


def test_a_tower_without_groups_is_refused(clip) -> None:
    with pytest.raises(InputError, match="open_clip has no groups of layers for ModifiedResNet"):
        lock_but_last(clip("resnet").clip.visual, 1)
