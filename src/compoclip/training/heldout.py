"""Images kept back from training: every run is measured on its own kind of data, at step 0 and at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from compoclip.data.images import PixelImage
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.scoring import CHOICE, Grid, Retrieval, Subset
from compoclip.evaluation.task import Average, Loaded, Request, Task

LARGEST = 1000  # images; more would make the evaluation the longest part of a short run


class Part(Source):
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


def split(source: Source, fraction: float) -> tuple[Source, Source | None]:
    """(training part, part kept back), by a hash of the image id, so that neither order nor size moves an image over.

    Nothing is kept back where the fraction is 0 or the source is too small to give two images.
    """
    if fraction <= 0:
        return source, None
    limit = int(fraction * 2**32)
    kept = []
    for index in range(len(source)):
        digest = hashlib.blake2b(source[index].image_id.encode(), digest_size=4).digest()
        if int.from_bytes(digest, "big") < limit:
            kept.append(index)
    kept = kept[:LARGEST]
    if len(kept) < 2 or len(kept) == len(source):
        return source, None
    taken = set(kept)
    rest = [index for index in range(len(source)) if index not in taken]
    return Part(source, rest, "training"), Part(source, kept, "held out")


def heldout_task(part: Source, negatives: Mapping[str, Sequence[str]]) -> Task:
    """Retrieval over the images kept back, and each caption against its own hard negatives where there are any."""

    def load(request: Request) -> Loaded:
        samples = [part[i] for i in range(len(part))][: request.limit]
        readable: list[tuple[Picture, Sample]] = []
        missing = 0
        for sample in samples:
            try:
                image = sample.image.load()
            except ValueError:
                missing += 1
                continue
            picture: Picture = PixelImage(np.asarray(image), sample.image.where, f"heldout:{sample.image_id}")
            readable.append((picture, sample))
        subsets: list[Subset] = [
            Retrieval("retrieval", [p for p, _ in readable], [s.captions for _, s in readable], missing)
        ]
        images, rows = [], []
        for picture, sample in readable:
            for number, caption in enumerate(sample.captions):
                own = sample.negatives[number] if sample.negatives else ()
                for wrong in [*own, *negatives.get(sample.caption_ids[number], ())]:
                    images.append([picture])
                    rows.append((caption, wrong))
        if rows:
            subsets.append(Grid("negatives", CHOICE, images, rows))
        return Loaded(subsets, {"source": part.name})

    def averages(counts: dict[str, int]) -> dict[str, Average]:
        name = "negatives" if "negatives" in counts else "retrieval/t2i"
        return {"pairs of caption and negative" if name == "negatives" else "R@1": Average({name: 1.0})}

    return Task(
        name="heldout",
        title="Held-out images of the training data",
        source="the run's own data",
        licence="that of the data",
        size=f"{len(part)} images",
        chance="50 for pairs",
        rule="strict: a tie is wrong",
        citation="this run",
        version="1",
        needs="nothing",
        load=load,
        averages=averages,
    )
