"""Composition: right and wrong captions of an image, right and wrong images of a caption, and both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.evaluation import protocols, statistics
from compoclip.evaluation.forms.base import Encoded, Outcome, basic, identity, percent, picture_name
from compoclip.evaluation.pictures import Picture


@dataclass
class Choice:
    """One image, k captions with the true one first (k may differ by row); a pair is k = 2.

    `groups` (one key a row) makes the headline a mean over groups (ARO's macro accuracy); pooled is reported beside.
    """

    name: str
    images: Sequence[Picture]
    candidates: Sequence[Sequence[str]]
    missing: int = 0
    rule: str = "strict"
    part: str = "composition"
    groups: Sequence[str] | None = None

    def pictures(self) -> Sequence[Picture]:
        return self.images

    def captions(self) -> Sequence[str]:
        return [c for row in self.candidates for c in row]

    def scores(self, encoded: Encoded, images: protocols.Array | None = None) -> tuple[Any, NDArray[np.bool_]]:
        """Cosines (N, k), padded with zeros, and where they are real. `images` stands in for the rows' own."""
        width = max((len(row) for row in self.candidates), default=2)
        valid = np.array([[j < len(row) for j in range(width)] for row in self.candidates], dtype=bool)
        valid = valid.reshape(len(self.candidates), width)
        own = encoded.image(self.images) if images is None else images
        scores = np.zeros(valid.shape, dtype=np.float32)
        for j in range(width):
            rows = np.flatnonzero(valid[:, j]).tolist()
            if len(rows):
                text = encoded.text([self.candidates[i][j] for i in rows])
                scores[rows, j] = np.einsum("nd,nd->n", own[rows], text)
        return scores, valid

    def chance(self) -> float | None:
        return 100.0 * float(np.mean([1.0 / len(row) for row in self.candidates])) if len(self.candidates) else None

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        scores, valid = self.scores(encoded)
        graded = protocols.choice(scores, self.rule, valid)
        metrics = basic(graded.correct, graded.tied, self.missing, self.chance(), seed)
        if self.groups is not None and len(graded.correct):
            keys = np.asarray(self.groups)
            means = [graded.correct[keys == key] for key in sorted(set(self.groups))]
            metrics["pooled"] = metrics["accuracy"]
            metrics["accuracy"] = 100.0 * float(np.mean([m.mean() for m in means]))
            metrics["ci95"] = list(statistics.interval(statistics.stratified_means(means, resamples=2000, seed=seed)))
            metrics["groups"] = len(means)
        rows = [
            {
                "image": p.where,
                "candidates": list(c),
                "scores": scores[i, : len(c)].tolist(),
                "correct": float(graded.correct[i]),
                "tied": bool(graded.tied[i]),
            }
            for i, (p, c) in enumerate(zip(self.images, self.candidates))
        ]
        who = identity([picture_name(p) + "\t" + "\t".join(c) for p, c in zip(self.images, self.candidates)])
        return [(self.name, Outcome(metrics, graded.correct, rows, who))]


@dataclass
class ImageChoice:
    """One caption, k images with the true one at `true[i]` (0 where not given): SVO-Probes, ImageCoDe, SPEC."""

    name: str
    texts: Sequence[str]
    images: Sequence[Sequence[Picture]]
    missing: int = 0
    rule: str = "strict"
    part: str = "composition"

    def pictures(self) -> Sequence[Picture]:
        return [p for row in self.images for p in row]

    def captions(self) -> Sequence[str]:
        return self.texts

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        width = max((len(row) for row in self.images), default=2)
        valid = np.array([[j < len(row) for j in range(width)] for row in self.images], dtype=bool)
        valid = valid.reshape(len(self.images), width)
        scores = np.zeros(valid.shape, dtype=np.float32)
        text = encoded.text(self.texts)
        for j in range(width):
            rows = np.flatnonzero(valid[:, j]).tolist()
            if len(rows):
                scores[rows, j] = np.einsum("nd,nd->n", encoded.image([self.images[i][j] for i in rows]), text[rows])
        graded = protocols.choice(scores, self.rule, valid)
        chance = 100.0 * float(np.mean([1.0 / len(row) for row in self.images])) if len(self.images) else None
        rows_log = [
            {
                "caption": t,
                "images": [p.where for p in ps],
                "scores": scores[i, : len(ps)].tolist(),
                "correct": float(graded.correct[i]),
                "tied": bool(graded.tied[i]),
            }
            for i, (t, ps) in enumerate(zip(self.texts, self.images))
        ]
        metrics = basic(graded.correct, graded.tied, self.missing, chance, seed)
        who = identity([t + "\t" + "\t".join(map(picture_name, ps)) for t, ps in zip(self.texts, self.images)])
        return [(self.name, Outcome(metrics, graded.correct, rows_log, who))]


@dataclass
class TwoByTwo:
    """Two images and two captions a row, (c0, i0) and (c1, i1) true. `accuracy` is the `headline` score.

    `sides` adds the four one-sided accuracies of BiVLC: image 0 and 1 finding their caption (`i_pos`, `i_neg`), caption
    0 and 1 finding their image (`t_pos`, `t_neg`); chance 50 each.
    """

    name: str
    images: Sequence[tuple[Picture, Picture]]
    texts: Sequence[tuple[str, str]]
    missing: int = 0
    rule: str = "strict"
    headline: str = "group"
    part: str = "composition"
    sides: bool = False

    def pictures(self) -> Sequence[Picture]:
        return [p for row in self.images for p in row]

    def captions(self) -> Sequence[str]:
        return [t for row in self.texts for t in row]

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        scores = np.zeros((len(self.images), 2, 2), dtype=np.float32)
        if len(self.images):
            text = [encoded.text([row[a] for row in self.texts]) for a in (0, 1)]
            image = [encoded.image([row[b] for row in self.images]) for b in (0, 1)]
            for a in (0, 1):
                for b in (0, 1):
                    scores[:, a, b] = np.einsum("nd,nd->n", text[a], image[b])
        graded = protocols.two_by_two(scores, self.rule)
        parts = {key: getattr(graded, key).astype(np.float64) for key in ("text", "image", "group")}
        chance = {"text": 25.0, "image": 25.0, "group": 100.0 / 6.0}
        metrics = basic(parts[self.headline], graded.tied, self.missing, chance[self.headline], seed)
        for key, hits in parts.items():
            metrics[key] = percent(hits)
            metrics[f"{key}_ci95"] = list(statistics.mean_interval(hits, seed)[1:]) if len(hits) else None
        scored = dict(parts)
        if self.sides:
            one_sided = protocols.one_sided(scores, self.rule)
            scored |= one_sided
            metrics |= {key: percent(hits) for key, hits in one_sided.items()}
        rows = [
            {
                "images": [p.where for p in ps],
                "captions": list(ts),
                "scores": scores[i].tolist(),
                **{key: bool(hits[i]) for key, hits in parts.items()},
                "correct": float(parts[self.headline][i]),
                "tied": bool(graded.tied[i]),
            }
            for i, (ps, ts) in enumerate(zip(self.images, self.texts))
        ]
        who = identity(["\t".join([*map(picture_name, ps), *ts]) for ps, ts in zip(self.images, self.texts)])
        return [(self.name, Outcome(metrics, parts[self.headline], rows, who, scored))]


@dataclass
class Equivalence:
    """One image, two true captions and a false one (SugarCrepe++): `accuracy` is ITT; TOT uses the text alone."""

    name: str
    images: Sequence[Picture]
    triples: Sequence[tuple[str, str, str]]
    missing: int = 0
    part: str = "composition"

    def pictures(self) -> Sequence[Picture]:
        return self.images

    def captions(self) -> Sequence[str]:
        return [t for row in self.triples for t in row]

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        if not len(self.images):
            empty = np.zeros(0)
            return [(self.name, Outcome(basic(empty, empty > 0, self.missing, 100 / 3, seed), empty, []))]
        image = encoded.image(self.images)
        p1, p2, no = (encoded.text([row[j] for row in self.triples]) for j in range(3))

        def dot(a: protocols.Array, b: protocols.Array) -> protocols.Array:
            return np.asarray(np.einsum("nd,nd->n", a, b), dtype=np.float32)

        itt = protocols.equivalence(dot(image, p1), dot(image, p2), dot(image, no))
        both = dot(p1, p2)
        tot_margin = both - np.maximum(dot(p1, no), dot(p2, no))
        tot = (tot_margin > 0).astype(np.float64)
        metrics = basic(itt.correct, itt.tied, self.missing, 100 / 3, seed)
        metrics |= {"tot": percent(tot), "tot_ci95": list(statistics.mean_interval(tot, seed)[1:])}
        rows = [
            {"image": p.where, "captions": list(t), "correct": float(itt.correct[i]), "tot": bool(tot[i])}
            for i, (p, t) in enumerate(zip(self.images, self.triples))
        ]
        who = identity([picture_name(p) + "\t" + "\t".join(t) for p, t in zip(self.images, self.triples)])
        return [(self.name, Outcome(metrics, itt.correct, rows, who))]
