"""Every image and every caption of a call is encoded once, in fp32, however many tasks ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compoclip.distributed import ALONE, Ranks
from compoclip.errors import InputError
from compoclip.evaluation.batching import BatchSize, caller
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.scoring.comparisons import Array
from compoclip.progress import Bar, bar

IMAGES, TEXTS = 256, 1024  # what `--batch-size auto` begins with
READERS = 4  # threads that decode and preprocess the next batch while the model works on this one


class Encoder(Protocol):
    """What a model must have to be measured; see `compoclip.load` and docs/evaluation.md for your own."""

    def encode_image(self, images: Any, batch_size: int = ...) -> Any: ...

    def encode_text(self, texts: list[str], batch_size: int = ...) -> Any: ...


class FeatureBank:
    """Features of unique images and captions: `images` (U, D) and `texts` (V, D), fp32, of unit length."""

    def __init__(self, image_keys: dict[str, int], images: Array, text_keys: dict[str, int], texts: Array) -> None:
        self._image_keys, self.images = image_keys, images
        self._text_keys, self.texts = text_keys, texts

    def image_index(self, pictures: Sequence[Picture]) -> NDArray[np.int64]:
        return np.array([self._image_keys[p.key] for p in pictures], dtype=np.int64)

    def text_index(self, captions: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self._text_keys[c] for c in captions], dtype=np.int64)

    def image(self, pictures: Sequence[Picture]) -> Array:
        """(N, D) in the order asked."""
        return self.images[self.image_index(pictures)]

    def text(self, captions: Sequence[str]) -> Array:
        """(N, D) in the order asked."""
        return self.texts[self.text_index(captions)]


class Cache(Protocol):
    """Features kept between calls; see `cache.FeatureCache`."""

    def get(self, keys: Sequence[str]) -> dict[str, Array]: ...

    def put(self, keys: Sequence[str], features: Array) -> None: ...

    def close(self) -> None: ...


def to_rows(features: Any, names: Sequence[str], mend: str = "the model's weights are broken") -> Array:
    """A model's output as fp32 rows of unit length. Raises InputError naming the input whose feature is no number."""
    if hasattr(features, "detach"):
        features = features.detach().float().cpu().numpy()
    rows = np.asarray(features, dtype=np.float32)
    if rows.ndim != 2 or len(rows) != len(names):
        raise InputError(f"the model returned features of shape {rows.shape} for {len(names)} inputs; (N, D) is needed")
    good = np.isfinite(rows).all(axis=1)
    if not good.all():
        name = names[int(np.argmin(good))]
        raise InputError(f"{name}: its feature holds a NaN or an infinity; {mend}")
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    if (length == 0).any():
        raise InputError(f"{names[int(np.argmin(length))]}: its feature is all zeros; {mend}")
    near = np.abs(length - 1.0) < 1e-5  # already normalised rows stay as they are, to the last bit
    return np.where(near, rows, rows / length)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _loaded(model: Any, batches: Sequence[Sequence[Picture]]) -> Iterator[Any]:
    """Batches of pictures as pixels, one batch ahead of the model."""
    preprocess: Callable[[Any], Any] | None = getattr(model, "preprocess", None)

    def read(picture: Picture) -> Any:
        image = picture.load()
        return image if preprocess is None else preprocess(image)

    with ThreadPoolExecutor(READERS) as pool:
        waiting: list[list[Any]] = []
        for batch in batches:
            waiting.append([pool.submit(read, p) for p in batch])
            if len(waiting) > 1:
                yield _collect(waiting.pop(0), preprocess is not None)
        while waiting:
            yield _collect(waiting.pop(0), preprocess is not None)


def _collect(futures: list[Any], tensors: bool) -> Any:
    images = [f.result() for f in futures]
    if tensors:
        import torch

        return torch.stack(images)
    return images


