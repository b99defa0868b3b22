"""Where the hard negatives of a run come from: a build, several builds taken in turn, or the captions themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from compoclip.config import TrainConfig
from compoclip.data.extras import NOTHING, Unit, Wanted
from compoclip.data.sources import Source
from compoclip.data.sources.base import Sample
from compoclip.errors import InputError
from compoclip.io import sha256_file
from compoclip.language.parser import parser_version
from compoclip.negatives.types import Negative
from compoclip.progress import say
from compoclip.training.joined import JoinedNegatives, check_coverage, check_units, read_joined


class RunNegatives(Protocol):
    """The negatives of a run."""

    def of_epoch(self, epoch: int) -> JoinedNegatives | FreshNegatives:
        """What the batches of an epoch draw from."""
        ...

    def of_part(self, part: Source) -> Mapping[str, Sequence[Negative]]:
        """Negatives of every kind by caption id, of the first epoch, for the images of `part`."""
        ...

    def fingerprint(self) -> str:
        """Hash of what they are made from, wherever that lies."""
        ...


class BuiltNegatives:
    """Negatives of `negatives build`: one folder for every epoch, or epoch e's from folder e modulo their number.

    One folder is in memory at a time. kinds: those to keep, as far as a caption has any of them; none for all. units:
    whether the units of the captions are read too. weighting: how they are drawn (`TrainConfig.negative_weighting`).
    """

    def __init__(
        self,
        folders: Sequence[Path],
        kinds: Sequence[str],
        tokenizer: Any = None,
        units: bool = False,
        weighting: str = "even",
    ) -> None:
        self.weighting = weighting
        self.folders, self.kinds, self.tokenizer, self.units = list(folders), kept_kinds(kinds), tokenizer, units
        self.by_text = False
        self._read: tuple[int, JoinedNegatives] | None = None

    def of_epoch(self, epoch: int) -> JoinedNegatives:
        from compoclip.negatives.store import iterate, iterate_units

        place = epoch % len(self.folders)
        if self._read is None or self._read[0] != place:
            self._read = None  # the old ones go before the new ones come
            self._read = place, read_joined(iterate(self.folders[place]), self.kinds, self.tokenizer, self.weighting)
            for row in iterate_units(self.folders[place]) if self.units else ():
                self._read[1].add_units(*row)
            self._read[1].by_text = self.by_text  # as was found for the first epoch
        return self._read[1]

    def of_part(self, part: Source) -> dict[str, list[Negative]]:
        """All of the build and not only what training keeps, so that runs by other recipes are measured on them too."""
        from compoclip.negatives.store import iterate

        captions = {caption for index in range(len(part)) for caption in part.captions(index)}
        rows = [row for row in iterate(self.folders[0]) if row[1] in captions]
        whole = {(caption, negative.text): negative for _, caption, found in rows for negative in found}
        joined = read_joined(rows, frozenset(), None)
        joined.by_text = self.by_text
        return {
            caption_id: [whole[caption, text] for text in dict.fromkeys(joined.of(sample, number))]
            for sample in part
            for number, (caption_id, caption) in enumerate(zip(sample.caption_ids, sample.captions))
        }

    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for folder in self.folders:
            for path in sorted(folder.glob("*.parquet")):
                digest.update(f"{path.name} {sha256_file(path)}\n".encode())
        return digest.hexdigest()


def kept_kinds(names: Sequence[str]) -> frozenset[str]:
    """Kinds by name, with those of bundles; names that only the negatives' makers know stay as they are."""
    from compoclip.negatives import resolve_kinds

    found = set(names)
    for name in names:
        try:
            found.update(resolve_kinds(name))
        except InputError:
            continue
    return frozenset(found)


