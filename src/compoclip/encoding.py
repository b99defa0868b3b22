"""Features of a large set as Parquet shards, on any number of processes, resumable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from compoclip.data.sources import Source, open_source
from compoclip.distributed import ALONE, Ranks, together
from compoclip.errors import InputError
from compoclip.io import atomic_path, read_json, write_json
from compoclip.models import Model
from compoclip.progress import bar

__all__ = ["encode_set", "read_features"]

SHARD = 8192  # images a file, and what is lost at most when a process is killed
EXAMPLES = 5  # unreadable images named in the manifest
MANIFEST = "manifest.json"


def encode_set(
    model: Model,
    data: Source | str,
    out: str | Path,
    *,
    batch_size: int = 64,
    workers: int = 2,
    shard_size: int = SHARD,
    ranks: Ranks = ALONE,
    **options: Any,
) -> dict[str, Any]:
    """Write `images-NNNNN.parquet` (image_id, feature) and `texts-NNNNN.parquet` (image_id, caption, feature) to `out`.

    Features are float32, of unit length, D wide; an unreadable image has none (null) and is counted. Shard n has the
    images n * shard_size and on, in the order of the data; the processes take shards in turn. Shards that are there
    are kept, so the same call goes on where an earlier one ended. `options` are those of `open_source`.
    Returns the manifest. Raises InputError where `out` contains features of another model or of other data.

    batch_size: images or captions at a time; workers: processes that decode; ranks: processes that share the work.

    >>> encode_set(compoclip.load("tiny"), "captions.tsv", "features")["images"]  # doctest: +SKIP
    5000
    """
    folder = Path(out)
    source = together(ranks, lambda: open_source(data, **options) if isinstance(data, str) else data)
    shards = -(-len(source) // shard_size)
    plan: dict[str, Any] = {
        "schema": 1,
        "model": str(model.info.get("name")),
        "weights": model.info.get("sha256"),
        "precision": model.precision,
        "data": source.fingerprint,
        "width": model.width,
        "shard_size": shard_size,
        "shards": shards,
    }
    together(ranks, lambda: None if ranks.rank else _claim(folder, plan))
    mine = range(ranks.rank, shards, ranks.count)
    missing = [number for number in mine if not _done(folder, number)]
    images = sum(len(_span(number, shard_size, source)) for number in missing)

    def work() -> None:
        with bar("encode images and captions", images) as progress, ThreadPoolExecutor(max(1, workers)) as pool:
            for number in missing:
                span = _span(number, shard_size, source)
                _texts(model, source, span, folder / _name("texts", number), batch_size)
                _images(model, source, span, folder / _name("images", number), batch_size, pool, progress)

    together(ranks, work)
    manifest = {**plan, **(_counts(folder, shards) if not ranks.rank else {})}
    if not ranks.rank:
        write_json(folder / MANIFEST, manifest)
    return manifest


def read_features(folder: str | Path, kind: str = "images") -> tuple[list[str], Tensor, Tensor]:
    """(ids, features (N, D), present (N,) bool) of `encode_set`: of `images` by image id, or `texts` by caption.

    folder: what `encode_set` wrote; kind: `images` or `texts`.

    Example: ids, features, present = read_features("features", "texts")
    """
    manifest = read_json(Path(folder) / MANIFEST)
    ids: list[str] = []
    rows, present = [], []
    for number in range(manifest["shards"]):
        table = pq.read_table(Path(folder) / _name(kind, number))
        ids += table.column("image_id" if kind == "images" else "caption").to_pylist()
        for chunk in table.column("feature").chunks:
            there = torch.from_numpy(chunk.is_valid().to_numpy(zero_copy_only=False).copy())
            full = torch.zeros(len(chunk), manifest["width"])
            if there.any():
                values = chunk.drop_null().flatten().to_numpy(zero_copy_only=False)
                full[there] = torch.from_numpy(values.reshape(-1, manifest["width"]).copy())
            rows.append(full)
            present.append(there)
    return ids, torch.cat(rows), torch.cat(present)


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    started = folder / "plan.json"
    if started.exists():
        other = [key for key, value in plan.items() if read_json(started).get(key) != value]
        if other:
            raise InputError(f"{folder}: contains features of another {other[0]}; choose another --out")
    elif folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: not empty, and no folder of features; choose another --out")
    else:
        write_json(started, plan)


def _name(kind: str, number: int) -> str:
    return f"{kind}-{number:05d}.parquet"


def _done(folder: Path, number: int) -> bool:
    """Both files are renamed into place whole, the images' last."""
    return (folder / _name("images", number)).exists() and (folder / _name("texts", number)).exists()


