"""Each form of question: an oracle gets 100, an anti-oracle 0, a random model its chance, a slow loop the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, unit

from compoclip.data.images import PixelImage
from compoclip.errors import InputError
from compoclip.evaluation import scoring
from compoclip.evaluation.controls import text_only
from compoclip.evaluation.encode import encode
from compoclip.evaluation.images import ImageRef, from_array
from compoclip.evaluation.scoring import CHOICE, IMAGE_CHOICE, TWO_BY_TWO, TWO_TRUE, Grid, Retrieval, ZeroShot


def pic(i: int) -> ImageRef:
    return from_array(np.array([[[i % 256, i // 256, 0]]], np.uint8), f"picture {i}")


class Oracle(RandomModel):
    """Image i is the i-th axis; a caption "i ..." points along that axis times `sign`, a caption "not ..." nowhere."""

    def __init__(self, sign: float, width: int = 64) -> None:
        super().__init__(width)
        self.sign = sign

    def encode_image(self, images: list[Any], batch_size: int = 64) -> np.ndarray:
        out = np.zeros((len(images), self.width + 1))
        for row, image in enumerate(images):
            red, green, _ = image.getpixel((0, 0))
            out[row, red + 256 * green] = 1
        return unit(out)

    def encode_text(self, texts: list[str], batch_size: int = 64) -> np.ndarray:
        out = np.full((len(texts), self.width + 1), 0.0)
        for row, text in enumerate(texts):
            word = text.split()[0]
            out[row, self.width] = 1e-3
            if word.isdigit():
                out[row, int(word)] = self.sign
        return unit(out)


N = 60


def make(form: str) -> scoring.Subset:
    images = [pic(i) for i in range(N)]
    rng = np.random.default_rng(0)
    other = [(i + 1 + int(rng.integers(0, N - 1))) % N for i in range(N)]
    single, both = [[image] for image in images], [(pic(i), pic(other[i])) for i in range(N)]
    if form == "pair":
        return Grid("s", CHOICE, single, [[f"{i} yes", f"not {i}"] for i in range(N)])
    if form == "choice":
        return Grid("s", CHOICE, single, [[f"{i} yes", *[f"not {i} {k}" for k in range(4)]] for i in range(N)])
    if form == "images":
        return Grid("s", IMAGE_CHOICE, both, [[f"{i} yes"] for i in range(N)])
    if form == "2x2":
        return Grid("s", TWO_BY_TWO, both, [(f"{i} a", f"{other[i]} b") for i in range(N)])
    if form == "equivalence":
        return Grid("s", TWO_TRUE, single, [(f"{i} a", f"{i} b", f"not {i}") for i in range(N)])
    if form == "retrieval":
        return Retrieval("s", images, [[f"{i} caption {k}" for k in range(1 + i % 6)] for i in range(N)])
    names = [f"{i} name" for i in range(6)]
    few = [pic(i % 6) for i in range(N)]
    return ZeroShot("s", few, np.arange(N) % 6, names, ["{}", "{} again"])


FORMS = ["pair", "choice", "images", "2x2", "equivalence", "retrieval", "zeroshot"]


def run(subset: scoring.Subset, model: Any) -> dict[str, scoring.Outcome]:
    return dict(subset.grade(encode(model, subset.image_refs(), subset.captions())))


@pytest.mark.parametrize("form", FORMS)
def test_oracle_and_anti_oracle(form: str) -> None:
    for sign, want in ((1.0, 100.0), (-1.0, 0.0)):
        for outcome in run(make(form), Oracle(sign)).values():
            assert outcome.metrics["accuracy"] == want
            assert outcome.metrics["missing"] == 0
            assert len(outcome.hits) == outcome.metrics["n"] == len(outcome.rows)


def test_chance_lies_within_the_interval_of_random_features() -> None:
    rng = np.random.default_rng(1)
    n = 3000
    images = [from_array(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8), f"p{i}") for i in range(2 * n)]
    single, both = [[image] for image in images[:n]], list(zip(images[:n], images[n:]))
    subsets: list[scoring.Subset] = [
        Grid("pair", CHOICE, single, [[f"t{i}", f"f{i}"] for i in range(n)]),
        Grid("five", CHOICE, single, [[f"c{i} {k}" for k in range(5)] for i in range(n)]),
        Grid("images", IMAGE_CHOICE, both, [[f"x{i}"] for i in range(n)]),
        Grid("text", TWO_BY_TWO.led_by("text"), both, [(f"a{i}", f"b{i}") for i in range(n)]),
        Grid("image", TWO_BY_TWO.led_by("image"), both, [(f"c{i}", f"d{i}") for i in range(n)]),
        Grid("group", TWO_BY_TWO, both, [(f"e{i}", f"g{i}") for i in range(n)]),
        Grid("three", TWO_TRUE, single, [(f"h{i}", f"j{i}", f"k{i}") for i in range(n)]),
        ZeroShot("zero", images[:n], rng.integers(0, 10, n), [f"class {k}" for k in range(10)], ["a {}"]),
    ]
    for subset in subsets:
        for name, outcome in run(subset, RandomModel(128)).items():
            m = outcome.metrics
            slack = 0.5 * (m["ci95"][1] - m["ci95"][0])
            assert m["ci95"][0] - slack <= m["chance"] <= m["ci95"][1] + slack, (name, m)


def test_choice_with_ragged_rows_and_duplicates_equals_a_loop() -> None:
    rng = np.random.default_rng(2)
    model = RandomModel(8)
    images = [pic(int(i)) for i in rng.integers(0, 10, 80)]
    candidates = [[f"t{int(k)}" for k in rng.integers(0, 12, rng.integers(2, 6))] for _ in range(80)]
    got = run(Grid("s", CHOICE, [[image] for image in images], candidates, missing=7), model)["s"]
    for i, (image, row) in enumerate(zip(images, candidates)):
        v = model.encode_image([image.load()])[0].astype(np.float64)
        s = [float(v @ model.encode_text([t])[0].astype(np.float64)) for t in row]
        tied = row[0] in row[1:] and s[0] >= max(s) - 1e-9
        assert got.hits[i] == float(all(s[0] > x for t, x in zip(row[1:], s[1:])) and row[0] not in row[1:])
        assert got.rows[i]["tied"] == tied
        np.testing.assert_allclose(got.rows[i]["scores"], s, atol=1e-6)
    assert got.metrics["missing"] == 7
    assert got.metrics["ties"] > 0


def test_choice_by_groups_is_a_mean_over_groups() -> None:
    subset = Grid(
        "s", CHOICE, [[pic(i)] for i in range(6)], [["0 y", "not"], *[[f"{i} y", f"not {i}"] for i in range(1, 6)]]
    )
    subset.texts = [[row[1], row[0]] if i in (1, 2) else row for i, row in enumerate(subset.texts)]
    subset.groups = ["a", "b", "b", "b", "c", "c"]
    metrics = run(subset, Oracle(1.0))["s"].metrics
    assert metrics["pooled"] == pytest.approx(100 * 4 / 6)
    assert metrics["accuracy"] == pytest.approx(100 * (1 + 1 / 3 + 1) / 3)


def test_retrieval_with_six_captions_and_shared_text_equals_a_loop() -> None:
    rng = np.random.default_rng(3)
    model = RandomModel(6)
    images = [pic(i) for i in range(30)]
    texts = [[f"c{int(k)}" for k in rng.integers(0, 90, 6 if i % 3 == 0 else 2)] for i in range(30)]
    got = run(Retrieval("s", images, texts), model)
    flat = [(i, t) for i, row in enumerate(texts) for t in row]
    v = model.encode_image([p.load() for p in images]).astype(np.float64)
    w = {t: model.encode_text([t])[0].astype(np.float64) for _, t in flat}
    score = np.array([[round(float(v[i] @ w[t]), 9) for _, t in flat] for i in range(30)])
    for i in range(30):
        best = max(score[i, j] for j, (o, _) in enumerate(flat) if o == i)
        rank = 1 + sum(1 for j, (o, _) in enumerate(flat) if o != i and score[i, j] >= best)
        assert got["s/i2t"].rows[i]["rank"] == rank
    for j, (owner, _) in enumerate(flat):
        rank = 1 + sum(1 for i in range(30) if i != owner and score[i, j] >= score[owner, j])
        assert got["s/t2i"].rows[j]["rank"] == rank
    ranks = [r["rank"] for r in got["s/i2t"].rows]
    assert got["s/i2t"].metrics["R@5"] == pytest.approx(100 * np.mean([r <= 5 for r in ranks]))


def test_copies_of_a_photo_and_of_a_caption_tie_to_the_last_bit() -> None:
    """402 photos in pairs of equal features under other names, and captions in threes: equal columns of a product of
    matrices differ in their last bit, so a tie must not be left to it."""

    class Twins(RandomModel):
        def encode_image(self, images, batch_size=64):  # type: ignore[no-untyped-def]
            places = [x.getpixel((0, 0)) for x in images]
            return super().encode_text([f"photo {(red + 256 * green) % 201}" for red, green, _ in places])

        def encode_text(self, texts, batch_size=64):  # type: ignore[no-untyped-def]
            return super().encode_text([f"text {int(t.split()[1]) % 134}" for t in texts])

    got = run(Retrieval("s", [pic(i) for i in range(402)], [[f"c {i}"] for i in range(402)]), Twins(37))
    assert got["s/t2i"].metrics["ties"] == 402
    assert got["s/i2t"].metrics["ties"] == 402
    assert min(row["rank"] for row in got["s/t2i"].rows) >= 2
    assert min(row["rank"] for row in got["s/i2t"].rows) >= 3


def test_retrieval_chance_is_that_of_a_random_order() -> None:
    subset = Retrieval("s", [pic(i) for i in range(4)], [["a"], ["b", "c"], ["d"], ["e", "f", "g"]])
    got = run(subset, RandomModel())
    assert got["s/i2t"].metrics["chance"] == pytest.approx(100 * np.mean([1, 2, 1, 3]) / 7)
    assert got["s/t2i"].metrics["chance"] == 25.0


def test_an_image_without_a_caption_is_named() -> None:
    with pytest.raises(InputError, match="picture 1: no caption"):
        Retrieval("s", [pic(0), pic(1)], [["a"], []])


@pytest.mark.parametrize(
    ("names", "templates", "labels", "metric", "says"),
    [
        (["a", "a"], ["{}"], [0, 1], "accuracy", "'a' occurs twice"),
        (["a", "b"], ["a photo"], [0, 1], "accuracy", "must contain"),
        (["a", "b"], [], [0, 1], "accuracy", "no template"),
        (["a", "b"], ["{}"], [0, 2], "accuracy", "label 2 is outside"),
        (["a", "b"], ["{}"], [0, 1], "f1", "metric 'f1' is unknown"),
    ],
)
def test_bad_zero_shot_sets_are_refused(names: Any, templates: Any, labels: Any, metric: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        ZeroShot("s", [pic(0), pic(1)], np.array(labels), names, templates, metric)


def test_zero_shot_headline_metrics() -> None:
    labels = np.array([0, 0, 0, 1])
    images = [pic(0), pic(0), pic(1), pic(1)]
    macro = run(ZeroShot("s", images, labels, ["0 x", "1 x"], ["{}"], "mean_per_class"), Oracle(1.0))["s"].metrics
    assert macro["accuracy"] == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert macro["top1"] == 75.0
    auc = run(ZeroShot("s", images, labels, ["0 x", "1 x"], ["{}"], "roc_auc"), Oracle(1.0))["s"].metrics
    assert auc["accuracy"] == pytest.approx(100 * (2 + 0.5) / 3)  # one of three negatives ties with the positive


def test_rows_are_identified_and_controlled_without_the_place_they_lie_in() -> None:
    """In a folder, and in an archive with and without folders: one identity, and the same figure of the text alone."""
    found = []
    for place in ("/there/", "/here/images.tar:val/", "/here/val2017.tar:", "/here/images.zip:", "relative/"):
        names = [f"{place}{i:03}.jpg" for i in range(40)]
        images = [[PixelImage(np.full((2, 2, 3), i, np.uint8), n, known_as=n)] for i, n in enumerate(names)]
        texts = [[f"a dog sees cat {i}", f"cat {i % 7} sees a dog"] for i in range(40)]
        subset = Grid("s", CHOICE, images, texts)
        found.append((subset.identity(), text_only(subset, place)["language_model"]))
    assert len(set(found)) == 1
    other = Grid("s", CHOICE, subset.images, [[a, b + " too"] for a, b in subset.texts])
    assert other.identity() != subset.identity()


def test_facets_sets_and_ranks_equal_a_loop() -> None:
    """Six candidates a row; rows of one key are right together; a facet divides the rows; R@k of the true caption."""
    rng = np.random.default_rng(4)
    model, n = RandomModel(8), 90
    texts = [[f"t{i} {k}" for k in range(6)] for i in range(n)]
    keys = [f"set {i % 40}" for i in range(n)]
    kinds = [("a", "b", "c")[int(k)] for k in rng.integers(0, 3, n)]
    grid = Grid(
        "s", CHOICE, [[pic(i)] for i in range(n)], texts, facets={"kind": kinds}, sets={"set": (2, keys)}, ks=(1, 3, 5)
    )
    got = run(grid, model)["s"]
    ranks = []
    for i in range(n):
        v = model.encode_image([pic(i).load()])[0]
        own = [float(v @ w) for w in model.encode_text(texts[i])]
        ranks.append(1 + sum(s > own[0] for s in own[1:]))
    assert got.hits.tolist() == [float(r == 1) for r in ranks]
    for k in (1, 3, 5):
        assert got.metrics[f"R@{k}"] == pytest.approx(100 * np.mean([r <= k for r in ranks]))
    together = {key: all(r == 1 for r, o in zip(ranks, keys) if o == key) for key in keys if keys.count(key) >= 2}
    assert len(together) == 40
    assert got.metrics["set"] == pytest.approx(100 * np.mean(list(together.values())))
    for kind in "abc":
        own_ranks = [r for r, k in zip(ranks, kinds) if k == kind]
        assert got.metrics["by"]["kind"][kind]["n"] == len(own_ranks)
        assert got.metrics["by"]["kind"][kind]["accuracy"] == pytest.approx(100 * np.mean([r == 1 for r in own_ranks]))
