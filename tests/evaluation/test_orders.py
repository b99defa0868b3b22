"""ARO's word-order candidates: what may move, what stays, and that nothing but seed and caption matters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write

from compoclip.errors import InputError
from compoclip.evaluation import evaluate, orders

WORDS = ["A", "small", "dog", "chases", "two", "big", "cats", "near", "the", "old", "red", "house", "."]
TAGS = ["DT", "JJ", "NN", "VBZ", "CD", "JJ", "NNS", "IN", "DT", "JJ", "JJ", "NN", "."]


def test_cleaning_is_as_specified() -> None:
    assert (
        orders.clean('A "Dog", it\'s  (very) *big*: yes; #1 ~ no! well-known.')
        == "a dog , it's very big yes 1 no well-known"
    )
    assert len(orders.clean(" ".join(["word"] * 50)).split()) == 30


@pytest.mark.parametrize("seed", range(5))
def test_each_way_moves_only_what_it_may(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nouns = [i for i, t in enumerate(TAGS) if t in orders.NOUNS]
    adjectives = [i for i, t in enumerate(TAGS) if t in orders.ADJECTIVES]
    first = orders.shuffle_nouns_and_adjectives((WORDS, TAGS), rng).split()
    assert [w for i, w in enumerate(first) if i not in nouns + adjectives] == [
        w for i, w in enumerate(WORDS) if i not in nouns + adjectives
    ]
    assert Counter(first[i] for i in nouns) == Counter(WORDS[i] for i in nouns)
    second = orders.shuffle_all_others((WORDS, TAGS), rng).split()
    assert [second[i] for i in nouns + adjectives] == [WORDS[i] for i in nouns + adjectives]
    within = orders.shuffle_within_trigrams(WORDS, rng).split()
    assert all(Counter(within[i : i + 3]) == Counter(WORDS[i : i + 3]) for i in range(0, len(WORDS), 3))
    trigrams = [" ".join(WORDS[i : i + 3]) for i in range(0, len(WORDS), 3)]
    moved = orders.shuffle_trigrams(WORDS, rng)
    assert all(part in moved for part in trigrams)
    for text in (first, second, within, moved.split()):
        assert Counter(text) == Counter(WORDS)


@pytest.mark.parametrize(
    ("caption", "words"),
    [  # what NLTK 3.9's word_tokenize gives
        ("A man's well-known dog, it isn't \"big\".", "A man 's well-known dog , it is n't `` big '' ."),
        ("Two people can't ride; they're here.", "Two people ca n't ride ; they 're here ."),
        ("A woman in a 1950's dress: red/blue.", "A woman in a 1950 's dress : red/blue ."),
        ("The dogs' bowls are $5.00 each!", "The dogs ' bowls are $ 5.00 each !"),
        ("A cat -- a 'grey' one -- sits.", "A cat -- a ' grey ' one -- sits ."),
        ("wow!! a 10,000 people crowd, two-way... cannot", "wow ! ! a 10,000 people crowd , two-way ... can not"),
        ("A dog. A cat near Mr. Smith.", "A dog . A cat near Mr. Smith ."),
    ],
)
def test_trigrams_are_of_the_official_tokenizers_words(caption: str, words: str) -> None:
    assert orders.treebank_words(caption) == words.split()
    tagged = (["the", "parser's", "words"], ["DT", "NN", "NNS"])
    got = orders.candidates(caption, tagged)
    for text in got[3:]:  # the same words, in another order, cleaned as all candidates are
        assert Counter(text.split()) == Counter(orders.clean(words).split())


def test_candidates_depend_on_seed_and_caption_alone() -> None:
    caption = " ".join(WORDS)
    one = orders.candidates(caption, (WORDS, TAGS))
    assert one == orders.candidates(caption, (WORDS, TAGS))
    assert one != orders.candidates(caption, (WORDS, TAGS), seed=2)
    assert len(one) == 5
    assert one[0] == "a small dog chases two big cats near the old red house"
    assert all("." not in c for c in one)


def test_a_frozen_file_is_what_the_task_reads(tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    split = [{"image": "val2014/0.jpg", "caption": ["A dog chases a cat.", "Two birds on the old roof"]}]
    path = write(tmp_path / "coco_karpathy_test.json", split)
    out = tmp_path / "aro" / "coco_order.jsonl"
    assert orders.freeze(path, out) == 2
    first = out.read_text()
    orders.freeze(path, out)
    assert out.read_text() == first
    write(tmp_path / "val2014" / "0.jpg", png(picture(0)))
    found = evaluate(RandomModel(), "aro", tmp_path, controls=False)["tasks"]["aro"]["subsets"]["COCO_Order"]
    assert (found["n"], found["chance"]) == (2, 20.0)


def test_a_row_without_caption_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 0 needs image, and caption"):
        orders.freeze(write(tmp_path / "x.json", [{"image": "a.jpg"}]), tmp_path / "out.jsonl")
