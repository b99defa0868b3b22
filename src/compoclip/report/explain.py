"""What a model sees in one image for each caption: scores, and for each word the patches that it attends to.

The maps are the weights of FSC-CLIP's local score (arXiv 2410.05210, Eq. 5): how a text token mixes the patches.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from compoclip.errors import InputError
from compoclip.losses.local_negative import local_score, patch_weights
from compoclip.models import Model
from compoclip.models.image_tower import has_patch_tokens

__all__ = ["Difference", "Explanation", "as_data", "differences", "new_places", "read"]

Map = NDArray[np.float32]  # (rows, columns) of patches, sums to 1


@dataclass(frozen=True)
class Explanation:
    """How one model reads an image and C captions.

    scores: cosines (C,); local: FSC-CLIP's local scores (C,), or None where the towers have no tokens in the joint
    space (`why` says so); words: for each caption its words with their maps.
    """

    name: str
    scores: list[float]
    local: list[float] | None
    words: list[list[tuple[str, Map]]]
    view: Image.Image
    why: str = ""

    @property
    def best(self) -> int:
        """The caption with the highest score."""
        return int(np.argmax(self.scores))


@dataclass(frozen=True)
class Difference:
    """Where a caption differs from the first: runs of words, either of them empty for what is added or left out."""

    old: str
    new: str


@torch.no_grad()
def read(model: Model, image: Image.Image, captions: Sequence[str], name: str | None = None) -> Explanation:
    """Scores and word-to-patch maps of one model.

    image: of any size; captions: C texts; name: what the figure calls the model.
    Raises InputError for no caption, and for one without a word.

    Example: read(load("tiny"), image, ["a dog chases a cat", "a cat chases a dog"])
    """
    captions = [" ".join(caption.split()) for caption in captions]
    if not captions or not all(captions):
        raise InputError("explain needs at least one caption, and none may be empty")
    pixels = model.pixels([image])
    scores = model.score(pixels, captions).tolist()
    label = name or str(model.info.get("name"))
    view = _view(model, pixels[0])
    if not has_patch_tokens(getattr(model.clip, "visual", None)):
        return Explanation(label, scores, None, [], view, "its image tower has no patch tokens in the joint space")
    model.module.eval()
    ids = model.tokenize(captions)
    visual = model.image_features(pixels.to(model.device), dense=True)
    try:
        text = model.text_features(ids, dense=True)
    except InputError as error:
        return Explanation(label, scores, None, [], view, str(error))
    patches, tokens, mask = visual.tokens, text.tokens, text.mask
    if patches is None or tokens is None or mask is None:
        return Explanation(label, scores, None, [], view, "its towers give no tokens")
    scale = model.clip.logit_scale.exp()
    local = local_score(patches, tokens[None], mask[None], scale)[0]
    weights = patch_weights(tokens @ patches[0].T, "minmax")  # (C, T, P)
    shape = _grid(model, patches.shape[1])
    words = [
        [(word, _map(weights[row, places], shape)) for word, places in _words(model, ids[row], mask[row])]
        for row in range(len(captions))
    ]
    return Explanation(label, scores, local.tolist(), words, view)


def differences(first: str, other: str) -> list[Difference]:
    """Runs of words in which `other` departs from `first`: place by place where both have as many words.

    >>> differences("a dog chases a cat", "a cat chases a dog")
    [Difference(old='dog', new='cat'), Difference(old='cat', new='dog')]
    """
    a, b = first.split(), other.split()
    return [Difference(" ".join(a[i:j]), " ".join(b[k:m])) for i, j, k, m in _runs(a, b)]


def new_places(first: Sequence[str], other: Sequence[str]) -> frozenset[int]:
    """Places of `other`'s words that `first` has not got there, as `differences` finds them.

    >>> sorted(new_places("a dog".split(), "a dog on a mat".split()))
    [2, 3, 4]
    """
    return frozenset(place for *_, start, end in _runs(first, other) for place in range(start, end))


def _runs(first: Sequence[str], other: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """[start, end) in `first` and in `other` of each run of words in which they differ, whatever their case."""
    low, high = [word.lower() for word in first], [word.lower() for word in other]
    if len(low) == len(high):  # a swap is two replacements; the longest common run would hide that
        apart = [x != y for x, y in zip(low, high)]
        runs = [list(run) for new, run in itertools.groupby(range(len(low)), apart.__getitem__) if new]
        return [(run[0], run[-1] + 1, run[0], run[-1] + 1) for run in runs]
    blocks = difflib.SequenceMatcher(None, low, high, autojunk=False).get_opcodes()
    return [(i, j, k, m) for tag, i, j, k, m in blocks if tag != "equal"]


def as_data(readings: Sequence[Explanation], captions: Sequence[str], image: str) -> dict[str, Any]:
    """Everything that the image shows, as plain data.

    readings: of `read`, one a model; captions: those that they read; image: its name.

    Example: as_data([read(model, image, captions)], captions, "photo.jpg")
    """
    return {
        "image": image,
        "captions": list(captions),
        "differences": [
            [{"old": d.old, "new": d.new} for d in differences(captions[0], caption)] for caption in captions
        ],
        "models": [
            {
                "name": reading.name,
                "scores": reading.scores,
                "local_scores": reading.local,
                "without_maps": reading.why or None,
                "words": [
                    [{"word": word, "patches": np.round(grid, 5).tolist()} for word, grid in row]
                    for row in reading.words
                ],
            }
            for reading in readings
        ],
    }


def _view(model: Model, pixels: torch.Tensor) -> Image.Image:
    """The image as the model sees it: cropped and resized."""
    preprocess = model.config.get("preprocess_cfg", {})
    mean = torch.tensor(preprocess.get("mean") or [0.5] * 3).view(3, 1, 1)
    std = torch.tensor(preprocess.get("std") or [0.5] * 3).view(3, 1, 1)
    values = ((pixels.float() * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).numpy())


def _grid(model: Model, count: int) -> tuple[int, int]:
    """Rows and columns of the patches."""
    known = getattr(model.clip.visual, "grid_size", None)
    if known is not None and known[0] * known[1] == count:
        return int(known[0]), int(known[1])
    side = round(count**0.5)
    return (side, side) if side * side == count else (1, count)


def _map(weights: torch.Tensor, shape: tuple[int, int]) -> Map:
    """The mean of a word's tokens (W, P), as a map."""
    return weights.mean(dim=0).reshape(shape).cpu().numpy().astype(np.float32)


