"""ARO's word-order candidates, made from captions with a seed and frozen to a file.

The official script draws them anew with the library versions of the day, so that results move by half a point. Here
they depend on the seed and the caption alone, and the file is what `aro` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
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

Tagged = tuple[Sequence[str], Sequence[str]]  # words and their Penn Treebank tags


def clean(caption: str) -> str:
    """ARO's preparation of captions: lower case, eleven signs to spaces, single spaces, the first 30 words."""
    return " ".join(_DROPPED.sub(" ", caption.lower()).split()[:MOST_WORDS])


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


def shuffle_within_trigrams(tagged: Tagged, rng: np.random.Generator) -> str:
    return " ".join(part[i] for part in _trigrams(tagged[0]) for i in rng.permutation(len(part)))


def shuffle_trigrams(tagged: Tagged, rng: np.random.Generator) -> str:
    parts = _trigrams(tagged[0])
    return " ".join(word for i in rng.permutation(len(parts)) for word in parts[i])


WAYS: tuple[Callable[[Tagged, np.random.Generator], str], ...] = (
    shuffle_nouns_and_adjectives,
    shuffle_all_others,
    shuffle_within_trigrams,
    shuffle_trigrams,
)


def candidates(caption: str, tagged: Tagged, seed: int = 1) -> list[str]:
    """The cleaned caption and its four permutations (Yuksekgonul et al. 2023, section 2.3).

    The permutation acts on the words of the raw caption, cleaning comes after. Some equal the caption: the official
    rule counts such a tie as right.
    """
    key = crc32(caption.encode())
    made = [way(tagged, np.random.default_rng([seed, key, k])) for k, way in enumerate(WAYS)]
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
    lines = [
        json.dumps(
            {"image": image, "caption_options": candidates(caption, (p.words, p.tags), seed)}, ensure_ascii=False
        )
        for (image, caption), p in zip(rows, parsed)
    ]
    write_text(out, "".join(line + "\n" for line in lines))
    return len(lines)
