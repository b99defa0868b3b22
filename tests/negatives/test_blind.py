"""The blind models find what is to be found and nothing else; balancing takes it away."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest

from compoclip.negatives.balance import balanced, opposite_cells
from compoclip.negatives.blind import TrigramModel, accuracy, blind, features, language_model_margins
from compoclip.negatives.build import build
from compoclip.negatives.inspect import inspect, render
from compoclip.negatives.store import iterate

NOUNS = [f"thing{i}" for i in range(40)]


def pairs(giveaway: str, n: int = 400) -> list[tuple[str, str]]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(n):
        a, b, c = rng.choice(NOUNS, 3, replace=False)
        found.append((f"a {a} near a {b} number {i}", f"a {c} near {giveaway} {b} number {i}"))
    return found


def test_a_giveaway_is_found_and_its_absence_too():
    plain, telling = blind(pairs("a")), blind(pairs("fake"))
    assert telling.classifier > 99
    assert telling.single > 99
    assert telling.language_model > 90
    assert abs(plain.classifier - 50) < 10
    assert abs(plain.single - 50) < 10
    assert plain.n == telling.n == 400


def test_a_caption_is_never_judged_by_a_model_that_has_read_it():
    """Caption and negative are random words: only a model that has read the caption could prefer it."""
    rng = np.random.default_rng(1)
    random = [(" ".join(rng.choice(NOUNS, 6)), " ".join(rng.choice(NOUNS, 6))) for _ in range(400)]
    captions = [caption for caption, _ in random]
    assert abs(accuracy(language_model_margins(random, captions)) - 50) < 10


def test_language_model_by_hand():
    model = TrigramModel(["a b", "a c"])
    # unigrams: a 2, b 1, c 1, </s> 2; discount 0.75; 4 words and the unknown one
    rest = 0.75 * 4 / 6 / 5
    assert model.probability(("a",)) == pytest.approx((2 - 0.75) / 6 + rest)
    assert model.probability(("zzz",)) == pytest.approx(rest)
    b = (1 - 0.75) / 6 + rest
    after_a = (1 - 0.75) / 2 + 0.75 * 2 / 2 * b
    assert model.probability(("a", "b")) == pytest.approx(after_a)
    assert model.probability(("<s>", "a", "b")) == pytest.approx((1 - 0.75) / 2 + 0.75 * 2 / 2 * after_a)
    total = sum(model.probability(("a", word)) for word in ("a", "b", "c", "</s>")) + model.probability(("a", "zzz"))
    assert total == pytest.approx(1.0)
    assert model.score("a b") > model.score("b a")
    assert math.isfinite(model.score("never seen words"))


def test_features_are_hashed_ngrams():
    assert len(features("a b")) == 2 + 3 + 2  # a, b; <s>a, ab, b</s>; <s>ab, ab</s>
    assert np.array_equal(features("A b"), features("a  b"))


def test_opposite_cells_are_made_equal():
    rng = np.random.default_rng(0)
    gaps = rng.normal(0.5, 1.0, (4000, 2))
    kept = opposite_cells(gaps, list(range(4000)), cells=10)
    for column in range(2):
        assert (gaps[kept, column] > 0).mean() == pytest.approx(0.5, abs=1e-9)
    assert 0.3 < kept.mean() < 0.9
    assert not opposite_cells(np.abs(gaps) + 0.1, list(range(4000)), cells=10).any()


def test_balancing_brings_both_models_near_chance():
    rng = np.random.default_rng(3)
    mixed = []
    for i in range(1500):
        a, b, c = rng.choice(NOUNS, 3, replace=False)
        word = "fake" if rng.random() < 0.5 else "a"
        true = "fake" if rng.random() < 0.25 else "a"
        mixed.append((f"{true} {a} near a {b} {i}", f"{word} {c} near a {b} {i}"))
    chosen, report = balanced(mixed, [caption for caption, _ in mixed], "test")
    assert report["blind_before"][0] > 58
    assert max(report["blind_after"]) <= 56
    assert report["after"] == chosen.sum() > 300


def test_a_balanced_build_says_what_it_cost(tmp_path):
    lines = [
        f"a {c} {n} near a {d} {m}"
        for c in ("red", "blue")
        for d in ("big", "old")
        for n in ("dog", "cat", "car", "man")
        for m in ("bus", "tree", "house")
    ]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    manifest = build(tmp_path / "a.txt", tmp_path / "out", "replace-nouns,swap-nouns", per_caption=2, balance=True)
    rows = list(iterate(tmp_path / "out"))
    assert len(rows) == len(lines) == manifest["captions"]
    assert all(len(negatives) <= 2 for *_, negatives in rows)
    assert sum(len(negatives) for *_, negatives in rows) == manifest["negatives"] == sum(manifest["made"].values())
    assert set(manifest["balance"]) == {"replace-nouns", "swap-nouns"}
    assert not (tmp_path / "out" / "unbalanced").exists()
    again = build(tmp_path / "a.txt", tmp_path / "out", "replace-nouns,swap-nouns", 2, balance=True, resume=True)
    assert again == json.loads((tmp_path / "out" / "manifest.json").read_text())


def test_inspect_counts(tmp_path):
    (tmp_path / "a.txt").write_text("a red dog and a blue cat\na man eats an apple\nnothing\n")
    build(tmp_path / "a.txt", tmp_path / "out", "swap-nouns,replace-adjectives", per_caption=3)
    report = inspect(tmp_path / "out")
    assert report["captions"] == 3
    assert report["negatives"] == sum(measured["n"] for measured in report["kinds"].values())
    covered = [caption for _, caption, negatives in iterate(tmp_path / "out") if negatives]
    assert "a red dog and a blue cat" in covered
    assert report["coverage"] == pytest.approx(100 * len(covered) / 3)
    swaps = report["kinds"]["swap-nouns"]
    assert swaps["equal_to_caption"] == swaps["blocked_words"] == swaps["new_article_errors"] == 0
    assert swaps["mean_edited_words"] >= 2
    from rich.console import Console

    console = Console(record=True, width=80, file=io.StringIO())
    console.print(render(report))
    shown = console.export_text()
    table = shown.split("% of captions have")[0]
    assert "…" not in shown
    row = next(line.split() for line in table.splitlines() if line.strip().startswith("swap-nouns"))
    assert row[1] == str(swaps["n"])
    assert len(row) == 9  # the kind in one piece, and eight figures
