"""Packing: each distinct beginning once, each node seeing its own text alone, features as without it."""

from __future__ import annotations

import pytest
import torch

from compoclip.models.lora import Lora
from compoclip.models.packing import bucketed, pack
from compoclip.models.text_tower import encode_ids, packing

from .clips import captions


def _texts(seed: int, count: int = 30, words: int = 4, longest: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids out of few words, so that many texts begin alike, some are the beginning of others, and some come twice."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator)
    ids = torch.randint(1, words, (count, longest + 3), generator=generator)
    ids[torch.arange(longest + 3)[None] >= lengths[:, None]] = 0
    return ids, lengths


@pytest.mark.parametrize("seed", range(8))
def test_every_node_is_one_beginning_and_sees_it_all(seed):
    ids, lengths = _texts(seed, count=5 + 30 * seed)
    packed = pack(ids, lengths)
    rows, width = packed.ids.shape
    flat_ids, flat_depth = packed.ids.flatten(), packed.depth.flatten()
    meaning: dict[int, tuple[int, ...]] = {}
    for text, length, path in zip(ids.tolist(), lengths.tolist(), packed.path.tolist()):
        assert len({place // width for place in path[:length]}) == 1  # a text lies in one row
        for depth, place in enumerate(path[:length]):
            beginning = tuple(text[: depth + 1])
            assert meaning.setdefault(place, beginning) == beginning
            assert flat_ids[place] == text[depth]
            assert flat_depth[place] == depth
            seen = packed.mask[place // width, place % width].nonzero()[:, 0] + place // width * width
            assert sorted(seen.tolist()) == sorted(path[: depth + 1])
    for place in set(range(rows * width)) - set(meaning):  # padding sees itself, lest its row of the softmax be empty
        assert packed.mask[place // width, place % width].nonzero()[:, 0].tolist() == [place % width]
    beginnings = {tuple(t[: d + 1]) for t, n in zip(ids.tolist(), lengths.tolist()) for d in range(n)}
    assert len(meaning) >= len(beginnings)
    if rows == 1:
        assert len(meaning) == len(beginnings) == width  # nothing twice, and no cell wasted


def test_a_caption_and_its_negatives():
    ids = torch.tensor([[9, 1, 2, 3, 8, 0], [9, 1, 2, 4, 8, 0], [9, 3, 2, 1, 8, 0], [9, 1, 2, 3, 8, 0]])
    packed = pack(ids, torch.tensor([5, 5, 5, 5]))
    # 9; 1 2 3 8; 4 8; 3 2 1 8
    assert packed.ids.tolist() == [[9, 1, 2, 3, 8, 4, 8, 3, 2, 1, 8]]
    assert packed.path.tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 5, 6], [0, 7, 8, 9, 10], [0, 1, 2, 3, 4]]
    assert packed.mask[0, 6].nonzero()[:, 0].tolist() == [0, 1, 2, 5, 6]


def test_it_depends_on_the_texts_alone():
    ids, lengths = _texts(3)
    wider = torch.cat([ids, torch.full((30, 9), 7)], dim=1)
    for a, b in zip(pack(ids, lengths), pack(wider, lengths)):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["vit", "vit-quick", "custom", "eos"])
@pytest.mark.parametrize("lora", [False, True])
def test_features_and_gradients_lose_nothing_but_rounding(clip, name, lora):
    model = clip(name)
    if lora:
        Lora(model.clip)
        with torch.no_grad():
            for key, parameter in model.clip.named_parameters():
                if "lora_" in key:
                    parameter.normal_(std=0.2)
    model.clip.double()
    texts = captions(12)
    texts += [" ".join([*text.split()[:-1], "cat"]) for text in texts] + [text + " dog" for text in texts]
    ids = model.tokenize(texts)
    found = encode_ids(model.clip, ids, dense=True, share=True)
    direct = encode_ids(model.clip, ids, dense=True)
    assert torch.equal(found.mask, direct.mask)
    torch.testing.assert_close(found.pooled, direct.pooled, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.tokens[found.mask], direct.tokens[direct.mask], rtol=1e-10, atol=1e-12)
    gradients = []
    trained = [p for p in model.clip.parameters() if p.requires_grad]
    for out in (found, direct):
        loss = out.pooled.square().sum() + out.tokens[out.mask].pow(3).sum()
        gradients.append(torch.autograd.grad(loss, trained, allow_unused=True))
    assert sum(g is not None for g in gradients[0]) > 8
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@torch.no_grad()
@pytest.mark.parametrize("name", ["noncausal", "mobileclip", "hf-mean", "coca"])
def test_towers_that_see_ahead_are_left_alone(clip, name):
    model = clip(name)
    ids = model.tokenize(captions(6))
    assert torch.equal(encode_ids(model.clip, ids, share=True).pooled, encode_ids(model.clip, ids).pooled)


@torch.no_grad()
def test_a_tower_with_a_padding_mask_is_left_alone(clip):
    model = clip("custom")
    model.clip.text.use_pad_mask = True
    ids = model.tokenize(["a cat", "a cat and a dog"])
    assert torch.equal(encode_ids(model.clip, ids, share=True).pooled, encode_ids(model.clip, ids).pooled)


@torch.no_grad()
def test_half_precision(clip):
    model = clip("vit")
    ids = model.tokenize(captions(6))
    full = encode_ids(model.clip, ids).pooled
    with torch.autocast("cpu", torch.bfloat16):
        half = encode_ids(model.clip, ids, share=True).pooled.float()
    assert (half - full).norm() < 0.05 * full.norm()


def test_buckets_give_the_same_features_in_few_shapes(clip):
    model = clip("vit")
    shapes = set()
    for count in range(3, 30):
        words = [f"a {'red ' * (k % 5)}cat number {k}" for k in range(count)]
        ids = model.tokenize(words)
        packed = packing(model.clip, ids)
        assert packed is not None
        wide = bucketed(packed, rows=4, nodes=32)
        shapes.add(tuple(wide.ids.shape))
        assert wide.ids.shape[0] % 4 == wide.ids.shape[1] % 32 == 0
        assert wide.mask.any(dim=2).all()  # a node that sees nothing would be no number
        found = encode_ids(model.clip, ids, dense=True, packed=wide)
        direct = encode_ids(model.clip, ids, dense=True)
        assert torch.allclose(found.pooled, direct.pooled, atol=1e-5)
        real = direct.mask
        assert torch.allclose(found.tokens[real], direct.tokens[real], atol=1e-5)
    assert len(shapes) < 6
