"""Every image and every caption of a call is encoded once, in fp32, however many tasks ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from compoclip.distributed import ALONE, Ranks
from compoclip.errors import InputError
from compoclip.evaluation.batching import BatchSize, caller
from compoclip.evaluation.cache import FeatureCache
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring.base import Encoded
from compoclip.evaluation.scoring.comparisons import Array
from compoclip.progress import Bar, bar

IMAGES, TEXTS = 256, 1024  # what `--batch-size auto` begins with
READERS = 4  # threads that decode and preprocess the next batch while the model works on this one


def to_rows(features: Any, names: Sequence[str], fix: str = "the model's weights are broken") -> Array:
    """A model's output as fp32 rows of unit length. Raises InputError naming the input whose feature is no number."""
    if hasattr(features, "detach"):
        features = features.detach().float().cpu().numpy()
    rows = np.asarray(features, dtype=np.float32)
    if rows.ndim != 2 or len(rows) != len(names):
        raise InputError(f"the model returned features of shape {rows.shape} for {len(names)} inputs; (N, D) is needed")
    good = np.isfinite(rows).all(axis=1)
    if not good.all():
        name = names[int(np.argmin(good))]
        raise InputError(f"{name}: its feature contains a NaN or an infinity; {fix}")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        raise InputError(f"{names[int(np.argmin(length))]}: its feature is all zeros; {fix}")
    near = np.abs(length - 1.0) < 1e-5  # already normalised rows stay as they are, to the last bit
    return np.where(near, rows, rows / length)


def _loaded(model: Any, batches: Sequence[Sequence[ImageRef]]) -> Iterator[Any]:
    """Batches of images as pixels, one batch ahead of the model: PIL images, or a tensor where it preprocesses."""
    preprocess: Callable[[Any], Any] | None = getattr(model, "preprocess", None)

    def read(image_ref: ImageRef) -> Any:
        image = image_ref.load()
        return image if preprocess is None else preprocess(image)

    def collect(futures: list[Any]) -> Any:
        images = [f.result() for f in futures]
        if preprocess is None:
            return images
        import torch

        return torch.stack(images)

    with ThreadPoolExecutor(READERS) as pool:
        waiting: list[list[Any]] = []
        for batch in batches:
            waiting.append([pool.submit(read, p) for p in batch])
            if len(waiting) > 1:
                yield collect(waiting.pop(0))
        while waiting:
            yield collect(waiting.pop(0))


def encode(
    model: Any,
    image_refs: Iterable[ImageRef],
    captions: Iterable[str],
    batch_size: int | str = 64,
    text_batch_size: int | str | None = None,
    image_cache: FeatureCache | None = None,
    text_cache: FeatureCache | None = None,
    ranks: Ranks = ALONE,
    rotate: bool = False,
) -> Encoded | None:
    """Encode the unique images (by key) and captions, with one progress bar.

    Captions go in order of length, so that a model that cuts a batch to its longest caption wastes little; four times
    as many at once as images unless `text_batch_size` says otherwise. `ranks` share the work; the first has the caches
    and gets the features, the others get None. `rotate` turns every photo as its EXIF orientation says.
    Raises InputError for an image that cannot be read and for a feature that is not finite.
    """
    unique = list({p.key: p for p in image_refs}.values())
    texts = sorted(set(captions), key=lambda t: (len(t), t))
    read = [p.turned(True) for p in unique] if rotate else unique
    images = _Table(image_cache, [p.key + "#" + p.stamp for p in read], ranks)
    words = _Table(text_cache, texts, ranks)
    size = BatchSize(batch_size, IMAGES)
    if text_batch_size is None:
        text_batch_size = "auto" if size.auto else 4 * size.start
    with bar("encode images and captions", len(images.open) + len(words.open)) as progress:
        shots = images.batches(read, size.start)
        pixels = _loaded(model, shots[ranks.rank :: ranks.count])
        run = caller(model.encode_image)
        images.fill(shots, lambda _: size.run(run, next(pixels)), lambda p: p.where, progress, "images")
        lines, sizes = caller(model.encode_text), BatchSize(text_batch_size, TEXTS)
        batches = words.batches(texts, sizes.start)
        words.fill(batches, lambda own: sizes.run(lines, list(own)), lambda t: f"caption {t!r}", progress, "captions")
        progress.advance(0, "")  # what the bar leaves behind says what was done, not what came last
    if ranks.rank:
        return None
    return Encoded(unique, images.rows(), texts, words.rows())


class _Table:
    """Rows to fill: those the cache has are there at once, `open` lists the others."""

    def __init__(self, cache: FeatureCache | None, keys: list[str], ranks: Ranks) -> None:
        self.cache, self.keys, self.ranks = cache, keys, ranks
        self.found: dict[str, Array] = cache.get(keys) if cache is not None else {}
        # another process may be adding to the cache, so the first rank's view of it is everybody's
        self.open: list[int] = ranks.same([i for i, key in enumerate(keys) if key not in self.found])
        self._next = 0

    def batches(self, items: Sequence[Any], size: int) -> list[list[Any]]:
        """The open ones of `items`, `size` at a time."""
        return [[items[i] for i in self.open[k : k + size]] for k in range(0, len(self.open), size)]

    def fill(
        self,
        batches: Sequence[Sequence[Any]],
        encode: Callable[[Sequence[Any]], list[Any]],
        name: Callable[[Any], str],
        progress: Bar,
        what: str,
    ) -> None:
        """Every rank does its batch of each round; a failure of one is a failure of all, and nobody waits for it.

        `encode` gives a batch's features in parts, `name` what messages call an input.
        """
        for start in range(0, len(batches), self.ranks.count):
            mine, features, error = start + self.ranks.rank, None, None
            try:
                if mine < len(batches):
                    names, parts = list(map(name, batches[mine])), []
                    for part in encode(batches[mine]):
                        parts.append(to_rows(part, names[: len(part)]))
                        del names[: len(part)]
                    features = np.concatenate(parts)
            except Exception as caught:
                if self.ranks.count == 1:
                    raise
                error = caught
            for rows in self.ranks.share(features, error):
                if rows is not None:
                    self._add(rows)
                    progress.advance(len(rows), what)

    def _add(self, features: Array) -> None:
        keys = [self.keys[i] for i in self.open[self._next : self._next + len(features)]]
        self._next += len(features)
        self.found.update(zip(keys, features))
        if self.cache is not None:
            self.cache.put(keys, features)

    def rows(self) -> Array:
        if not self.keys:
            return np.zeros((0, 1), dtype=np.float32)
        return np.stack([self.found[key] for key in self.keys])
