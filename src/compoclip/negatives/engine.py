"""Captions in, negatives out: the engine behind `generate`, `build` and training straight from captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from compoclip.errors import InputError
from compoclip.language.identify import other_language
from compoclip.language.parser import Parser, shared_parser
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import Judge
from compoclip.negatives.kinds import KINDS, Kind, Proposal, resolve_kinds
from compoclip.negatives.plausible import WORD as TOKENS
from compoclip.negatives.plausible import marked
from compoclip.negatives.store import caption_key
from compoclip.negatives.types import Negative
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import WORD, Vocabulary, default_vocabulary
from compoclip.negatives.written import Piece, Written

__all__ = ["Generator", "generate"]


class Generator:
    """Rules, vocabulary and seed, ready to run over captions.

    What comes out for a caption depends on (seed, caption id, epoch, kind), the vocabulary and the other captions of
    its image; not on batches, order or processes. Kinds of content come first; of word orders a caption gets one at
    most, where content leaves room (any number where nothing else is asked for).

    thin: what captions say far more often than it could be replaced gives way only so often that text alone does not
    tell (for evaluation sets); else what this holds back fills places that would stay empty.
    english_only: captions in another language are left alone. reads: how many characters of a caption the text tower
    reads; sentences that end later are left as they are (default: those within the first 60 words). weigh: say how
    plausible each negative is beside its caption.
    `refusals` counts what the gates held back, by "kind/gate", `made` negatives by kind, `languages` the captions left
    alone by language.
    """

    def __init__(
        self,
        kinds: str | Sequence[str] = ("degla",),
        per_caption: int = 2,
        seed: int = 0,
        epoch: int = 0,
        vocabulary: Vocabulary | Iterable[str] | None = None,
        parser: Parser | str | Path | None = None,
        *,
        thin: bool = False,
        english_only: bool = True,
        reads: Callable[[str], int] | None = None,
        weigh: bool = False,
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
        self.thin, self.english_only, self.reads, self.weigh = thin, english_only, reads, weigh
        self.refusals: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.made: Counter[str] = Counter()

    def run(
        self, captions: Sequence[str], ids: Sequence[str], others: Sequence[Sequence[str]] | None = None
    ) -> Iterator[list[Negative]]:
        """Negatives of each caption, in order. `others[i]`: other true captions of caption i's image."""
        written = [self._read(caption) for caption in captions]
        parsed = self.parser.parse(piece.text for one in written for piece in one.pieces)
        for index, one in enumerate(written):
            others_here = others[index] if others else ()
            known = frozenset(word for text in others_here for word in WORD.findall(text.lower()))
            views = [CaptionView(next(parsed), known | self._elsewhere(one, piece)) for piece in one.pieces]
            yield self._negatives(one, views, ids[index], Judge(one.text, others_here))

    def _read(self, caption: str) -> Written:
        written = Written(caption, self.reads)
        if self.english_only and (language := other_language(written.text)):
            self.languages[language] += 1
            written.pieces = []
        return written

    @staticmethod
    def _elsewhere(written: Written, piece: Piece) -> frozenset[str]:
        """The words of the caption's other sentences, which no replacement uses either."""
        if len(written.pieces) < 2:
            return frozenset()
        rest = written.text[: piece.start] + written.text[piece.start + len(piece.text) :]
        return frozenset(WORD.findall(rest.lower()))

    def _negatives(self, written: Written, views: list[CaptionView], caption_id: str, judge: Judge) -> list[Negative]:
        found: list[Negative] = []
        if not any(view.words for view in views):
            return found
        content = [kind for kind in self.kinds if not kind.order]
        caption = ParsedCaption(written, views, caption_id, judge)
        held = self._fill(found, caption, content, self.per_caption)
        if not self.thin:
            self._fill(found, caption, held, self.per_caption, loose=True)
        orders = [kind for kind in self.kinds if kind.order]
        most = min(self.per_caption, len(found) + 1) if content else self.per_caption
        self._fill(found, caption, orders, most)
        return found

    def _fill(
        self, found: list[Negative], caption: ParsedCaption, kinds: Sequence[Kind], most: int, loose: bool = False
    ) -> list[Kind]:
        """One negative of each kind in turn, until there are `most` or no kind has another.

        Returns the kinds that have held something back.
        """
        if len(found) >= most or not kinds:
            return []
        draws = [Draw(self.seed, caption.caption_id, self.epoch, kind.name, loose=loose) for kind in kinds]
        streams = [(kind, self._stream(kind, caption, draw)) for kind, draw in zip(kinds, draws)]
        if self.per_caption < len(streams):  # so that every kind comes up over a set of captions
            streams = Draw(self.seed, caption.caption_id, self.epoch, "order").shuffled(streams)
        while streams and len(found) < most:
            alive = []
            for kind, proposals in streams:
                if len(found) == most:
                    break
                negative = self._next(kind, proposals, caption.judge, loose)
                if negative is not None:
                    found.append(negative)
                    self.made[kind.name] += 1
                    alive.append((kind, proposals))
            streams = alive
        return [kind for kind, draw in zip(kinds, draws) if draw.held]

    def _stream(self, kind: Kind, caption: ParsedCaption, draw: Draw) -> Iterator[Proposal]:
        """What a kind proposes, as texts of the whole caption."""
        if caption.written.as_is and kind.exchange is None:
            return kind.propose(caption.views[0], draw, self.vocabulary)
        return self._proposals(kind, caption, draw)

    def _proposals(self, kind: Kind, caption: ParsedCaption, draw: Draw) -> Iterator[Proposal]:
        """What a kind proposes for the caption's sentences, in drawn order."""
        written = caption.written
        if kind.single and (len(caption.views) > 1 or written.style):
            return
        if kind.exchange is not None:
            for one, other in draw.shuffled(list(combinations(range(len(caption.views)), 2))):
                for changes in kind.exchange(caption.views[one], caption.views[other], draw, self.vocabulary):
                    yield written.put_back_both((written.pieces[one], written.pieces[other]), changes)
            return
        places = range(len(caption.views))
        for at in draw.shuffled(places) if len(places) > 1 else places:
            for text, edits in kind.propose(caption.views[at], draw, self.vocabulary):
                yield written.put_back(written.pieces[at], text, edits, kind.name == "replace-nouns")

    def _next(self, kind: Kind, proposals: Iterator[Proposal], judge: Judge, loose: bool) -> Negative | None:
        for text, edits in proposals:
            gate = judge.refuses(text, edits)
            if gate is None:
                likely = self._plausibility(judge.caption, text)
                return Negative(str(text), kind.name, edits, plausibility=likely, twin=getattr(text, "twin", None))
            if not (loose and gate == "repeated"):  # what the first round has made comes up again in the second
                self.refusals[f"{kind.name}/{gate}"] += 1
        return None

    def _plausibility(self, caption: str, text: str) -> float | None:
        if not self.weigh:
            return None
        old, new = (marked(TOKENS.findall(one.lower())) for one in (caption, text))
        return -round(self.vocabulary.contexts.loss(old, new), 3)


class ParsedCaption(NamedTuple):
    """A caption while its negatives are made."""

    written: Written
    views: list[CaptionView]
    caption_id: str
    judge: Judge


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

    seed, epoch: others give other negatives.

    Example: generate(["a dog chases a red ball"], kinds=["swap-nouns", "replace-nouns"], per_caption=2)
    """
    if isinstance(captions, str):
        raise InputError("captions is one string; pass a list of captions")
    for name, given in (("caption_ids", caption_ids), ("others", others)):
        if given is not None and len(given) != len(captions):
            raise InputError(f"{name} has {len(given)} entries for {len(captions)} captions; give one each")
    generator = Generator(kinds, per_caption, seed, epoch, vocabulary, parser)
    ids = [str(i) for i in caption_ids] if caption_ids is not None else [caption_key(text) for text in captions]
    return list(generator.run(captions, ids, others))
