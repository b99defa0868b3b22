"""Nearest images against brute force, and whole runs whose batches hold hard images and neighbours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from compoclip.cli import main
from compoclip.config import TrainConfig, resolve
from compoclip.data.sources.builtin import WorldSource
from compoclip.distributed import ALONE, Ranks
from compoclip.errors import InputError
from compoclip.losses import objective
from compoclip.models import load
from compoclip.training import nearest as module
from compoclip.training import train
from compoclip.training.backward import backward
from compoclip.training.dataset import TrainData
from compoclip.training.feature_store import FeatureStore
from compoclip.training.nearest import nearest
from compoclip.training.resume import resumed_config
from compoclip.training.towers import Towers
from training.processes import on_ranks
from training.test_loop import _dies_at, weights

SMALL: dict[str, Any] = {
    "model": "tiny", "pretrained": None, "batch_size": 4, "steps": 5, "warmup": 2, "lr": 1e-3, "device": "cpu",
    "held_out": 0.15, "log_every": 1, "checkpoint_every": 1, "neighbours": 1,
}  # fmt: skip


def published(folder: Path, count: int = 14) -> Path:
    """NegCLIP's table as it is published, with photos where it says that they lie."""
    scenes = WorldSource(0, count)
    (folder / "coco" / "val2014").mkdir(parents=True)
    lines = ["\ttitle\tfilepath\tneg_caption\tneg_image"]
    for row in range(count):
        name = f"coco/val2014/COCO_val2014_{row:012d}.jpg"
        Image.fromarray(np.asarray(scenes[row].image.load())).save(folder / name)
        wrong = ["a table under a dog", f"a wrong caption {row}"]
        lines.append(f"{row}\t{scenes.captions(row)[0]}\t{name}\t{wrong}\t{[(row + k) % count for k in (3, 5, 7)]}")
    path = folder / "coco" / "train_neg_clip.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def config(out: Path, data: Path | str, **changes: Any) -> TrainConfig:
    return resolve("negclip-hard", {**SMALL, "data": str(data), "output_dir": str(out), **changes})


