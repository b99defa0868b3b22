"""What text alone would score, on rows where the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel
from tests.evaluation.test_forms import Oracle
from tests.evaluation.test_tasks import JUDGE, crepe

from compoclip.evaluation import evaluate
from compoclip.evaluation.aggregate import SIZES
from compoclip.evaluation.controls import controls, text_only
from compoclip.evaluation.encode import encode
from compoclip.evaluation.forms import Choice
from compoclip.evaluation.pictures import from_array
from compoclip.evaluation.tasks.sugarcrepe import read_rows


def pic(i: int) -> object:
    return from_array(np.array([[[i % 256, i // 256, 0]]], np.uint8), f"picture {i}")


def measured(subset: Choice, model: RandomModel) -> dict[str, float]:
    return controls(subset, encode(model, subset.pictures(), subset.captions()), str(id(subset)))


def test_a_model_that_looks_is_at_chance_on_other_pictures() -> None:
    rows = [[f"{i} right", f"{(i + 1) % 60} right"] for i in range(60)]
    subset = Choice("s", [pic(i) for i in range(60)], rows)
    bank = encode(Oracle(1.0), subset.pictures(), subset.captions())
    assert dict(subset.grade(bank))["s"].metrics["accuracy"] == 100.0
    found = measured(subset, Oracle(1.0))
    assert found["shuffled"] <= 55.0
    assert found["no_picture"] == pytest.approx(50.0, abs=10)


def test_a_model_that_only_reads_is_as_good_on_other_pictures() -> None:
    class Reader(RandomModel):
        def encode_image(self, images, batch_size=64):  # type: ignore[no-untyped-def]
            return np.eye(1, 4).repeat(len(images), 0)

        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            return np.array([[1.0, 0, 0, 0] if t.startswith("good") else [0, 1.0, 0, 0] for t in texts])

    subset = Choice("s", [pic(i) for i in range(20)], [[f"good {i}", f"bad {i}"] for i in range(20)])
    found = measured(subset, Reader())
    assert found["shuffled"] == found["no_picture"] == 100.0


def test_no_row_keeps_its_own_picture() -> None:
    subset = Choice("s", [pic(i // 2) for i in range(6)], [[f"{i // 2} a", f"not {i}"] for i in range(6)])
    assert measured(subset, Oracle(1.0))["shuffled"] == pytest.approx(50.0, abs=50)
    bank = encode(Oracle(1.0), subset.pictures(), subset.captions())
    seen = []

    class Spy(Choice):
        def scores(self, encoded, images=None):  # type: ignore[no-untyped-def]
            seen.append(images)
            return super().scores(encoded, images)

    controls(Spy("s", subset.images, subset.candidates), bank, "spy")
    own = bank.image(subset.images)
    assert not (seen[1] == own).all(axis=1).any()


def test_shorter_and_likelier_captions() -> None:
    rows = [["a dog runs", "a dog runs over there"], ["a cat", "a cat"], ["a dog and a cat", "zebra of a"]]
    found = text_only(Choice("s", [pic(i) for i in range(3)], rows), "made up")
    assert found["shorter"] == pytest.approx(100 * (1 + 0.5 + 0) / 3)
    assert 0 <= found["language_model"] <= 100
    many = [[f"a dog sees cat {i}", f"cat dog a {i} sees"] for i in range(40)]
    assert text_only(Choice("s", [pic(i) for i in range(40)], many), "word order")["language_model"] == 100.0


def test_official_rows_have_the_known_length_bias(shared: Path) -> None:
    known = {"add_att": 99.6, "add_obj": 99.0, "replace_rel": 64.2, "swap_att": 49.2}
    for name, percent in known.items():
        rows = read_rows(shared / "reference" / "annotations" / "sugarcrepe" / f"{name}.json")
        subset = Choice(name, [pic(0)] * len(rows), [[t, f] for _, t, f in rows])
        assert text_only(subset, name)["shorter"] == pytest.approx(percent, abs=0.05)
    assert len(rows) == SIZES["swap_att"]


def test_results_hold_controls_and_their_mean(tmp_path: Path) -> None:
    entry = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path))["tasks"]["sugarcrepe"]
    names = {"shorter", "language_model", "no_picture", "shuffled"}
    assert set(entry["subsets"]["swap_obj"]["controls"]) == names
    assert entry["controls"]["shorter"] == 0.0  # "good 0" is one letter longer than "bad 0"
    assert entry["controls"]["shuffled"] == pytest.approx(100.0)
    without = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path), controls=False)["tasks"]["sugarcrepe"]
    assert without["controls"] == {}
    assert "controls" not in without["subsets"]["swap_obj"]


def test_one_row_has_no_controls() -> None:
    subset = Choice("s", [pic(0)], [["0 a", "not"]])
    assert measured(subset, Oracle(1.0)) == {}
