"""Image towers of open_clip, in two steps: the backbone, and the projection into the joint space.

Two steps let a frozen backbone be computed once and kept. Pooled features equal open_clip's own forward bit for bit;
patch tokens are the same projection applied at every place (FSC-CLIP, arXiv 2410.05210, section 3.2).
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from open_clip.model import TimmModel, VisionTransformer
from torch import Tensor, nn

from compoclip.errors import InputError


class Pooled(NamedTuple):
    """Pooled features (B, D) and, where they were asked for, tokens (B, P, D)."""

    pooled: Tensor
    tokens: Tensor | None


class Projected(Pooled):
    """Features that are in the joint space already, such as those kept of a tower that is frozen whole."""


def has_patch_tokens(visual: Any) -> bool:
    """Whether `image_backbone(..., dense=True)` works for this tower."""
    if isinstance(visual, VisionTransformer):
        return visual.attn_pool is None and visual.pool_type in ("tok", "avg")
    if isinstance(visual, TimmModel):
        return "pool" not in dict(visual.head.named_children()) and getattr(visual.trunk, "attn_pool", None) is None
    return False


def image_backbone(visual: Any, pixels: Tensor, dense: bool = False) -> Pooled:
    """Pixels (B, 3, H, W) to pooled (B, W) and patch (B, P, W) features before the projection, W the tower's width.

    Raises InputError when `dense` is asked of a tower without patch tokens in the joint space.
    """
    if dense and not has_patch_tokens(visual):
        raise InputError(
            f"the image tower {type(visual).__name__} has no patch tokens in the joint space: "
            "choose an objective without local_negative, or a ViT or convolutional tower"
        )
    if not dense:
        return Pooled(_pooled_only(visual, pixels), None)
    if isinstance(visual, VisionTransformer):
        pooled, tokens = visual._pool(visual.transformer(visual._embeds(pixels)))
        return Pooled(pooled, visual.ln_post(tokens) if visual.final_ln_after_pool else tokens)
    trunk = visual.trunk
    maps = trunk.forward_features(pixels)
    pooled = trunk.forward_head(maps)
    if maps.ndim == 4:
        return Pooled(pooled, _head_everywhere(trunk, maps))
    tokens = maps[:, getattr(trunk, "num_prefix_tokens", 0) :]
    tokens = trunk.fc_norm(tokens) if hasattr(trunk, "fc_norm") else tokens
    return Pooled(pooled, _timm_classifier(trunk, tokens))


def image_projection(visual: Any, features: Pooled) -> Pooled:
    """Backbone features into the joint space, not normalised. What is there already is handed back."""
    if isinstance(features, Projected):
        return features
    return Pooled(
        _project(visual, features.pooled), None if features.tokens is None else _project(visual, features.tokens)
    )


def _pooled_only(visual: Any, pixels: Tensor) -> Tensor:
    pooled: Tensor
    if isinstance(visual, VisionTransformer):
        pooled = visual._pool(visual.transformer(visual._embeds(pixels)))[0]
    elif isinstance(visual, TimmModel):
        pooled = visual.trunk(pixels)
    else:  # a tower without a separable projection, such as ModifiedResNet
        out = visual(pixels)
        pooled = out[0] if isinstance(out, tuple) else out
    return pooled


def _project(visual: Any, values: Tensor) -> Tensor:
    if isinstance(visual, VisionTransformer):
        return values if visual.proj is None else values @ visual.proj
    if isinstance(visual, TimmModel):
        found: Tensor = visual.head(values)
        return found
    return values


def _head_everywhere(trunk: Any, maps: Tensor) -> Tensor:
    """The trunk's head (pooling, norm, classifier) on each place of a map as if it were the whole map, (B, P, W).

    A norm behind the pooling (ConvNeXt) has to see each place as it sees the pooled vector.
    """
    channels_last = maps.shape[-1] == trunk.num_features and maps.shape[1] != trunk.num_features
    places = maps.flatten(1, 2) if channels_last else maps.flatten(2).transpose(1, 2)  # (B, P, C)
    batch, count, channels = places.shape
    single = (-1, 1, 1, channels) if channels_last else (-1, channels, 1, 1)
    found: Tensor = trunk.forward_head(places.reshape(single)).view(batch, count, -1)
    return found


def _timm_classifier(trunk: Any, tokens: Tensor) -> Tensor:
    """Towers that project inside timm's own classifier apply it at every place too."""
    classifier = trunk.get_classifier() if hasattr(trunk, "get_classifier") else None
    return classifier(tokens) if isinstance(classifier, nn.Linear) else tokens


def projection_parameters(visual: Any) -> list[nn.Parameter]:
    """Parameters used by `image_projection` alone."""
    if isinstance(visual, VisionTransformer):
        return [] if visual.proj is None else [visual.proj]
    if isinstance(visual, TimmModel):
        return list(visual.head.parameters())
    return []


def lock_but_last(visual: Any, groups: int) -> None:
    """Freeze all but the last `groups` groups of layers, as open_clip's --lock-image-unlocked-groups counts them.

    Raises InputError for a tower that open_clip cannot lock in part, and where nothing would be locked.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # open_clip imports timm's groups from their old place
        try:
            visual.lock(unlocked_groups=groups)
        except (AssertionError, AttributeError, RuntimeError):
            raise InputError(
                f"unlocked_image_groups: open_clip has no groups of layers for {type(visual).__name__}; use lock_image"
            ) from None
    if all(parameter.requires_grad for parameter in visual.parameters()):
        raise InputError(f"unlocked_image_groups={groups} locks nothing: the image tower has no more groups than that")