def _span(number: int, size: int, source: Source) -> range:
    return range(number * size, min(len(source), (number + 1) * size))


def _images(
    model: Model, source: Source, span: range, path: Path, batch_size: int, pool: ThreadPoolExecutor, progress: Any
) -> None:
    ids, rows, broken = [], [], []

    def pixels(index: int) -> tuple[str, Tensor | str]:
        sample = source[index]
        try:
            return sample.image_id, model.preprocess(sample.image.load())
        except InputError as error:
            return sample.image_id, str(error)

    for batch in _batches(pool, pixels, span, batch_size):
        good = [item for _, item in batch if isinstance(item, Tensor)]
        features = iter(model.encode_image(torch.stack(good), batch_size)) if good else iter(())
        for image_id, item in batch:
            ids.append(image_id)
            rows.append(None if isinstance(item, str) else next(features).numpy())
            broken += [item] if isinstance(item, str) else []
        progress.advance(len(batch))
    said = {"unreadable": json.dumps({"count": len(broken), "examples": broken[:EXAMPLES]})}
    _write(path, {"image_id": pa.array(ids)}, rows, said)


def _batches(pool: ThreadPoolExecutor, work: Any, span: range, size: int) -> Iterator[list[Any]]:
    """Results in order, one batch being read while the one before it is used."""
    ahead: list[Any] = []
    for start in range(span.start, span.stop, size):
        ahead.append([pool.submit(work, i) for i in range(start, min(span.stop, start + size))])
        if len(ahead) > 1:
            yield [future.result() for future in ahead.pop(0)]
    for batch in ahead:
        yield [future.result() for future in batch]


def _texts(model: Model, source: Source, span: range, path: Path, batch_size: int) -> None:
    rows = [(source[index].image_id, caption) for index in span for caption in source.captions(index)]
    distinct = sorted({caption for _, caption in rows}, key=lambda text: (len(text), text))  # alike in length: less pad
    features = dict(zip(distinct, model.encode_text(distinct, 4 * batch_size).numpy()))
    columns = {"image_id": pa.array([i for i, _ in rows]), "caption": pa.array([c for _, c in rows])}
    _write(path, columns, [features[caption] for _, caption in rows], {})


def _write(path: Path, columns: dict[str, pa.Array], rows: list[Any], said: dict[str, str]) -> None:
    # of any length, since most releases of pyarrow read no fixed-size list with a missing one among them
    feature = pa.array([None if row is None else row.tolist() for row in rows], pa.list_(pa.float32()))
    table = pa.table({**columns, "feature": feature}).replace_schema_metadata(said)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _counts(folder: Path, shards: int) -> dict[str, Any]:
    images = captions = unreadable = 0
    examples: list[str] = []
    for number in range(shards):
        file = pq.ParquetFile(folder / _name("images", number))
        said = json.loads((file.schema_arrow.metadata or {})[b"unreadable"])
        images, unreadable = images + file.metadata.num_rows, unreadable + said["count"]
        examples += said["examples"]
        captions += pq.ParquetFile(folder / _name("texts", number)).metadata.num_rows
    return {"images": images, "captions": captions, "unreadable": unreadable, "examples": examples[:EXAMPLES]}
