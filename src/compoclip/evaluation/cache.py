"""Features on disk, so that a second run over the same data with the same model reads no image.

A folder a tower, named by a hash of its weights, configuration and preprocessing. An image is known by its file (path,
size, time of change, place in the archive, crop), a caption by its text. Parts are written whole and never changed,
so several processes may share a folder, and a killed run loses at most one part.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation.scoring.comparisons import Array
from compoclip.io import atomic_path

PART = 8192  # rows of one part


def weights_key(model: Any, tower: str) -> str:
    """Hash of all that decides a model's features of one `tower`, images or texts.

    A tower that fine-tuning left alone keeps its key, so its features are found again. Raises InputError for a model
    that shows no weights.
    """
    module = getattr(model, "module", None) or getattr(model, "clip", model)
    digest = hashlib.blake2b(digest_size=12)
    if hasattr(module, "state_dict"):
        digest.update(_weights(module, tower))
        digest.update(str((getattr(model, "info", None) or {}).get("activation")).encode())
        digest.update(_configuration(model, tower).encode())
        if getattr(model, "precision", "fp32") != "fp32":
            digest.update(model.precision.encode())
    elif (getattr(model, "info", None) or {}).get("sha256"):
        digest.update(str(model.info["sha256"]).encode())
    else:
        raise InputError("features cannot be kept: the model has neither weights (state_dict) nor info['sha256']")
    settings = re.sub(r" at 0x[0-9a-f]+", "", repr(getattr(model, "preprocess", None)))
    digest.update(settings.encode())
    return digest.hexdigest()


def _configuration(model: Any, tower: str) -> str:
    """What the configuration says of one tower; where its files lie says nothing."""
    config = getattr(model, "config", None) or {}
    model_cfg = dict(config.get("model_cfg", {}))
    parts = {"images": model_cfg.pop("vision_cfg", None), "texts": dict(model_cfg.pop("text_cfg", None) or {})}
    for path in ("hf_model_name", "hf_tokenizer_name"):
        parts["texts"].pop(path, None)
    return str((model_cfg, parts[tower], config.get("preprocess_cfg") if tower == "images" else None))


_hashed: WeakKeyDictionary[Any, dict[str, tuple[Any, bytes]]] = WeakKeyDictionary()


def _weights(module: Any, tower: str) -> bytes:
    """Hash of a tower's weights, computed again only where a tensor was replaced or written to since."""
    import torch

    state = sorted(module.state_dict(keep_vars=True).items())
    if any(name.startswith("visual.") for name, _ in state):  # open_clip's name for the image tower
        state = [(name, tensor) for name, tensor in state if name.startswith("visual.") == (tower == "images")]
    stamp = tuple((name, tensor.data_ptr(), tensor._version) for name, tensor in state)
    known = _hashed.setdefault(module, {}).get(tower)
    if known is not None and known[0] == stamp:
        return known[1]
    digest = hashlib.blake2b(digest_size=20)
    for name, tensor in state:
        data = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tuple(data.shape)} {data.dtype}".encode())
        if data.numel():
            digest.update(memoryview(data.reshape(-1).view(dtype=torch.uint8).numpy()))
    _hashed[module][tower] = (stamp, digest.digest())
    return digest.digest()


class FeatureCache:
    """Features of one kind (images or texts) of one model: `get` before encoding, `put` after, `close` at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._rows: dict[bytes, Array] = {}
        for part in sorted(folder.glob("*.npz")):
            self._rows.update(_read(part))
        self._new: dict[bytes, Array] = {}

    @staticmethod
    def _name(key: str) -> bytes:
        return hashlib.blake2b(key.encode(), digest_size=16).digest()

    def get(self, keys: Sequence[str]) -> dict[str, Array]:
        """The features that are there, by key; each (D,)."""
        return {key: row for key in keys if (row := self._rows.get(self._name(key))) is not None}

    def put(self, keys: Sequence[str], features: Array) -> None:
        """Keep `features` (N, D); they are on disk after `close`, or as soon as a part is full."""
        self._new.update(zip(map(self._name, keys), features))
        if len(self._new) >= PART:
            self.close()

    def close(self) -> None:
        if not self._new:
            return
        names = np.frombuffer(b"".join(self._new), dtype=np.uint8).reshape(-1, 16)
        rows = np.stack(list(self._new.values()))
        part = self.folder / f"{hashlib.blake2b(names.tobytes(), digest_size=10).hexdigest()}-{os.getpid()}.npz"
        with atomic_path(part) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, names=names, rows=rows)
        self._rows.update(self._new)
        self._new = {}


def _read(part: Path) -> dict[bytes, Array]:
    try:
        with np.load(part, allow_pickle=False) as stored:
            return dict(zip(map(bytes, stored["names"]), np.asarray(stored["rows"], dtype=np.float32)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{part}: broken part of the feature cache ({error}); delete it and run again") from None


def open_caches(folder: str | Path, model: Any) -> tuple[FeatureCache, FeatureCache]:
    """The caches of a model's images and captions below `folder`."""
    places = [Path(folder) / tower / weights_key(model, tower) for tower in ("images", "texts")]
    return FeatureCache(places[0]), FeatureCache(places[1])
