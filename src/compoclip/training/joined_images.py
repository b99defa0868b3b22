"""Runs on images that are joined in pairs (`concatenate`): what they need, and the objective of the batches between."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from compoclip.config import TrainConfig
from compoclip.data.concatenate import Concatenate, both
from compoclip.data.sources import Source
from compoclip.data.tokens import context_length, is_cut
from compoclip.errors import InputError
from compoclip.losses import objective
from compoclip.losses.objective import Objective
from compoclip.models import Model
from compoclip.progress import say

LOOKED_AT = 500  # images whose captions are joined to tell how many are cut


def concatenation(config: TrainConfig, model: Model, needs: frozenset[str], source: Source) -> Concatenate | None:
    """How the run joins images; None where it does not. Says how many of them bring further texts.

    Raises InputError for settings that it cannot go with.
    """
    if not config.concatenate:
        return None
    if config.lock_text:
        raise InputError(
            "concatenate makes new texts at every step, of which lock_text keeps the features: leave it out"
        )
    if config.hard_images:
        raise InputError("concatenate and hard_images both choose what shares a batch with an image: leave one out")
    made = config.negatives is None or config.negatives == "generate"
    if "negatives" in needs and config.negatives_per_caption and not made:
        raise InputError(
            f"{config.negatives}: these negatives are of single captions, and concatenate joins two: "
            "give --negatives generate"
        )
    size = model.clip.visual.image_size
    more = sum(len(source.captions(index)) > 1 for index in range(len(source)))
    which = "every batch" if config.concatenate == 1 else f"one batch in {config.concatenate}"
    say(f"concatenate: images are joined in pairs in {which}; {more} of {len(source)} have captions for further texts")
    if share := _cut(source, model.tokenizer):
        length = context_length(model.tokenizer)
        say(f"concatenate: {share:.0%} of joined captions are longer than the text tower's {length} tokens: cut")
    if config.lock_image:
        say("concatenate: joined images are new, so the locked image tower runs at every step")
    return Concatenate(size if isinstance(size, tuple) else (int(size), int(size)), config.concatenate)


def _cut(source: Source, tokenizer: Any) -> float:
    """The share of joined captions that the text tower cuts, among the first captions of neighbouring images."""
    count = min(len(source), LOOKED_AT)
    firsts = [source.captions(index)[0] for index in range(count)]
    return sum(is_cut(tokenizer, both(*pair)) for pair in pairwise(firsts)) / max(1, count - 1)


def between(config: TrainConfig) -> Objective:
    """The objective of a batch of single images between joined ones: the contrast alone, with weight 1 (CLIC)."""
    return objective({"contrastive": 1.0}, **{**config.options, "contrastive_negatives": "none"})
