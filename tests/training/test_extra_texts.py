"""Units, phrases, paraphrases and margins in training: features equal texts encoded alone, runs resume to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from compoclip.config import resolve
from compoclip.data.extras import Extras
from compoclip.data.sources import open_source
from compoclip.errors import InputError
from compoclip.losses import OBJECTIVES, Features, objective
from compoclip.losses.rank_margin import next_margins
from compoclip.negatives.build import build
from compoclip.training import train
from compoclip.training.margins import Margins
from compoclip.training.negatives import BuiltNegatives, FreshNegatives
from compoclip.training.optim import learning_rate
from compoclip.training.towers import batch_features
from models.clips import pixels

CAPTIONS = ["a red cat left of a dog", "the dog", "a big blue circle"]
EXTRAS = [
    Extras([("a red cat", "a blue cat"), ("the dog", "THE dog")], ["a red cat", "a dog"], ["a cat and a dog"]),
    Extras([], [], ["The dog"]),
    Extras([("a circle", "a square")], ["a circle"], []),
]
NEEDS = frozenset({"units", "phrases", "paraphrases", "image_tokens"})


def test_features_equal_each_text_encoded_alone(clip) -> None:
    model = clip("vit")
    ids = torch.tensor([1, 2, 3])
    out = batch_features(model, pixels(model, 3), CAPTIONS, [[]] * 3, 0, NEEDS, image_id=ids, extras=EXTRAS)
    found = out.prepared()
    assert out.unit_mask.tolist() == [[True, True], [False, False], [True, False]]
    assert out.foil_mask.tolist() == [[True, False], [False, False], [True, False]]  # read as its unit: no foil
    assert out.paraphrase_mask.tolist() == [[True], [False], [False]]  # read as its caption: no paraphrase
    assert out.phrase_owner.tolist() == [0, 0, 2]
    assert out.unit_id[0, 1] != out.unit_id[0, 0]
    assert len(set(out.phrase_id.tolist())) == 3
    assert out.image_tokens.shape[0] == 3
    assert out.text_tokens is None

    def alone(text: str) -> torch.Tensor:
        return F.normalize(model.clip.encode_text(model.tokenizer([text]))[0], dim=-1)

    close = {"rtol": 1e-5, "atol": 2e-6}
    for row, extras in enumerate(EXTRAS):
        for slot, (unit, foil) in enumerate(extras.units):
            torch.testing.assert_close(found.units[row, slot], alone(unit), **close)
            if out.foil_mask[row, slot]:
                torch.testing.assert_close(found.foils[row, slot], alone(foil), **close)
    phrases = [text for extras in EXTRAS for text in extras.phrases]
    torch.testing.assert_close(found.phrases, torch.stack([alone(text) for text in phrases]), **close)
    torch.testing.assert_close(found.paraphrases[0, 0], alone("a cat and a dog"), **close)


def test_a_batch_without_further_texts_gives_empty_slots(clip) -> None:
    model = clip("vit")
    empty = [Extras()] * 3
    out = batch_features(model, pixels(model, 3), CAPTIONS, [[]] * 3, 0, NEEDS, extras=empty)
    assert out.units.shape == (3, 0, out.image.shape[1])
    assert out.phrases.shape == (0, out.image.shape[1])
    goal = objective({"unit_contrast": 1.0, "phrase_contrast": 1.0, "paraphrase": 1.0}, phrase_form="softmax")
    assert {name: value.item() for name, value in goal(out).items()} == dict.fromkeys(goal.weights, 0.0)


def test_margins_follow_the_term() -> None:
    draw = torch.Generator().manual_seed(0)
    unit = [F.normalize(torch.randn(*shape, generator=draw), dim=-1) for shape in ((4, 8), (4, 8), (4, 2, 8))]
    features = Features(unit[0], unit[1], torch.tensor(50.0), negatives=unit[2])
    margins = Margins(0.1, torch.device("cpu"))
    assert margins.state() is None
    margins.follow(features)
    assert torch.equal(margins.value, next_margins(features, 0.1))
    again = Margins(0.1, torch.device("cpu"))
    again.restore(json.loads(json.dumps(margins.state())))
    assert torch.equal(again.value, margins.value)
    assert Margins.wanted(frozenset({"negatives"}), {}, torch.device("cpu")) is None


TINY = {
    "model": "tiny", "pretrained": None, "data": "world", "world_scenes": 48, "held_out": 0.0, "batch_size": 8,
    "steps": 4, "warmup": 1, "lr": 1e-3, "device": "cpu", "precision": "fp32", "negatives": "generate",
    "checkpoint_every": 2, "keep_checkpoints": 9, "log_every": 1,
}  # fmt: skip
SOFT = {"contrastive_form": "softmax", "phrase_form": "softmax"}


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [("cs-clip", {}), ("read", {}), ("c2lip", SOFT), ("ce-clip", {"captions": "random"}), ("clic", {"concatenate": 1})],
)
def test_the_newer_methods_train_and_go_on_after_a_stop(recipe: str, changes: dict, tmp_path: Path) -> None:
    whole = train(resolve(recipe, {**TINY, **changes, "output_dir": str(tmp_path / "whole")}))
    logged = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in logged if "loss" in line]
    assert len(steps) == 4
    for term in OBJECTIVES[recipe]["weights"]:
        assert all(line[term] > 0 for line in steps[1:]), term
    stopped = resolve(recipe, {**TINY, **changes, "output_dir": str(tmp_path / "stopped")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compoclip.training.loop.learning_rate", _dies_at(3))
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    again = train(stopped, resume=True)
    one, other = (run / "export" / "open_clip_model.safetensors" for run in (whole, again))
    assert one.read_bytes() == other.read_bytes()


def _dies_at(stop: int) -> Callable[..., float]:
    def schedule(step: int, *rest: float) -> float:
        if step == stop:
            raise KeyboardInterrupt
        return learning_rate(step, *rest)

    return schedule


def test_built_units_are_those_made_while_training(tmp_path: Path) -> None:
    table = tmp_path / "captions.tsv"
    rows = [("a.jpg", "a big brown dog chases a red ball"), ("a.jpg", "one dog and a ball"), ("b.jpg", "wow")]
    table.write_text("filename\ttitle\n" + "".join(f"{name}\t{text}\n" for name, text in rows))
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    build(table, tmp_path / "built", ["replace-nouns"], 2, units=True, vocabulary="everyday")
    source = open_source(table)
    samples, numbers = [source[0], source[0], source[1]], [0, 1, 0]
    kept = BuiltNegatives([tmp_path / "built"], (), None, True).of_epoch(0).units(samples, numbers, 0)
    fresh = FreshNegatives((), 1, 0, source).units(samples, numbers, 0)
    assert kept == fresh
    assert len(kept[0]) >= 2
    assert kept[2] == ()


@pytest.mark.parametrize(
    ("recipe", "changes", "words"),
    [
        ("cs-clip", {"negatives": None}, "--units"),
        ("c2lip", {**SOFT, "negatives": None}, "--units"),
    ],
)
def test_what_is_not_there_is_said(recipe: str, changes: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        train(resolve(recipe, {**TINY, **changes, "output_dir": str(tmp_path / "run")}))


def test_images_with_one_caption_have_no_paraphrase(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg")
    table = tmp_path / "captions.tsv"
    table.write_text("filename\ttitle\na.jpg\ta dog\n")
    changes = {**TINY, "data": str(table), "batch_size": 1, "output_dir": str(tmp_path / "run")}
    with pytest.raises(InputError, match="several captions"):
        train(resolve("read", changes))