def encode(
    model: Any,
    pictures: Iterable[Picture],
    captions: Iterable[str],
    batch_size: int | str = 64,
    text_batch_size: int | str | None = None,
    image_cache: Cache | None = None,
    text_cache: Cache | None = None,
    ranks: Ranks = ALONE,
    rotate: bool = False,
) -> FeatureBank | None:
    """Encode the unique pictures (by key) and captions, with one progress bar.

    Captions go in order of length, so that a model that cuts a batch to its longest caption wastes little; four times
    as many at once as images unless `text_batch_size` says otherwise. `ranks` share the work; the first has the caches
    and gets the features, the others get None. `rotate` turns every photo as its EXIF orientation says.
    Raises InputError for an image that cannot be read and for a feature that is not finite.
    """
    unique = list({p.key: p for p in pictures}.values())
    texts = sorted(set(captions), key=lambda t: (len(t), t))
    read = [p.turned(True) for p in unique] if rotate else unique
    images = _Table(image_cache, [p.key + "#" + p.stamp for p in read], ranks)
    words = _Table(text_cache, texts, ranks)
    size = BatchSize(batch_size, IMAGES)
    if text_batch_size is None:
        text_batch_size = "auto" if size.auto else 4 * size.start
    with bar("encode images and captions", len(images.open) + len(words.open)) as progress:
        _encode_images(model, [read[i] for i in images.open], images, size, progress, ranks)
        _encode_texts(model, [texts[i] for i in words.open], words, BatchSize(text_batch_size, TEXTS), progress, ranks)
    if ranks.rank:
        return None
    image_keys = {p.key: i for i, p in enumerate(unique)}
    return FeatureBank(image_keys, images.rows(), {t: i for i, t in enumerate(texts)}, words.rows())


class _Table:
    """Rows to fill: those the cache has are there at once, `open` lists the others."""

    def __init__(self, cache: Cache | None, keys: list[str], ranks: Ranks) -> None:
        self.cache, self.keys = cache, keys
        self.found: dict[str, Array] = cache.get(keys) if cache is not None else {}
        # another process may be adding to the cache, so the first rank's view of it is everybody's
        self.open: list[int] = ranks.same([i for i, key in enumerate(keys) if key not in self.found])
        self._next = 0

    def add(self, features: Array) -> None:
        keys = [self.keys[i] for i in self.open[self._next : self._next + len(features)]]
        self._next += len(features)
        self.found.update(zip(keys, features))
        if self.cache is not None:
            self.cache.put(keys, features)

    def rows(self) -> Array:
        if not self.keys:
            return np.zeros((0, 1), dtype=np.float32)
        return np.stack([self.found[key] for key in self.keys])


def _encode_images(
    model: Any, pictures: Sequence[Picture], table: _Table, size: BatchSize, progress: Bar, ranks: Ranks
) -> None:
    batches = list(_batches(pictures, size.start))
    loaded, run = _loaded(model, batches[ranks.rank :: ranks.count]), caller(model.encode_image)

    def work(batch: Sequence[Picture]) -> Array:
        pixels = next(loaded)
        return _rows(size.run(run, pixels), [p.where for p in batch])

    _in_turn(work, batches, table, progress, ranks, "images")


def _encode_texts(
    model: Any, texts: Sequence[str], table: _Table, size: BatchSize, progress: Bar, ranks: Ranks
) -> None:
    run = caller(model.encode_text)

    def work(batch: Sequence[str]) -> Array:
        return _rows(size.run(run, list(batch)), [f"caption {t!r}" for t in batch])

    _in_turn(work, list(_batches(texts, size.start)), table, progress, ranks, "captions")


def _rows(parts: list[Any], names: Sequence[str]) -> Array:
    out, start = [], 0
    for part in parts:
        out.append(to_rows(part, names[start : start + len(part)]))
        start += len(part)
    return np.concatenate(out)


def _in_turn(
    work: Callable[[Any], Array], batches: Sequence[Any], table: _Table, progress: Bar, ranks: Ranks, what: str
) -> None:
    """Every rank does its batch of each round; a failure of one is a failure of all, and nobody waits for it."""
    for start in range(0, len(batches), ranks.count):
        mine, features, error = start + ranks.rank, None, None
        try:
            features = work(batches[mine]) if mine < len(batches) else None
        except Exception as caught:
            if ranks.count == 1:
                raise
            error = caught
        for rows in ranks.share(features, error):
            if rows is not None:
                table.add(rows)
                progress.advance(len(rows), what)
