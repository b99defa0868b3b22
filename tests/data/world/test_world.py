"""The built-in world: what is drawn is what is said, always the same, and never shared between training and tests."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from world_truth import Unreadable, true_of

from compoclip.data import world
from compoclip.data.world.scene import LARGE, SMALL, Thing, generator, pair, single
from compoclip.data.world.shapes import polygon_distance, vertices
from compoclip.errors import InputError

PLACED = [kind for kind in world.KINDS if kind != "word-order"]


def test_there_is_as_much_world_as_promised():
    assert len(world.SHAPES) >= 10
    assert len(world.COLOURS) >= 10
    assert len(world.STYLES) >= 5
    assert len(world.KINDS) == 8


def test_a_scene_is_the_same_alone_in_a_batch_and_in_any_order():
    images, captions = world.pretrain_batch(3, 2, 16)
    for i in reversed(range(16)):
        scene = world.pretrain_scene(3, 32 + i)
        assert np.array_equal(scene.image, images[i])
        assert scene.caption == captions[i]
    halves = [world.pretrain_batch(3, step, 8) for step in (4, 5)]
    assert np.array_equal(np.concatenate([half[0] for half in halves]), images)
    assert halves[0][1] + halves[1][1] == captions


def test_longer_sets_begin_with_the_shorter():
    few, many = world.composition_tests(1, 3), world.composition_tests(1, 7)
    for kind in world.KINDS:
        for a, b in zip(few[kind], many[kind]):
            assert (a.caption, a.negative) == (b.caption, b.negative)
            assert np.array_equal(a.image, b.image)
    assert world.finetune_set(1, 9).captions[:4] == world.finetune_set(1, 4).captions
    assert np.array_equal(world.retrieval_set(1, 12).images[:5], world.retrieval_set(1, 5).images)
    small, large = world.zeroshot_sets(1, 12), world.zeroshot_sets(1, 24)
    assert all(np.array_equal(small[style].images, large[style].images[:12]) for style in world.STYLES)


def test_another_process_draws_the_same_bytes():
    code = (
        "import hashlib; from compoclip.data import world; images, captions = world.pretrain_batch(5, 1, 24); "
        "print(hashlib.sha256(images.tobytes() + '|'.join(captions).encode()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_seeds_give_different_worlds():
    assert world.pretrain_batch(0, 0, 8)[1] != world.pretrain_batch(1, 0, 8)[1]
    assert world.finetune_set(0, 4).captions != world.finetune_set(1, 4).captions


def test_a_negative_seed_is_refused():
    with pytest.raises(InputError, match="seed -1"):
        world.pretrain_scene(-1, 0)


def test_training_and_tests_share_no_picture():
    seed, n = 0, 80
    pools = {
        "pretrain": world.pretrain_batch(seed, 0, 4 * n)[0],
        "finetune": world.finetune_set(seed, 4 * n).images,
        "retrieval": world.retrieval_set(seed, n).images,
    }
    for kind, rows in world.composition_tests(seed, n).items():
        pools[kind] = np.stack([row.image for row in rows])
    for style, labelled in world.zeroshot_sets(seed, n).items():
        pools[style] = labelled.images
    owner: dict[bytes, str] = {}
    for name, images in pools.items():
        for image in images:
            assert owner.setdefault(image.tobytes(), name) == name


@pytest.mark.parametrize("kind", PLACED)
def test_captions_are_true_and_negatives_false_by_the_scene(kind):
    for index in range(300):
        item = world.composition_item(kind, 11, index)
        assert item.negative != item.caption
        assert true_of(item.caption, item.scene), item.caption
        assert not true_of(item.negative, item.scene), (item.caption, item.negative)


def test_shuffled_words_are_the_same_words_and_never_true():
    for index in range(300):
        item = world.composition_item("word-order", 11, index)
        assert true_of(item.caption, item.scene)
        assert item.negative != item.caption
        assert Counter(item.negative.split()) == Counter(item.caption.split())
        with contextlib.suppress(Unreadable):
            assert not true_of(item.negative, item.scene)


def _bag(caption: str) -> Counter:
    return Counter(re.sub(r"\ban\b", "a", caption).split())


def test_swaps_keep_every_word():
    for kind in ("swap-attribute", "swap-object"):
        for index in range(100):
            item = world.composition_item(kind, 2, index)
            assert _bag(item.caption) == _bag(item.negative)


def test_replacements_change_one_thing_said():
    for kind in ("replace-attribute", "replace-object", "replace-relation"):
        for index in range(100):
            item = world.composition_item(kind, 2, index)
            gone = _bag(item.caption) - _bag(item.negative)
            assert 1 <= sum(gone.values()) <= (4 if kind == "replace-relation" else 1), (item.caption, item.negative)


def test_an_added_attribute_only_adds():
    for index in range(100):
        item = world.composition_item("add-attribute", 2, index)
        assert not _bag(item.caption) - _bag(item.negative)
        assert sum((_bag(item.negative) - _bag(item.caption)).values()) == 1


def test_an_unknown_kind_is_named():
    with pytest.raises(KeyError, match="swap-verbs"):
        world.composition_item("swap-verbs", 0, 0)


def test_every_training_caption_is_true():
    seen = Counter()
    for index in range(1500):
        scene = world.pretrain_scene(7, index)
        assert true_of(scene.caption, scene), (scene.caption, scene.things, scene.style)
        seen[scene.style] += 1
    assert set(seen) == set(world.STYLES)
    assert [style for style, _ in seen.most_common()] == list(world.STYLES)
    for index in range(300):
        scene = world.finetune_scene(7, index)
        assert scene.style == "solid"
        assert 5 <= len(scene.captions) == len(set(scene.captions))
        for caption in scene.captions:
            assert true_of(caption, scene), (caption, scene.things)


def test_lessons_are_true_and_grow_harder():
    spread = {}
    for ease in (1.0, 0.0):
        scenes = [world.lesson_scene(7, index, ease) for index in range(200)]
        for scene in scenes:
            assert true_of(scene.caption, scene), scene.caption
            thing = scene.things[0]
            assert thing.half_radius / 2 <= min(thing.x, thing.y, 48 - thing.x, 48 - thing.y)
        spread[ease] = (np.std([s.things[0].x for s in scenes]), min(s.things[0].half_radius for s in scenes))
    assert spread[1.0][0] < 2 < spread[0.0][0]
    assert spread[1.0][1] > spread[0.0][1]


def test_articles_and_plurals_are_grammatical():
    texts = [world.pretrain_scene(9, i).caption for i in range(1500)]
    texts += [row.caption for rows in world.composition_tests(9, 40).values() for row in rows]
    texts += [row.negative for kind in PLACED for row in world.composition_tests(9, 40)[kind]]
    for text in texts:
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text
        assert not re.search(r"\b(two|three|four) \w+ \w+[^s]\b(?<!s)$", text), text
        assert "  " not in text
        assert text == text.strip()
    assert any("crosses" in text for text in texts)


def test_few_pretraining_captions_tell_a_relation():
    texts = [world.pretrain_scene(4, i).caption for i in range(2000)]
    told = sum(bool(re.search(r"left of|right of|above|over|below|under", text)) for text in texts)
    placed = [re.search(r"(on|at|in) the (left|right|top|bottom)", text) for text in texts]
    assert 0.01 < told / len(texts) < 0.06
    found = [match for match in placed if match and "left of" not in match.string and "right of" not in match.string]
    assert 0.25 < len(found) / len(texts) < 0.45  # words of place are taught on one thing, alone or of two
    assert 0.4 < sum(match.start() == 0 for match in found) / len(found) < 0.6  # before its name as often as after it


def test_a_share_of_fine_tuning_scenes_may_come_from_the_broad_world() -> None:
    plain, mixed = world.finetune_set(3, 40), world.finetune_set(3, 40, broad=0.5)
    same = [a == b for a, b in zip(plain.captions, mixed.captions)]
    assert 18 <= sum(same) <= 22
    assert all(len(captions) == 1 for captions, kept in zip(mixed.captions, same) if not kept)
    assert world.finetune_set(3, 8, broad=0.5).captions == mixed.captions[:8]
    assert not any(a == b for a, b in zip(plain.captions, world.finetune_set(3, 40, broad=1.0).captions))


def test_retrieval_captions_are_true_of_their_image_alone():
    pool = world.retrieval_set(0, 120)
    assert pool.images.shape == (120, 48, 48, 3)
    told = [{_bag_of_things(text) for text in captions} for captions in pool.captions]
    assert all(len(things) == 1 for things in told)
    assert len({next(iter(things)) for things in told}) == 120


def _bag_of_things(text: str) -> frozenset:
    pattern = rf"({'|'.join(world.COLOURS)}) ({'|'.join(world.SHAPES)})"
    return frozenset(re.findall(pattern, text))


@pytest.mark.parametrize(("coloured", "classes"), [(False, 12), (True, 120)])
def test_zeroshot_sets_are_balanced_and_say_their_chance(coloured, classes):
    for style, labelled in world.zeroshot_sets(0, 36, coloured).items():
        assert style in world.STYLES
        assert labelled.images.shape == (36, 48, 48, 3)
        assert labelled.images.dtype == np.uint8
        assert labelled.labels.dtype == np.int64
        assert len(labelled.class_names) == len(set(labelled.class_names)) == classes
        shapes = Counter(labelled.class_names[label].split()[-1] for label in labelled.labels)
        assert set(shapes.values()) == {3}
        assert all(template.count("{}") == 1 for template in labelled.templates)
    assert world.CHANCE == 50.0


def test_labels_name_what_is_drawn():
    plain, coloured = world.zeroshot_sets(0, 24), world.zeroshot_sets(0, 24, coloured=True)
    for number, style in enumerate(world.STYLES):
        assert np.array_equal(plain[style].images, coloured[style].images)
        for i in range(24):
            thing = single(generator(0, "zeroshot", number, i), style, world.SHAPES[i % 12]).things[0]
            assert plain[style].class_names[plain[style].labels[i]] == thing.shape
            assert coloured[style].class_names[coloured[style].labels[i]] == f"{thing.colour} {thing.shape}"


def test_pairs_lie_inside_the_frame_apart_and_with_clear_sizes():
    for index in range(300):
        scene = pair(generator(0, "composition", 0, index), "solid", clear_sizes=True)
        a, b = scene.things
        assert a.shape != b.shape
        assert a.colour != b.colour
        assert a.size in ("small", "large")
        assert sum(world.holds(relation, a, b) for relation in world.RELATIONS) == 1
        for thing in scene.things:
            assert thing.half_radius <= SMALL or thing.half_radius >= LARGE
            assert min(thing.x, thing.y) - thing.half_radius / 2 >= 0
            assert max(thing.x, thing.y) + thing.half_radius / 2 <= 48


def test_distance_equals_a_slow_walk_along_the_edges():
    rng = np.random.default_rng(0)
    for shape in world.SHAPES:
        polygon = vertices(shape)
        points = rng.uniform(-1.3, 1.3, size=(12, 2))
        fast = polygon_distance(points, polygon)
        for point, value in zip(points, fast):
            ends = np.roll(polygon, -1, axis=0)
            steps = np.linspace(0, 1, 400)[:, None]
            walk = np.concatenate([a + steps * (b - a) for a, b in zip(polygon, ends)])
            assert abs(value) == pytest.approx(np.sqrt(((walk - point) ** 2).sum(1)).min(), abs=3e-3)
            turn = 0.0  # the winding number tells inside from outside
            for a, b in zip(polygon - point, ends - point):
                turn += np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)
            assert (value < 0) == (abs(turn) > np.pi)


def test_a_thing_is_painted_where_it_is_said_to_be():
    ground = (140.0, 140.0, 140.0)
    for shape in world.SHAPES:
        scene = world.Scene((Thing(shape, "red", 20, 14, 33),), "solid", ground, noise=0)
        red = (scene.image[..., 0].astype(int) - scene.image[..., 1]) > 80
        y, x = np.nonzero(red)
        assert len(x) > 60
        assert abs(x.mean() - 14) < 4
        assert abs(y.mean() - 33) < 4
        assert x.min() >= 3
        assert x.max() <= 25


def test_styles_paint_less_and_less_of_the_same_shape():
    share = {}
    for style in world.STYLES[:4]:
        scene = world.Scene((Thing("square", "white", 28, 24, 24),), style, (100.0, 100.0, 100.0), noise=0)
        share[style] = (scene.image.min(axis=2) > 200).mean()
    assert share["solid"] > 2 * share["striped"] > 0
    assert share["solid"] > 2 * share["hollow"] > 0
    assert share["solid"] > 1.5 * share["dotted"] > 0


def test_speed_is_printed(capsys):
    world.pretrain_batch(0, 0, 256)
    begun = time.perf_counter()
    images, _ = world.pretrain_batch(0, 1, 512)
    with capsys.disabled():
        print(f" [{len(images) / (time.perf_counter() - begun):,.0f} scenes/s]", end="")
    assert images.shape == (512, 48, 48, 3)


def test_half_truths_are_true_false_and_true() -> None:
    units = Counter()
    wrong = Counter()
    for index in range(300):
        row = world.half_truth(3, index)
        units[row.unit] += 1
        assert true_of(row.anchor, row.scene), row.anchor
        assert true_of(row.full_truth, row.scene), row.full_truth
        assert not true_of(row.half_truth, row.scene), row.half_truth
        assert row.half_truth.startswith(row.anchor)
        assert row.full_truth.startswith(row.anchor)
        same = [a == b for a, b in zip(row.half_truth.split(), row.full_truth.split())]
        if row.unit == "entity":  # one word gives way, and its article with it
            assert len(row.half_truth.split()) == len(row.full_truth.split())
            assert same.count(False) in (1, 2)
            wrong["colour" if row.full_truth.split()[-1] == row.half_truth.split()[-1] else "shape"] += 1
    assert units == {"entity": 150, "relation": 150}
    assert wrong["colour"] > wrong["shape"] > 25
    few, many = world.half_truths(3, 4), world.half_truths(3, 9)
    assert few == many[:4]
