"""Features of a batch equal a double loop that encodes every image and every text alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from compoclip.losses import objective
from compoclip.models.image_tower import image_projection
from compoclip.models.teacher import Teacher
from compoclip.training import towers
from compoclip.training.frozen import FrozenImages, FrozenTexts
from compoclip.training.towers import batch_features, distinct_images
from models.clips import captions, pixels

LONG = " ".join(["cat"] * 90)
TEXTS = ["a red cat left of a dog", "a big blue circle", "the dog", "a red cat left of a dog", LONG, "!% a cat"]
NEGATIVES = [
    ["a red dog left of a cat", "a blue cat left of a dog", "one too many"],
    [],
    ["THE  Dog", "the cat"],  # the first is the caption again, but for case and spaces
    ["a big blue circle"],  # another sample's caption
    [LONG + " and a dog", "a dog"],  # the first is the caption again once it is cut off
    ["!% a dog", "!% a cat"],
]
PRESENT = [[True, True], [False, False], [False, True], [True, False], [False, True], [True, False]]
ALL = frozenset({"negatives", "tokens", "teacher"})


def _close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=2e-6 * max(1.0, expected.abs().max().item()))


def _alone(clip_module, model, text):
    return F.normalize(clip_module.encode_text(model.tokenizer([text]))[0], dim=-1)


def _same_tokens(model, text, tokens, mask):
    single = model.text_features(model.tokenizer([text]), dense=True)
    _close(tokens[mask], single.tokens[0][single.mask[0]])


@pytest.mark.parametrize("name", ["vit", "timm-convnext", "hf-mean"])
@pytest.mark.parametrize("dense", [True, False])
def test_the_double_loop(clip, name, dense):
    model = clip(name)
    teacher = Teacher(model.clip, 0.5)
    with torch.no_grad():
        for parameter in model.clip.parameters():
            parameter.mul_(1.01)
    batch = pixels(model, 6)
    needs = ALL if dense else ALL - {"tokens"}
    ids = torch.tensor([1, 2, 3, 1, 4, 5])
    out = batch_features(model, batch, TEXTS, NEGATIVES, 2, needs, teacher.clip, ids)
    present = out.negative_mask
    if name != "hf-mean":  # BERT's 20 positions are cut off elsewhere, and "!%" is unknown to it
        assert present.tolist() == PRESENT
    assert torch.equal(out.image_id, ids)
    _close(out.logit_scale, model.clip.logit_scale.exp())
    with torch.no_grad():
        for i, text in enumerate(TEXTS):
            one = batch[i : i + 1]
            _close(out.image[i], F.normalize(model.clip.visual(one)[0], dim=-1))
            _close(out.text[i], _alone(model.clip, model, text))
            _close(out.teacher_image[i], F.normalize(teacher.clip.visual(one)[0], dim=-1))
            _close(out.teacher_text[i], _alone(teacher.clip, model, text))
            for k in range(2):
                if not present[i, k]:
                    continue
                _close(out.negatives[i, k], _alone(model.clip, model, NEGATIVES[i][k]))
                _close(out.teacher_negatives[i, k], _alone(teacher.clip, model, NEGATIVES[i][k]))
            if not dense:
                continue
            _close(out.image_tokens[i], model.image_features(one, dense=True).tokens[0])
            _same_tokens(model, text, out.text_tokens[i], out.text_mask[i])
            for k, negative in enumerate(NEGATIVES[i][:2]):
                _same_tokens(model, negative, out.negative_tokens[i, k], out.negative_token_mask[i, k])
    if not dense:
        assert out.image_tokens is out.text_tokens is out.negative_tokens is None
    assert not out.teacher_text.requires_grad
    assert out.text.requires_grad
    assert out.image.requires_grad


@pytest.mark.parametrize("name", ["vit", "hf-mean"])
def test_texts_that_come_twice_are_encoded_once(clip, name, monkeypatch):
    model = clip(name)
    seen = []
    original = towers.encode_ids

    def counting(module, ids, *args, **kwargs):
        seen.append(len(ids))
        return original(module, ids, *args, **kwargs)

    monkeypatch.setattr(towers, "encode_ids", counting)
    batch_features(model, pixels(model, 6), TEXTS, NEGATIVES, 2, frozenset({"negatives"}))
    out = batch_features(model, pixels(model, 6), TEXTS, NEGATIVES, 2, frozenset())
    assert seen == [len({*TEXTS, *(n for row in NEGATIVES for n in row[:2])}), len(set(TEXTS))] == [12, 5]
    assert out.negatives is out.negative_mask is out.teacher_text is out.image_id is None


def test_what_texts_begin_alike_with_is_computed_once(clip):
    model = clip("vit")
    seen = []
    hook = model.clip.token_embedding.register_forward_hook(
        lambda module, args, out: seen.append(out.shape[:2].numel())
    )
    rows = [["a red dog", "a red cat and a dog"]]
    batch_features(model, pixels(model, 1), ["a red cat"], rows, 2, frozenset({"negatives"}))
    hook.remove()
    assert seen == [11]  # start a red; cat end; dog end; and a dog end


def test_tokens_without_negatives(clip):
    model = clip("vit")
    out = batch_features(model, pixels(model, 6), TEXTS, NEGATIVES, 2, frozenset({"tokens"}))
    assert out.text_tokens.shape[0] == 6
    assert out.negative_tokens is None
    assert out.negative_token_mask is None


@pytest.mark.parametrize("per_caption", [0, 1, 3])
def test_as_many_negatives_as_asked_for(clip, per_caption):
    model = clip("vit")
    out = batch_features(model, pixels(model, 6), TEXTS, NEGATIVES, per_caption, frozenset({"negatives", "tokens"}))
    assert out.negatives.shape == (6, per_caption, 24)
    assert out.negative_mask.shape == (6, per_caption)
    expected = [[*row, *[False] * 3][:per_caption] for row in PRESENT]
    if per_caption == 3:
        expected[0][2] = True
    assert out.negative_mask.tolist() == expected
    values = objective("fsc-clip")(out)
    assert all(torch.isfinite(value) for value in values.values())


def test_a_batch_of_one_without_negatives(clip):
    model = clip("vit")
    for name in ("clip", "negclip", "fsc-clip", "degla"):
        goal = objective(name)
        teacher = Teacher(model.clip).clip
        out = batch_features(model, pixels(model, 1), ["a cat"], [[]], 2, goal.needs, teacher)
        loss = sum(goal(out).values())
        loss.backward()
        assert torch.isfinite(loss)
        assert all(torch.isfinite(p.grad).all() for p in model.clip.parameters() if p.grad is not None)


@pytest.mark.parametrize("project", [True, False])
def test_frozen_towers_give_the_same_features(clip, project):
    model = clip("vit")
    batch = pixels(model, 6)
    direct = batch_features(model, batch, TEXTS, NEGATIVES, 2, ALL, model.clip)
    kept = FrozenImages.build(model, [(range(6), batch)], 6, True, project)
    texts = FrozenTexts(model.clip, dense=True)
    images = kept.take(range(6), model.device)
    for _ in range(2):
        found = batch_features(model, images, TEXTS, NEGATIVES, 2, ALL, model.clip, frozen_texts=texts)
        for name in (
            "image",
            "text",
            "negatives",
            "image_tokens",
            "teacher_image",
            "teacher_text",
            "teacher_negatives",
        ):
            _close(getattr(found, name), getattr(direct, name))
        assert torch.equal(found.negative_mask, direct.negative_mask)
        mask = found.text_mask
        _close(found.text_tokens[mask], direct.text_tokens[:, : mask.shape[1]][mask])
    assert found.image.requires_grad != project  # the head is trained where only the backbone is kept
    _close(image_projection(model.clip.visual, images).pooled, model.clip.visual(batch))


def test_gradients_equal_those_of_the_plain_way(clip):
    model = clip("vit")
    batch, texts = pixels(model, 4), captions(16, seed=3)
    rows = [texts[4 + 3 * i : 7 + 3 * i] for i in range(4)]
    goal = objective("negclip")
    loss = sum(goal(batch_features(model, batch, texts[:4], rows, 3, goal.needs)).values())
    loss.backward()
    ours = {n: p.grad.clone() for n, p in model.clip.named_parameters()}
    model.clip.zero_grad()
    image = model.clip.encode_image(batch, normalize=True)
    text = model.clip.encode_text(model.tokenizer(texts), normalize=True)
    scale = model.clip.logit_scale.exp()
    to_text, to_image = scale * image @ text.T, scale * text[:4] @ image.T
    target = torch.arange(4)
    plain = (F.cross_entropy(to_text, target) + F.cross_entropy(to_image, target)) / 2
    plain.backward()
    assert loss.item() == pytest.approx(plain.item(), rel=1e-6)
    for name, parameter in model.clip.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "timm-convnext"])
def test_an_image_of_several_rows_is_encoded_once(clip, name) -> None:
    """Features, the teacher's among them, and gradients are those of a batch in which every row is encoded."""
    model = clip(name)
    teacher = Teacher(model.clip, 0.5)
    batch = pixels(model, 4)[[0, 1, 0, 2, 3, 1, 0]]
    batch[5] += 0.5  # the same id, but not the same image
    ids = torch.tensor([7, 8, 7, 9, 3, 8, 7])
    texts = [*TEXTS, "a small square"]
    needs = frozenset({"tokens", "teacher"})
    kept, of_image = distinct_images(batch, ids)
    assert torch.equal(kept, batch[[0, 1, 3, 4, 5]])
    assert of_image == [0, 1, 0, 2, 3, 4, 0]

    found, gradients = [], []
    for image_id in (ids, None):
        out = batch_features(model, batch, texts, [[]] * 7, 0, needs, teacher.clip, image_id)
        model.clip.zero_grad()
        (out.image.square() * torch.arange(7)[:, None]).sum().add((out.image @ out.text.T).sin().sum()).backward()
        found.append(out)
        gradients.append({key: p.grad.clone() for key, p in model.clip.named_parameters() if p.grad is not None})
    for field in ("image", "image_tokens", "teacher_image", "text"):
        _close(getattr(found[0], field), getattr(found[1], field))
    assert gradients[0].keys() == gradients[1].keys()
    for key, gradient in gradients[0].items():
        _close(gradient, gradients[1][key])
