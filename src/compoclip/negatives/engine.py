"""Captions in, negatives out: the engine behind `generate`, `build` and training straight from captions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from compoclip.errors import InputError
from compoclip.language.parser import Parser, shared_parser
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import Judge
from compoclip.negatives.kinds import KINDS, Proposal, resolve_kinds
from compoclip.negatives.types import Negative
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import WORD, Vocabulary, default_vocabulary


def caption_key(caption: str) -> str:
    """The id of a caption that brings none: a hash of its text, so that its place among others does not matter."""
    return hashlib.blake2b(caption.encode("utf-8"), digest_size=8).hexdigest()


class Generator:
    """Rules, vocabulary and seed, ready to run over captions.

    What comes out for a caption depends on (seed, caption id, epoch, kind), the vocabulary and the other captions of
    its image; not on batches, order or processes. `refusals` counts what the gates held back, by "kind/gate", and
    `made` counts negatives by kind.
    """

    def __init__(
        self,
        kinds: str | Sequence[str] = ("degla",),
        per_caption: int = 2,
        seed: int = 0,
        epoch: int = 0,
        vocabulary: Vocabulary | Iterable[str] | None = None,
        parser: Parser | str | Path | None = None,
    ) -> None:
        if per_caption < 1:
            raise InputError(f"per_caption is {per_caption}; ask for at least one negative a caption")
        self.kinds = [KINDS[name] for name in resolve_kinds(kinds)]
        self.per_caption, self.seed, self.epoch = per_caption, seed, epoch
        if vocabulary is None:
            vocabulary = default_vocabulary()
        elif not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary(Counter(word.lower() for word in vocabulary))
        self.vocabulary = vocabulary
        self.parser = parser if isinstance(parser, Parser) else shared_parser(str(parser) if parser else None)
        self.refusals: Counter[str] = Counter()
        self.made: Counter[str] = Counter()

    def run(
        self, captions: Sequence[str], ids: Sequence[str], others: Sequence[Sequence[str]] | None = None
    ) -> Iterator[list[Negative]]:
        """Negatives of each caption, in order. `others[i]`: other true captions of caption i's image."""
        for index, parsed in enumerate(self.parser.parse(captions)):
            others_here = others[index] if others else ()
            words = frozenset(word for text in others_here for word in WORD.findall(text.lower()))
            view = View(parsed, words)
            yield self._negatives(view, ids[index], Judge(view.parsed.text, others_here))

    def _negatives(self, view: View, caption_id: str, judge: Judge) -> list[Negative]:
        if not view.words:
            return []
        streams = []
        for kind in self.kinds:
            draw = Draw(self.seed, caption_id, self.epoch, kind.name)
            streams.append((kind.name, kind.propose(view, draw, self.vocabulary)))
        if self.per_caption < len(streams):  # so that every kind comes up over a set of captions
            streams = Draw(self.seed, caption_id, self.epoch, "order").shuffled(streams)
        found: list[Negative] = []
        while streams and len(found) < self.per_caption:
            alive = []
            for name, proposals in streams:
                if len(found) == self.per_caption:
                    break
                negative = self._next(name, proposals, judge)
                if negative is not None:
                    found.append(negative)
                    self.made[name] += 1
                    alive.append((name, proposals))
            streams = alive
        return found

    def _next(self, name: str, proposals: Iterator[Proposal], judge: Judge) -> Negative | None:
        for text, edits in proposals:
            gate = judge.refuses(text, edits)
            if gate is None:
                return Negative(text, name, edits)
            self.refusals[f"{name}/{gate}"] += 1
        return None


def generate(
    captions: Sequence[str],
    kinds: str | Sequence[str] = ("degla",),
    per_caption: int = 2,
    seed: int = 0,
    epoch: int = 0,
    caption_ids: Sequence[str] | None = None,
    others: Sequence[Sequence[str]] | None = None,
    vocabulary: Vocabulary | Iterable[str] | None = None,
    parser: Parser | str | Path | None = None,
) -> list[list[Negative]]:
    """Hard negatives of each caption: one list a caption, of at most `per_caption` negatives over all kinds.

    kinds: names and bundles (`compoclip ls negatives`); caption_ids: default a hash of the text; others: for each
    caption the other true captions of its image, which no negative may equal and whose words no replacement uses;
    vocabulary: words that replacements may use (`Vocabulary.from_captions(...)`, words, or None for everyday captions).

    Raises InputError for an unknown kind, lists of different lengths, or when no parser is installed.
    """
    if isinstance(captions, str):
        raise InputError("captions is one string; pass a list of captions")
    for name, given in (("caption_ids", caption_ids), ("others", others)):
        if given is not None and len(given) != len(captions):
            raise InputError(f"{name} has {len(given)} entries for {len(captions)} captions; give one each")
    generator = Generator(kinds, per_caption, seed, epoch, vocabulary, parser)
    ids = [str(i) for i in caption_ids] if caption_ids is not None else [caption_key(text) for text in captions]
    return list(generator.run(captions, ids, others))
