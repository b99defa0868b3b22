"""ARO's word-order candidates, made from captions with a seed and frozen to a file.

The official script draws them anew with the library versions of the day, so that results move by half a point. Here
they depend on the seed and the caption alone, and the file is what `aro` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from compoclip.errors import InputError
from compoclip.io import read_json, write_text

NOUNS = frozenset({"NN", "NNS", "NNP", "NNPS"})
ADJECTIVES = frozenset({"JJ", "JJR", "JJS"})
MOST_WORDS = 30
_DROPPED = re.compile(r'[.!"()*#:;~]')
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b(?:Mr|Dr|St|Ms|Jr)\.)(?<!\bMrs\.)(?<!\b[A-Z]\.)\s+(?=[\"'(]?[A-Z])")
_CUTS = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r'(?<=[\s(\[{<])"', " `` "),
        (r'"', " '' "),
        (r"(\.{2,}|--|[;@#$%&?!()\[\]{}<>])", r" \1 "),
        (r"([:,])(?!\d)", r" \1 "),  # 10,000 and 3:15 stay whole
        (r"(?<!\.)\.(?=[\s)\]}>']*$)", " . "),
        (r"(?<=\s)'(?=\w)(?!(?:s|m|d|ll|re|ve|t)\b)", " ' "),
        (r"(?i)(?<=[^'\s])(n't|'(?:s|m|d|ll|re|ve))(?=\s)", r" \1"),
        (r"(?<=[^'\s])'(?=\s)", " '"),
        (r"(?i)\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(gim|lem)(me)\b", None),
    )
)

Tagged = tuple[Sequence[str], Sequence[str]]  # words and their Penn Treebank tags


def clean(caption: str) -> str:
    """ARO's preparation of captions: lower case, eleven signs to spaces, single spaces, the first 30 words."""
    return " ".join(_DROPPED.sub(" ", caption.lower()).split()[:MOST_WORDS])


def treebank_words(caption: str) -> list[str]:
    """A caption cut as NLTK's `word_tokenize` cuts it, which the official trigrams are made of: contractions are two
    words, quotation marks become `` and '', hyphens join.

    >>> treebank_words("A man's well-known dog isn't \\"big\\".")
    ['A', 'man', "'s", 'well-known', 'dog', 'is', "n't", '``', 'big', "''", '.']
    """
    out: list[str] = []
    for sentence in _SENTENCE.split(caption.strip()):
        text = f" {sentence} "
        for pattern, by in _CUTS:
            text = pattern.sub(by if by is not None else lambda m: " ".join(g for g in m.groups() if g), text)
        out += text.split()
    return out


def _permute(words: Sequence[str], places: Sequence[int], rng: np.random.Generator) -> list[str]:
    out = list(words)
    for place, source in zip(places, rng.permutation(len(places))):
        out[place] = words[places[source]]
    return out


def shuffle_nouns_and_adjectives(tagged: Tagged, rng: np.random.Generator) -> str:
    words, tags = tagged
    mixed = _permute(words, [i for i, t in enumerate(tags) if t in NOUNS], rng)
    return " ".join(_permute(mixed, [i for i, t in enumerate(tags) if t in ADJECTIVES], rng))


def shuffle_all_others(tagged: Tagged, rng: np.random.Generator) -> str:
    words, tags = tagged
    return " ".join(_permute(words, [i for i, t in enumerate(tags) if t not in NOUNS | ADJECTIVES], rng))


def _trigrams(words: Sequence[str]) -> list[list[str]]:
    return [list(words[i : i + 3]) for i in range(0, len(words), 3)]


def shuffle_within_trigrams(words: Sequence[str], rng: np.random.Generator) -> str:
    return " ".join(part[i] for part in _trigrams(words) for i in rng.permutation(len(part)))


def shuffle_trigrams(words: Sequence[str], rng: np.random.Generator) -> str:
    parts = _trigrams(words)
    return " ".join(word for i in rng.permutation(len(parts)) for word in parts[i])


def candidates(caption: str, tagged: Tagged, seed: int = 1) -> list[str]:
    """The cleaned caption and its four permutations (Yuksekgonul et al. 2023, section 2.3).

    The permutations act on the words of the raw caption, the first two on the parser's, the last two on the Treebank's;
    cleaning comes after. Some equal the caption: the official
    rule counts such a tie as right.
    """
    key = crc32(caption.encode())
    first, second, third, fourth = (np.random.default_rng([seed, key, k]) for k in range(4))
    words = treebank_words(caption)
    made = (
        shuffle_nouns_and_adjectives(tagged, first),
        shuffle_all_others(tagged, second),
        shuffle_within_trigrams(words, third),
        shuffle_trigrams(words, fourth),
    )
    return [clean(caption), *map(clean, made)]


def _rows(path: Path) -> Iterable[tuple[str, str]]:
    """(image, caption) of a Karpathy split as BLIP writes it: `{"image": ..., "caption": text or list}`."""
    table = read_json(path)
    for number, row in enumerate(table if isinstance(table, list) else [table]):
        captions: Any = row.get("caption") if isinstance(row, dict) else None
        captions = [captions] if isinstance(captions, str) else captions
        if not isinstance(captions, list) or not captions or not isinstance(row.get("image"), str):
            raise InputError(f"{path}: row {number} needs image, and caption as a text or a list of texts")
        yield from ((row["image"], str(c)) for c in captions)


def freeze(split: str | Path, out: str | Path, seed: int = 1) -> int:
    """Write `coco_order.jsonl` or `flickr30k_order.jsonl` from a Karpathy split file; returns the number of rows.

    Needs the parser (spaCy's English pipeline). Raises InputError for a row without image or caption.
    """
    from compoclip.language.parser import shared_parser

    rows = list(_rows(Path(split)))
    parsed = shared_parser().parse(caption for _, caption in rows)
    made = [
        {"image": image, "caption_options": candidates(caption, (p.words, p.tags), seed)}
        for (image, caption), p in zip(rows, parsed)
    ]
    write_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made))
    return len(made)
