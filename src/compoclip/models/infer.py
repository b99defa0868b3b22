"""The architecture of a CLIP state dict, from the shapes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import open_clip
from torch import Tensor

from compoclip.errors import InputError

HEAD_WIDTH = (
    64  # of every CLIP that OpenAI and open_clip train at these shapes; a head's width leaves no trace in weights
)


def infer_config(state: Mapping[str, Tensor], where: str, head_width: int = HEAD_WIDTH) -> dict[str, Any]:
    """`model_cfg` of a ViT state dict in open_clip's names, without its activation.

    Raises InputError where the shapes are not those of a CLIP with a vision transformer, naming the key.
    """
    try:
        width, _, patch, _ = state["visual.conv1.weight"].shape
        places = state["visual.positional_embedding"].shape[0] - 1
        embed = state["visual.proj"].shape[1]
        context, text_width = state["positional_embedding"].shape
        vocabulary = state["token_embedding.weight"].shape[0]
    except KeyError as error:
        raise InputError(
            f"{where}: no {error.args[0]}: not a CLIP with a vision transformer; name its architecture as open_clip "
            "spells it, NAME:FILE"
        ) from None
    except ValueError:
        raise InputError(f"{where}: the patch or position weights have the wrong number of dimensions") from None
    grid = round(places**0.5)
    if grid * grid != places:
        raise InputError(f"{where}: {places} image positions are no square grid; name its architecture, NAME:FILE")
    for value, key in ((width, "visual.conv1.weight"), (text_width, "positional_embedding")):
        if value % head_width or not value:
            raise InputError(f"{where}: {key} has width {value}, no multiple of a head of {head_width}")
    for prefix in ("visual.transformer.resblocks.", "transformer.resblocks."):
        if not _layers(state, prefix):
            raise InputError(f"{where}: no {prefix}*: a tower without blocks is no CLIP's")
    vision = {
        "image_size": grid * patch,
        "layers": _layers(state, "visual.transformer.resblocks."),
        "width": width,
        "patch_size": patch,
    }
    text = {
        "context_length": context,
        "vocab_size": vocabulary,
        "width": text_width,
        "heads": text_width // head_width,
        "layers": _layers(state, "transformer.resblocks."),
    }
    if head_width != HEAD_WIDTH:
        vision["head_width"] = head_width
    return {"embed_dim": embed, "vision_cfg": vision, "text_cfg": text}


def _layers(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix)})


def known_name(config: Mapping[str, Any]) -> str | None:
    """open_clip's name for a configuration with the usual context length, None where it has none."""
    text = {**config["text_cfg"], "context_length": 77}
    for name in ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14", "ViT-g-14"):
        known = open_clip.get_model_config(name) or {}
        if all(
            known.get(part) == want for part, want in ({**config, "text_cfg": text}).items() if part != "quick_gelu"
        ):
            return name
    return None