class FreshNegatives:
    """Negatives made while training, for the captions of each batch as it is put together.

    They are those that `negatives build --epoch e` makes of the same captions, with ids of image and number: a function
    of (seed, image id, number of the caption, epoch, kind), whatever process makes them and however often a run is
    taken up again. Every process reads the parser once.
    """

    def __init__(self, kinds: Sequence[str], per_caption: int, seed: int, source: Source) -> None:
        from compoclip.negatives import Vocabulary
        from compoclip.negatives.caption_db import ENOUGH_CAPTIONS

        self.kinds, self.per_caption, self.seed = list(kinds), per_caption, seed
        captions = (caption for index in range(len(source)) for caption in source.captions(index))
        enough = sum(len(source.captions(index)) for index in range(len(source))) >= ENOUGH_CAPTIONS
        self.words = Vocabulary.from_captions(captions).counts if enough else None
        self._generator: Any = None
        self._foils: Any = None
        self._parser: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_generator": None, "_foils": None, "_parser": None}

    def of_epoch(self, epoch: int) -> FreshNegatives:
        return self

    def fingerprint(self) -> str:
        return parser_version(None)  # all else are settings, and versions that a checkpoint keeps

    def of_part(self, part: Source) -> dict[str, list[Negative]]:
        samples = [part[index] for index in range(len(part))]
        places = [(sample, number) for sample in samples for number in range(len(sample.captions))]
        made = self._made([sample for sample, _ in places], [number for _, number in places], 0)
        return {sample.caption_ids[number]: found for (sample, number), found in zip(places, made) if found}

    def make(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> list[list[str]]:
        """For each sample, the negatives of its caption of that number."""
        return [[made.wrong for made in row] for row in self._made(samples, numbers, epoch)]

    def _made(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> list[list[Negative]]:
        from compoclip.negatives import Generator, Vocabulary

        if self._generator is None:
            words = None if self.words is None else Vocabulary(self.words)
            self._generator = Generator(self.kinds, self.per_caption, self.seed, 0, words, self._recent())
        self._generator.epoch = epoch
        return [list(row) for row in self._generator.run(*_as_rows(samples, numbers))]

    def units(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> list[tuple[Unit, ...]]:
        """For each sample, the units of its caption of that number."""
        from compoclip.negatives import Vocabulary
        from compoclip.negatives.foils import foil_generator, units_of

        if self._foils is None:
            self._foils = foil_generator(self.seed, 0, None if self.words is None else Vocabulary(self.words))
        self._foils.epoch = epoch
        return list(units_of(self._foils, *_as_rows(samples, numbers), parser=self._recent()))

    def _recent(self) -> Any:
        """The parser of the batch's captions, of which negatives and units are made."""
        from compoclip.language.parser import Recent, shared_parser

        self._parser = self._parser or Recent(shared_parser())
        return self._parser


def _as_rows(samples: Sequence[Sample], numbers: Sequence[int]) -> tuple[list[str], list[str], list[list[str]]]:
    """Captions, their ids, and the other captions of their images."""
    captions = [sample.captions[number] for sample, number in zip(samples, numbers)]
    ids = [sample.caption_ids[number] for sample, number in zip(samples, numbers)]
    others = [
        sorted({other for other in sample.captions if other != caption}) for sample, caption in zip(samples, captions)
    ]
    return captions, ids, others


def negatives_of(
    config: TrainConfig, source: Source, tokenizer: Any = None, wants: bool = True, wanted: Wanted = NOTHING
) -> RunNegatives | None:
    """What `config.negatives` names; None where the objective reads nothing of it, or it names nothing.

    wants: whether terms need negatives; wanted: further texts, of which units and phrases come with the negatives.
    tokenizer: of the model, to leave out negatives that equal their caption where it is cut. Says how many captions
    have any. Raises InputError where the folder is not there, or nothing of it is of a caption of the data.
    """
    from compoclip.negatives.store import epoch_folders

    units = bool(wanted.units or wanted.phrases)
    if wanted.paraphrases and not config.concatenate:  # a joined image's caption has another order of its sentences
        _say_paraphrases(source)
    if not wants and not units:
        return None
    if config.negative_weighting != "even" and config.negatives in (None, "generate"):
        raise InputError(
            f"negative_weighting={config.negative_weighting} draws from a build: give --negatives DIR with "
            f"more than {config.negatives_per_caption} a caption"
        )
    if config.negatives is None:
        if units:
            raise InputError(
                "this objective reads units of captions: make them with `compoclip negatives build --units` and give "
                "--negatives DIR, or give --negatives generate"
            )
        check_coverage(source, None, None)
        return None
    if config.negatives == "generate":
        if wants and not config.negative_kinds:
            raise InputError("--negatives generate needs kinds: --set 'negative_kinds=[swap-nouns, replace-nouns]'")
        return FreshNegatives(config.negative_kinds, config.negatives_per_caption, config.seed, source)
    folder = Path(config.negatives)
    if not folder.is_dir():
        raise InputError(f"{config.negatives}: no such folder; give one that `negatives build` wrote, or `generate`")
    folders, weighting = epoch_folders(folder) or [folder], config.negative_weighting
    built = BuiltNegatives(folders, config.negative_kinds, tokenizer, units, weighting)
    if wants:
        check_coverage(source, built.of_epoch(0), built.folders[0])
    if units:
        check_units(source, built.of_epoch(0), wanted, built.folders[0])
    built.by_text = built.of_epoch(0).by_text
    return built


def negatives_to_measure(config: TrainConfig, source: Source, found: RunNegatives | None) -> RunNegatives | None:
    """Those that held-out captions are set against: the run's own (`found`), or what the settings name and the
    objective does not read, so that plain contrast is measured on the same rows as any other recipe."""
    unread = config.negatives is None or (config.negatives == "generate" and not config.negative_kinds)
    if found is not None or unread:
        return found
    try:
        return negatives_of(config, source)
    except InputError as error:
        say(f"held-out captions are not set against negatives: {error}")
        return None


def _say_paraphrases(source: Source) -> None:
    """Other captions of an image stand for paraphrases. Raises InputError where no image has another one."""
    counts = [len(source.captions(index)) for index in range(len(source))]
    more = sum(count > 1 for count in counts)
    if not more:
        raise InputError(f"{source.name}: this objective learns from several captions of an image, and none has two")
    say(f"images with several captions, of which one paraphrases the other: {more} of {len(counts)}")
