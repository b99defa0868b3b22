"""Training on joined images: several true texts a row, single images between, and what it cannot go with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from compoclip.config import resolve
from compoclip.data.concatenate import Concatenate
from compoclip.data.extras import Extras
from compoclip.data.sources import open_source
from compoclip.errors import InputError
from compoclip.losses import objective
from compoclip.models import load
from compoclip.training import train
from compoclip.training.joined_images import concatenation
from compoclip.training.towers import batch_features
from models.clips import pixels

from .processes import on_ranks
from .test_extra_texts import TINY, _dies_at

SMALL = {**TINY, "world_scenes": 32, "steps": 3, "eval_tasks": ()}


def test_several_true_texts_equal_each_encoded_alone(clip) -> None:
    model = clip("vit")
    rows = [["a cat. A dog", "a dog. A cat", "one cat. Dogs"], ["a hat. A cup", "a cup. A hat"]]
    captions, extras = [row[0] for row in rows], [Extras(texts=row) for row in rows]
    out = batch_features(
        model, pixels(model, 2), captions, [["a dog. A dog"], []], 1, frozenset({"negatives"}), extras=extras
    )
    assert out.text_present.tolist() == [[True, True, True], [True, True, False]]
    for row, texts in enumerate(rows):
        for slot, text in enumerate(texts):
            alone = F.normalize(model.clip.encode_text(model.tokenizer([text]))[0], dim=-1)
            torch.testing.assert_close(out.texts[row, slot], alone, rtol=1e-5, atol=2e-6)
    assert torch.equal(out.text, out.texts[:, 0])
    terms = objective("clic")(out)
    v, s = out.image.double(), out.logit_scale.double()
    negative = out.negatives[0, 0].double()
    sets = [F.softplus(s * (v[0] @ negative - v[0] @ out.texts[0, k].double())) for k in range(3)]
    assert terms["own_pair"].item() == pytest.approx(0.5 * sum(sets).item() / 3, rel=1e-4)
    apart = (out.texts[:, 0] - out.texts[:, 1]).double().square().sum(dim=1).mean()
    assert terms["text_pull"].item() == pytest.approx(apart.item(), rel=1e-4)


def test_single_images_between_have_the_contrast_alone_and_the_image_tower_stays(tmp_path: Path, capsys) -> None:
    run = train(resolve("clic", {**SMALL, "steps": 4, "output_dir": str(tmp_path / "whole")}))
    said = capsys.readouterr().err
    assert "joined in pairs in one batch in 2; 32 of 32 have captions for further texts" in " ".join(said.split())
    assert "of joined captions are longer" not in said
    steps = [line for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if "loss" in line]
    assert [sorted(set(line) & {"contrastive", "own_pair", "text_pull"}) for line in steps] == [
        ["contrastive", "own_pair", "text_pull"],
        ["contrastive"],
    ] * 2
    base = load("tiny").clip.state_dict()
    after = load_file(run / "export" / "open_clip_model.safetensors")
    moved = {name for name in after if not torch.equal(after[name], base[name])}
    assert moved
    assert not any(name.startswith("visual.") for name in moved)
    stopped = resolve("clic", {**SMALL, "steps": 4, "output_dir": str(tmp_path / "stopped")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compoclip.training.loop.learning_rate", _dies_at(3))
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    again = train(stopped, resume=True)
    one, other = (path / "export" / "open_clip_model.safetensors" for path in (run, again))
    assert one.read_bytes() == other.read_bytes()


def test_parts_and_processes_change_nothing(tmp_path: Path) -> None:
    def config(name: str, **changes):
        # with a small eps, Adam's first steps go by the sign of gradients that are rounding alone
        return resolve(
            "clic", {**SMALL, "steps": 2, "eps": 0.1, "lr": 0.1, "output_dir": str(tmp_path / name), **changes}
        )

    whole = train(config("whole", held_out=0.1))
    parts = train(config("parts", held_out=0.1, micro_batch=3))
    on_ranks(2, lambda ranks: train(config("ranks", held_out=0.1, batch_size=4), ranks=ranks))
    one = load_file(whole / "export" / "open_clip_model.safetensors")
    base = load("tiny").clip.state_dict()
    assert max(float((one[name] - base[name]).abs().max()) for name in one) > 1e-3
    for other in (parts, tmp_path / "ranks"):
        for name, value in load_file(other / "export" / "open_clip_model.safetensors").items():
            torch.testing.assert_close(
                value, one[name], rtol=1e-3, atol=2e-5, msg=lambda text, name=name: f"{name} {text}"
            )
    assert json.loads((whole / "results.json").read_text())["tasks"]["heldout"]["subsets"]["retrieval/i2t"]["n"] > 1


def test_it_is_said_how_many_joined_captions_are_cut(tmp_path: Path, capsys) -> None:
    words = ["one dog"] * 4 + ["a dog " + "and a cat " * 12] * 2
    table = tmp_path / "captions.tsv"
    table.write_text("filename\ttitle\n" + "".join(f"{k}.jpg\t{text}\n" for k, text in enumerate(words)))
    for number in range(len(words)):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{number}.jpg")
    made = concatenation(resolve("clic", TINY), load("tiny"), frozenset(), open_source(table))
    assert made == Concatenate((48, 48), 2)
    assert "40% of joined captions are longer than the text tower's 32 tokens" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lock_text": True, "lock_image": False}, "lock_text keeps the features"),
        ({"hard_images": 1}, "leave one out"),
        ({"negatives": "somewhere"}, "--negatives generate"),
        ({"data": "pipe:cat x.tar", "epoch_samples": 64, "lock_image": False}, "data that is indexed"),
    ],
)
def test_what_it_cannot_go_with_is_said(changes: dict, words: str, tmp_path: Path) -> None:
    (tmp_path / "somewhere").mkdir()
    if changes.get("negatives"):
        changes = {"negatives": str(tmp_path / "somewhere")}
    with pytest.raises(InputError, match=words):
        train(resolve("clic", {**SMALL, **changes, "output_dir": str(tmp_path / "run")}))
