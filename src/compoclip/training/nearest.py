"""Images that are alike share a batch: hard images (NegCLIP) and groups of neighbours, by a table or by features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from compoclip.config import TrainConfig
from compoclip.data.grouping import Groups
from compoclip.data.hard_images import HardImages, NamedRows, NearestImages, Similar, named_rows_account
from compoclip.data.loader import BatchStream
from compoclip.data.sources import Source
from compoclip.distributed import Ranks
from compoclip.errors import InputError
from compoclip.io import atomic_path
from compoclip.models import Model
from compoclip.progress import say, track
from compoclip.training.feature_store import FeatureStore
from compoclip.training.frozen import FrozenImages

NAMED = 3  # similar images of a caption in NegCLIP's table; as many are found where a table names none
SPARE = 4  # neighbours known for each that a group has room for, as some have had their turn
SAME = 0.9999  # cosine of two features above which their images are one image under two names
AT_ONCE = 2**25  # similarities in memory


def bring_alike_together(config: TrainConfig, stream: BatchStream, whole: Source, model: Model, ranks: Ranks) -> None:
    """Give the stream what `hard_images` and `neighbours` ask for, and say what that is.

    model: the base model, whose features tell which images are alike where the table does not.
    Raises InputError where the table's column of similar images names none to train on.
    """
    source, group = stream.source, config.neighbours
    told = named_rows_account(source, whole) if config.hard_images else None
    wanted = NAMED if config.hard_images and told is None else 0
    table = nearest_images(config, stream, model, max(wanted, SPARE * group), ranks) if wanted or group else None
    if table is not None:
        alone = int((table[:, 0] < 0).sum())
        say(f"nearest images: by features of {config.model_name}" + (f"; {alone} images have none" if alone else ""))
    if config.hard_images:
        similar: Similar = NamedRows(source) if table is None or told else NearestImages(table[:, :NAMED])
        stream.collator.hard = HardImages(source, similar, config.hard_images, config.seed, config.hard_captions)
        say(told or f"hard images: of the {wanted} nearest of each image, as the data has no column that names any")
    if group and table is not None:
        stream.groups = Groups(table[:, : SPARE * group], group + 1)


def nearest_images(config: TrainConfig, stream: BatchStream, model: Model, count: int, ranks: Ranks) -> np.ndarray:
    """The `count` nearest images of each of the stream's (N, count), the same on all ranks.

    Features and table are kept in `feature_cache`, or in the run's own `features`, by the name of a hash of weights,
    preprocessing and photos, and found there again.
    """
    folder, indices = config.feature_cache or str(Path(config.output_dir) / "features"), range(len(stream.source))
    with FeatureStore.opened(folder, model, stream, indices, True, not ranks.rank) as store:
        assert store is not None
        path = store.stem.with_name(f"{store.stem.name}-nearest-{count}.safetensors")
        table = ranks.same(_read(path) if not ranks.rank and path.exists() else None)
        if table is not None:
            return table
        kept = ranks.same(store.find(False))
        if kept is not None:
            features = FrozenImages.read(kept, True, False).pooled
        else:
            features = FrozenImages.build(model, stream.images(indices), len(indices), False, True, ranks).pooled
            for found in ranks.share(dict(stream.broken)):
                stream.note_broken(found)
            if not ranks.rank and not stream.broken:
                FrozenImages(features, None, True).write(store.path(False))
        if not ranks.rank:
            table = nearest(features.to(model.device), count)
            with atomic_path(path) as temporary:
                save_file({"nearest": table}, temporary)
        found_by_first = ranks.same(table)
        assert found_by_first is not None
        return found_by_first


def _read(path: Path) -> np.ndarray:
    try:
        return load_file(path)["nearest"]
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(f"{path}: not a table of nearest images ({error}); delete it") from None


@torch.inference_mode()
def nearest(features: Tensor, count: int) -> np.ndarray:
    """(N, count) int32: the images with the largest cosine to each, the nearest first; -1 where there are no more.

    features (N, D): zero for an image that cannot be read, which has no neighbours and is none. Nor is an image
    its own, or one that is the same image. Equal ones come by their index.
    """
    unit, size = F.normalize(features.float(), dim=1), len(features)
    there = unit.any(dim=1)
    out = np.full((size, count), -1, dtype=np.int32)
    rows = max(1, AT_ONCE // size)
    for start in track(range(0, size, rows), "nearest images"):
        span = slice(start, min(start + rows, size))
        similar = unit[span] @ unit.T
        similar[similar > SAME] = -torch.inf
        similar[:, ~there] = -torch.inf
        similar[~there[span]] = -torch.inf
        value, index = (part.cpu().numpy() for part in similar.topk(min(count, size), dim=1))
        order = np.lexsort((index, -value), axis=1)
        index = np.where(np.isfinite(value), index, -1)
        out[span, : index.shape[1]] = np.take_along_axis(index, order, axis=1)
    return out
