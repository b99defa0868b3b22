"""What text alone would score, on rows where the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel
from tests.evaluation.test_scoring import Oracle
from tests.evaluation.test_tasks import JUDGE, crepe

from compoclip.evaluation import evaluate
from compoclip.evaluation.aggregate import SIZES
from compoclip.evaluation.controls import controls, text_only
from compoclip.evaluation.encode import encode
from compoclip.evaluation.images import from_array
from compoclip.evaluation.locations import rows_of
from compoclip.evaluation.scoring import CHOICE, HARD_POSITIVE, IMAGE_CHOICE, TWO_BY_TWO, TWO_TRUE, Grid


def pic(i: int) -> object:
    return from_array(np.array([[[i % 256, i // 256, 0]]], np.uint8), f"picture {i}")


def measured(subset: Grid, model: RandomModel) -> dict[str, float]:
    return controls(subset, encode(model, subset.image_refs(), subset.captions()), str(id(subset)))


def test_a_model_that_looks_is_at_chance_on_other_pictures() -> None:
    rows = [[f"{i} right", f"{(i + 1) % 60} right"] for i in range(60)]
    subset = Grid("s", CHOICE, [[pic(i)] for i in range(60)], rows)
    bank = encode(Oracle(1.0), subset.image_refs(), subset.captions())
    assert dict(subset.grade(bank))["s"].metrics["accuracy"] == 100.0
    found = measured(subset, Oracle(1.0))
    assert found["shuffled"] <= 55.0
    assert found["no_image"] == pytest.approx(50.0, abs=10)


def test_a_model_that_only_reads_is_as_good_on_other_pictures() -> None:
    class Reader(RandomModel):
        def encode_image(self, images, batch_size=64):  # type: ignore[no-untyped-def]
            return np.eye(1, 4).repeat(len(images), 0)

        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            return np.array([[1.0, 0, 0, 0] if t.startswith("good") else [0, 1.0, 0, 0] for t in texts])

    subset = Grid("s", CHOICE, [[pic(i)] for i in range(20)], [[f"good {i}", f"bad {i}"] for i in range(20)])
    found = measured(subset, Reader())
    assert found["shuffled"] == found["no_image"] == 100.0


def test_no_row_keeps_its_own_picture() -> None:
    subset = Grid("s", CHOICE, [[pic(i // 2)] for i in range(6)], [[f"{i // 2} a", f"not {i}"] for i in range(6)])
    assert measured(subset, Oracle(1.0))["shuffled"] == pytest.approx(50.0, abs=50)
    bank = encode(Oracle(1.0), subset.image_refs(), subset.captions())
    seen = []

    class Spy:
        """A bank that notes the pictures it is asked for."""

        def image(self, pictures):  # type: ignore[no-untyped-def]
            seen.append([p.key for p in pictures])
            return bank.image(pictures)

        text, text_index, image_index, images, texts = bank.text, None, None, None, None

    controls(subset, Spy(), "spy")  # type: ignore[arg-type]
    own = [row[0].key for row in subset.images]
    shown = next(keys for keys in seen if keys != own)
    assert all(other != key for key, other in zip(own, shown))


def test_shorter_and_likelier_captions() -> None:
    rows = [["a dog runs", "a dog runs over there"], ["a cat", "a cat"], ["a dog and a cat", "zebra of a"]]
    found = text_only(Grid("s", CHOICE, [[pic(i)] for i in range(3)], rows), "made up")
    assert found["shorter"] == pytest.approx(100 * (1 + 0.5 + 0) / 3)
    assert 0 <= found["language_model"] <= 100
    many = [[f"a dog sees cat {i}", f"cat dog a {i} sees"] for i in range(40)]
    assert text_only(Grid("s", CHOICE, [[pic(i)] for i in range(40)], many), "word order")["language_model"] == 100.0


def test_official_rows_have_the_known_length_bias(shared: Path) -> None:
    known = {"add_att": 99.6, "add_obj": 99.0, "replace_rel": 64.2, "swap_att": 49.2}
    for name, percent in known.items():
        rows = rows_of(shared / "reference" / "annotations" / "sugarcrepe" / f"{name}.json")
        subset = Grid(
            name, CHOICE, [[pic(0)]] * len(rows), [[row["caption"], row["negative_caption"]] for _, row in rows]
        )
        assert text_only(subset, name)["shorter"] == pytest.approx(percent, abs=0.05)
    assert len(rows) == SIZES["swap_att"]


def test_results_hold_controls_and_their_mean(tmp_path: Path) -> None:
    entry = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path))["tasks"]["sugarcrepe"]
    names = {"shorter", "language_model", "no_image", "shuffled"}
    assert set(entry["subsets"]["swap_obj"]["controls"]) == names
    assert entry["controls"]["shorter"] == 0.0  # "good 0" is one letter longer than "bad 0"
    assert entry["controls"]["shuffled"] == pytest.approx(100.0)
    without = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path), controls=False)["tasks"]["sugarcrepe"]
    assert without["controls"] == {}
    assert "controls" not in without["subsets"]["swap_obj"]


def test_one_row_has_no_controls() -> None:
    subset = Grid("s", CHOICE, [[pic(0)]], [["0 a", "not"]])
    assert measured(subset, Oracle(1.0)) == {}


AXES = np.eye(4, dtype=np.float32)


class Known:
    """A bank of hand-made features: pictures by their number, captions by their text."""

    def __init__(self, images: dict[int, list[float]], texts: dict[str, list[float]]) -> None:
        self.by_key = {pic(i).key: np.float32(v) / np.linalg.norm(v) for i, v in images.items()}  # type: ignore[attr-defined]
        self.by_text = {t: np.float32(v) / np.linalg.norm(v) for t, v in texts.items()}

    def image(self, pictures: list) -> np.ndarray:
        return np.stack([self.by_key[p.key] for p in pictures])

    def text(self, captions: list) -> np.ndarray:
        return np.stack([self.by_text[c] for c in captions])


def test_pairs_by_hand() -> None:
    """Two pictures, so that each is shown the other, and the average lies between both."""
    rows = [["red", "a blue one"], ["blue", "red"]]
    bank = Known({0: [1, 0], 1: [0, 1]}, {"red": [1, 0], "a blue one": [0, 1], "blue": [0.6, 0.8]})
    got = controls(Grid("s", CHOICE, [[pic(0)], [pic(1)]], rows), bank, "pairs by hand")  # type: ignore[arg-type]
    # shown the other: row 0 scores red 0, blue one 1: wrong; row 1 scores blue 0.6, red 1: wrong
    assert got["shuffled"] == 0.0
    # shown (1, 1)/sqrt 2: row 0 ties: half; row 1 scores blue 1.4, red 1: right
    assert got["no_image"] == pytest.approx(75.0)
    assert got["shorter"] == pytest.approx(50.0)


def test_two_true_captions_must_both_win_by_hand() -> None:
    triples = [("aa", "bbb", "cccc"), ("aa", "dddddd", "cccc")]
    bank = Known({0: [1, 0], 1: [0, 1]}, {"aa": [1, 0], "bbb": [1, 0.2], "cccc": [0.5, 1], "dddddd": [0, 1]})
    reworded = Grid("s", HARD_POSITIVE, [[pic(0)], [pic(1)]], [(*row, "aa") for row in triples])
    for number, subset in enumerate((Grid("s", TWO_TRUE, [[pic(0)], [pic(1)]], triples), reworded)):
        got = controls(subset, bank, f"triples {number}")  # type: ignore[arg-type]
        assert got["shorter"] == 50.0  # both shorter in row 0; in row 1 one is longer
        # shown the other: row 0 (0, 1): aa 0 below cccc; row 1 (1, 0): aa 1, dddddd 0 below cccc 0.45
        assert got["shuffled"] == 0.0
        # shown (1, 1)/sqrt 2: cccc 0.95 is above aa 0.71 in both rows
        assert got["no_image"] == 0.0


def test_ties_of_two_true_captions_count_as_a_random_pick_would() -> None:
    """All three of one length: a third; one true caption as long as the false one and the other shorter: a half."""
    bank = Known({0: [1, 0], 1: [0, 1]}, {t: [1, 0] for t in ("aaa", "bbb", "ccc", "d")})
    subset = Grid("s", TWO_TRUE, [[pic(0)], [pic(1)]], [("aaa", "bbb", "ccc"), ("aaa", "d", "ccc")])
    got = controls(subset, bank, "ties of triples")  # type: ignore[arg-type]
    assert got["shorter"] == pytest.approx(100 * (1 / 3 + 1 / 2) / 2)
    assert got["shuffled"] == pytest.approx(100 / 3)


def test_choosing_images_without_reading_by_hand() -> None:
    """Three captions; the first picture of rows 0 and 1 suits any caption best, so that reading is not needed."""
    texts = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}
    bank = Known({0: [1, 1, 1], 1: [1, 0, 0], 2: [0, 1, 0], 3: [0, 0, 1]}, texts)
    rows = [(pic(0), pic(1)), (pic(0), pic(2)), (pic(3), pic(0))]
    got = controls(Grid("s", IMAGE_CHOICE, rows, [["x"], ["y"], ["z"]]), bank, "images by hand")  # type: ignore[arg-type]
    # mean caption (1, 1, 1)/sqrt 3: picture 0 scores 1, all others 0.58
    assert got["no_caption"] == pytest.approx(200 / 3)
    assert got["other_caption"] == pytest.approx(200 / 3)  # 0.58 for picture 0, nothing for the one that fits
    assert set(got) == {"no_caption", "other_caption"}


def test_squares_are_shown_another_rows_pictures_by_hand() -> None:
    texts = {"c0": [1, 0, 0, 0], "c1": [0, 1, 0, 0], "d0": [0, 0, 1, 0], "d1": [0, 0, 0, 1]}
    bank = Known({i: AXES[i].tolist() for i in range(4)}, texts)
    subset = Grid("s", TWO_BY_TWO, [(pic(0), pic(1)), (pic(2), pic(3))], [("c0", "c1"), ("d0", "d1")])
    assert subset.grade(bank)[0][1].metrics["group"] == 100.0  # type: ignore[arg-type]
    assert controls(subset, bank, "squares") == {"shuffled": 0.0}  # type: ignore[arg-type]


def test_every_composition_task_has_controls(tmp_path: Path) -> None:
    """Over the made benchmarks: each composition subset of two rows or more stands beside a control."""
    from tests.evaluation.made import MAKERS, Made

    for task in ("sugarcrepe_pp", "svo_probes", "winoground", "spec", "hard_positives"):
        made = Made(tmp_path / task, rows=4)
        MAKERS[task](made)
        entry = evaluate(RandomModel(), task, made.root)["tasks"][task]
        assert all(subset["controls"] for subset in entry["subsets"].values()), task
        assert task == "spec" or entry["controls"]
        for subset in entry["subsets"].values():
            assert all(0 <= value <= 100 for value in subset["controls"].values())
