"""Features computed elsewhere, in a file: a model that is a table.

`.npz` (no pickle), `.safetensors` or `.parquet`:

- `image_keys` (N texts) and `image_features` (N, D); `texts` (M) and `text_features` (M, D). In safetensors the two
  lists are JSON in the metadata; in Parquet a row is `kind` (`image` or `text`), `key`, `feature` (a list of D).
- An image's key is its name as the benchmark has it, with as much of the path as tells it apart (`000000085329.jpg`,
  `VG_100K/2.jpg`); or `sha256:` and the hash of its file. A region that a task cuts out is `NAME box (x0, y0, x1, y1)`.
- A text's key is the caption itself.

Rows need not be of length 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation.encode import to_rows
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring.base import Encoded
from compoclip.evaluation.scoring.comparisons import Array
from compoclip.io import atomic_path, sha256_file

SUFFIXES = (".npz", ".safetensors", ".parquet")
NEEDED = ("image_keys", "image_features", "texts", "text_features")
_PART = re.compile(r"/|(?<=\.zip):|(?<=\.tar):")
BROKEN = "compute the file's features again"


class FeatureFile:
    """A file of features as a model. Raises InputError where it is broken, contains a NaN, or is none."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"{path}: no such feature file")
        if self.path.suffix not in SUFFIXES:
            raise InputError(f"{path}: a feature file is {', '.join(SUFFIXES)}; pickles are not read")
        image_keys, images, texts, text_rows = _read(self.path)
        self._images = self._table(image_keys, images, "image")
        self._texts = self._table(texts, text_rows, "text")
        self._hashed = any(key.startswith("sha256:") for key in self._images)
        widths = {len(row) for table in (self._images, self._texts) for row in list(table.values())[:1]}
        if len(widths) > 1:
            raise InputError(
                f"{path}: image and text features have {sorted(widths)} columns; they must share one space"
            )
        self.info = {"name": f"features:{self.path.name}", "sha256": sha256_file(self.path)}

    def _table(self, keys: Sequence[str], rows: Any, kind: str) -> dict[str, Array]:
        rows = np.asarray(rows)
        if rows.ndim != 2 or len(rows) != len(keys) or rows.dtype.kind != "f":
            raise InputError(
                f"{self.path}: {len(keys)} {kind} keys but features of shape {rows.shape} and type {rows.dtype}; "
                "(N, D) floating-point numbers are needed"
            )
        found = to_rows(rows, [f"{self.path}: {kind} {key!r}" for key in keys], BROKEN)
        table: dict[str, Array] = {}
        for key, row in zip(keys, found):
            if key in table and not np.array_equal(table[key], row):
                raise InputError(f"{self.path}: {kind} {key!r} occurs twice with different features")
            table[key] = row
        return table

    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> Array:
        """(N, D). Raises InputError for texts that are not in the file."""
        absent = [t for t in texts if t not in self._texts]
        if absent:
            raise InputError(f"{self.path}: {len(absent)} of {len(texts)} texts are not in it, the first {absent[0]!r}")
        return np.stack([self._texts[t] for t in texts]) if len(texts) else np.zeros((0, 1), dtype=np.float32)

    def encode_image(self, images: Any, batch_size: int = 64) -> Array:
        raise InputError(f"{self.path}: a feature file knows images by name and not by their pixels")

    def bank(self, image_refs: Iterable[ImageRef], captions: Iterable[str]) -> Encoded:
        """Features of what a call asks for. Raises InputError naming the first image and caption that is absent."""
        unique = list({p.key: p for p in image_refs}.values())
        texts = sorted(set(captions))
        found, absent = [], []
        first: dict[str, ImageRef] = {}
        for image_ref in unique:
            name = self._find(image_ref)
            if name is None:
                absent.append(image_ref.where)
                continue
            other = first.setdefault(name, image_ref)  # images that share a name must be copies of one file
            if other is not image_ref and hashed(other) != hashed(image_ref):
                raise InputError(
                    f"{self.path}: {name!r} may be {other.where} or {image_ref.where}; give more of its path"
                )
            found.append(self._images[name])
        if absent:
            raise InputError(
                f"{self.path}: {len(absent)} of {len(unique)} images have no feature in it, the first {absent[0]}"
            )
        rows = np.stack(found) if found else np.zeros((0, 1), dtype=np.float32)
        return Encoded(unique, rows, texts, self.encode_text(texts))

    def _find(self, image_ref: ImageRef) -> str | None:
        names = [image_ref.key, *reversed(endings(image_ref))]
        if self._hashed and not any(name in self._images for name in names):
            names = [hashed(image_ref)]
        return next((name for name in names if name in self._images), None)