@pytest.mark.parametrize("at_once", [2**25, 100])
def test_nearest_is_that_of_brute_force(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    features = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
    features[7] = 0.0  # unreadable
    features[12] = 2 * features[30]  # the same picture, twice
    features[20] = features[21] = features[3] + 0.1  # and so equally near to all others
    found = nearest(features, 39)
    for i in range(40):
        slow = []
        for j in range(40):
            a, b = features[i].double(), features[j].double()
            if i in (j, 7) or j == 7 or float(a @ b / a.norm() / b.norm()) > 0.9999:
                continue
            slow.append((-round(float(a @ b / a.norm() / b.norm()), 6), j))
        expected = [j for _, j in sorted(slow)]
        assert found[i].tolist() == expected + [-1] * (39 - len(expected)), i
    assert nearest(features, 4).tolist() == found[:, :4].tolist()
    assert (nearest(features[:1], 3) == -1).all()


def test_the_published_table_trains_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [f"--set={key}={json.dumps(value)}" for key, value in {**SMALL, "steps": 2, "neighbours": 0}.items()]
    with pytest.raises(SystemExit) as stop:
        main(["train", "negclip-hard", f"--data={published(tmp_path)}", f"--output-dir={tmp_path / 'run'}", *settings])
    said = capsys.readouterr()
    assert stop.value.code == 0, said.err
    assert "hard images: " in said.err
    assert " held out" in said.err
    assert "batches of 4 with hard images 1 to one, 8 rows" in said.err
    assert not (tmp_path / "run" / "features").exists()  # the table tells; no features are wanted


def test_stopping_in_mid_epoch_and_resuming_gives_the_same_bytes(tmp_path: Path) -> None:
    data = published(tmp_path)
    whole = weights(train(config(tmp_path / "whole", data)))
    stopped = config(tmp_path / "stopped", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compoclip.training.loop.learning_rate", _dies_at(2))
        with pytest.raises(KeyboardInterrupt):
            train(stopped)
    kept = sorted((tmp_path / "stopped" / "features").glob("*-nearest-4.safetensors"))
    stamp = [path.stat().st_mtime_ns for path in kept]
    assert len(stamp) == 1
    with pytest.MonkeyPatch.context() as patch:  # found again, not computed by the weights trained since
        patch.setattr(module, "nearest", None)
        assert weights(train(stopped, resume=True)) == whole
    assert [path.stat().st_mtime_ns for path in kept] == stamp


def _batches(config: TrainConfig, ranks: Ranks = ALONE) -> tuple[TrainData, Any]:
    torch.manual_seed(0)
    model = load("tiny")
    return TrainData.open(config, model, frozenset({"negatives"}), ranks), model


def test_ranks_and_micro_batches_give_loss_and_gradient_of_one_process(tmp_path: Path) -> None:
    data, goal = published(tmp_path), objective("negclip")

    def gradients(ranks: Ranks, micro: int | None) -> list[dict[str, np.ndarray]]:
        own = config(tmp_path / f"run{ranks.count}", data, batch_size=4 // ranks.count, held_out=0.0)
        batches, model = _batches(own, ranks)
        model.clip.train()
        out = []
        for batch in batches.batches(0, 0, 2):
            assert len(batch) == 8 // ranks.count
            model.clip.zero_grad()
            terms = backward(goal, batch.parts(micro), Towers(model, 1), ranks)
            ranks.sum_gradients(model.clip.parameters())
            grads = {k: p.grad for k, p in model.clip.named_parameters() if p.grad is not None}
            out.append({name: value.clone().numpy() for name, value in {**terms, **grads}.items()})
        return out

    def two(ranks: Ranks) -> list[dict[str, np.ndarray]]:
        return gradients(ranks, 2)

    whole = gradients(ALONE, None)
    for found in (gradients(ALONE, 3), on_ranks(2, two)[0]):
        for one, other in zip(whole, found, strict=True):
            assert one.keys() == other.keys()
            for name in one:
                assert np.abs(one[name] - other[name]).max() <= 5e-5 * max(np.abs(one[name]).max(), 1e-3), name


def test_hard_images_of_data_that_names_none_are_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = config(tmp_path / "run", "world", world_scenes=24, negatives_per_caption=0, neighbours=0, captions="first")
    own = own.model_copy(update={"weights": {"contrastive": 1.0}, "options": {}})
    torch.manual_seed(0)
    model = load("tiny")
    data = TrainData.open(own, model, frozenset())
    assert "the 3 nearest of each image" in capsys.readouterr().err
    source = data.stream.source
    with torch.no_grad():
        features = model.encode_image([source[i].image.load() for i in range(len(source))])
    table = nearest(features, 3)
    place = {source[i].image_id: i for i in range(len(source))}
    pairs = [b.names[k : k + 2] for b in data.batches(0, 0, 9) for k in range(0, len(b), 2)]
    assert len(pairs) >= 16
    assert all(place[hard] in table[place[first]] for first, hard in pairs)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for name in ("hard_images", "neighbours"):
        changes = {"hard_images": 0, "neighbours": 0, name: 1}
        with pytest.raises(InputError, match="a stream knows no similar images; train without hard_images, neighbours"):
            train(config(tmp_path / "run", "stream:/nowhere/a.tar", epoch_samples=8, **changes))
    assert resolve("degla", {"batch_size": 128, "hard_images": 1}).weights["distillation"] == pytest.approx(
        resolve("degla", {"batch_size": 256}).weights["distillation"]
    )  # the term sums over rows, of which there are as many


def test_jpeg_draft_decodes_less_is_told_and_is_a_setting_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = published(tmp_path)
    photo = sorted((tmp_path / "coco" / "val2014").iterdir())[0]
    with Image.open(photo) as image:
        image.resize((1200, 1200)).save(photo)
    found = {}
    for draft in (False, True):
        own = config(tmp_path / f"run-{draft}", data, jpeg_draft=draft, held_out=0.0, hard_images=0, neighbours=0)
        batches, model = _batches(own)
        side = model.preprocess.transforms[0].size
        side = max(side) if isinstance(side, (list, tuple)) else side
        assert ("decoded to at least" in capsys.readouterr().err) == draft
        assert batches.stream.collator.least == (2 * side if draft else 0)
        found[draft] = batches.stream.collator.pixels(0, batches.stream.source[0])
        with FeatureStore.opened(str(tmp_path / "kept"), model, batches.stream, range(3), True, False) as store:
            found[f"kept {draft}"] = store.stem  # type: ignore[index,union-attr]
    assert 0 < (found[False] - found[True]).abs().mean() < 0.1
    assert found["kept True"] != found["kept False"]
    out = tmp_path / "run"
    train(config(out, data, jpeg_draft=True, steps=1, hard_images=0, neighbours=0))
    with pytest.raises(InputError, match="jpeg_draft"):
        resumed_config(out, "", {"jpeg_draft": False})
