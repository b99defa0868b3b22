"""What a benchmark asks, and marks for the answers: plain loops over Python floats, one row at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Photo:
    """A picture in a file, or given as pixels, cut to `box` (x, y, width, height) where it has one."""

    path: Path | None = None
    box: Box | None = None
    pixels: Any = field(default=None, compare=False)

    def there(self) -> bool:
        return self.path is None or self.path.is_file()

    def load(self) -> Image.Image:
        if self.path is None:
            return Image.fromarray(self.pixels)
        if self.path.suffix == ".npy":
            import numpy as np

            return Image.fromarray(np.load(self.path)[:, :, ::-1].copy())
        with Image.open(self.path) as image:
            pixels = image.convert("RGB")
        if self.box is not None:
            x, y, w, h = self.box
            pixels = pixels.crop((x, y, x + w, y + h))
        return pixels


@dataclass
class Asked:
    """One row: photos and texts in the order of its form, true ones first; `group` where the mean is over groups."""

    photos: list[Photo]
    texts: list[str]
    group: str | None = None


@dataclass
class Part:
    """One subset: `form` is captions, halves, images, squares, triples, rewordings, retrieval or classes."""

    name: str
    form: str
    rows: list[Asked]
    tie_is_right: bool = False
    names: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    metric: str = "accuracy"
    most: int | None = None

    def here(self) -> list[Asked]:
        rows = [row for row in self.rows if all(photo.there() for photo in row.photos)]
        return rows[: self.most] if self.most else rows

    def missing(self) -> int:
        return sum(not all(photo.there() for photo in row.photos) for row in self.rows)


class Eye:
    """A model's features one input at a time, kept; `dot` is a plain sum of products."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.known: dict[Any, list[float]] = {}

    def photo(self, photo: Photo) -> list[float]:
        key: Any = (photo.path, photo.box) if photo.path is not None else photo.pixels.tobytes()
        if key not in self.known:
            self.known[key] = [float(x) for x in self.model.encode_image([photo.load()])[0]]
        return self.known[key]

    def text(self, text: str) -> list[float]:
        if text not in self.known:
            self.known[text] = [float(x) for x in self.model.encode_text([text])[0]]
        return self.known[text]


def dot(a: list[float], b: list[float]) -> float:
    total = 0.0
    for x, y in zip(a, b):
        total += x * y
    return total


def unit(v: list[float]) -> list[float]:
    length = dot(v, v) ** 0.5
    return [x / length for x in v]


NEAR = 1e-6  # closer than this but not equal features: single precision may say otherwise, so no row may be so


def above(a: float, b: float, alike: bool) -> bool | None:
    """Whether score `a` is above `b`; None for an exact tie, which equal features give. Refuses what is unclear."""
    if alike or a == b:
        return None
    assert abs(a - b) > NEAR, "two scores too close to judge: take another seed"
    return a > b


def mark_choice(scores: list[float], features: list[list[float]], tie_is_right: bool) -> tuple[float, bool]:
    """(mark, tied) where the true answer stands first."""
    right, tied = True, False
    for score, feature in zip(scores[1:], features[1:]):
        wins = above(scores[0], score, feature == features[0])
        if wins is None:
            tied = True
        elif not wins:
            right = False
    if not right:
        return 0.0, False
    if tied:
        return (1.0 if tie_is_right else 0.0), True
    return 1.0, False


def marks(part: Part, model: Any) -> list[dict[str, Any]]:
    """One dict a row, with the keys that the row log of that form has."""
    eye = Eye(model)
    return {
        "captions": _captions,
        "halves": _halves,
        "halves in order": _ordered_halves,
        "images": _images,
        "squares": _squares,
        "triples": _triples,
        "rewordings": _rewordings,
        "classes": _classes,
        "retrieval": _retrieval,
    }[part.form](part, eye)


def _captions(part: Part, eye: Eye) -> list[dict[str, Any]]:
    out = []
    for row in part.here():
        features = [eye.text(text) for text in row.texts]
        scores = [dot(eye.photo(row.photos[0]), f) for f in features]
        mark, tied = mark_choice(scores, features, part.tie_is_right)
        out.append({"correct": mark, "tied": tied, "scores": scores})
    return out


def _halves(part: Part, eye: Eye) -> list[dict[str, Any]]:
    """The short truth, the half-truth, the whole truth."""
    out = []
    for row in part.here():
        anchor, half, full = (eye.text(text) for text in row.texts)
        scores = [dot(eye.photo(row.photos[0]), f) for f in (anchor, half, full)]
        wins = above(scores[0], scores[1], anchor == half)
        order = bool(above(scores[2], scores[0], full == anchor)) and bool(wins)
        out.append({"correct": float(bool(wins)), "tied": wins is None, "cor": order, "scores": scores})
    return out