def endings(image_ref: ImageRef) -> list[str]:
    """The last part of an image's place, the last two, and so on."""
    parts = [part for part in _PART.split(image_ref.where) if part]
    return ["/".join(parts[-k:]) for k in range(1, len(parts) + 1)]


def hashed(image_ref: ImageRef) -> str:
    """`sha256:` and the hash of the file, with the box of a region; the key where there is no file."""
    if not image_ref.has_file:
        return image_ref.key
    _, _, box = image_ref.where.partition(" box ")
    return image_ref.content_hash() + (f" box {box}" if box else "")


def _read(path: Path) -> tuple[list[str], Any, list[str], Any]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                parts: dict[str, Any] = {name: stored[name] for name in NEEDED if name in stored}
        elif path.suffix == ".safetensors":
            parts = _read_safetensors(path)
        else:
            parts = _read_parquet(path)
    except InputError:
        raise
    except Exception as error:  # NumPy, zipfile, safetensors and pyarrow raise many kinds
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a feature file ({why}); nothing pickled is read") from None
    absent = [name for name in NEEDED if name not in parts]
    if absent:
        raise InputError(f"{path}: has no {', '.join(absent)}; a feature file contains {', '.join(NEEDED)}")
    keys, texts = ([str(key) for key in np.asarray(parts[name]).tolist()] for name in ("image_keys", "texts"))
    return keys, parts["image_features"], texts, parts["text_features"]


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "pt") as stored:
        metadata = stored.metadata() or {}
    parts: dict[str, Any] = {name: json.loads(metadata[name]) for name in ("image_keys", "texts") if name in metadata}
    return parts | {name: value.float().numpy() for name, value in load_file(path).items()}


def _read_parquet(path: Path) -> dict[str, Any]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    if not {"kind", "key", "feature"} <= set(table.column_names):
        raise InputError(f"{path}: needs the columns kind, key and feature (it has {', '.join(table.column_names)})")
    parts: dict[str, Any] = {}
    for kind, name in (("image", "image_keys"), ("text", "texts")):
        own = table.filter(pc.equal(table["kind"], kind))
        parts[name], rows = own["key"].to_pylist(), own["feature"].to_pylist()
        parts[f"{kind}_features"] = np.array(rows, dtype=np.float32) if rows else np.zeros((0, 1), np.float32)
    return parts


def save_features(path: str | Path, bank: Encoded, image_refs: Iterable[ImageRef], captions: Iterable[str]) -> Path:
    """Write the features of a call to a file that `FeatureFile` reads. Raises InputError for another suffix."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: choose a name that ends in {', '.join(SUFFIXES)}")
    unique, texts = list({p.key: p for p in image_refs}.values()), sorted(set(captions))
    keys = names_of(unique)
    images, words = bank.image(unique), bank.text(texts)
    with atomic_path(path) as temporary:
        if path.suffix == ".npz":
            lists = {"image_keys": np.array(keys, dtype=str), "texts": np.array(texts, dtype=str)}
            with open(temporary, "wb") as handle:
                np.savez(handle, image_features=images, text_features=words, **lists)  # type: ignore[arg-type]
        elif path.suffix == ".safetensors":
            from safetensors.numpy import save_file

            metadata = {"image_keys": json.dumps(keys), "texts": json.dumps(texts)}
            save_file({"image_features": images, "text_features": words}, temporary, metadata)
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            kinds = ["image"] * len(keys) + ["text"] * len(texts)
            rows = pa.array([*images, *words], type=pa.list_(pa.float32()))
            pq.write_table(pa.table({"kind": kinds, "key": [*keys, *texts], "feature": rows}), temporary)
    return path


def names_of(image_refs: Sequence[ImageRef]) -> list[str]:
    """A key for each: the hash of what has no file or needs one, else the shortest end of its path that is its own."""
    owners: dict[str, int] = {}
    for image_ref in image_refs:
        for name in endings(image_ref):
            owners[name] = owners.get(name, 0) + 1
    return [p.key if not p.has_file else next((n for n in endings(p) if owners[n] == 1), hashed(p)) for p in image_refs]
