"""The one form of composition questions: images and captions of a row, and which of their cosines must be higher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from compoclip.evaluation import statistics
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring.base import Encoded, Outcome, Values, basic, identity, image_name, percent
from compoclip.evaluation.scoring.comparisons import Array, Flags, Graded, chance, judge, parse, places
from compoclip.evaluation.scoring.ranking import chunks

BLOCK = 4096  # rows scored at once


@dataclass(frozen=True)
class Shape:
    """What is asked of every row of a benchmark, see `comparisons`.

    `asks` maps a metric to a question, the first is the headline. `outcomes` are questions that divide the rows, always
    judged strictly, as those named in `strict` are. `ties_of` counts as tied every row with an equality among the
    comparisons of that question; without it, rows that a tie alone kept from being right. `half` says whether the tie
    rule "half" means something here; where not, it is taken as strict.
    """

    asks: Mapping[str, str]
    outcomes: Mapping[str, str] = field(default_factory=dict)
    strict: tuple[str, ...] = ()
    ties_of: str = ""
    half: bool = True

    @property
    def headline(self) -> str:
        return next(iter(self.asks))

    def led_by(self, name: str) -> Shape:
        """The same questions with another headline."""
        asks = {name: self.asks[name], **self.asks}
        return Shape(asks, self.outcomes, self.strict, self.ties_of, self.half)


def _shape(stated: dict[str, Any]) -> Shape:
    return Shape(**{**stated, "strict": tuple(stated.get("strict", ()))})


_STATED = resources.files("compoclip.evaluation.scoring").joinpath("shapes.yaml").read_text("utf-8")
SHAPES = {name: _shape(stated) for name, stated in yaml.safe_load(_STATED).items()}
CHOICE, IMAGE_CHOICE, TWO_BY_TWO, BOTH_SIDES, TWO_TRUE, HARD_POSITIVE, HALF_TRUTH, TRUTH_IN_ORDER = SHAPES.values()


class Scores:
    """Cosines of a grid's cells by name, (N,) fp32 each, and which rows have them: rows may differ in width."""

    def __init__(self, captions: Sequence[int], images: Sequence[int]) -> None:
        self.captions, self.images = np.asarray(captions, dtype=np.int64), np.asarray(images, dtype=np.int64)
        self.width = int(self.captions.max(initial=1)), int(self.images.max(initial=1))
        self._cells: dict[str, Array] = {}

    def cell(self, name: str) -> Array:
        """(N,), zeros to begin with; to be filled in place."""
        return self._cells.setdefault(name, np.zeros(len(self.captions), dtype=np.float32))

    def there(self, name: str) -> Flags:
        first, kind, second = places(name)
        return (first < self.captions) & (second < (self.images if kind == "i" else self.captions))

    def compared(self, question: str) -> list[tuple[Array, Array, Flags]]:
        """(higher, lower, valid), (N, P) each, of every alternative of a question."""
        out = []
        for pairs in parse(question, *self.width):
            shape = (len(pairs), len(self.captions))
            high, low = (np.array([self.cell(pair[k]) for pair in pairs], np.float32).reshape(shape) for k in (0, 1))
            valid = np.array([self.there(name) for _, name in pairs], bool).reshape(shape)
            out.append((high.T, low.T, valid.T))
        return out

    def judged(self, question: str, rule: str) -> Graded:
        """The rows by a question; of several alternatives the better one counts."""
        graded = [judge(high, low, rule, valid) for high, low, valid in self.compared(question)]
        return Graded(np.max([g.correct for g in graded], axis=0), graded[0].tied)

    def equal(self, question: str) -> Flags:
        """Rows with an equality among the comparisons of a question."""
        found: Flags = np.any(
            [((high == low) & valid).any(axis=1) for high, low, valid in self.compared(question)], axis=0
        )
        return found

    def rank(self, question: str, rule: str) -> NDArray[np.int64]:
        """Place of the true answer among all, from 1; a tie is placed before it unless the rule says "first"."""
        ((high, low, valid),) = self.compared(question)
        beaten = low > high if rule == "first" else low >= high
        return np.asarray(1 + (beaten & valid).sum(axis=1))


