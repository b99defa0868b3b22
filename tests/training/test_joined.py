"""Negatives of a build meet the captions they were built from, and a run says how many."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import open_clip
import pytest
from tests.data.conftest import jpeg, write_tar

from compoclip.config import TrainConfig
from compoclip.data.checking import check_path
from compoclip.data.collate import Collator
from compoclip.data.extras import Weighed
from compoclip.data.sources import open_source
from compoclip.errors import InputError
from compoclip.negatives.build import build
from compoclip.negatives.store import MANIFEST, write_shard
from compoclip.negatives.types import Negative
from compoclip.training.negatives import BuiltNegatives, negatives_of

SAID = ["a red square left of a small blue circle", "a big green star above the old wooden table"]


def photos(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}.png").write_bytes(jpeg(number))


def made(out: Path, rows: list[tuple[str, str, list[str]]]) -> Path:
    """A build of these negatives."""
    out.mkdir()
    kept = [(key, text, [Negative(wrong, "shuffle", (), "test") for wrong in texts]) for key, text, texts in rows]
    write_shard(out / "negatives-00000.parquet", kept)
    (out / MANIFEST).write_text(json.dumps({"shards": 1, "captions": len(rows)}))
    return out


def joined(data: Path, folder: Path, tokenizer: object = None) -> tuple[BuiltNegatives, list[list[str]]]:
    source = open_source(data)
    found = negatives_of(TrainConfig(negatives=str(folder)), source, tokenizer)
    assert isinstance(found, BuiltNegatives)
    lookup = found.of_epoch(0)
    return found, [lookup.of(sample, k) for sample in source for k in range(len(sample.captions))]


def err(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("spell", [json.dumps, repr, lambda said: "[" + " ".join(map(repr, said)) + "]"])
def test_captions_in_lists_are_built_for_and_found(tmp_path: Path, capsys, spell) -> None:
    photos(tmp_path, 8)
    said = [[f"{text} number {k}" for text in (SAID if k else SAID[:1])] for k in range(8)]
    rows = "".join('{}.png,"{}"\n'.format(k, spell(texts).replace('"', '""')) for k, texts in enumerate(said))
    (tmp_path / "a.csv").write_text("image,captions\n" + rows)
    manifest = build(tmp_path / "a.csv", tmp_path / "out", "shuffle")
    assert (manifest["images"], manifest["captions"]) == (8, 15)
    _, found = joined(tmp_path / "a.csv", tmp_path / "out")
    assert all(found)
    assert err(capsys).endswith("captions with negatives: 15 of 15")  # and nothing differs from the manifest


def test_equal_captions_of_two_photos_have_their_own_negatives(tmp_path: Path) -> None:
    photos(tmp_path, 2)
    (tmp_path / "a.tsv").write_text("image\tcaption\n0.png\ta dog\n1.png\ta dog\n0.png\ta cat\n")
    out = made(tmp_path / "out", [("0.png#0", "a dog", ["a cow"]), ("1.png#0", "a dog", ["a cat"])])
    assert joined(tmp_path / "a.tsv", out)[1] == [["a cow"], [], ["a cat"]]


def test_given_ids_hashed_ids_and_texts_join_too(tmp_path: Path, capsys) -> None:
    photos(tmp_path, 1)
    (tmp_path / "a.tsv").write_text(f"caption_id\timage\tcaption\nx7\t0.png\t{SAID[0]}\n")
    out = made(tmp_path / "given", [("x7", SAID[0], ["n"])])
    assert joined(tmp_path / "a.tsv", out)[1] == [["n"]]
    (tmp_path / "lines.txt").write_text(SAID[0])
    build(tmp_path / "lines.txt", tmp_path / "lines", "shuffle")  # no images: ids are hashes of the text
    assert joined(tmp_path / "a.tsv", tmp_path / "lines")[1][0]
    assert "joined by" not in err(capsys)
    write_tar(tmp_path / "t.tar", {"k.png": jpeg(0), "k.txt": SAID[0].encode()})
    assert joined(tmp_path / "t.tar", out)[1] == [["n"]]
    assert "no caption id in common with the data; joined by the captions' texts" in err(capsys)


def test_none_is_refused_and_few_are_warned_of(tmp_path: Path, capsys) -> None:
    photos(tmp_path, 3)
    (tmp_path / "a.tsv").write_text("image\tcaption\n" + "".join(f"{k}.png\tcaption {k}\n" for k in range(3)))
    out = made(tmp_path / "other", [("9.png#0", "something else", ["n"])])
    with pytest.raises(InputError, match=r"negatives: 0 of 3; .*'9\.png#0' there, '0\.png#0' in the data"):
        joined(tmp_path / "a.tsv", out)
    out = made(tmp_path / "changed", [(f"{k}.png#0", f"caption {k}!", ["n"]) for k in range(3)])
    with pytest.raises(InputError, match="negatives: 0 of 3"):
        joined(tmp_path / "a.tsv", out)
    out = made(tmp_path / "few", [("0.png#0", "caption 0", ["n"]), ("1.png#0", "was another", ["n"])])
    assert joined(tmp_path / "a.tsv", out)[1] == [["n"], [], []]
    told = err(capsys)
    assert "captions with negatives: 1 of 3" in told
    assert "fewer than 50% of the captions" in told
    assert "1 captions say something else now" in told
    with pytest.raises(InputError, match="needs hard negatives"):
        negatives_of(TrainConfig(), open_source(tmp_path / "a.tsv"))


def test_a_build_of_other_data_is_told_by_its_manifest(tmp_path: Path, capsys) -> None:
    photos(tmp_path, 2)
    (tmp_path / "a.tsv").write_text("image\tcaption\n" + "".join(f"{k}.png\t{SAID[k]}\n" for k in range(2)))
    (tmp_path / "b.tsv").write_text(f"image\tcaption\n0.png\t{SAID[0]}\n7.png\t{SAID[1]}\n")
    build(tmp_path / "b.tsv", tmp_path / "same number", "shuffle")
    joined(tmp_path / "a.tsv", tmp_path / "same number")
    assert "built from as many captions (2), but not from the same ones" in err(capsys)
    (tmp_path / "c.tsv").write_text(f"image\tcaption\n0.png\t{SAID[0]}\n")
    joined(tmp_path / "c.tsv", tmp_path / "same number")
    assert "built from 2 captions; the data contains 1" in err(capsys)


def test_negatives_that_equal_their_caption_where_it_is_cut_are_left_out(tmp_path: Path, capsys) -> None:
    photos(tmp_path, 2)
    url = "https://example.org/" + "a1b2c3d4e5f6g7h8" * 6
    long = f"{url} {url} a red car next to a blue house"
    wrong = [long.replace("red", "green"), long.replace("blue", "white"), "a blue car next to a red house"]
    (tmp_path / "a.tsv").write_text(f"image\tcaption\n0.png\t{long}\n1.png\ta red car\n")
    out = made(tmp_path / "out", [("0.png#0", long, wrong), ("1.png#0", "a red car", ["A RED car", "a blue car"])])
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    assert joined(tmp_path / "a.tsv", out, tokenizer)[1] == [wrong[2:], ["A RED car", "a blue car"]]
    assert "2 equal their caption where the text tower cuts it" in err(capsys)
    assert check_path(tmp_path / "a.tsv")["long_captions"] == 1
    (tmp_path / "b.tsv").write_text("image\tcaption\n0.png\t" + "word " * 75 + "\n1.png\t" + "🙂a" * 40 + "\n")
    assert check_path(tmp_path / "b.tsv")["long_captions"] == 1  # 75 words are 75 tokens and fit; 40 faces do not


@pytest.mark.parametrize(
    ("weighting", "least", "most"), [("plausible", 0.8, 0.95), ("text_only", 0.8, 0.95), ("even", 0.4, 0.6)]
)
def test_plausible_negatives_are_drawn_oftener(tmp_path, weighting, least, most) -> None:
    photos(tmp_path, 1)
    (tmp_path / "a.csv").write_text(f"image,caption\n0.png,{SAID[0]}\n")
    folder = made(tmp_path / "out", [("0.png#0", SAID[0], [])])
    pair = [
        Negative("a blue square", "x", plausibility=1.0, text_only=-0.3),
        Negative("square a blue", "x", plausibility=-8.0, text_only=2.0),
    ]
    write_shard(folder / "negatives-00000.parquet", [("0.png#0", SAID[0], pair)])
    source = open_source(tmp_path / "a.csv")
    found = negatives_of(TrainConfig(negatives=str(folder), negative_weighting=weighting), source)
    assert found is not None
    collator = Collator(source, 0, None, 1, found.of_epoch(0), "first", load_images=False)
    texts = found.of_epoch(0).make([source[0]], [0], 0)[0]
    drawn = [collator._negatives(source[0], 0, epoch, texts)[0] for epoch in range(400)]
    assert least < drawn.count("a blue square") / len(drawn) < most  # 1 : exp(-2)


def test_weights_survive_the_way_to_a_worker_and_what_has_none_is_refused(tmp_path) -> None:
    assert pickle.loads(pickle.dumps(Weighed.of("a dog", 0.25))).weight == 0.25
    photos(tmp_path, 1)
    (tmp_path / "a.csv").write_text(f"image,caption\n0.png,{SAID[0]}\n")
    folder = made(tmp_path / "out", [("0.png#0", SAID[0], ["a cat"])])
    source = open_source(tmp_path / "a.csv")
    with pytest.raises(InputError, match="does not say how plausible"):
        negatives_of(TrainConfig(negatives=str(folder), negative_weighting="plausible"), source)
    with pytest.raises(InputError, match=r"build anew with `compoclip negatives build --text-only`"):
        negatives_of(TrainConfig(negatives=str(folder), negative_weighting="text_only"), source)
    with pytest.raises(InputError, match="give --negatives DIR"):
        negatives_of(TrainConfig(negatives="generate", negative_weighting="plausible"), source)
