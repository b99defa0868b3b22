"""Images kept back from training: every run is measured on its own kind of data, at step 0 and at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from compoclip.data.images import PixelImage
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring import CHOICE, Grid, Retrieval, Subset
from compoclip.evaluation.task import Average, Loaded, Task, TaskOptions
from compoclip.negatives.types import Negative

GIVEN = "given"  # kind of negatives that the data brings along
LARGEST = 1000  # images; more would make the evaluation the longest part of a short run


class SourceSubset(Source):
    """Some samples of another source, by index."""

    def __init__(self, whole: Source, indices: Sequence[int], name: str) -> None:
        self.whole, self.indices, self.name = whole, list(indices), f"{whole.name}, {name}"
        self._own = {index: place for place, index in enumerate(self.indices)}
        captions = sum(len(whole.captions(i)) for i in self.indices)
        self.report = Report(samples=len(self.indices), captions=captions, rows=len(self.indices))
        digest = hashlib.sha256(whole.fingerprint.encode())
        digest.update(repr(self.indices).encode())
        self.fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.whole[self.indices[index]]

    def captions(self, index: int) -> tuple[str, ...]:
        return self.whole.captions(self.indices[index])

    def place_of_row(self, row: int) -> tuple[int, int] | None:
        found = self.whole.place_of_row(row)
        own = None if found is None else self._own.get(found[0])
        return None if found is None or own is None else (own, found[1])


def split(source: Source, amount: float) -> tuple[Source, Source | None]:
    """(training part, part kept back), by a hash of the image id, so that neither order nor size moves an image over.

    amount: a fraction of the images, of which at most `LARGEST` are kept; from 1 on their number, those of the smallest
    hashes. Nothing is kept back where it is 0 or the source is too small to give two images.
    """
    if amount <= 0:
        return source, None
    hashes = [
        int.from_bytes(hashlib.blake2b(source[index].image_id.encode(), digest_size=4).digest(), "big")
        for index in range(len(source))
    ]
    if amount < 1:
        limit = int(amount * 2**32)
        kept = [index for index, value in enumerate(hashes) if value < limit][:LARGEST]
    else:
        kept = sorted(sorted(range(len(source)), key=hashes.__getitem__)[: int(amount)])
    if len(kept) < 2 or len(kept) == len(source):
        return source, None
    taken = set(kept)
    rest = [index for index in range(len(source)) if index not in taken]
    return SourceSubset(source, rest, "training"), SourceSubset(source, kept, "held out")


def held_out_account(amount: float, whole: Source, kept: Source | None) -> str:
    """What is kept back, in one line."""
    if kept is not None:
        return f"held out: {len(kept)} of {len(whole)} images, never trained on, measured before and after"
    why = (
        "held_out is 0" if amount <= 0 else f"held_out {amount:g} of {len(whole)} images leaves fewer than two, or none"
    )
    return f"held out: nothing ({why}), so this run is measured on its eval_tasks alone"


def heldout_task(part: Source, negatives: Mapping[str, Sequence[Negative]]) -> Task:
    """Retrieval over the images kept back, and each caption against its own hard negatives, a subset a kind.

    negatives: by caption id; those that come with the data are of the kind `given`.
    """

    def load(request: TaskOptions) -> Loaded:
        samples = [part[i] for i in range(len(part))][: request.limit]
        readable: list[tuple[ImageRef, Sample]] = []
        missing = 0
        for sample in samples:
            try:
                image = sample.image.load()
            except ValueError:
                missing += 1
                continue
            image_ref: ImageRef = PixelImage(np.asarray(image), sample.image.where, f"heldout:{sample.image_id}")
            readable.append((image_ref, sample))
        subsets: list[Subset] = [
            Retrieval("retrieval", [p for p, _ in readable], [s.captions for _, s in readable], missing)
        ]
        pairs: dict[str, list[tuple[ImageRef, tuple[str, str]]]] = {}
        for image_ref, sample in readable:
            for number, caption in enumerate(sample.captions):
                own = sample.negatives[number] if sample.negatives else ()
                made = negatives.get(sample.caption_ids[number], ())
                for kind, wrong in [*((GIVEN, text) for text in own), *((row.kind, row.text) for row in made)]:
                    pairs.setdefault(kind, []).append((image_ref, (caption, wrong)))
        for kind, rows in sorted(pairs.items()):
            subsets.append(Grid(kind, CHOICE, [[image_ref] for image_ref, _ in rows], [texts for _, texts in rows]))
        return Loaded(subsets, {"source": part.name})

    def averages(counts: dict[str, int]) -> dict[str, Average]:
        kinds = {name: count for name, count in counts.items() if not name.startswith("retrieval/")}
        if not kinds:
            return {"R@1": Average({"retrieval/t2i": 1.0})}
        pooled = {name: float(count) for name, count in kinds.items()}
        return {"all pairs": Average(pooled), "mean of kinds": Average(dict.fromkeys(kinds, 1.0))}

    return Task(
        name="heldout",
        title="Held-out images of the training data",
        source="the run's own data",
        licence="that of the data",
        size=f"{len(part)} images",
        chance="50 for pairs",
        rule="strict: a tie is wrong",
        citation="this run",
        version="2",
        needs="nothing",
        load=load,
        averages=averages,
    )
