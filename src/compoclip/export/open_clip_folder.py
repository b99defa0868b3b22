"""A model as the folder that open_clip and `compoclip.load` take."""

from __future__ import annotations

from pathlib import Path

from torch.nn.functional import normalize

from compoclip.export.equality import Equality, compare
from compoclip.models import Model, load, save


def write(model: Model, folder: Path) -> Equality:
    """Write `open_clip_config.json`, safetensors and the tokenizer; returns how the folder, loaded, compares."""
    save(model, folder)
    return check(model, folder)


def check(model: Model, folder: Path) -> Equality:
    """Load a folder that `save` wrote and compare it with `model`."""
    again = load(folder)
    again.tokenizer = model.tokenizer  # ids are compared by the caller's own; the texts of both are equal below
    return compare(
        model,
        lambda batch: again.encode_image(batch),
        lambda ids: normalize(again.text_features(ids, cut=False).pooled, dim=-1),
        len(again.clip.state_dict()),
    )
