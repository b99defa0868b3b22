"""What must be above what: comparisons of scores written as text, and the judgement of rows by them.

A cell is the cosine of a caption and an image (`c0i0`) or of two captions (`c0c1`). `c0i0 > c1i0` asks that the first
be above the second; commas join comparisons that must all be so, `|` separates alternatives, of which one suffices.
`*` stands for every other place: `c0i0 > c*i0` is "caption 0 above all other captions of image 0".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]
Pair = tuple[str, str]  # the cell that must be higher, the one that must be lower
Alternatives = tuple[tuple[Pair, ...], ...]

TIE_RULES = {
    "strict": "a tie is wrong (SugarCrepe, VALSE, Winoground, and the default everywhere)",
    "first": "a tie is right: argmax with the true answer stored first (What'sUp, NegBench, ARO's order sets)",
    "half": "a tie with k answers counts 1/(k+1): the expectation of a random pick",
}
MOST_ORDERED = 7  # cells whose orders are counted for the chance of a question; 5,040 orders
_PAIR = re.compile(r"(c\d+[ci]\d+)\s*>\s*(c(?:\d+|\*)[ci](?:\d+|\*))")


class Graded(NamedTuple):
    """`correct` (N,) in [0, 1]; `tied` (N,) bool, True where a tie alone stood between the row and being right."""

    correct: NDArray[np.float64]
    tied: Flags


def check_finite(scores: NDArray[np.floating], what: str = "scores") -> None:
    """Raises InputError naming the first row that contains a NaN or an infinity."""
    good = np.isfinite(scores)
    if not good.all():
        row = int(np.argwhere(~good)[0][0])
        raise InputError(f"{what}: row {row} contains a NaN or an infinity; the model or its input is broken")


def check_rule(rule: str) -> None:
    if rule not in TIE_RULES:
        raise InputError(f"tie rule {rule!r} is unknown; choose one of {', '.join(TIE_RULES)}")


def judge(higher: Array, lower: Array, rule: str = "strict", valid: Flags | None = None) -> Graded:
    """Rows of P comparisons that must all hold: `higher` and `lower` (N, P), or `higher` (N, 1) above all of `lower`.

    `valid` (N, P) is False where a row has no such comparison; a row without any is right. Raises InputError for a NaN
    and for an unknown rule.
    """
    check_rule(rule)
    check_finite(higher)
    there = np.ones(lower.shape, dtype=bool) if valid is None else valid
    check_finite(np.where(there, lower, 0))
    lost = ((higher < lower) & there).any(axis=1)
    equal = ((higher == lower) & there).sum(axis=1)
    tied = ~lost & (equal > 0)
    correct = (~lost & ~tied).astype(np.float64)
    if rule == "first":
        correct[tied] = 1.0
    elif rule == "half":
        correct[tied] = 1.0 / (1.0 + equal[tied])
    return Graded(correct, tied)


def choice(scores: Array, rule: str = "strict", valid: Flags | None = None) -> Graded:
    """One of k: `scores` (N, k) with the true answer in column 0; `valid` (N, k) where rows have fewer than k."""
    return judge(scores[:, :1], scores[:, 1:], rule, None if valid is None else valid[:, 1:])


@lru_cache(maxsize=1024)
def parse(question: str, captions: int, images: int) -> Alternatives:
    """The comparisons of a question over rows of so many captions and images.

    >>> parse("c0i0 > c*i0", 3, 1)
    ((('c0i0', 'c1i0'), ('c0i0', 'c2i0')),)

    Raises InputError for text that is no question.
    """
    out = []
    for alternative in question.split("|"):
        pairs: list[Pair] = []
        for part in alternative.split(","):
            found = _PAIR.fullmatch(part.strip())
            if found is None:
                raise InputError(f"{part.strip()!r} is no comparison such as 'c0i0 > c1i0'")
            pairs += [(found[1], low) for low in _places(found[1], found[2], captions, images)]
        out.append(tuple(pairs))
    return tuple(out)


def places(cell: str) -> tuple[int, str, int]:
    """(caption, `i` or `c`, image or second caption) of a cell.

    >>> places("c1i0")
    (1, 'i', 0)
    """
    first, kind, second = re.findall(r"\d+|[ci]", cell)[1:]
    return int(first), kind, int(second)


def _places(high: str, low: str, captions: int, images: int) -> Iterator[str]:
    """The cells that `low` stands for."""
    own_caption, _, own_image = places(high)
    head, kind, tail = re.fullmatch(r"c(\d+|\*)([ci])(\d+|\*)", low).groups()  # type: ignore[union-attr]
    firsts = [k for k in range(captions) if k != own_caption] if head == "*" else [int(head)]
    count = images if kind == "i" else captions
    seconds = [k for k in range(count) if k != own_image] if tail == "*" else [int(tail)]
    return (f"c{a}{kind}{b}" for a in firsts for b in seconds)


def cells(alternatives: Alternatives) -> list[str]:
    return sorted({cell for pairs in alternatives for pair in pairs for cell in pair})


@lru_cache(maxsize=1024)
def chance(question: str, captions: int, images: int) -> float | None:
    """Share of random orders of the cells that answer a question right; None where they are too many to count.

    >>> chance("c0i0 > c*i0", 5, 1), chance("c0i0 > c1i0, c1i1 > c0i1", 2, 2)
    (0.2, 0.25)
    """
    alternatives = parse(question, captions, images)
    if len(alternatives) == 1 and len({high for high, _ in alternatives[0]}) <= 1:
        return 1.0 / (1 + len(alternatives[0]))
    names = cells(alternatives)
    if len(names) > MOST_ORDERED:
        return None
    orders = [dict(zip(names, order)) for order in permutations(range(len(names)))]
    right = sum(any(all(at[a] > at[b] for a, b in pairs) for pairs in alternatives) for at in orders)
    return right / len(orders)
