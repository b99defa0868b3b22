"""One shard of a build: captions in, rows and counts out, in whatever process."""

from __future__ import annotations

import atexit
import gc
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from compoclip.io import write_bytes, write_json
from compoclip.negatives.engine import Generator
from compoclip.negatives.store import shard_bytes, shard_name
from compoclip.negatives.table import Caption
from compoclip.negatives.vocabulary import Vocabulary, default_vocabulary

Job = tuple[int, list[Caption]]  # a shard's number and its captions


class Plan(NamedTuple):
    """What every shard of a build depends on, and nothing else."""

    kinds: tuple[str, ...]
    per_caption: int
    seed: int
    epoch: int
    vocabulary: dict[str, int] | None  # None: everyday captions
    parser: str | None


class Shard(NamedTuple):
    """A shard's file, byte for byte, and its counts."""

    data: bytes
    tally: dict[str, dict[str, int]]


class ShardMaker:
    """A process's generator for one plan; making one reads the parser and the lexicon, so it is kept."""

    def __init__(self, plan: Plan) -> None:
        words = Vocabulary(plan.vocabulary) if plan.vocabulary is not None else default_vocabulary()
        self.generator = Generator(plan.kinds, plan.per_caption, plan.seed, plan.epoch, words, plan.parser)
        if not gc.get_freeze_count():
            gc.collect()
            gc.freeze()  # parser and lexicon live to the end: the collector need not walk them again and again
            atexit.register(gc.unfreeze)  # what is frozen at exit is reported as leaked by other extensions

    def make(self, captions: Sequence[Caption]) -> Shard:
        generator = self.generator
        generator.made.clear()
        generator.refusals.clear()
        texts = [caption.text for caption in captions]
        found = generator.run(texts, [c.caption_id for c in captions], [c.others for c in captions])
        rows = [(caption.caption_id, caption.text, negatives) for caption, negatives in zip(captions, found)]
        short = Counter(str(len(negatives)) for _, _, negatives in rows)
        tally = {"made": generator.made, "refused": generator.refusals, "negatives_a_caption": short}
        return Shard(shard_bytes(rows), {name: dict(sorted(counts.items())) for name, counts in tally.items()})


def tally_path(out: Path, number: int) -> Path:
    return out / f".negatives-{number:05d}.json"


def write(out: Path, number: int, shard: Shard) -> None:
    """A shard's two files; the counts come last, so that a shard with counts is whole."""
    write_bytes(out / shard_name(number), shard.data)
    write_json(tally_path(out, number), shard.tally)