def _words(model: Model, ids: torch.Tensor, mask: torch.Tensor) -> list[tuple[str, list[int]]]:
    """Words and the positions of their tokens, the end token left out.

    Tokenizers mark words in one of three ways: an end ("</w>"), a beginning ("▁", "Ġ") or a continuation ("##").
    """
    tokenizer = model.tokenizer
    inner = getattr(tokenizer, "tokenizer", None)
    special = set(getattr(inner, "all_special_ids", ())) | {
        getattr(tokenizer, name) for name in ("sot_token_id", "eot_token_id") if hasattr(tokenizer, name)
    }
    out: list[tuple[str, list[int]]] = []
    open_word, marked = False, _ends_are_marked(tokenizer)
    for place in torch.nonzero(mask).flatten().tolist():
        number = int(ids[place])
        if number in special:
            continue
        piece = str(inner.convert_ids_to_tokens(number)) if inner is not None else str(tokenizer.decoder[number])
        bare = piece.removesuffix("</w>").removeprefix("##").lstrip("▁Ġ")
        if out and (open_word or piece.startswith("##")):
            out[-1] = (out[-1][0] + bare, [*out[-1][1], place])
        else:
            out.append((bare, [place]))
        open_word = marked and not piece.endswith("</w>")
    return [(word, places) for word, places in out if word]


def _ends_are_marked(tokenizer: Any) -> bool:
    """Whether the tokenizer marks the end of a word, as CLIP's does."""
    if hasattr(tokenizer, "decoder"):
        return True
    vocabulary: dict[str, int] = getattr(getattr(tokenizer, "tokenizer", None), "get_vocab", dict)()
    return any(str(piece).endswith("</w>") for piece in vocabulary)
