"""Measuring and balancing what does not fit in memory: samples by hash, parts of a build, shard after shard."""

from __future__ import annotations

import hashlib
import random

import pytest

from compoclip.negatives import balance
from compoclip.negatives.build import build
from compoclip.negatives.inspect import inspect
from compoclip.negatives.sample import BottomKSample
from compoclip.negatives.store import iterate


@pytest.mark.parametrize("size", [0, 1, 7, 99, 100, 150])
def test_a_sample_is_the_smallest_hashes_in_any_order(size):
    keys = [f"caption {number}" for number in range(100)]
    wanted = sorted(keys, key=lambda key: hashlib.blake2b(key.encode(), digest_size=8).digest())[:size]
    for seed in range(3):
        random.Random(seed).shuffle(keys)
        sample: BottomKSample[str] = BottomKSample(size)
        for key in keys:
            sample.offer(key, key.upper())
            assert len(sample._kept) <= 2 * size + 1
        assert sample.items() == sample.items() == [key.upper() for key in wanted]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_text(
        "\n".join(
            f"a {c} {n} near a {d} {m}"
            for c in ("red", "blue")
            for d in ("big", "old")
            for n in ("dog", "cat", "car", "man")
            for m in ("bus", "tree", "house")
        )
    )
    return path


def test_inspection_does_not_depend_on_shards(lines, tmp_path):
    build(lines, tmp_path / "one", "replace-nouns,shuffle", 3)
    build(lines, tmp_path / "many", "replace-nouns,shuffle", 3, shard_size=5)
    one, many = inspect(tmp_path / "one", blind_limit=50), inspect(tmp_path / "many", blind_limit=50)
    assert one | {"folder": ""} == many | {"folder": ""}
    rows = list(iterate(tmp_path / "one"))
    for kind, found in one["kinds"].items():
        pairs = [(caption, n.text) for _, caption, negatives in rows for n in negatives if n.kind == kind]
        assert found["n"] == len(pairs)
        assert found["length_gap"] == round(sum(len(b) - len(a) for a, b in pairs) / len(pairs), 2)
        assert found["coverage"] == 100 * sum(any(n.kind == kind for n in ns) for *_, ns in rows) / len(rows)
        assert all(tuple(pair) in pairs for pair in found["samples"])


def test_a_large_set_is_balanced_in_parts(lines, tmp_path, monkeypatch):
    """Each part alone gives what it gives within the whole, and the counts are those of all parts."""
    monkeypatch.setattr(balance, "PART", 20)
    learned = []
    margins = balance.classifier_margins
    monkeypatch.setattr(balance, "classifier_margins", lambda pairs, most: learned.append(len(pairs)) or margins(pairs))
    manifest = build(lines, tmp_path / "out", "replace-nouns,shuffle", 2, balance=True, shard_size=7)
    rows = list(iterate(tmp_path / "out"))
    assert [caption for _, caption, _ in rows] == lines.read_text().splitlines()
    assert manifest["captions"] == len(rows) == 48
    assert manifest["negatives"] == sum(len(negatives) for *_, negatives in rows) == sum(manifest["made"].values())
    assert max(learned) <= 16 * 8  # three parts of 16 captions with eight negatives each
    monkeypatch.undo()
    build(lines, tmp_path / "whole", "replace-nouns,shuffle", 8, shard_size=48)
    made = list(iterate(tmp_path / "whole"))
    by_hand = {"before": {}, "after": {}}
    for start in (0, 16, 32):
        part = made[start : start + 16]
        for kind in ("replace-nouns", "shuffle"):
            pairs = [(caption, n.text) for _, caption, negatives in part for n in negatives if n.kind == kind]
            chosen, report = balance.balanced(pairs, sorted({caption for _, caption, _ in part}), kind)
            for when in by_hand:
                by_hand[when][kind] = by_hand[when].get(kind, 0) + report[when]
            kept = {pair for pair, good in zip(pairs, chosen) if good}
            for _, caption, negatives in rows[start : start + 16]:
                assert {(caption, n.text) for n in negatives if n.kind == kind} <= kept
    for when, counts in by_hand.items():
        assert {kind: cost[when] for kind, cost in manifest["balance"].items()} == counts
    assert {cost["parts"] for cost in manifest["balance"].values()} == {3}
