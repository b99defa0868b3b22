"""One shard of a build: captions in, rows and counts out, in whatever process."""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.io import write_bytes, write_json
from compoclip.language.parser import Recent, shared_parser
from compoclip.negatives.caption_db import Caption
from compoclip.negatives.engine import Generator
from compoclip.negatives.foils import foil_generator, units_of
from compoclip.negatives.kinds import LLM_PREFIX
from compoclip.negatives.llm.answers import Answer
from compoclip.negatives.llm.merging import merge
from compoclip.negatives.llm.requests import Questions
from compoclip.negatives.store import shard_bytes, shard_name
from compoclip.negatives.types import Negative
from compoclip.negatives.vocabulary import Vocabulary, default_vocabulary


class Job(NamedTuple):
    """A shard to make. `first`: the place of its first caption in the input; `replies`: a model's, by request."""

    number: int
    captions: list[Caption]
    first: int = 0
    replies: dict[str, Answer] | None = None


class BuildPlan(NamedTuple):
    """What every shard of a build depends on, and nothing else."""

    kinds: tuple[str, ...]
    per_caption: int
    seed: int
    epoch: int
    vocabulary: dict[str, int] | None  # None: everyday captions
    parser: str | None
    questions: Questions | None = None  # what a language model is asked, for kinds of its own
    units: bool = False  # whether the captions' units and their foils are made too


class Shard(NamedTuple):
    """A shard's file, byte for byte, and its counts."""

    data: bytes
    tally: dict[str, dict[str, int]]


class ShardMaker:
    """A process's generator for one plan; making one reads the parser and the lexicon, so it is kept."""

    def __init__(self, plan: BuildPlan) -> None:
        self.plan = plan
        self.generator: Generator | None = None
        self.foils: Generator | None = None
        rules = [name for name in plan.kinds if not name.startswith(LLM_PREFIX)]
        if not rules and not plan.units:
            return
        words = Vocabulary(plan.vocabulary) if plan.vocabulary is not None else default_vocabulary()
        parser = shared_parser(plan.parser)
        self.parser = Recent(parser) if rules and plan.units else parser  # negatives and units parse the same captions
        if rules:
            self.generator = Generator(rules, plan.per_caption, plan.seed, plan.epoch, words, self.parser, weigh=True)
        if plan.units:
            self.foils = foil_generator(plan.seed, plan.epoch, words, parser)
        if not gc.get_freeze_count():
            words.contexts.seen("a")  # read what the first caption would read
            gc.collect()
            gc.freeze()  # parser and lexicon live to the end: the collector need not walk them again and again
            atexit.register(gc.unfreeze)  # what is frozen at exit is reported as leaked by other extensions

    def make(self, job: Job) -> Shard:
        captions = job.captions
        asked = [c.text for c in captions], [c.caption_id for c in captions], [c.others for c in captions]
        refusals: Counter[str] = Counter()
        found: Iterable[list[Negative]] = ([] for _ in captions)
        if self.generator is not None:
            self.generator.made.clear()
            self.generator.refusals.clear()
            self.generator.languages.clear()
            refusals = self.generator.refusals
            found = self.generator.run(*asked)
        if self.plan.questions is not None:
            found = self._with_replies(job, found, refusals)
        rows = [(caption.caption_id, caption.text, negatives) for caption, negatives in zip(captions, found)]
        made = Counter(negative.kind for *_, negatives in rows for negative in negatives)
        short = Counter(str(len(negatives)) for _, _, negatives in rows)
        languages = self.generator.languages if self.generator is not None else Counter()
        tally = {"made": made, "refused": refusals, "negatives_a_caption": short, "other_languages": languages}
        units = None
        if self.foils is not None:
            units = list(units_of(self.foils, *asked, parser=self.parser))
            tally["units"] = Counter(unit.kind for row in units for unit in row)
            tally["units"]["foils"] = sum(len(unit.foils) for row in units for unit in row)
            tally["units"]["captions"] = sum(any(unit.foils for unit in row) for row in units)
        return Shard(shard_bytes(rows, units), {name: dict(sorted(counts.items())) for name, counts in tally.items()})

    def _with_replies(
        self, job: Job, by_rule: Iterable[list[Negative]], refusals: Counter[str]
    ) -> Iterator[list[Negative]]:
        plan, replies = self.plan, job.replies or {}
        assert plan.questions is not None
        for index, (caption, made) in enumerate(zip(job.captions, by_rule), job.first):
            yield merge(plan.kinds, plan.per_caption, plan.questions, index, caption, made, replies, refusals)


def import_parser_alone(parser: str | None) -> None:
    """For a process that makes shards and nothing else: spaCy without torch.

    spaCy's machine-learning package imports torch wherever it is installed, for layers that the known parsers do not
    have: 500 MB of memory and most of the start-up of every worker. A parser that somebody names may have them.
    """
    if parser is not None or "torch" in sys.modules or "thinc" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules
    modules["torch"] = None  # Python's own way to say that a module cannot be imported
    try:
        importlib.import_module("spacy")
    finally:
        del modules["torch"]


def tally_path(out: Path, number: int) -> Path:
    return out / f".negatives-{number:05d}.json"


def write(out: Path, number: int, shard: Shard) -> None:
    """A shard's two files; the counts come last, so that a shard with counts is whole."""
    write_bytes(out / shard_name(number), shard.data)
    write_json(tally_path(out, number), shard.tally)
