"""Hard negatives of a run: builds taken in turn, and negatives made while training."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import pytest

from compoclip.config import TrainConfig
from compoclip.data.loader import BatchStream
from compoclip.data.sources.builtin import WorldSource
from compoclip.errors import InputError
from compoclip.models import load
from compoclip.negatives.build import build
from compoclip.negatives.store import read_negatives
from compoclip.training.dataset import TrainData
from compoclip.training.negatives import BuiltNegatives, FreshNegatives, negatives_of

KINDS = ["swap-nouns", "replace-nouns", "shuffle"]
SCENES = 160


@pytest.fixture(scope="module")
def source() -> WorldSource:
    return WorldSource(5, SCENES)


@pytest.fixture(scope="module")
def table(source: WorldSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "captions.tsv"
    rows = [f"{sample.image_id}\t{caption}" for sample in source for caption in sample.captions]
    path.write_text("\n".join(["image\tcaption", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def epochs(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("epochs") / "out"
    told = build(table, out, KINDS, 2, seed=3, epochs=3)
    assert list(told) == ["epoch-0", "epoch-1", "epoch-2"]
    assert {made["captions"] for made in told.values()} == {len(table.read_text().splitlines()) - 1}
    return out


def stream(source: WorldSource, negatives: object, **changes) -> BatchStream:
    settings = {"batch_size": 16, "seed": 1, "negatives_per_caption": 2, "load_images": False, **changes}
    return BatchStream(source, negatives=negatives, **settings)


def drawn(stream: BatchStream, epoch: int, start: int = 0) -> list[tuple[str, int, str, list[str]]]:
    return [
        row
        for batch in stream.epoch(epoch, start)
        for row in zip(batch.image_ids, batch.caption_ids, batch.captions, batch.negatives)
    ]


def test_fresh_negatives_are_those_of_a_build_of_the_epoch(source, epochs):
    """Made a batch at a time, in an order of their own: what a build of the whole set made, epoch by epoch."""
    fresh = FreshNegatives(KINDS, 2, 3, source)
    compared = 0
    for epoch in range(3):
        built = read_negatives(epochs / f"epoch-{epoch}")
        for image, number, caption, texts in drawn(stream(source, fresh, caption="all"), epoch):
            text, negatives = built[f"{image}#{number}"]
            assert text == caption
            assert texts == [negative.text for negative in negatives]
            compared += len(texts)
    assert compared > 3 * SCENES


def test_every_epoch_is_fresh_and_every_resumed_one_the_same(source):
    fresh = FreshNegatives(KINDS, 2, 3, source)
    own = {epoch: {row[:2]: row[3] for row in drawn(stream(source, fresh, caption="all"), epoch)} for epoch in range(3)}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        same = sum(own[one][key] == own[other][key] for key in own[one].keys() & own[other].keys())
        assert same < len(own[one]) / 4
    whole = drawn(stream(source, fresh), 2)
    taken_up = drawn(stream(source, pickle.loads(pickle.dumps(FreshNegatives(KINDS, 2, 3, source)))), 2, start=4)
    assert taken_up == whole[4 * 16 :]


def test_worker_processes_make_what_one_process_makes(source):
    fresh = FreshNegatives(KINDS, 2, 3, source)
    alone = drawn(stream(source, fresh, load_images=True), 1)
    shared = drawn(stream(source, fresh, load_images=True, workers=2), 1)
    assert shared == alone
    # batches of one worker do not repeat those of the other: each caption's negatives are its own
    words = {caption: set(caption.lower().split()) for _, _, caption, _ in alone}
    shuffled = [
        (c, t) for _, _, c, texts in shared for t in texts if sorted(t.lower().split()) == sorted(c.lower().split())
    ]
    assert shuffled
    assert all(set(text.lower().split()) == words[caption] for caption, text in shuffled)


def test_builds_of_several_epochs_are_taken_in_turn(source, epochs):
    config = TrainConfig(negatives=str(epochs), negative_kinds=tuple(KINDS), negatives_per_caption=2)
    found = negatives_of(config, source)
    assert isinstance(found, BuiltNegatives)
    for epoch in (0, 1, 2, 3, 5):
        kept = read_negatives(epochs / f"epoch-{epoch % 3}")
        wanted = {key: [n.text for n in negatives] for key, (_, negatives) in kept.items() if negatives}
        assert {key: texts for key, (_, texts) in found.of_epoch(epoch).by_id.items()} == wanted
    assert found.of_epoch(0).by_id != found.of_epoch(1).by_id
    assert {key: [n.text for n in row] for key, row in found.of_part(source).items() if row} == {
        key: list(dict.fromkeys(texts)) for key, (_, texts) in found.of_epoch(3).by_id.items()
    }


def test_kinds_are_chosen_by_name_and_by_bundle(source, epochs):
    only = BuiltNegatives([epochs / "epoch-0"], ["shuffle"]).of_epoch(0)
    bundle = BuiltNegatives([epochs / "epoch-0"], ["fsc-clip"]).of_epoch(0)  # has swap-nouns and replace-nouns
    for key, (_, negatives) in read_negatives(epochs / "epoch-0").items():
        shuffles = [n.text for n in negatives if n.kind == "shuffle"]
        if shuffles:
            assert only.by_id[key][1] == shuffles
        others = [n.text for n in negatives if n.kind != "shuffle"]
        if others:
            assert bundle.by_id[key][1] == others


def test_the_batches_of_an_epoch_have_its_negatives(source, epochs):
    found = BuiltNegatives([epochs / f"epoch-{number}" for number in range(3)], KINDS)
    data = TrainData(TrainConfig(), stream(source, None), None, found)
    for epoch in (0, 1, 2, 4):
        of_data = [(c, found.of_epoch(epoch).of(s, k)) for s in source for k, c in enumerate(s.captions)]
        by_text: dict[str, set[str]] = {}
        for caption, texts in of_data:
            by_text.setdefault(caption, set()).update(texts)
        batches = list(data.batches(epoch, 0, SCENES))
        assert sum(map(len, (row for batch in batches for row in batch.negatives))) > SCENES
        for batch in batches:
            for caption, texts in zip(batch.captions, batch.negatives):
                assert set(texts) <= by_text[caption]


def first_epoch(negatives: str, source: WorldSource) -> object:
    found = negatives_of(TrainConfig(negatives=negatives), source)
    return None if found is None else found.of_epoch(0)


def test_what_is_not_there_is_said(source, epochs, tmp_path):
    (tmp_path / "holed" / "epoch-0").mkdir(parents=True)
    (tmp_path / "holed" / "epoch-2").mkdir()
    for negatives, message in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "holed", "epoch-1: is missing"),
        (tmp_path, "no manifest.json here"),
    ):
        with pytest.raises(InputError, match=message):
            first_epoch(str(negatives), source)
    with pytest.raises(InputError, match="needs kinds"):
        negatives_of(TrainConfig(negatives="generate"), source)
    with pytest.raises(InputError, match="build for each of 3 epochs; name one"):
        read_negatives(epochs)


def test_training_reads_the_tars_that_a_build_wrote(source, tmp_path):
    """Captions in tars, `build --into-tars`, a run without --negatives: its batches have the build's negatives."""
    with tarfile.open(tmp_path / "plain.tar", "w") as tar:
        for index in range(24):
            buffer = io.BytesIO()
            source[index].image.load().save(buffer, "PNG")
            for suffix, data in (("png", buffer.getvalue()), ("txt", "\n".join(source[index].captions).encode())):
                info = tarfile.TarInfo(f"{index:03d}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    build(tmp_path / "plain.tar", tmp_path / "out", KINDS, 2, into_tars=tmp_path / "with")
    built = read_negatives(tmp_path / "out")
    config = TrainConfig(data=str(tmp_path / "with"), held_out=0.0, batch_size=8, negatives_per_caption=2)
    model, needs = load("tiny"), frozenset({"negatives"})
    batches = list(TrainData.open(config, model, needs).batches(0, 0, 99))
    assert len(batches) == 3
    for batch in batches:
        for caption, texts in zip(batch.captions, batch.negatives):
            assert texts == [negative.text for negative in built.by_caption(caption)]
    assert sum(map(len, (texts for batch in batches for texts in batch.negatives))) > 24
    with pytest.raises(InputError, match="needs hard negatives"):
        TrainData.open(config.model_copy(update={"data": str(tmp_path / "plain.tar")}), model, needs)