def _ordered_halves(part: Part, eye: Eye) -> list[dict[str, Any]]:
    """The same, right where all three are in order."""
    out = []
    for row, marks in zip(part.here(), _halves(part, eye)):
        longer = above(marks["scores"][2], marks["scores"][0], row.texts[2] == row.texts[0])
        tied = longer is None if marks["correct"] else marks["tied"]
        out.append({**marks, "half_truth": bool(marks["correct"]), "correct": float(marks["cor"]), "tied": tied})
    return out


def _images(part: Part, eye: Eye) -> list[dict[str, Any]]:
    out = []
    for row in part.here():
        features = [eye.photo(photo) for photo in row.photos]
        scores = [dot(eye.text(row.texts[0]), f) for f in features]
        mark, tied = mark_choice(scores, features, part.tie_is_right)
        out.append({"correct": mark, "tied": tied, "scores": scores})
    return out


def _squares(part: Part, eye: Eye) -> list[dict[str, Any]]:
    out = []
    for row in part.here():
        c, i = [eye.text(t) for t in row.texts], [eye.photo(p) for p in row.photos]
        s = [[dot(c[a], i[b]) for b in (0, 1)] for a in (0, 1)]
        comparisons = [
            above(s[0][0], s[1][0], c[0] == c[1]),  # image 0 finds caption 0
            above(s[1][1], s[0][1], c[0] == c[1]),  # image 1 finds caption 1
            above(s[0][0], s[0][1], i[0] == i[1]),  # caption 0 finds image 0
            above(s[1][1], s[1][0], i[0] == i[1]),  # caption 1 finds image 1
        ]
        won = [bool(x) for x in comparisons]
        text, image = won[0] and won[1], won[2] and won[3]
        out.append({"text": text, "image": image, "group": text and image, "tied": None in comparisons})
    return out


def _triples(part: Part, eye: Eye) -> list[dict[str, Any]]:
    out = []
    for row in part.here():
        image = eye.photo(row.photos[0])
        one, two, no = (eye.text(t) for t in row.texts)
        wins = [above(dot(image, one), dot(image, no), one == no), above(dot(image, two), dot(image, no), two == no)]
        both = dot(one, two)
        read = [above(both, dot(one, no), two == no), above(both, dot(two, no), one == no)]
        tied = None in wins and False not in wins
        out.append({"correct": float(all(wins)), "tot": all(read), "tied": tied})
    return out


def _rewordings(part: Part, eye: Eye) -> list[dict[str, Any]]:
    """The caption, its paraphrase, the negative of both, and the negative that the first table has."""
    out = []
    for row in part.here():
        image = eye.photo(row.photos[0])
        features = [eye.text(text) for text in row.texts]
        scores = [dot(image, feature) for feature in features]
        wins = [above(scores[k], scores[2], features[k] == features[2]) for k in (0, 1)]
        first = above(scores[0], scores[3], features[0] == features[3])
        between = wins in ([True, False], [False, True])
        out.append({"correct": float(all(wins)), "tied": None in wins, "scores": scores})
        out[-1] |= {"_original": bool(first), "_positive": bool(wins[1]), "_brittleness": between}
    return out


def _classes(part: Part, eye: Eye) -> list[dict[str, Any]]:
    """`texts` of a row holds its class name; the classifier is the mean of the templates' unit features."""
    heads = []
    for name in part.names:
        features = [unit(eye.text(t.replace("{c}", name).replace("{}", name))) for t in part.templates]
        heads.append(unit([sum(values) / len(features) for values in zip(*features)]))
    out = []
    for row in part.here():
        scores = [dot(eye.photo(row.photos[0]), head) for head in heads]
        label = part.names.index(row.texts[0])
        others = [k for k in range(len(heads)) if k != label]
        order = [label, *others]
        mark, tied = mark_choice([scores[k] for k in order], [heads[k] for k in order], part.tie_is_right)
        out.append({"correct": mark, "tied": tied, "label": row.texts[0], "_scores": scores})
    return out


def _retrieval(part: Part, eye: Eye) -> list[dict[str, Any]]:
    """Image rows, then caption rows: the place of the best own target, foreign ones of equal score before it."""
    rows = part.here()
    photos = [eye.photo(row.photos[0]) for row in rows]
    flat = [(i, text, eye.text(text)) for i, row in enumerate(rows) for text in row.texts]
    scores = [[dot(photo, feature) for _, _, feature in flat] for photo in photos]
    out = []
    for i in range(len(rows)):
        mine = [j for j, (owner, _, _) in enumerate(flat) if owner == i]
        best = max(mine, key=lambda j: scores[i][j])
        rank, tied = 1, False
        for j, (owner, _, feature) in enumerate(flat):
            if owner != i:
                wins = above(scores[i][j], scores[i][best], feature == flat[best][2])
                rank += wins is not False
                tied |= wins is None
        out.append({"rank": rank, "tied": tied, "way": "i2t"})
    for j, (owner, text, _) in enumerate(flat):
        rank = 1
        for i in range(len(rows)):
            if i != owner:
                rank += above(scores[i][j], scores[owner][j], photos[i] == photos[owner]) is not False
        out.append({"rank": rank, "caption": text, "way": "t2i"})
    return out
