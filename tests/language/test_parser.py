"""The parser: what it reads, and what it says when it is not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from compoclip.errors import InputError
from compoclip.language.parser import Parser, shared_parser


def test_one_caption():
    [parsed] = shared_parser().parse(["A man  rides a brown horse."])
    assert parsed.text == "A man rides a brown horse."
    assert parsed.words == ["A", "man", "rides", "a", "brown", "horse", "."]
    assert parsed.spaces == [True, True, True, True, True, False, False]
    assert [parsed.text[s : s + len(w)] for s, w in zip(parsed.starts, parsed.words)] == parsed.words
    assert parsed.tags[1] == "NN"
    assert parsed.deps[4] == "amod"
    assert parsed.heads[4] == 5
    assert parsed.heads[2] == 2  # the root points at itself
    assert parsed.children(5) == [3, 4]


def test_batches_do_not_matter():
    captions = [f"{n} dogs near a {c} bench" for n in ("two", "three") for c in ("red", "blue", "wooden")] + ["", "a"]
    found = list(shared_parser().parse(captions, batch_size=100))
    assert list(shared_parser().parse(captions, batch_size=1)) == found
    assert [next(iter(shared_parser().parse([caption]))) for caption in captions] == found


def test_colours_and_shapes_of_the_built_in_world_are_adjectives_and_nouns():
    captions = ["a pink hexagon sits right of a white square", "an orange house left of a blue hexagon"]
    for parsed in shared_parser().parse(captions):
        tags = dict(zip(parsed.words, parsed.tags))
        for word in {"pink", "white", "orange", "blue"} & set(tags):
            assert tags[word] == "JJ"
        for word in {"hexagon", "square", "house"} & set(tags):
            assert tags[word] == "NN"


def test_a_missing_parser_says_how_to_install_one():
    with pytest.raises(InputError, match="pip install"):
        Parser("en_no_such_model")


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, compoclip.negatives; print([m for m in ('spacy', 'lemminflect', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
