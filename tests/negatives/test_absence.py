"""Denied things: what another caption shows or the caption names, with a twin that denies what nobody tells of."""

from __future__ import annotations

import pickle
from pathlib import Path

from PIL import Image

from compoclip.data.extras import Twinned
from compoclip.data.loader import BatchStream
from compoclip.data.sources import open_source
from compoclip.negatives import generate
from compoclip.negatives.build import build
from compoclip.negatives.judge import Judge
from compoclip.negatives.store import iterate
from compoclip.training.negatives import BuiltNegatives, FreshNegatives

CAPTION = "A boy jumps on the colored pillows ."
OTHERS = ["a child on a couch with a dog", "the boy plays near the couch"]


def test_what_another_caption_tells_of_is_denied_and_the_twin_denies_what_none_tells_of() -> None:
    told, twins = set(), set()
    for seed in range(20):
        for negative in generate([CAPTION], ["absence"], 3, seed, others=[OTHERS])[0]:
            assert negative.twin is not None
            head, thing = negative.text.removesuffix(" .").split(" with no ")
            assert f"{head} ." == CAPTION
            told.add(thing)
            same, other = negative.twin.removesuffix(" .").split(" with no ")
            assert same == head
            twins.add(other)
            assert negative.edits[0].new == f"with no {thing}"
            assert Judge(CAPTION, OTHERS).refuses(negative.text, negative.edits) is None
    assert told == {"couch", "dog"}
    assert len(twins) > 3
    assert twins.isdisjoint({"couch", "dog", "sofa", "puppy", "pillow", "boy", "child"})


def test_nothing_is_denied_where_a_caption_of_the_image_denies_already() -> None:
    assert generate([CAPTION], ["absence"], 3, 0, others=[["a couch with no dog"]]) == [[]]


def test_a_name_is_denied_in_a_shorter_text_without_contradiction() -> None:
    (made,) = generate(["A brown dog catches a frisbee in the air."], ["absence"], 1)
    assert made[0].text == "a brown dog with no frisbee"
    assert made[0].twin is not None
    assert made[0].twin.startswith("a brown dog with no ")
    assert made[0].twin != made[0].text


def test_a_twin_goes_through_build_and_training(tmp_path: Path) -> None:
    table = tmp_path / "captions.tsv"
    rows = [("a.jpg", CAPTION), ("a.jpg", OTHERS[0]), ("b.jpg", "A dog catches a frisbee ."), ("c.jpg", "wow")]
    table.write_text("filename\ttitle\n" + "".join(f"{name}\t{text}\n" for name, text in rows))
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    build(table, tmp_path / "built", ["absence"], 1, vocabulary="everyday")
    kept = {caption: negatives for _, caption, negatives in iterate(tmp_path / "built")}
    assert [len(kept[text]) for _, text in rows] == [1, 1, 1, 0]
    assert all(n.twin and n.twin != n.text for row in kept.values() for n in row)
    source = open_source(table)
    for negatives in (BuiltNegatives([tmp_path / "built"], ()), FreshNegatives(["absence"], 1, 0, source)):
        stream = BatchStream(source, 3, 0, None, 1, negatives.of_epoch(0), caption="first")
        (batch,) = stream.epoch(0)
        at = dict(zip(batch.image_ids, range(3)))
        b, c = (next(i for name, i in at.items() if name.startswith(letter)) for letter in "bc")
        (made,) = kept["A dog catches a frisbee ."]
        assert batch.negatives[b] == [made.text]
        assert batch.captions[b] == made.twin  # in the caption's place, so that "no" tells nothing
        assert (batch.captions[c], batch.negatives[c]) == ("wow", [])


def test_twins_travel_to_other_processes() -> None:
    again = pickle.loads(pickle.dumps(Twinned("a dog with no cat", "a dog with no bus")))
    assert (again, again.twin) == ("a dog with no cat", "a dog with no bus")
