"""Builds: what they read and write, and clear refusals. That nothing else matters is in `test_one_hash`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from compoclip.cli import main
from compoclip.errors import InputError
from compoclip.locks import LOCK, exclusive
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build
from compoclip.negatives.captions import read_captions
from compoclip.negatives.store import iterate

KINDS = "swap-nouns,replace-nouns,replace-adjectives,replace-relations,shuffle"
NOUNS = ("dog", "cat", "horse", "man", "woman", "car", "truck", "bench", "kite", "pizza")
COLOURS = ("red", "blue", "green", "black", "white")


@pytest.fixture(scope="module")
def captions(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("captions") / "captions.tsv"
    lines = ["image\tcaption\tsplit"]
    for i in range(400):
        one, other = NOUNS[i % 10], NOUNS[(i * 7 + 3 + i // 10) % 10]
        lines.append(f"{i // 2}.jpg\tA {COLOURS[i % 5]} {one} in front of a {COLOURS[(i // 3) % 5]} {other} .\ttrain")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def reference(captions, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100)
    return out


def test_manifest_and_shards_say_what_is_there(reference, captions):
    manifest = json.loads((reference / "manifest.json").read_text())
    found = read_negatives(reference)
    assert manifest["captions"] == len(found) == 400
    assert manifest["negatives"] == sum(len(negatives) for _, negatives in found.values())
    assert sum(manifest["made"].values()) == manifest["negatives"]
    assert manifest["seed"] == 3
    assert manifest["vocabulary"] == "captions"
    assert manifest["shards"] == len(list(reference.glob("negatives-*.parquet"))) == 4
    assert not [path for path in reference.iterdir() if path.name.startswith(".")]
    caption, negatives = found["7.jpg#1"]
    assert found.by_caption(caption) == negatives
    assert found.by_caption("a caption that was not there") == []


def test_negatives_are_never_a_true_caption_of_the_image(reference, captions):
    rows, _ = read_captions(captions)
    by_id = {row.caption_id: row for row in rows}
    for caption_id, (caption, negatives) in read_negatives(reference).items():
        for negative in negatives:
            assert negative.text not in (caption, *by_id[caption_id].others)


def test_resume_with_other_settings_is_refused(reference, captions):
    with pytest.raises(InputError, match="other seed"):
        build(captions, reference, KINDS, per_caption=4, seed=4, shard_size=100, resume=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "image\ttext_of_it\n1\tx\n", "no caption column found"),
        ("a.tsv", "caption\n\n", "no captions"),
        ("a.jsonl", "not json\n" * 21 + '{"caption": "a dog"}\n', "21 of 22 rows cannot be used .*a.jsonl:1"),
        ("a.jsonl", '{"caption": {"en": "a dog"}}\n', "1 caption is not text .*a.jsonl:1: dict"),
        ("a.json", "[3]", "the list contains no objects"),
        ("a.xyz", "a dog\n", "unknown kind of file"),
        ("a.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_bad_input_names_file_and_row(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        build(tmp_path / name, tmp_path / "out", "shuffle")
    assert name in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_file_and_not_utf8(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_captions(tmp_path / "none.tsv")
    (tmp_path / "latin.tsv").write_bytes(b"caption\na caf\xe9\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_captions(tmp_path / "latin.tsv")


def test_forms_of_input_give_the_same_captions(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = ["a dog, and a cat", 'a "red" car']
    (tmp_path / "a.txt").write_text("\n".join(texts))
    (tmp_path / "a.csv").write_text('caption\n"a dog, and a cat"\n"a ""red"" car"\n')
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"caption": text}) + "\n" for text in texts))
    (tmp_path / "a.json").write_text(json.dumps([{"caption": text} for text in texts]))
    pq.write_table(pa.table({"caption": texts}), tmp_path / "a.parquet")
    found = {
        suffix: read_captions(tmp_path / f"a.{suffix}")[0] for suffix in ("txt", "csv", "jsonl", "json", "parquet")
    }
    assert [caption.text for caption in found["txt"]] == texts
    assert all(captions == found["txt"] for captions in found.values())


def test_a_stray_quote_costs_nothing(tmp_path):
    """As in training, which reads the same tables: what is learned from and what is built must be the same captions."""
    (tmp_path / "a.tsv").write_text('\ufeffimage\tcaption\n1\t"Help" says a man\n2\t"a sign\n3\ta dog\n4\n')
    captions, skipped = read_captions(tmp_path / "a.tsv")
    assert [caption.text for caption in captions] == ['"Help" says a man', '"a sign', "a dog"]
    assert skipped == {"ragged row": 1}


def test_cocos_annotations(tmp_path):
    value = {
        "images": [{"id": 7, "file_name": "x.jpg"}],
        "annotations": [{"image_id": 7, "caption": "a dog"}, {"image_id": 7, "caption": "a pet"}],
    }
    (tmp_path / "captions_val.json").write_text(json.dumps(value))
    captions, _ = read_captions(tmp_path / "captions_val.json")
    assert [(c.caption_id, c.text, c.others) for c in captions] == [
        ("x.jpg#0", "a dog", ("a pet",)),
        ("x.jpg#1", "a pet", ("a dog",)),
    ]


def test_a_folder_is_taken_as_training_takes_it(tmp_path):
    with pytest.raises(InputError, match="found nothing of the kind"):
        read_captions(tmp_path)
    (tmp_path / "captions.csv").write_text("caption\na dog\n")
    (tmp_path / "other.csv").write_text("caption\na cat\n")
    assert [caption.text for caption in read_captions(tmp_path)[0]] == ["a dog"]
    (tmp_path / "captions.jsonl").write_text('{"caption": "a cow"}\n')
    with pytest.raises(InputError, match=r"captions\.csv and captions\.jsonl"):
        read_captions(tmp_path)


def test_photos_inside_a_parquet_file_are_not_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    photo = {"bytes": b"\xff\xd8", "path": "x.jpg"}
    pq.write_table(pa.table({"image": [photo], "raw_image": [b"\xff"], "caption": ["a dog"]}), tmp_path / "a.parquet")
    captions, _ = read_captions(tmp_path / "a.parquet")
    assert [(c.text, c.image) for c in captions] == [("a dog", "x.jpg")]


def test_half_a_surrogate_pair_can_be_built(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"caption": "a dog \\ud83d and a cat"}\n')
    manifest = build(tmp_path / "a.jsonl", tmp_path / "out", "shuffle")
    assert manifest["captions"] == 1
    assert next(iter(read_negatives(tmp_path / "out").values()))[0] == "a dog ? and a cat"


def test_several_captions_a_row_know_each_other(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"image": "x.jpg", "captions": ["a dog", "a pet", ""]}\n')
    captions, skipped = read_captions(tmp_path / "a.jsonl")
    assert [(c.caption_id, c.text, c.others) for c in captions] == [
        ("x.jpg#0", "a dog", ("a pet",)),
        ("x.jpg#1", "a pet", ("a dog",)),
    ]
    assert skipped == {"empty caption": 1}


def test_repeated_captions_get_their_own_ids(tmp_path):
    (tmp_path / "a.txt").write_text("a dog\na dog\n")
    captions, _ = read_captions(tmp_path / "a.txt")
    assert len({caption.caption_id for caption in captions}) == 2


def test_without_ray_it_is_said_how_to_get_it(captions, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"compoclip\[ray\]"):
        build(captions, tmp_path / "out", "shuffle", engine="ray")
    with pytest.raises(InputError, match=r"engine: .*'local' or 'ray'"):
        build(captions, tmp_path / "out", "shuffle", engine="spark")
    assert not (tmp_path / "out").exists()


def test_epochs_are_builds_of_their_own_and_are_resumed(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("a red dog sees a blue cat near the old bench\n" * 3)
    flags = ["--kinds", "shuffle", "--epochs", "2", "--epoch", "4"]
    with pytest.raises(SystemExit) as end:
        main(["negatives", "build", str(tmp_path / "a.txt"), "--out", str(tmp_path / "out"), *flags])
    assert end.value.code == 0
    assert "epoch-1:\n  captions: 3\n" in capsys.readouterr().out
    with pytest.raises(InputError, match="--resume"):
        build(tmp_path / "a.txt", tmp_path / "out", "shuffle", epochs=3, epoch=4)
    build(tmp_path / "a.txt", tmp_path / "out", "shuffle", epochs=3, epoch=4, resume=True)
    for number in range(3):
        build(tmp_path / "a.txt", tmp_path / f"alone-{number}", "shuffle", epoch=4 + number)
        assert list(iterate(tmp_path / f"out/epoch-{number}")) == list(iterate(tmp_path / f"alone-{number}"))
    assert list(iterate(tmp_path / "out/epoch-0")) != list(iterate(tmp_path / "out/epoch-1"))


def test_two_builds_do_not_share_a_folder(captions, reference, tmp_path):
    out = tmp_path / "out"
    with exclusive(out / LOCK, "held"):
        (out / ".captions.1.tmp").write_bytes(b"the other build's")
        with pytest.raises(InputError, match="another build is writing here"):
            build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100)
        assert (out / ".captions.1.tmp").exists()
    build(captions, out, KINDS, per_caption=4, seed=3, shard_size=100)
    for shard in reference.glob("*.parquet"):
        assert (out / shard.name).read_bytes() == shard.read_bytes()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("count", [None, "two", -1, 1.5, True])
def test_a_manifest_without_a_number_of_shards_is_refused(reference, tmp_path, count):
    manifest = json.loads((reference / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "shards": count}))
    with pytest.raises(InputError, match="does not say how many 'shards'"):
        read_negatives(tmp_path)


def test_a_shard_whose_texts_are_not_utf8_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    broken = pa.array([b"\x98dog"], pa.binary()).view(pa.string())
    columns = {"caption_id": pa.array(["0"]), "caption": broken, "negatives": pa.array([[]], pa.list_(pa.string()))}
    pq.write_table(pa.table(columns), tmp_path / "negatives-00000.parquet")
    (tmp_path / "manifest.json").write_text(json.dumps({"shards": 1}))
    with pytest.raises(InputError, match="not a negatives shard"):
        read_negatives(tmp_path)