@dataclass
class Grid:
    """Rows of images (N rows of any width) and captions; `shape` says what must hold.

    `groups` (one key a row) makes the headline a mean over groups (ARO's macro accuracy); pooled is reported beside.
    `facets` are further divisions of the rows by name, reported under `by`. `sets` gives rows that belong together a
    common key, beside the number of rows of a whole set; reported is the share of whole sets whose every row is right.
    `ks` adds R@k of the first answer among all.
    """

    name: str
    shape: Shape
    images: Sequence[Sequence[ImageRef]]
    texts: Sequence[Sequence[str]]
    missing: int = 0
    rule: str = "strict"
    groups: Sequence[str] | None = None
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sets: Mapping[str, tuple[int, Sequence[str]]] = field(default_factory=dict)
    ks: tuple[int, ...] = ()
    part: str = "composition"

    def __post_init__(self) -> None:
        if self.rule == "half" and not self.shape.half:
            self.rule = "strict"

    def image_refs(self) -> Sequence[ImageRef]:
        return [p for row in self.images for p in row]

    def captions(self) -> Sequence[str]:
        return [t for row in self.texts for t in row]

    def widths(self) -> Scores:
        return Scores([len(row) for row in self.texts], [len(row) for row in self.images])

    def scores(self, encoded: Encoded, image: Array | None = None, text: Array | None = None) -> Scores:
        """The cells that its questions compare. `image` or `text` (D,) stands in for every image or caption."""
        found = self.widths()
        questions = [*self.shape.asks.values(), *self.shape.outcomes.values()]
        wanted = dict.fromkeys(c for q in questions for pairs in parse(q, *found.width) for pair in pairs for c in pair)
        looks = {"c": (encoded.text, self.texts, text), "i": (encoded.image, self.images, image)}
        for block in chunks(len(self.images), BLOCK):
            for name in wanted:
                rows = np.flatnonzero(found.there(name)[block]) + block.start
                first, kind, second = places(name)
                if len(rows):
                    left, right = _features(*looks["c"], rows, first), _features(*looks[kind], rows, second)
                    found.cell(name)[rows] = np.einsum("nd,nd->n", right, left)
        return found

    def chance(self) -> float | None:
        """Mean over the rows of what guessing gets, in percent; None where there is no row."""
        kinds = {(len(c), len(i)) for c, i in zip(self.texts, self.images)}
        of = {kind: chance(self.shape.asks[self.shape.headline], *kind) for kind in kinds}
        known = [share for c, i in zip(self.texts, self.images) if (share := of[len(c), len(i)]) is not None]
        return 100.0 * float(np.mean(known)) if known and len(known) == len(self.texts) else None

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        shape, scores = self.shape, self.scores(encoded)
        graded = {
            name: scores.judged(question, "strict" if name in shape.strict else self.rule)
            for name, question in shape.asks.items()
        }
        headline, tied = graded[shape.headline].correct, graded[shape.headline].tied
        if shape.ties_of:
            tied = scores.equal(shape.asks[shape.ties_of])
        parts: dict[str, Values] = {name: g.correct for name, g in graded.items() if name != "accuracy"}
        if self.ks:
            rank = scores.rank(shape.asks[shape.headline], self.rule)
            parts |= {f"R@{k}": (rank <= k).astype(np.float64) for k in self.ks}
        for name, (size, keys) in self.sets.items():
            whole = [rows for rows in _by_key(keys).values() if len(rows) >= size]
            parts[name] = np.array([headline[rows].min() for rows in whole])
        metrics = basic(headline, tied, self.missing, self.chance(), seed)
        for name, hits in parts.items():
            metrics[name] = percent(hits)
            metrics[f"{name}_ci95"] = list(statistics.mean_interval(hits, seed)[1:]) if len(hits) else None
        if self.groups is not None and len(headline):
            means = [headline[rows] for _, rows in sorted(_by_key(self.groups).items())]
            metrics |= {"pooled": metrics["accuracy"], "groups": len(means)}
            metrics["accuracy"] = 100.0 * float(np.mean([m.mean() for m in means]))
            metrics["ci95"] = statistics.strata_interval(means, seed)
        outcome = {name: scores.judged(q, "strict").correct > 0 for name, q in shape.outcomes.items()}
        if outcome:
            outcome["tied"] = tied
            metrics["outcomes"] = {name: percent(rows) for name, rows in outcome.items()}
        if self.facets:
            judged = {name: g.correct for name, g in graded.items()}
            metrics["by"] = {facet: _table(keys, judged) for facet, keys in self.facets.items()}
        log = [self._row(i, scores, graded, outcome, bool(tied[i])) for i in range(len(self.images))]
        return [(self.name, Outcome(metrics, headline, log, self.identity(), parts))]

    def identity(self) -> str:
        """A hash of what the rows ask: the names of their images and their captions, captions first where one caption
        chooses among images."""
        captions, images = self.widths().width
        rows = zip(self.images, self.texts)
        named = [(list(map(image_name, image_refs)), list(texts)) for image_refs, texts in rows]
        turned = captions == 1 and images > 1
        return identity("\t".join([*texts, *names] if turned else [*names, *texts]) for names, texts in named)

    def _row(
        self, i: int, scores: Scores, graded: dict[str, Graded], outcome: dict[str, Flags], tied: bool
    ) -> dict[str, Any]:
        images, texts = self.images[i], self.texts[i]
        table = [[float(scores.cell(f"c{c}i{k}")[i]) for k in range(len(images))] for c in range(len(texts))]
        flat = [value for row in table for value in row]
        row: dict[str, Any] = {"images": [p.where for p in images], "captions": list(texts)}
        row["scores"] = flat if 1 in (len(images), len(texts)) else table
        row |= {name: bool(g.correct[i]) for name, g in graded.items() if name != "accuracy"}
        if outcome:
            row["outcome"] = next(name for name, rows in outcome.items() if rows[i])
        return row | {"correct": float(graded[self.shape.headline].correct[i]), "tied": tied}


def _features(
    look: Any, table: Sequence[Sequence[Any]], instead: Array | None, rows: NDArray[np.int64], place: int
) -> Array:
    """(n, D) features of one place in some rows of a table, or `instead` for each of them."""
    if instead is not None:
        return np.broadcast_to(instead, (len(rows), len(instead)))
    return np.asarray(look([table[i][place] for i in rows.tolist()]))


def _by_key(keys: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Rows of each key, in the order in which the keys come."""
    names = np.asarray(keys)
    return {key: np.flatnonzero(names == key) for key in dict.fromkeys(keys)}


def _table(keys: Sequence[str], judged: Mapping[str, Values]) -> dict[str, dict[str, float | None]]:
    return {
        key: {"n": len(rows), **{name: percent(hits[rows]) for name, hits in judged.items()}}
        for key, rows in _by_key(keys).items()
        if key  # "" where a row has none
    }
