"""How good negatives are by kind, as a reader labelled them: floors for precision and coverage on six styles.

labelled.tsv holds what the rules made of captions.tsv (made by hand), each line read and labelled good, still true,
nonsense, ungrammatical or harmful. A change of the rules that brings other negatives leaves them unlabelled; where they
are too many, read them and add their lines.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest
from tests.script_module import load

from compoclip.negatives import Generator
from compoclip.negatives.judge import Judge

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LABELS = ("good", "still true", "nonsense", "ungrammatical", "harmful")
KNOWN = 0.7  # of what is made now has been read
# kind: percent good of what has been read, captions with one
FLOORS = {
    "swap-nouns": (10, 80),
    "swap-adjectives": (60, 8),
    "swap-noun-phrases": (8, 60),
    "swap-across": (30, 15),
    "replace-nouns": (80, 120),
    "replace-adjectives": (92, 90),
    "replace-relations": (85, 35),
    "replace-verbs": (88, 40),
    "replace-prepositions": (85, 24),
    "attribute-colour": (85, 50),
    "attribute-size": (85, 30),
    "attribute-material": (95, 30),
    "attribute-state": (90, 20),
    "count": (95, 35),
    "negation": (94, 100),
    "absence": (80, 28),
}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def labelled() -> dict[tuple[str, str], str]:
    return {(row["caption"], row["negative"]): row["label"] for row in rows(HERE / "labelled.tsv")}


def test_the_set_is_whole() -> None:
    found = rows(HERE / "labelled.tsv")
    assert len(found) >= 800
    assert {row["label"] for row in found} <= set(LABELS)
    assert len({row["style"] for row in found}) >= 6
    assert not [row for row in found if row["label"] == "harmful"]
    still = Counter(row["kind"] for row in found if row["label"] == "still true")
    made = Counter(row["kind"] for row in found)
    assert all(still[kind] <= 0.03 * made[kind] for kind in made)
    read = {kind for kind, count in made.items() if count >= 20}
    assert read <= set(FLOORS), f"give {', '.join(read - set(FLOORS))} its floors in FLOORS"


def test_the_judge_refuses_nothing_that_is_good_and_lets_no_repeat_pass() -> None:
    by_caption = defaultdict(list)
    for (caption, negative), label in labelled().items():
        by_caption[caption].append((negative, label))
    refused = [
        (caption, negative, gate)
        for caption, negatives in by_caption.items()
        for negative, label in negatives
        if label == "good" and (gate := Judge(caption).refuses(negative))
    ]
    assert len(refused) <= 0.01 * len(labelled()), refused


def test_the_frozen_comparison_is_printed_by_kind_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(ROOT / "benchmarks/negatives_quality.tsv")
    made = Counter((row["kind"], row["source"]) for row in found)
    assert len({kind for kind, _ in made}) == len({source for _, source in made}) == 3
    assert set(made.values()) == {36}
    assert {row["label"] for row in found} <= set(LABELS)
    assert not [row for row in found if row["caption"] == row["negative"]]
    load("benchmarks/negatives.py").labelled(ROOT / "benchmarks/negatives_quality.tsv")
    printed = {line.split("  ")[0]: line.split()[2:] for line in capsys.readouterr().out.splitlines()}
    for kind, source in made:
        good = sum((row["kind"], row["source"], row["label"]) == (kind, source, "good") for row in found)
        assert printed[f"{kind}, {source}"][1] == f"{100 * good / 36:.1f}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLOORS)
def test_precision_and_coverage(kind: str) -> None:
    captions = [row["caption"] for row in rows(HERE / "sets/captions.tsv")]
    generator = Generator([kind], 2 if kind == "replace-nouns" else 1, seed=5)
    made = list(zip(captions, generator.run(captions, [str(i) for i in range(len(captions))])))
    pairs = [(caption, negative.text) for caption, negatives in made for negative in negatives]
    known = [labelled()[pair] for pair in pairs if pair in labelled()]
    good, least = FLOORS[kind]
    assert len(known) >= KNOWN * len(pairs), [pair for pair in pairs if pair not in labelled()][:20]
    assert 100 * known.count("good") >= good * len(known)
    assert sum(bool(negatives) for _, negatives in made) >= least
